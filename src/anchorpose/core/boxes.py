"""Boxes `x1, y1, x2, y2` in pixels, origin at the top-left corner of the top-left pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


def area(boxes: Array) -> Array:
    """(..., 4) -> (...) area in square pixels; inverted boxes have none."""
    return np.maximum(boxes[..., 2] - boxes[..., 0], 0) * np.maximum(boxes[..., 3] - boxes[..., 1], 0)


def intersection(a: Array, b: Array) -> Array:
    """(n, 4), (m, 4) -> (n, m) square pixels that two boxes share."""
    # Each coordinate of all boxes lies together: several times faster than four numbers a box.
    a, b = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    sides = np.minimum(a[2:, :, None], b[2:, None]) - np.maximum(a[:2, :, None], b[:2, None])
    sides = np.maximum(sides, 0)
    return np.asarray(sides[0] * sides[1])


def iou(a: Array, b: Array) -> Array:
    """(n, 4), (m, 4) -> (n, m) intersection over union; 0 where both areas are 0."""
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(union), where=union > 0))


def overlap_of(a: Array, b: Array) -> Array:
    """(n, 4), (m, 4) -> (n, m) share of each box of `a` that lies inside each box of `b`."""
    shared = intersection(a, b)
    own = np.broadcast_to(area(a)[:, None], shared.shape)
    return np.asarray(np.divide(shared, own, out=np.zeros_like(shared), where=own > 0))


def around(joints2d: Array, margin: float = 0.0) -> Array:
    """Bounds of the joints, missing ones (NaN) left out.

    Args:
        joints2d: (..., J, 2) pixels.
        margin: added on each side, as a share of the width and height (LCR-Net section 3.1 uses 0.1).

    Returns:
        (..., 4); NaN where no joint is present.
    """
    present = ~np.isnan(joints2d)
    lower = np.where(present, joints2d, np.inf).min(axis=-2)
    upper = np.where(present, joints2d, -np.inf).max(axis=-2)
    missing = ~present.any(axis=-2)
    lower, upper = np.where(missing, np.nan, lower), np.where(missing, np.nan, upper)
    return expand(np.concatenate([lower, upper], axis=-1), margin).astype(joints2d.dtype)


def expand(boxes: Array, margin: float) -> Array:
    """(..., 4) boxes with `margin` of their width and height added on each side."""
    extra = (boxes[..., 2:] - boxes[..., :2]) * margin
    return np.concatenate([boxes[..., :2] - extra, boxes[..., 2:] + extra], axis=-1)


def clip(boxes: Array, width: float, height: float) -> Array:
    """(..., 4) boxes cut at the image border."""
    return np.clip(boxes, 0, np.array([width, height, width, height])).astype(boxes.dtype)


def from_xywh(boxes: ArrayLike) -> NDArray[np.float32]:
    """(..., 4) `x, y, width, height` (COCO) -> `x1, y1, x2, y2`."""
    xywh = np.asarray(boxes, dtype=np.float32)
    return np.concatenate([xywh[..., :2], xywh[..., :2] + xywh[..., 2:]], axis=-1)


def to_xywh(boxes: Array) -> Array:
    """(..., 4) `x1, y1, x2, y2` -> `x, y, width, height` (COCO)."""
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)
