"""3D pose metrics: the MPJPE family and errors of the absolute position; metres in, millimetres out.

Protocols 1 and 2 of Human3.6M (Ionescu et al., PAMI 2014) differ in the alignment. `Poses.joints3d` are relative to the
body centre, which is how LCR-Net (Rogez et al., CVPR 2017, section 5) reports the first; pass poses centred alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.alignment import align

Array = NDArray[np.floating]
_FEWEST_JOINTS = 3  # fewer do not fix a rotation, and aligning them would flatter


def mpjpe(pred: Array, truth: Array) -> Array:
    """Mean per-joint position error of each pose.

    Args:
        pred, truth: (..., J, 3) metres, both centred on the same point; joints that are NaN on a side are left out.

    Returns:
        (...) millimetres; NaN where the two share no joint.
    """
    distance = 1000 * np.linalg.norm(pred.astype(np.float64) - truth, axis=-1)
    present = ~np.isnan(distance)
    count = present.sum(axis=-1)
    total = np.where(present, distance, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def pa_mpjpe(pred: Array, truth: Array) -> Array:
    """MPJPE after the best rotation, scale and shift of each prediction (Procrustes), reflections excluded.

    Args:
        pred, truth: (..., J, 3) metres; joints that are NaN on a side are left out.

    Returns:
        (...) millimetres; NaN where the two share fewer than 3 joints.
    """
    pred, truth = np.broadcast_arrays(pred.astype(np.float64), truth.astype(np.float64))
    lead = pred.shape[:-2]
    p, t = pred.reshape(-1, *pred.shape[-2:]), truth.reshape(-1, *truth.shape[-2:])
    present = ~np.isnan(p + t).any(axis=-1)
    result = np.full(len(p), np.nan)
    # Poses that lack the same joints are aligned together: usually one call for all of them.
    for pattern in np.unique(present, axis=0):
        if pattern.sum() >= _FEWEST_JOINTS:
            rows = (present == pattern).all(axis=1)
            result[rows] = mpjpe(align(p[rows][:, pattern], t[rows][:, pattern]), t[rows][:, pattern])
    return result.reshape(lead)


def n_mpjpe(pred: Array, truth: Array) -> Array:
    """MPJPE after the best scale of each prediction about the origin (Rhodin et al., CVPR 2018).

    Args:
        pred, truth: (..., J, 3) metres, both centred on the same point; joints that are NaN on a side are left out.

    Returns:
        (...) millimetres; NaN where the two share no joint. A prediction that is all 0 stays as it is.
    """
    p, t = pred.astype(np.float64), truth.astype(np.float64)
    present = ~np.isnan(p + t).any(axis=-1, keepdims=True)
    product, square = (np.where(present, p * other, 0.0).sum(axis=(-1, -2)) for other in (t, p))
    scale = np.divide(product, square, out=np.ones_like(product), where=square > 0)
    return mpjpe(scale[..., None, None] * p, t)


def absolute_mpjpe(pred: Array, pred_root: Array, truth: Array, truth_root: Array) -> Array:
    """MPJPE in the camera frame, the person's place included.

    Args:
        pred, truth: (..., J, 3) metres, each relative to its root; joints that are NaN on a side are left out.
        pred_root, truth_root: (..., 3) metres in the camera frame, for instance `Poses.translation`.

    Returns:
        (...) millimetres; NaN where the two share no joint or a root is not known.
    """
    return mpjpe(pred + pred_root[..., None, :], truth + truth_root[..., None, :])


def root_error(pred_root: Array, truth_root: Array) -> tuple[Array, Array]:
    """Error of the person's place (MRPE of Moon et al., ICCV 2019, is its mean over people).

    Args:
        pred_root, truth_root: (..., 3) metres in the camera frame.

    Returns:
        (...) millimetres of distance, and (..., 3) of it along x, y and z; NaN where a root is not known.
    """
    difference = 1000 * np.abs(pred_root.astype(np.float64) - truth_root)
    return np.asarray(np.linalg.norm(difference, axis=-1)), difference


def average(errors: Array) -> float:
    """Mean of the poses that have an error; NaN (without a warning) where none has."""
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if known.size else float("nan")
