"""PCK in its variants: what a pixel error is measured against, curves over thresholds, and limbs (PCP).

`keypoints.pck` counts joints within `threshold * reference`; this module has the references (box, head; the torso is
`keypoints.torso_diameter`) and what is built upon them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.keypoints import Pck, pck, torso_diameter

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]
Limbs = Mapping[str, tuple[Sequence[str], Sequence[str]]]
"""Name of a limb -> the joints whose mean is its one end, and those of the other."""

MPII_HEAD_SHARE = 0.6
"""MPII's head size is this share of the diagonal of the head box."""

LSP_LIMBS: Limbs = {
    "torso": (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    "head": (("neck",), ("head_top",)),
    **{f"{side}_{name}": ((f"{side}_{a}",), (f"{side}_{b}",))
       for name, a, b in (("upper_leg", "hip", "knee"), ("lower_leg", "knee", "ankle"),
                          ("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"))
       for side in ("left", "right")},
}  # fmt: skip
"""The ten limbs of Leeds Sports Pose, as its PCP tables list them."""


def box_size(boxes: Array) -> Array:
    """(n, 4) `x1, y1, x2, y2` -> (n,) pixels, the longer side (Yang and Ramanan, PAMI 2013)."""
    return np.maximum(boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1])


def head_size(head_boxes: Array) -> Array:
    """(n, 4) head boxes -> (n,) pixels, 0.6 of the diagonal (MPII's and PoseTrack's toolkits); the unit of PCKh."""
    diagonal = head_boxes[..., 2:].astype(np.float64) - head_boxes[..., :2]
    return np.asarray(MPII_HEAD_SHARE * np.linalg.norm(diagonal, axis=-1))


@dataclass(frozen=True)
class PckCurve:
    """PCK over t thresholds, shares of 0 to 1."""

    thresholds: Array  # (t,)
    mean: Array  # (t,) over the joints that are labelled at least once; NaN where none is
    per_joint: Array  # (t, J) NaN where the joint is never labelled
    counts: NDArray[np.intp]  # (J,) labelled joints that were counted

    @property
    def auc(self) -> float:
        """Area under `mean` by the trapezoidal rule, over the width of the thresholds: 0 to 1."""
        width = np.diff(self.thresholds)
        return float((width * (self.mean[1:] + self.mean[:-1]) / 2).sum() / width.sum())


def pck_curve(pred: Array, truth: Array, visible: Bools, reference: Array, thresholds: Array) -> PckCurve:
    """`keypoints.pck` at several thresholds.

    Args:
        pred, truth: (n, J, 2) pixels; a missing prediction (NaN) is wrong.
        visible: (n, J) labelled joints, the only ones that count.
        reference: (n,) pixels: `box_size` (PCK), `torso_diameter` (PCK of LSP, PDJ) or `head_size` (PCKh); people
            where it is NaN or 0 are left out.
        thresholds: (t,) rising shares of the reference, t >= 1.
    """
    at: list[Pck] = [pck(pred, truth, visible, reference, float(threshold)) for threshold in thresholds]
    return PckCurve(np.asarray(thresholds, dtype=np.float64), np.array([p.mean for p in at]),
                    np.stack([p.per_joint for p in at]), at[0].counts)  # fmt: skip


def pdj_curve(pred: Array, truth: Array, visible: Bools, skeleton: Skeleton, thresholds: Array) -> PckCurve:
    """Percentage of detected joints (Sapp and Taskar, CVPR 2013; DeepPose, section 4.1): PCK of the torso diameter.

    Args:
        pred, truth, visible, thresholds: as in `pck_curve`.
        skeleton: of the J joints; needs shoulders and hips. People without torso are left out.
    """
    return pck_curve(pred, truth, visible, torso_diameter(truth, visible, skeleton), thresholds)


@dataclass(frozen=True)
class Pcp:
    """Percentage of correct parts as shares of 0 to 1."""

    mean: float  # over the limbs that are labelled at least once; NaN where none is
    per_limb: dict[str, float]  # NaN where the limb is never labelled
    counts: dict[str, int]


def pcp(
    pred: Array,
    truth: Array,
    visible: Bools,
    skeleton: Skeleton,
    limbs: Limbs = LSP_LIMBS,
    strict: bool = True,
    threshold: float = 0.5,
) -> Pcp:
    """Percentage of correct parts (Ferrari et al., CVPR 2008).

    Args:
        pred, truth: (n, J, 2) pixels; a limb with an end that is not predicted (NaN) is wrong.
        visible: (n, J) labelled joints; a limb counts where all joints of both ends are labelled and its true length
            is not 0.
        skeleton: of the J joints.
        limbs: the limbs; those with a joint that the skeleton lacks are left out.
        strict: both ends within `threshold` of the true length of the limb; else the mean of the two distances
            (loose, as in the code of Eichner and Ferrari).
        threshold: share of the limb's length, the limit included.
    """
    rates: dict[str, float] = {}
    counts: dict[str, int] = {}
    for name, ends in limbs.items():
        if not set(skeleton.joints).issuperset((*ends[0], *ends[1])):
            continue
        at = [skeleton.indices(*end) for end in ends]
        counted = visible[:, at[0] + at[1]].all(axis=1)
        predicted, true = (np.stack([x.astype(np.float64)[:, i].mean(axis=1) for i in at], axis=1)[counted]
                           for x in (pred, truth))  # (limbs, 2, 2)  # fmt: skip
        length = np.linalg.norm(true[:, 0] - true[:, 1], axis=-1)
        errors = np.linalg.norm(predicted - true, axis=-1)[length > 0]
        error = errors.max(axis=1) if strict else errors.mean(axis=1)
        counts[name] = len(error)
        # NaN compares as False, so missing ends are wrong.
        rates[name] = float((error <= threshold * length[length > 0]).mean()) if len(error) else float("nan")
    known = [rates[name] for name, count in counts.items() if count]
    return Pcp(float(np.mean(known)) if known else float("nan"), rates, counts)
