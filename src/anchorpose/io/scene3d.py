"""The people of one image in one metric 3D view, drawn with OpenCV lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.io.figure import (
    DARK,
    SIDES,
    WHITE,
    Colour,
    Image,
    Point,
    dashes,
    is_seen,
    joint_dot,
    lighter,
    links,
    person_colour,
    stroke,
    text,
    text_width,
)

Points = NDArray[np.float64]
_PAPER: Colour = (250, 248, 246)
_GRID: Colour = (224, 218, 212)
_SHADOW: Colour = (202, 196, 190)
_INK: Colour = (120, 110, 104)
_AXES: tuple[tuple[str, Colour], ...] = (("x", (70, 70, 220)), ("y", (70, 160, 60)), ("z", (200, 100, 60)))
_NEAR = 0.05
_BONE_METRES = 0.042


@dataclass(frozen=True)
class View:
    """A perspective look at a metric scene.

    Args:
        rotation: (3, 3) from the camera frame (x right, y down, z forward) to the viewer's, which has the same axes.
        target: (3,) metres, the point in the middle of the view.
        distance: metres from the viewer to `target`.
        focal: pixels.
        centre: pixels, where `target` is seen.
    """

    rotation: Points
    target: Points
    distance: float
    focal: float
    centre: Point

    def look(self, points: Points) -> Points:
        """(..., 3) metres in the camera frame -> (..., 3) metres as the viewer sees them, z the distance."""
        return np.asarray((points - self.target) @ self.rotation.T + [0, 0, self.distance])

    def project(self, points: Points) -> Points:
        """(..., 3) metres in the camera frame -> (..., 3) pixels x, y and distance in metres."""
        seen = self.look(points)
        depth = np.maximum(seen[..., 2:], _NEAR)
        # y is down in the data and in pictures, so people stand upright without a change of sign
        return np.concatenate([seen[..., :2] / depth * self.focal + self.centre, seen[..., 2:]], axis=-1)


def view_rotation(yaw: float, pitch: float) -> Points:
    """(3, 3) from the camera frame to that of a viewer.

    Args:
        yaw: degrees; positive moves the viewer to the right of the photo's camera, around the scene.
        pitch: degrees; negative looks down on the scene.
    """
    a, b = math.radians(yaw), math.radians(pitch)
    around = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    return np.asarray(tilt @ around)


def fit_view(points: Points, width: int, height: int, yaw: float, pitch: float) -> View:
    """The nearest view from this direction in which all (m, 3) points lie, with a margin around them."""
    lower, upper = points.min(0), points.max(0)
    radius = max(float(np.linalg.norm(upper - lower)) / 2, 0.5)
    rotation, focal = view_rotation(yaw, pitch), 1.6 * max(width, height)
    distance = radius * 4.5  # a long lens: sizes can be compared, and depth is still felt
    view = View(rotation, (lower + upper) / 2, distance, focal, (width / 2, height / 2))
    # first make the points' bounds as large as the picture allows, then put them in its middle
    flat = view.project(points)[:, :2]
    span = np.maximum(np.ptp(flat, axis=0), 1.0)
    zoom = min(width * 0.84 / span[0], height * 0.74 / span[1])
    middle = ((flat.min(0) + flat.max(0)) / 2 - [width / 2, height / 2]) * zoom
    return View(rotation, view.target, distance, focal * zoom,
                (width / 2 - float(middle[0]), height * 0.485 - float(middle[1])))  # fmt: skip


def draw_scene3d(poses: Poses, width: int, height: int, yaw: float = 30.0, pitch: float = -15.0) -> Image:
    """The people in metres, seen from beside the photo's camera.

    Limbs are orange on the person's left and blue on the right, what cannot be seen in the photograph has hollow joints
    and dashed bones. People stand over a level grid whose squares are 1 m (5 m or more in a wide scene; its scale is
    written below); it lies at the lowest joint. Shadows on it show where each person is. The photo's camera is drawn
    where it fits, else its distance is written. People who could not be placed are left out.

    Args:
        poses: people of one image.
        width, height: size of the view in pixels.
        yaw: degrees; positive moves the viewer to the right of the photo's camera, around the scene.
        pitch: degrees; negative looks down on the scene.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _PAPER
    letters = float(np.clip(min(width, height) / 48, 7, 40))
    joints, placed = _placed(poses)
    if not placed:
        _say_empty(canvas, len(poses) > 0, letters)
        _gizmo(canvas, view_rotation(yaw, pitch), letters)
        return canvas
    people = joints[placed].reshape(-1, 3)
    people = people[np.isfinite(people).all(-1)]
    with_camera = _camera_fits(people)
    frustum = _frustum(poses.camera, float(np.clip(np.ptp(people, axis=0).max() * 0.1, 0.25, 1.0)))
    ground = float(people[:, 1].max())
    floor = people * [1, 0, 1] + [0, ground, 0]
    view = fit_view(np.concatenate([people, floor, *([frustum] if with_camera else [])]), width, height, yaw, pitch)
    square = draw_grid(canvas, view, np.concatenate([people, frustum[:1]]) if with_camera else people, ground)
    draw_people(canvas, view, poses, ground)
    if with_camera:
        _draw_camera(canvas, view, frustum, letters)
    _captions(canvas, people, square, with_camera, letters)
    _gizmo(canvas, view.rotation, letters)
    return canvas


