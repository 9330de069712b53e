"""MPJPE after a rigid alignment: rotation and shift, the size of the person left as predicted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.alignment import similarity
from anchorpose.evaluation.pose3d import mpjpe

Array = NDArray[np.floating]
_FEWEST_JOINTS = 3  # fewer do not fix a rotation


def rigid_mpjpe(pred: Array, truth: Array) -> Array:
    """MPJPE after the best rotation and shift of each prediction, without scale, reflections excluded.

    Yasin et al. (CVPR 2016), whose figure LCR-Net (section 4.1) reports as "Align.", speak of a rigid transformation;
    later tables put those figures beside `pose3d.pa_mpjpe`, which scales too and so is never much greater.

    Args:
        pred, truth: (n, J, 3) metres; joints that are NaN on a side are left out.

    Returns:
        (n,) millimetres; NaN where the two share fewer than 3 joints.
    """
    p, t = pred.astype(np.float64), truth.astype(np.float64)
    present = ~np.isnan(p + t).any(axis=-1)
    result = np.full(len(p), np.nan)
    # Poses that lack the same joints are aligned together: usually one call for all of them.
    for pattern in np.unique(present, axis=0):
        if pattern.sum() >= _FEWEST_JOINTS:
            rows = (present == pattern).all(axis=1)
            result[rows] = mpjpe(_moved(p[rows][:, pattern], t[rows][:, pattern]), t[rows][:, pattern])
    return result


def _moved(source: Array, target: Array) -> Array:
    """(n, J, 3); the best rotation is the same with and without scale (Umeyama 1991)."""
    _, rotation, _ = similarity(source, target)
    turned = (source - source.mean(axis=-2, keepdims=True)) @ np.swapaxes(rotation, -1, -2)
    return np.asarray(turned + target.mean(axis=-2, keepdims=True))
