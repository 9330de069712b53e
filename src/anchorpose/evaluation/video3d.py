"""3D pose over time: acceleration error and constancy of bone lengths; metres in, millimetres out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.pose3d import average

Array = NDArray[np.floating]


def acceleration_error(pred: Array, truth: Array, frames_per_second: float | None = None) -> Array:
    """Length of the difference of accelerations, by second differences (Kanazawa et al., CVPR 2019).

    Args:
        pred, truth: (t, ..., J, 3) metres of one person (or several) in t frames. Joints that are NaN on a side in one
            of the three frames are left out, so a frame that is not valid takes its neighbours along.
        frames_per_second: None gives the usual figure (HMMR, VIBE, PoseBERT), otherwise physical units.

    Returns:
        (max(t - 2, 0), ...) mean over joints, in millimetres per frame squared, or with a frame rate in metres per
        second squared; NaN where no joint is left.
    """
    difference = pred.astype(np.float64) - truth
    acceleration = difference[2:] - 2 * difference[1:-1] + difference[:-2]
    length = np.linalg.norm(acceleration, axis=-1)
    present = ~np.isnan(length)
    count = present.sum(axis=-1)
    total = np.where(present, length, 0.0).sum(axis=-1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(1000 * mean if frames_per_second is None else mean * frames_per_second**2)


@dataclass(frozen=True)
class BoneLengths:
    """How constant one person's bones are; `Skeleton.bones` has their order."""

    mean: Array  # (b,) millimetres
    deviation: Array  # (b,) millimetres, standard deviation over the frames; NaN where seen in fewer than 2
    relative: float  # mean over bones of deviation / mean; 0 is a body that keeps its size


def bone_lengths(joints3d: Array, skeleton: Skeleton) -> BoneLengths:
    """Mean and standard deviation of the length of each bone over time.

    Args:
        joints3d: (t, J, 3) metres of one person, in any frame of axes; bones with a missing (NaN) end are left out of
            that frame.
        skeleton: of the J joints.
    """
    ends = np.array(skeleton.bones, dtype=np.intp).reshape(-1, 2)
    points = joints3d.astype(np.float64)
    length = 1000 * np.linalg.norm(points[:, ends[:, 0]] - points[:, ends[:, 1]], axis=-1)  # (t, b)
    present = ~np.isnan(length)
    count = present.sum(axis=0)
    mean = _mean(np.where(present, length, 0.0), count, at_least=1)
    offset = np.where(present, length - mean, 0.0)
    deviation = np.sqrt(_mean(offset**2, count, at_least=2))
    usable = mean > 0
    return BoneLengths(mean, deviation, average(deviation[usable] / mean[usable]))


def _mean(values: Array, count: NDArray[np.intp], at_least: int) -> Array:
    """(t, b) without NaN, (b,) -> (b,) NaN where fewer than `at_least` are counted."""
    return np.asarray(np.divide(values.sum(axis=0), count, out=np.full(len(count), np.nan), where=count >= at_least))