def _placed(poses: Poses) -> tuple[Points, list[int]]:
    """(n, J, 3) metres in the camera frame, and who has a joint there."""
    joints = poses.joints3d_camera.astype(np.float64)
    return joints, [i for i in range(len(poses)) if np.isfinite(joints[i]).all(-1).any()]


def draw_people(canvas: Image, view: View, poses: Poses, ground: float) -> None:
    """Draw the people and their shadows into `canvas`, in a view of one's own.

    Args:
        canvas: (h, w, 3) uint8 BGR.
        view: from where.
        poses: people of one image; those who could not be placed are left out.
        ground: metres, the y (down) of the floor that the shadows lie on.
    """
    joints, placed = _placed(poses)
    for i in placed:
        _draw_shadow(canvas, view, poses, joints[i], ground)
    _paint(canvas, view, poses, joints, placed)


def _say_empty(canvas: Image, anybody: bool, letters: float) -> None:
    words = "no person placed in 3D" if anybody else "no person"
    corner = ((canvas.shape[1] - text_width(words, letters)) / 2, canvas.shape[0] / 2)
    text(canvas, words, corner, letters, _INK)


def _camera_fits(people: Points) -> bool:
    """Whether the camera is near enough to be shown without making the people small."""
    reach = float(np.linalg.norm(np.ptp(people, axis=0)))
    return float(people[:, 2].min()) < max(2.2, 1.1 * reach)


def _frustum(camera: Camera, depth: float) -> Points:
    """(5, 3) metres: the camera's centre and the corners of its picture `depth` metres in front of it."""
    x = (np.array([0, camera.width, camera.width, 0]) - camera.cx) / camera.fx * depth
    y = (np.array([0, 0, camera.height, camera.height]) - camera.cy) / camera.fy * depth
    return np.concatenate([np.zeros((1, 3)), np.stack([x, y, np.full(4, depth)], axis=-1)])


def _draw_camera(canvas: Image, view: View, frustum: Points, letters: float) -> None:
    flat = [_xy(p) for p in view.project(frustum)]
    thin = max(1.0, letters / 7)
    for k in range(4):
        stroke(canvas, flat[0], flat[k + 1], _INK, thin)
        stroke(canvas, flat[k + 1], flat[(k + 1) % 4 + 1], _INK, thin)
    edge = min(p[0] for p in flat)
    beside = (edge - text_width("camera", letters) - letters * 0.6, flat[0][1] + letters * 0.5)
    above = (edge, min(p[1] for p in flat) - letters * 0.7)
    text(canvas, "camera", beside if beside[0] > letters else above, letters, _INK)


def _xy(point: Points) -> Point:
    return float(point[0]), float(point[1])


def draw_grid(canvas: Image, view: View, points: Points, ground: float) -> float:
    """Draw squares on the ground (its y in metres) under the (m, 3) points; returns their side in metres."""
    reach = float(np.ptp(points[:, [0, 2]], axis=0).max())
    square = next((s for s in (1.0, 5.0, 10.0, 50.0) if reach / s < 24), 100.0)
    lower = np.floor(points[:, [0, 2]].min(0) / square - 0.5) * square
    upper = np.ceil(points[:, [0, 2]].max(0) / square + 0.5) * square
    xs, zs = (np.arange(lower[k], upper[k] + square / 2, square)[:200] for k in (0, 1))
    ends = [((x, zs[0]), (x, zs[-1])) for x in xs] + [((xs[0], z), (xs[-1], z)) for z in zs]
    thin = max(1.0, min(canvas.shape[:2]) / 700)
    for a, b in ends:
        flat = _line_in_front(view, np.array([[a[0], ground, a[1]], [b[0], ground, b[1]]]))
        if flat is not None:
            stroke(canvas, *flat, _GRID, thin)
    return square


def _line_in_front(view: View, line: Points) -> tuple[Point, Point] | None:
    """(2, 3) metres -> its ends in pixels, cut where the line passes behind the viewer."""
    depth = view.look(line)[:, 2]
    near = view.distance * 0.05
    if (depth < near).all():
        return None
    for k in (0, 1):
        if depth[k] < near:
            share = (near - depth[k]) / (depth[1 - k] - depth[k])
            line = np.where(np.arange(2)[:, None] == k, line[k] + (line[1 - k] - line[k]) * share, line)
    flat = view.project(line)
    return _xy(flat[0]), _xy(flat[1])


