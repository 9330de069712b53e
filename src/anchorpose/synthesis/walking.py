"""People who walk along a path: a gait out of motion capture, steered, with feet that stay where they stand.

A gait is a repeating piece of a clip without the clip's own way through its studio. The way follows from the body
itself: the lowest point of its mesh stays where it is until another one is lowest, so that bodies of any size step
without sliding. World axes are those of `rendering.placement`: y down, the ground is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mocap.files import read_motion
from anchorpose.synthesis.mocap.mapping import to_lcr13
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.figures import Figure, make_figure

Floats = NDArray[np.floating]
_SHORTEST = 0.8
"""Seconds of a gait at least: two steps."""
_TURNING = np.radians(110)
"""Fastest turn, radians a second."""
_ARRIVED = 0.4
_LONGEST_STEP = 3.0
"""Metres a second that the ground contact may move a body; more comes from a stumble in the clip."""


@dataclass(frozen=True)
class Gait:
    """A walk that repeats: (t, 13, 3) metres, y down, facing -z on average, a frame every 1 / `fps` seconds."""

    poses: NDArray[np.float32]
    fps: float

    def __len__(self) -> int:
        return len(self.poses)


def read_gait(path: Path, fps: float) -> Gait:
    """The piece of a motion capture clip that repeats best.

    Args:
        path: a clip of somebody who walks or runs, see `mocap.files.read_motion`.
        fps: frames a second of the gait.

    Raises:
        InputError: the clip cannot be read, is shorter than two steps, or has frames without all joints.
    """
    motion = read_motion(path)
    poses = to_lcr13(motion)
    count = int((len(poses) - 1) * motion.frame_time * fps) + 1
    if count <= _SHORTEST * fps + 1 or not np.isfinite(poses).all():
        raise InputError(f"{path} has {len(poses)} frames of {motion.frame_time:.3g} s or lacks joints, wanted whole "
                         f"poses for more than {_SHORTEST} s; give a longer clip of a walk")  # fmt: skip
    place = np.arange(count) / (fps * motion.frame_time)
    low = np.minimum(place.astype(int), len(poses) - 2)
    share = (place - low)[:, None, None]
    facing = _facing_ahead(poses[low] * (1 - share) + poses[low + 1] * share, fps)
    first, last = _best_loop(facing, fps)
    return Gait(facing[first:last].astype(np.float32), fps)


def facing_angle(poses: Floats) -> Floats:
    """(..., 13, 3) -> (...) radians about the vertical by which the body has turned away from facing -z."""
    hips, shoulders = (poses[..., LCR13.index(f"left_{j}"), :] - poses[..., LCR13.index(f"right_{j}"), :]
                       for j in ("hip", "shoulder"))  # fmt: skip
    across = hips + shoulders  # +x where it faces -z
    return np.asarray(np.arctan2(-across[..., 2], across[..., 0]))


def turned(poses: Floats, angle: Floats) -> Floats:
    """(..., J, 3) poses turned about the vertical by (...) radians; `facing_angle` grows by as much."""
    angle = np.asarray(angle)
    turn = Rotation.from_rotvec(angle.reshape(-1, 1) * [0.0, 1.0, 0.0]).as_matrix().reshape(*angle.shape, 3, 3)
    return np.asarray(poses @ np.swapaxes(turn, -1, -2))


def _facing_ahead(poses: Floats, fps: float) -> Floats:
    """Take the slow turns out of a clip; the swing of the hips within a second stays."""
    angle = np.unwrap(facing_angle(poses))
    return turned(poses, -uniform_filter1d(angle, min(len(angle), max(1, round(fps))), mode="nearest"))


def _best_loop(poses: Floats, fps: float) -> tuple[int, int]:
    """First frame and the one after the last, so that the pose after the last is most like the first, in motion too."""
    apart = max(2, int(np.ceil(_SHORTEST * fps)))
    speed = np.gradient(poses, axis=0) * 2
    state = np.concatenate([poses, speed], axis=2).reshape(len(poses), -1)
    square = (state**2).sum(1)
    distance = square[:, None] + square[None] - 2 * state @ state.T
    distance[~np.triu(np.ones(distance.shape, bool), apart)] = np.inf
    first, last = np.unravel_index(int(distance.argmin()), distance.shape)
    return int(first), int(last)


@dataclass(frozen=True)
class Walker:
    """Somebody on their way; `step` gives the next one.

    Args:
        body: number in the pool. gait: how they walk. outfit_seed: of clothes, hands and gaze, which stay.
        path: (p, 2) metres, x and z of the points they go to, one after the other, then from the first again.
        heading: radians, `facing_angle` of the way they go. phase: frame of the gait. target: row of `path`.
        contact: number of the vertex that stands on the ground and (2,) where, x and z; None at the start.
        place: (2,) metres, x and z of the hips.
    """

    body: int
    gait: Gait
    outfit_seed: int
    path: Floats
    heading: float
    phase: int
    place: Floats
    target: int = 0
    contact: tuple[int, Floats] | None = None

    def step(self, assets: Assets) -> tuple[Figure, Walker]:
        """The body in the world now, and the walker a frame later."""
        heading, target = self._steered()
        pose = turned(self.gait.poses[self.phase % len(self.gait)], np.array(heading))
        figure = make_figure(assets.pool, assets.chart, self.body, pose.astype(np.float32),
                             np.random.default_rng(self.outfit_seed))  # fmt: skip
        shift = self._shift(figure, heading)
        figure = figure.moved(np.eye(3), np.array([shift[0], -figure.vertices[:, 1].max(), shift[1]]))
        lowest = int(figure.vertices[:, 1].argmax())
        place = figure.joints[LCR13.indices("left_hip", "right_hip")].mean(0)[[0, 2]].astype(np.float64)
        contact = (lowest, figure.vertices[lowest, [0, 2]].astype(np.float64))
        return figure, Walker(self.body, self.gait, self.outfit_seed, self.path, heading, self.phase + 1, place,
                              target, contact)  # fmt: skip

    def _shift(self, figure: Figure, heading: float) -> Floats:
        """(2,) x and z that keep the standing vertex where it was; a toe that dips in passing takes nobody back."""
        hips = figure.joints[LCR13.indices("left_hip", "right_hip")].mean(0)[[0, 2]]
        if self.contact is None:
            return np.asarray(self.place - hips)
        vertex, where = self.contact
        moved = where - figure.vertices[vertex, [0, 2]] + hips - self.place
        ahead = -np.array([np.sin(heading), np.cos(heading)])
        moved = moved - min(0.0, float(moved @ ahead)) * ahead
        longest = _LONGEST_STEP / self.gait.fps
        length = float(np.linalg.norm(moved))
        return np.asarray(self.place + moved * min(1.0, longest / max(length, 1e-9)) - hips)

    def _steered(self) -> tuple[float, int]:
        """Heading and target of the next frame: turn towards the target, and to the next one on arrival."""
        target = self.target
        way = self.path[target] - self.place
        if np.linalg.norm(way) < _ARRIVED:
            target = (target + 1) % len(self.path)
            way = self.path[target] - self.place
        wanted = float(np.arctan2(-way[0], -way[1]))
        turn = (wanted - self.heading + np.pi) % (2 * np.pi) - np.pi
        most = _TURNING / self.gait.fps
        return self.heading + float(np.clip(turn, -most, most)), target
