"""Boxes `x1, y1, x2, y2` in pixels, origin at the top-left corner of the top-left pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


def area(boxes: Array) -> Array:
    """(..., 4) -> (...) area in square pixels; inverted boxes have none."""
    return np.maximum(boxes[..., 2] - boxes[..., 0], 0) * np.maximum(boxes[..., 3] - boxes[..., 1], 0)


def iou(a: Array, b: Array) -> Array:
    """(n, 4), (m, 4) -> (n, m) intersection over union; 0 where both areas are 0."""
    lower = np.maximum(a[:, None, :2], b[None, :, :2])
    upper = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = np.maximum(upper - lower, 0).prod(axis=-1)
    union = area(a)[:, None] + area(b)[None] - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0))


def overlap_of(a: Array, b: Array) -> Array:
    """(n, 4), (m, 4) -> (n, m) share of each box of `a` that lies inside each box of `b`."""
    lower = np.maximum(a[:, None, :2], b[None, :, :2])
    upper = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = np.maximum(upper - lower, 0).prod(axis=-1)
    own = np.broadcast_to(area(a)[:, None], intersection.shape)
    return np.asarray(np.divide(intersection, own, out=np.zeros_like(intersection), where=own > 0))


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
    extra = (upper - lower) * margin
    return np.concatenate([lower - extra, upper + extra], axis=-1).astype(joints2d.dtype)


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
