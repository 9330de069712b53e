"""Least-squares alignment of point sets (Procrustes)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def similarity(source: Array, target: Array) -> tuple[Array, Array, Array]:
    """The similarity that best maps `source` onto `target` (Umeyama), never a reflection.

    Args:
        source, target: (..., J, d) points without NaN.

    Returns:
        scale (...), rotation (..., d, d) and translation (..., d), so that
        `scale * source @ rotation.T + translation` is closest to `target`.
    """
    mean_s, mean_t = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    s, t = source - mean_s, target - mean_t
    u, d, vt = np.linalg.svd(np.swapaxes(t, -1, -2) @ s)
    sign = np.ones_like(d)
    sign[..., -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[..., None, :]) @ vt
    spread = (s**2).sum((-1, -2))
    total = (d * sign).sum(-1)
    scale = np.divide(total, spread, out=np.ones_like(total), where=spread > 0)
    translation = mean_t[..., 0, :] - scale[..., None] * np.einsum("...ij,...j->...i", rotation, mean_s[..., 0, :])
    return scale, rotation, translation


def align(source: Array, target: Array) -> Array:
    """`source` moved onto `target` by the best similarity; shapes (..., J, d)."""
    scale, rotation, translation = similarity(source, target)
    moved = scale[..., None, None] * source @ np.swapaxes(rotation, -1, -2)
    return np.asarray(moved + translation[..., None, :])
