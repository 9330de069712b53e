"""3DPCK and its area under the curve (Mehta et al., 3DV 2017): metres in, shares of 0 to 1 out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

PCK3D_MILLIMETRES = 150.0
AUC_MILLIMETRES = np.linspace(0.0, 150.0, 31)
"""0, 5, ..., 150. (A part of MuPoTS-3D's own toolkit goes on to 195; the field's tables stop at 150.)"""


@dataclass(frozen=True)
class Pck3d:
    """Shares of right joints; NaN where nothing is counted."""

    pck: float  # over all counted joints
    auc: float  # mean over the thresholds of the area under the curve
    per_joint: Array  # (J,)
    curve: Array  # (31,) at `AUC_MILLIMETRES`


def joint_errors(pred: Array, truth: Array) -> Array:
    """(..., J, 3) metres -> (..., J) millimetres; infinite where only the prediction is missing, NaN without truth."""
    distance = 1000 * np.linalg.norm(pred.astype(np.float64) - truth, axis=-1)
    unknown = np.isnan(truth).any(axis=-1)
    return np.asarray(np.where(unknown, np.nan, np.where(np.isnan(distance), np.inf, distance)))


def pck3d(pred: Array, truth: Array, threshold: float = PCK3D_MILLIMETRES) -> Pck3d:
    """Share of joints closer to the truth than the threshold, as in the toolkit of MPI-INF-3DHP.

    Args:
        pred, truth: (..., J, 3) metres, both centred on the same point. A joint that is not predicted (NaN) is wrong;
            one whose truth is NaN is not counted.
        threshold: millimetres. An error that equals it is wrong, so a perfect prediction has an area of 30 / 31.
    """
    return pck3d_of_errors(joint_errors(pred, truth), threshold)


def pck3d_of_errors(errors: Array, threshold: float = PCK3D_MILLIMETRES) -> Pck3d:
    """`pck3d` of errors that are known already.

    Args:
        errors: (..., J) millimetres of `joint_errors`: infinite is wrong, NaN is not counted.
        threshold: millimetres.
    """
    rows = errors.reshape(-1, errors.shape[-1])
    counts = (~np.isnan(rows)).sum(axis=0)
    # NaN compares as False.
    right = (rows < threshold).sum(axis=0)
    per_joint = np.divide(right, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    total = counts.sum()
    if not total:
        return Pck3d(float("nan"), float("nan"), per_joint, np.full(len(AUC_MILLIMETRES), np.nan))
    curve = np.array([(rows < limit).sum() for limit in AUC_MILLIMETRES]) / total
    return Pck3d(float(right.sum() / total), float(curve.mean()), per_joint, curve)