def _draw_shadow(canvas: Image, view: View, poses: Poses, joints: Points, ground: float) -> None:
    """The body's lines dropped to the ground, and a plumb line to them where the body floats above."""
    flat = view.project(joints * [1, 0, 1] + [0, ground, 0])
    for link in links(poses.skeleton):
        a, b = flat[list(link.start)].mean(0), flat[list(link.end)].mean(0)
        if np.isfinite([*a, *b]).all():
            stroke(canvas, _xy(a), _xy(b), _SHADOW, _metres(view, (a[2] + b[2]) / 2, _BONE_METRES * 1.2))
    lowest = joints[np.nanargmax(joints[:, 1])]
    if ground - lowest[1] > 0.2:
        ends = view.project(np.stack([lowest, [lowest[0], ground, lowest[2]]]))
        dashes(canvas, _xy(ends[0]), _xy(ends[1]), _SHADOW, canvas.shape[0] / 500, canvas.shape[0] / 120)


def _metres(view: View, depth: float, size: float) -> float:
    """Pixels of `size` metres at `depth`, at least 1, and never so many that lines become clubs."""
    return min(max(1.0, size * view.focal / max(float(depth), _NEAR)), max(2.0, view.centre[1] / 18))


def _paint(canvas: Image, view: View, poses: Poses, joints: Points, placed: list[int]) -> None:
    """All bones and joints, the far ones first (painter's algorithm)."""
    strokes: list[tuple[float, Callable[[], None]]] = []
    for i in placed:
        identity = i if poses.track_ids is None else int(poses.track_ids[i])
        flat = view.project(joints[i])
        for link in links(poses.skeleton):
            a, b = flat[list(link.start)].mean(0), flat[list(link.end)].mean(0)
            if np.isfinite([*a, *b]).all():
                seen = is_seen(poses.joint_states[i], link.start + link.end)
                strokes.append((float(a[2] + b[2]) / 2, _bone(canvas, view, a, b, SIDES[link.side], seen)))
        for j in np.flatnonzero(np.isfinite(flat).all(-1)):
            seen = bool(poses.joint_states[i, j] == JointState.VISIBLE)
            # a little nearer, so that its own bones do not cut it
            strokes.append((float(flat[j, 2]) - 0.2, _dot(canvas, view, flat[j], person_colour(identity), seen)))
    for _, draw in sorted(strokes, key=lambda item: -item[0]):
        draw()


def _bone(canvas: Image, view: View, a: Points, b: Points, colour: Colour, seen: bool) -> Callable[[], None]:
    width = _metres(view, (a[2] + b[2]) / 2, _BONE_METRES)

    def draw() -> None:
        if seen:
            stroke(canvas, _xy(a), _xy(b), DARK, width * 1.35)
            stroke(canvas, _xy(a), _xy(b), colour, width)
        else:
            dashes(canvas, _xy(a), _xy(b), lighter(colour, 0.25), width * 0.6, width * 1.5)

    return draw


def _dot(canvas: Image, view: View, at: Points, colour: Colour, seen: bool) -> Callable[[], None]:
    radius = _metres(view, at[2], _BONE_METRES) * (0.72 if seen else 0.85)
    return lambda: joint_dot(canvas, _xy(at), radius, colour, None if seen else WHITE)


def _captions(canvas: Image, people: Points, square: float, with_camera: bool, letters: float) -> None:
    height, width = canvas.shape[:2]
    line = height - letters * 1.1
    words = f"grid {square:.0f} m"
    text(canvas, words, (width - letters * (0.95 * len(words)), line), letters, _INK)
    if not with_camera:
        words = f"camera {float(people[:, 2].min()):.1f} m from the nearest"
        text(canvas, words, (width - letters * (0.95 * len(words)), line - letters * 1.9), letters, _INK)


def _gizmo(canvas: Image, rotation: Points, letters: float) -> None:
    """The camera's axes in the lower left corner: x right, y down, z away from the camera."""
    long = letters * 2.6
    start = np.array([letters * 2.4, canvas.shape[0] - letters * 4.9])
    for k in np.argsort(-rotation[2]):  # the axis that points away first
        name, colour = _AXES[k]
        tip = start + rotation[:2, k] * long
        stroke(canvas, _xy(start), _xy(tip), colour, max(1.0, letters / 5))
        beyond = start + rotation[:2, k] * (long + letters * 0.8)
        text(canvas, name, (float(beyond[0]) - letters * 0.35, float(beyond[1]) + letters * 0.4), letters, colour)
