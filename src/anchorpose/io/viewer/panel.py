"""The 3D scene of a video's frame as a picture, to stand beside the frame: one fixed view, so that nothing jumps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.poses import Poses
from anchorpose.io.exports.clip import Clip
from anchorpose.io.figure import Image, lighter, person_colour, stroke, text, text_width
from anchorpose.io.scene3d import View, draw_grid, draw_people, fit_view

Points = NDArray[np.float64]
_PAPER = (250, 248, 246)
_INK = (120, 110, 104)
_YAW, _PITCH = 55.0, -16.0
_REACH = 6.0
_FLOOR_BELOW = 1.4
_SPARE = 1.4
"""Depth of the room over that of its first people: they may walk away."""


@dataclass(frozen=True)
class Room:
    """What a panel shows: a view and the floor in it."""

    view: View
    ground: float  # metres, y of the floor in the camera frame
    corners: Points  # (m, 3) metres, what the grid lies under


def clip_room(clip: Clip, size: tuple[int, int], yaw: float = _YAW, pitch: float = _PITCH) -> Room:
    """The room in which everybody of a clip lies, but for the outermost percent.

    Args:
        clip: the people; nobody gives `camera_room`.
        size: width and height of the panel in pixels.
        yaw, pitch: degrees, as in `scene3d.view_rotation`.
    """
    bodies = [p.in_camera().reshape(-1, 3).astype(np.float64) for p in clip.people]
    joints = np.concatenate([*bodies, np.empty((0, 3))])
    joints = joints[np.isfinite(joints).all(-1)]
    if not len(joints):
        return camera_room(clip.camera, size, yaw=yaw, pitch=pitch)
    lowest = np.concatenate([_lowest(p.in_camera()) for p in clip.people])
    lower, upper = np.quantile(joints, 0.01, axis=0), np.quantile(joints, 0.99, axis=0)
    ground = float(np.quantile(lowest, 0.95))
    return _room(lower, np.maximum(upper, [-np.inf, ground, -np.inf]), ground, size, yaw, pitch)


def first_room(poses: Poses, size: tuple[int, int]) -> Room:
    """The room for a stream of which one frame is known: its people stand on the floor, with space around them.

    Args:
        poses: the first people; nobody with a place gives `camera_room`.
        size: width and height of the panel in pixels.
    """
    joints = poses.joints3d_camera.astype(np.float64)
    joints = joints[np.isfinite(joints).all(-1).any(-1)]
    lowest = _lowest(joints)
    if not len(lowest):
        return camera_room(poses.camera, size)
    furthest = float(np.median(np.nanmax(joints[..., 2], axis=1)))
    return camera_room(poses.camera, size, max(_REACH / 2, _SPARE * furthest), float(np.median(lowest)))


def camera_room(
    camera: Camera, size: tuple[int, int], reach: float = _REACH, ground: float = _FLOOR_BELOW, yaw: float = _YAW,
    pitch: float = _PITCH,
) -> Room:  # fmt: skip
    """The room for a stream, of which nothing is known but its camera: what it sees.

    Args:
        camera: of the stream. size: width and height of the panel in pixels.
        reach: metres from the camera to the far end. ground: metres from the camera down to the floor.
        yaw, pitch: degrees, as in `scene3d.view_rotation`.
    """
    half = reach / 2 * camera.width / (2 * camera.fx)
    lower, upper = np.array([-half, min(-0.6, ground - 2.0), reach * 0.15]), np.array([half, ground, reach])
    return _room(lower, upper, ground, size, yaw, pitch)


def _room(lower: Points, upper: Points, ground: float, size: tuple[int, int], yaw: float, pitch: float) -> Room:
    corners = np.array([[(lower, upper)[(i >> k) & 1][k] for k in range(3)] for i in range(8)])
    return Room(fit_view(corners, *size, yaw, pitch), ground, corners)


def _lowest(joints: NDArray[np.floating]) -> Points:
    """(t, J, 3) -> the y of the lowest joint of each frame in which one is known."""
    y = np.where(np.isnan(joints[..., 1]), -np.inf, joints[..., 1]).max(-1)
    return np.asarray(y[np.isfinite(y)], np.float64)


@dataclass
class Trails:
    """Where each tracked body centre was in the last seconds."""

    seconds: float = 2.0
    places: dict[int, deque[tuple[float, Points]]] = field(default_factory=dict)

    def add(self, poses: Poses, time: float) -> None:
        """Take in the next frame; people without a place or an id are left out, old places are forgotten."""
        ids = () if poses.track_ids is None else poses.track_ids
        for identity, centre in zip(ids, poses.translation, strict=False):
            if np.isfinite(centre).all():
                self.places.setdefault(int(identity), deque()).append((time, centre.astype(np.float64)))
        for identity, trail in list(self.places.items()):
            while trail and trail[0][0] < time - self.seconds:
                trail.popleft()
            if not trail:
                del self.places[identity]

    def paths(self) -> dict[int, Points]:
        """(m, 3) metres in the camera frame for each id, oldest first."""
        return {identity: np.stack([place for _, place in trail]) for identity, trail in self.places.items()}


def panel(poses: Poses, size: tuple[int, int], room: Room, trails: Trails | None = None) -> Image:
    """One frame's people in 3D.

    Args:
        poses: the people; colours follow `track_ids`.
        size: width and height in pixels, those that `room` was made for.
        room: the view, the same for all frames of a video.
        trails: drawn on the floor in each person's colour, paler the older.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    width, height = size
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _PAPER
    square = draw_grid(canvas, room.view, room.corners, room.ground)
    for identity, path in (trails.paths() if trails is not None else {}).items():
        _draw_trail(canvas, room, path, identity)
    draw_people(canvas, room.view, poses, room.ground)
    letters = float(np.clip(min(size) / 48, 7, 40))
    words = f"grid {square:.0f} m"
    text(canvas, words, (width - text_width(words, letters) - letters, height - letters * 1.1), letters, _INK)
    return canvas


def _draw_trail(canvas: Image, room: Room, path: Points, identity: int) -> None:
    flat = room.view.project(path * [1, 0, 1] + [0, room.ground, 0])
    near = room.view.distance * 0.05
    for k in range(1, len(flat)):
        if min(flat[k - 1, 2], flat[k, 2]) > near:
            colour = lighter(person_colour(identity), 0.75 * (1 - k / len(flat)))
            a, b = ((float(p[0]), float(p[1])) for p in flat[k - 1 : k + 1])
            stroke(canvas, a, b, colour, max(1.0, canvas.shape[0] / 180))
