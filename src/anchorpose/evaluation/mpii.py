"""MPII Human Pose: PCKh of single people, and AP by joint of several people (the rule of PoseTrack's `poseval` too)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import Skeleton, base_name
from anchorpose.evaluation.pck import PckCurve, pck_curve

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]

MPII_THRESHOLDS = np.linspace(0.0, 0.5, 51)
NOT_IN_MEAN = ("pelvis", "thorax")
"""MPII's toolkit leaves these out of the mean: they are easy, and double with hips and neck."""

_Columns = Mapping[str, tuple[str, ...]]
SINGLE_COLUMNS: _Columns = {
    "head": ("head_top",), **{j: (j,) for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
}  # fmt: skip
MULTI_COLUMNS: _Columns = {**SINGLE_COLUMNS, "head": ("head_top", "nose", "neck", "upper_neck", "head_bottom")}
"""Column of the tables of one person, and of several people -> its joints, without their sides."""


@dataclass(frozen=True)
class MpiiPckh:
    """The row of MPII's table, shares of 0 to 1."""

    columns: dict[str, float]  # head (its top only), shoulder, elbow, wrist, hip, knee, ankle: mean of left and right
    mean: float  # over labelled joints, not over kinds of joints; without pelvis and thorax
    curve: PckCurve  # of every joint, over the thresholds


def mpii_pckh(
    pred: Array,
    truth: Array,
    visible: Bools,
    head_sizes: Array,
    skeleton: Skeleton,
    thresholds: Array = MPII_THRESHOLDS,
) -> MpiiPckh:
    """PCKh of single people (Andriluka et al., CVPR 2014); columns and mean are at the last threshold.

    Both sides in the same pixels: MPII's files count from 1, so whoever reads them takes 1 off, and nothing is added
    to predictions here.

    Args:
        pred, truth: (n, J, 2) pixels; a missing prediction (NaN) is wrong.
        visible: (n, J) labelled joints, hidden ones included.
        head_sizes: (n,) pixels, `pck.head_size` of the head boxes; people where it is NaN or 0 are left out.
        skeleton: of the J joints.
        thresholds: (t,) rising shares of the head size.

    Returns:
        Columns are NaN where no such joint is labelled, and so is the mean.
    """
    curve = pck_curve(pred, truth, visible, head_sizes, thresholds)
    rate = curve.per_joint[-1]
    counts = np.where([joint in NOT_IN_MEAN for joint in skeleton.joints], 0, curve.counts)
    total = counts.sum()
    mean = float((np.nan_to_num(rate) * counts).sum() / total) if total else float("nan")
    return MpiiPckh(by_column(rate, skeleton, SINGLE_COLUMNS), mean, curve)


def by_column(rates: Array, skeleton: Skeleton, columns: _Columns) -> dict[str, float]:
    """(J,) -> the mean of each column's joints, those without a figure (NaN) left out."""
    result = {}
    for name, joints in columns.items():
        values = rates[[base_name(joint) in joints for joint in skeleton.joints]]
        known = values[~np.isnan(values)]
        result[name] = float(known.mean()) if len(known) else float("nan")
    return result


@dataclass(frozen=True)
class JointTruth:
    """The m annotated people of one image, with the sizes of their heads."""

    joints: Array  # (m, J, 2) pixels, anything where not labelled
    visible: Bools  # (m, J) labelled joints
    head_sizes: Array  # (m,) pixels, `pck.head_size`


@dataclass(frozen=True)
class JointDetections:
    """The n predicted people of one image, with a score for each joint."""

    joints: Array  # (n, J, 2) pixels, NaN where there is no prediction
    scores: Array  # (n, J)


@dataclass(frozen=True)
class JointPrecision:
    """Average precision by joint, 0 to 1."""

    mean: float  # over joints that are labelled at least once
    columns: dict[str, float]  # head (head top, nose and neck), shoulder, elbow, wrist, hip, knee, ankle
    per_joint: Array  # (J,) NaN where the joint is never labelled
    counts: NDArray[np.intp]  # (J,) labelled joints


def multi_person_ap(
    truths: Sequence[JointTruth], detections: Sequence[JointDetections], skeleton: Skeleton, threshold: float = 0.5
) -> JointPrecision:
    """AP of every joint over several people (Pishchulin et al., CVPR 2016, as `poseval` computes it).

    Whole people are matched first (`match_people`); then each predicted joint is right where it is within `threshold`
    head sizes of its person's, and the AP is the area under the precision (made to fall) over the recall at every
    detection. Joints of predictions that match nobody are wrong. For MPII's own figure pass each group of people as one
    image; for PoseTrack each frame.

    Args:
        truths, detections: one entry an image, in the order that breaks ties of score.
        skeleton: of the J joints.
        threshold: share of the head size, the limit included.

    Raises:
        InputError: a predicted joint has no score.
    """
    j = len(skeleton)
    present: list[Bools] = [np.zeros((0, j), dtype=np.bool_)]
    right, scores = list(present), [np.zeros((0, j), dtype=np.float64)]
    counts = np.zeros(j, dtype=np.intp)
    for truth, found in zip(truths, detections, strict=True):
        near = _within(truth, found, threshold)
        matched = match_people(near, truth.visible)
        rows = np.zeros(found.joints.shape[:2], dtype=np.bool_)
        rows[matched[matched >= 0]] = near[matched[matched >= 0], np.flatnonzero(matched >= 0)]
        present.append(np.isfinite(found.joints.sum(axis=-1)))
        right.append(rows)
        scores.append(found.scores.astype(np.float64))
        counts += truth.visible.sum(axis=0)
    there, correct, score = np.concatenate(present), np.concatenate(right), np.concatenate(scores)
    if np.isnan(score[there]).any():
        raise InputError("found a predicted joint with the score NaN, wanted a number; give every joint a score")
    per_joint = np.array([average_precision(score[there[:, i], i], correct[there[:, i], i], int(counts[i]))
                          for i in range(j)])  # fmt: skip
    known = per_joint[~np.isnan(per_joint)]
    mean = float(known.mean()) if len(known) else float("nan")
    return JointPrecision(mean, by_column(per_joint, skeleton, MULTI_COLUMNS), per_joint, counts)


def _within(truth: JointTruth, found: JointDetections, threshold: float) -> Bools:
    """(n, m, J) joints of each prediction within the threshold of each person's labelled ones; NaN is not."""
    distance = np.linalg.norm(found.joints[:, None].astype(np.float64) - truth.joints, axis=-1)
    near: Bools = distance <= threshold * truth.head_sizes[:, None]
    return near & truth.visible


def match_people(near: Bools, labelled: Bools) -> NDArray[np.intp]:
    """`poseval`'s matching of whole people: each prediction keeps the person of whom it has the greatest share of
    labelled joints (the first on a tie), and each person takes the best of the predictions that kept it.

    Args:
        near: (n, m, J) joints of n predictions that are right if they are of person m.
        labelled: (m, J)

    Returns:
        (m,) the prediction of each person, or -1.
    """
    n, m = near.shape[:2]
    if not n or not m:
        return np.full(m, -1, dtype=np.intp)
    share = near.sum(axis=-1) / np.maximum(labelled.sum(axis=-1), 1)
    kept = np.where(np.arange(m) == share.argmax(axis=1)[:, None], share, 0.0)
    return np.where(kept.max(axis=0) > 0, kept.argmax(axis=0), -1)


def average_precision(scores: Array, right: Bools, positives: int) -> float:
    """Area under precision over recall at every detection (Pascal VOC since 2010).

    Args:
        scores: (d,) of the detections; ties keep their order.
        right: (d,) detections that are right, each a different one of the positives.
        positives: number of annotated ones.

    Returns:
        0 to 1; NaN without positives.
    """
    if not positives:
        return float("nan")
    hits = right[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[hits].sum() / positives)
