"""Tracked clips made by hand: people who walk, come late, leave joints out and stand at known places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.io.exports.clip import Clip, TrackedFrame
from tests.io.people import people, standing
from tests.synthesis.bodies import walking

CAMERA = Camera.from_fov(640, 480)


def poses(joints3d: np.ndarray, translation: np.ndarray, ids: list[int]) -> Poses:
    """People of one frame from (n, 13, 3) and (n, 3) metres; the arms of person 2 are hidden."""
    flat = CAMERA.project(joints3d + translation[:, None]).astype(np.float32)
    states = np.full((len(ids), 13), JointState.VISIBLE, np.uint8)
    for row in np.flatnonzero(np.array(ids) == 2):
        states[row, LCR13.indices("left_wrist", "left_elbow")] = JointState.HIDDEN
    states[~np.isfinite(joints3d).all(-1)] = JointState.MISSING
    f = np.float32
    return Poses(LCR13, CAMERA, np.linspace(0.9, 0.8, len(ids), dtype=f), boxes.around(flat, 0.1), flat,
                 joints3d.astype(f), translation.astype(f), np.full((len(ids), 13), 0.75, f), states,
                 track_ids=np.array(ids))  # fmt: skip


def walk_frames(count: int = 24, fps: float = 25.0) -> list[TrackedFrame]:
    """Person 2 walks towards the camera all the time; person 7 stands at the right and is there from frame 5 to 15."""
    steps, still = walking(count), standing()
    frames = []
    for k in range(count):
        joints, places, ids = [steps[k]], [np.array([-0.5, 0.1, 5 - 0.04 * k])], [2]
        if 5 <= k < 15:
            joints, places, ids = [still, *joints], [np.array([0.9, 0.0, 4.0]), *places], [7, *ids]
        frames.append((10 + k, 0.4 + k / fps, poses(np.stack(joints), np.stack(places), ids)))
    return frames


def walk(count: int = 24, fps: float = 25.0) -> Clip:
    return Clip.from_frames(walk_frames(count, fps))


def stand() -> Clip:
    """One person, 3 frames, upright at (0.5, 0.2, 3) metres."""
    people_ = replace(people((0.5, 0.2, 3.0)), track_ids=np.array([1]))
    return Clip.from_frames([(k, k / 30, people_) for k in range(3)])


def without(clip: Clip, identity: int, frames: slice, *joints: str) -> Clip:
    """The clip with some joints (all, if none is named) of a person unknown in some frames."""
    rows = clip.skeleton.indices(*joints) if joints else list(range(len(clip.skeleton)))

    def cut(values: np.ndarray, fill: float) -> np.ndarray:
        values = values.copy()
        for row in rows:
            values[frames, row] = fill
        return values

    changed = [
        replace(p, joints2d=cut(p.joints2d, np.nan), joints3d=cut(p.joints3d, np.nan), states=cut(p.states, 0))
        if p.id == identity else p
        for p in clip.people
    ]  # fmt: skip
    return replace(clip, people=tuple(changed))
