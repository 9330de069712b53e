"""People drawn over their photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState, Poses
from anchorpose.io.figure import (
    DARK,
    SIDES,
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

_MARGIN_COLOUR: Colour = (58, 50, 46)
_READABLE = 6.0
"""Pixels; the height of letters below which people without a track number get no label."""
_MOST_MARGIN = 0.4
"""The canvas grows by at most this share of the longer side; joints further out get an arrow at the border."""


def draw_overlay(image: Image, poses: Poses, extend: bool = True, labels: bool = True) -> Image:
    """The photograph with each person's body drawn on it.

    Limbs are orange on the person's left and blue on the right; each person has one hue of joints. What cannot be seen
    (hidden or outside the picture) has hollow joints and dashed bones. Lines follow the size of the person and of the
    image.

    Args:
        image: (h, w, 3) uint8 BGR; it is not modified.
        poses: people in pixels of `image`.
        extend: give the canvas a margin where bodies leave the picture, which makes the result larger than `image`.
            False keeps the size, as a video needs it; joints outside then get an arrow at the border.
        labels: write each person's score, and track number if there is one.

    Returns:
        A new uint8 BGR image.
    """
    left, top, right, bottom = _margins(image, poses) if extend else (0, 0, 0, 0)
    height, width = image.shape[:2]
    canvas = np.empty((height + top + bottom, width + left + right, 3), np.uint8)
    canvas[:] = _MARGIN_COLOUR
    canvas[top : top + height, left : left + width] = image
    # the far ones first, so that the near ones cover them; people without a place by their score
    depth = np.where(np.isfinite(poses.translation[:, 2]), -poses.translation[:, 2], poses.scores)
    order = [int(i) for i in np.argsort(depth, kind="stable")]
    bodies = [_body(poses, i, (left, top), max(height, width)) for i in order]
    for body in bodies:
        _draw_body(canvas, body)
    if labels:
        for i, body in zip(order, bodies, strict=True):
            _label(canvas, poses, i, body)
    return canvas


def line_width(person: float, longer_side: float) -> float:
    """Pixels: thin for a small person in a large picture, never out of proportion to either."""
    return float(np.clip(person / 45, max(0.8, longer_side / 600), max(1.2, longer_side / 120)))


@dataclass(frozen=True)
class _Body:
    points: NDArray[np.float64]  # (J, 2) pixels of the canvas, NaN where missing
    states: NDArray[np.uint8]
    colour: Colour
    width: float
    poses: Poses


def _body(poses: Poses, index: int, offset: tuple[int, int], longer_side: int) -> _Body:
    points = poses.joints2d[index].astype(np.float64) + offset
    points[~np.isfinite(points).all(-1)] = np.nan
    present = points[~np.isnan(points[:, 0])]
    size = float(np.hypot(*np.ptp(present, axis=0))) if len(present) > 1 else 0.0
    identity = index if poses.track_ids is None else int(poses.track_ids[index])
    return _Body(points, poses.joint_states[index], person_colour(identity), line_width(size, longer_side), poses)


def _margins(image: Image, poses: Poses) -> tuple[int, int, int, int]:
    """Pixels to add at the left, top, right and bottom."""
    height, width = image.shape[:2]
    points = poses.joints2d[np.isfinite(poses.joints2d).all(-1)]
    if not len(points):
        return 0, 0, 0, 0
    extra = max(4.0, max(height, width) / 40)
    most = max(height, width) * _MOST_MARGIN
    over = np.concatenate([-points.min(0), points.max(0) - [width, height]])
    left, top, right, bottom = (math.ceil(min(o + extra, most)) if o > 0 else 0 for o in over)
    return left, top, right, bottom


def _draw_body(canvas: Image, body: _Body) -> None:
    lines = []
    for link in links(body.poses.skeleton):
        a, b = body.points[list(link.start)].mean(0), body.points[list(link.end)].mean(0)
        if not np.isnan([*a, *b]).any():
            lines.append(((float(a[0]), float(a[1])), (float(b[0]), float(b[1])), link.side,
                          is_seen(body.states, link.start + link.end)))  # fmt: skip
    lines.sort(key=lambda line: line[3])  # what is seen lies above what is not
    for a, b, side, seen in lines:
        _bone(canvas, a, b, SIDES[side], body.width, seen)
    for j in np.argsort(body.states == JointState.VISIBLE, kind="stable"):
        if not np.isnan(body.points[j, 0]):
            point = (float(body.points[j, 0]), float(body.points[j, 1]))
            if not _arrow_if_outside(canvas, point, body):
                seen = body.states[j] == JointState.VISIBLE
                joint_dot(canvas, point, body.width * 1.2, body.colour, None if seen else DARK)


def _bone(canvas: Image, a: Point, b: Point, colour: Colour, width: float, seen: bool) -> None:
    halo = max(1.0, width * 0.45)
    if seen:
        stroke(canvas, a, b, DARK, width + halo)
        stroke(canvas, a, b, colour, width)
        return
    thin = max(1.0, width * 0.6)
    dashes(canvas, a, b, DARK, thin + halo, width * 2.6)
    dashes(canvas, a, b, lighter(colour, 0.35), thin, width * 2.6)


def _arrow_if_outside(canvas: Image, point: Point, body: _Body) -> bool:
    """For a joint beyond the canvas draw an arrow head at the border that points to it."""
    height, width = canvas.shape[:2]
    if 0 <= point[0] < width and 0 <= point[1] < height:
        return False
    size = body.width * 3
    edge = np.clip(point, [size, size], [max(size, width - size), max(size, height - size)])
    away = np.asarray(point) - edge
    away = away / max(float(np.hypot(*away)), 1e-6)
    across = np.array([-away[1], away[0]])
    corners = np.stack([edge + away * size * 0.8, edge + across * size * 0.6, edge - across * size * 0.6])
    shape = np.round(corners * 16).astype(np.int32)
    cv2.fillPoly(canvas, [shape], body.colour, cv2.LINE_AA, 4)
    cv2.polylines(canvas, [shape], True, DARK, max(1, round(body.width * 0.4)), cv2.LINE_AA, 4)
    return True


def _label(canvas: Image, poses: Poses, index: int, body: _Body) -> None:
    present = body.points[~np.isnan(body.points[:, 0])]
    longer = max(canvas.shape[:2])
    height = float(np.clip(body.width * 3, longer / 75, longer / 48))
    small = height < _READABLE
    if not len(present) or (small and poses.track_ids is None):
        return
    score = float(poses.scores[index])
    words = f"{score:.2f}" if math.isfinite(score) else "?"
    if poses.track_ids is not None:
        number = f"#{int(poses.track_ids[index])}"  # who it is has to be told, however small
        words, height = (number, _READABLE) if small else (f"{number}  {words}", height)
    top = present[present[:, 1].argmin()]
    corner = (float(top[0]) - text_width(words, height) / 2, float(top[1]) - body.width * 3 - height * 0.4)
    text(canvas, words, corner, height, body.colour, backing=DARK)
