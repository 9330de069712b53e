"""2D keypoint metrics: object keypoint similarity, COCO's average precision, PCK.

The average precision follows COCO's `cocoeval` (Lin et al., ECCV 2014; keypoint task of 2016) step by step and equals
pycocotools to 1e-6; the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes as box_ops
from anchorpose.core.skeleton import COCO17, Skeleton

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]

OKS_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = 20
_LARGEST_AREA = 1e5**2
AREA_RANGES = {"all": (0.0, _LARGEST_AREA), "medium": (32.0**2, 96.0**2), "large": (96.0**2, _LARGEST_AREA)}
"""COCO's sizes of people in square pixels, both limits included; what lies outside a range is ignored."""


@dataclass(frozen=True)
class Truth:
    """The m annotated people of one image."""

    joints: Array  # (m, J, 2) pixels, anything where not labelled
    visible: Bools  # (m, J) True where the joint is labelled (COCO's v > 0)
    boxes: Array  # (m, 4) x1, y1, x2, y2 pixels
    areas: Array  # (m,) square pixels of the person (COCO's segment area)
    crowd: Bools  # (m,) a group, which any number of detections may match
    ignore: Bools  # (m,) annotated, but neither a hit nor a miss (COCO's num_keypoints 0 or iscrowd)
    joints3d: Array | None = None  # (m, J, 3) metres, camera axes, relative to the body centre; NaN where unknown
    states: NDArray[np.uint8] | None = None  # (m, J) of JointState, MISSING where not known; None: nowhere known

    def __len__(self) -> int:
        return len(self.areas)

    def only(self, joints: NDArray[np.intp]) -> Truth:
        """The other joints set to unlabelled; people who have none left become ignored."""
        chosen = np.zeros(self.visible.shape[1], dtype=bool)
        chosen[joints] = True
        visible = self.visible & chosen
        return replace(self, visible=visible, ignore=self.ignore | ~visible.any(axis=1))


@dataclass(frozen=True)
class Detections:
    """The n predicted people of one image."""

    joints: Array  # (n, J, 2) pixels, NaN where there is no prediction
    scores: Array  # (n,)

    def best(self, count: int) -> Detections:
        """The `count` best scores, best first; ties keep their order."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return Detections(self.joints[order].astype(np.float64), self.scores[order].astype(np.float64))


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's figures, 0 to 1; NaN where no person counts."""

    ap: float  # mean over OKS 0.50:0.05:0.95
    ap50: float
    ap75: float
    ar: float  # mean over the same thresholds
    people: int  # annotated people who count
    ar50: float
    ar75: float


def oks(joints: Array, truth: Truth, sigmas: Array) -> Array:
    """Object keypoint similarity of every prediction with every annotated person.

    Args:
        joints: (n, J, 2) predicted pixels; a missing joint (NaN) has similarity 0.
        truth: m people; without labelled joints the distance is that to the outside of the box grown by its own size
            on each side, over the joints that the prediction has.
        sigmas: (J,) constants of the joints.

    Returns:
        (n, m) similarity, 0 to 1.
    """
    points = joints[:, None]  # (n, 1, J, 2)
    labelled: Bools = np.any(truth.visible, axis=1, keepdims=True)  # (m, 1)
    offset = points - truth.joints
    if not labelled.all():
        size = truth.boxes[:, 2:] - truth.boxes[:, :2]
        lower, upper = truth.boxes[:, :2] - size, truth.boxes[:, 2:] + size
        outside = np.maximum(lower[:, None] - points, 0) + np.maximum(points - upper[:, None], 0)
        offset = np.where(labelled[:, None], offset, outside)
    scale = (2 * sigmas) ** 2 * (truth.areas[:, None] + np.spacing(1)) * 2  # (m, J)
    # A distance beyond what float64 can square is as good as infinite.
    with np.errstate(over="ignore"):
        similarity = np.exp(-(offset**2).sum(axis=-1) / scale)
    present = ~np.isnan(similarity)
    counted = np.where(labelled, truth.visible, present)  # (n, m, J)
    total = np.where(counted & present, similarity, 0.0).sum(axis=-1)
    return np.asarray(total / np.maximum(counted.sum(axis=-1), 1))


def match(similarity: Array, truth: Truth, ignored: Bools) -> tuple[Bools, Bools]:
    """COCO's greedy assignment, all thresholds at once.

    A detection takes the free person it resembles most (the later one on a tie); people who are ignored only come
    into question when no other is left, and a crowd is never used up.

    Args:
        similarity: (n, m), rows by falling score.
        truth: the m people.
        ignored: (a, m) people who do not count, one row an area range.

    Returns:
        matched (a, 10, n) and, of those, matched to an ignored person (a, 10, n).
    """
    n, m = similarity.shape
    thresholds = np.minimum(OKS_THRESHOLDS, 1 - 1e-10)[:, None]
    ranges, t = len(ignored), len(thresholds)
    uncounted = np.repeat(ignored, t, axis=0)  # (a * 10, m)
    free = np.ones(uncounted.shape, dtype=np.bool_)
    matched = np.zeros((len(uncounted), n), dtype=np.bool_)
    to_ignored = np.zeros_like(matched)
    rows = np.arange(len(uncounted))
    for d in np.flatnonzero((similarity >= thresholds[0]).any(axis=1)):
        alike = np.tile(similarity[d] >= thresholds, (ranges, 1))
        candidate = (free | truth.crowd) & alike
        regular: Bools = candidate & ~uncounted
        candidate = np.where(np.any(regular, axis=1, keepdims=True), regular, candidate)
        value = np.where(candidate, similarity[d], -1.0)
        best = m - 1 - value[:, ::-1].argmax(axis=1)
        hit = candidate[rows, best]
        matched[:, d], to_ignored[:, d] = hit, hit & uncounted[rows, best]
        free[rows[hit], best[hit]] = False
    return matched.reshape(ranges, t, n), to_ignored.reshape(ranges, t, n)


def oks_average_precision(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    skeleton: Skeleton = COCO17,
    joints: Sequence[str] | None = None,
    sigmas: Array | None = None,
) -> AveragePrecision:
    """COCO's keypoint AP: OKS 0.50:0.05:0.95, 101 recall points, at most 20 detections an image, areas "all".

    Args:
        truths, detections: one entry an image, in the order that breaks ties of score (COCO: by image id).
        skeleton: names and constants of the J joints of both.
        joints: count only these; the others become unlabelled, people left without any are ignored. None: all.
        sigmas: (J,) other constants than the skeleton's.
    """
    ranges = {"all": AREA_RANGES["all"]}
    return oks_average_precision_by_area(truths, detections, skeleton, joints, sigmas, ranges)["all"]


def oks_average_precision_by_area(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    skeleton: Skeleton = COCO17,
    joints: Sequence[str] | None = None,
    sigmas: Array | None = None,
    ranges: Mapping[str, tuple[float, float]] = AREA_RANGES,
) -> dict[str, AveragePrecision]:
    """`oks_average_precision` of people of several sizes (COCO: all, medium and large), in one pass.

    Args:
        truths, detections, skeleton, joints, sigmas: as there.
        ranges: name -> smallest and largest area in square pixels. People outside are ignored, and so are unmatched
            detections the box around whose joints lies outside.

    Returns:
        The figures under each name of `ranges`.
    """
    chosen = np.array(skeleton.indices(*(skeleton.joints if joints is None else joints)), dtype=np.intp)
    constants = skeleton.sigmas if sigmas is None else sigmas
    limits = np.array(list(ranges.values()), dtype=np.float64)[:, :, None]  # (a, 2, 1)
    empty = np.zeros((len(limits), len(OKS_THRESHOLDS), 0), dtype=bool)
    scores: list[Array] = [np.zeros(0)]
    hits, skipped, people = [empty], [empty], np.zeros(len(limits), dtype=np.intp)
    for found, everyone in zip(detections, truths, strict=True):
        truth, best = everyone.only(chosen), found.best(MAX_DETECTIONS)
        ignored = truth.ignore | truth.crowd | (truth.areas < limits[:, 0]) | (truth.areas > limits[:, 1])
        matched, to_ignored = match(oks(best.joints, truth, constants), truth, ignored)
        area = box_ops.area(box_ops.around(best.joints))
        beyond = (area < limits[:, 0]) | (area > limits[:, 1])  # (a, n)
        scores.append(best.scores)
        hits.append(matched)
        skipped.append(to_ignored | (~matched & beyond[:, None]))
        people += (~ignored).sum(axis=1)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit, skip = np.concatenate(hits, axis=2)[..., order], np.concatenate(skipped, axis=2)[..., order]
    return {name: _summary(hit[i], skip[i], int(people[i])) for i, name in enumerate(ranges)}


def _summary(hits: Bools, skipped: Bools, people: int) -> AveragePrecision:
    """(10, d) by falling score -> the figures."""
    if not people:
        nan = float("nan")
        return AveragePrecision(nan, nan, nan, nan, 0, nan, nan)
    true, false = (np.cumsum(kind & ~skipped, axis=1, dtype=np.float64) for kind in (hits, ~hits))
    recall, precision = true / people, true / (true + false + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    sampled = np.zeros((len(OKS_THRESHOLDS), len(RECALLS)))
    for t in range(len(OKS_THRESHOLDS)):
        at = np.searchsorted(recall[t], RECALLS, side="left")
        sampled[t, at < len(precision[t])] = precision[t, at[at < len(precision[t])]]
    reached = recall[:, -1] if recall.shape[1] else np.zeros(len(OKS_THRESHOLDS))
    ap50, ap75 = sampled.mean(axis=1)[[0, 5]]
    return AveragePrecision(float(sampled.mean()), float(ap50), float(ap75), float(reached.mean()), people,
                            float(reached[0]), float(reached[5]))  # fmt: skip


@dataclass(frozen=True)
class Pck:
    """Share of correct joints, 0 to 1."""

    mean: float  # over the joints that are labelled at least once; NaN where none is
    per_joint: Array  # (J,) NaN where the joint is never labelled
    counts: NDArray[np.intp]  # (J,) labelled joints that were counted


def pck(pred: Array, truth: Array, visible: Bools, reference: Array, threshold: float = 0.2) -> Pck:
    """Percentage of correct keypoints (Yang and Ramanan, PAMI 2013) as a share.

    Args:
        pred, truth: (n, J, 2) pixels; a missing prediction (NaN) is wrong.
        visible: (n, J) labelled joints, the only ones that count.
        reference: (n,) pixels, for instance `torso_diameter`; people where it is NaN or 0 are left out.
        threshold: a joint is correct within `threshold * reference`, the limit included.
    """
    distance = np.linalg.norm(pred.astype(np.float64) - truth, axis=-1)
    usable = np.nan_to_num(reference, nan=0.0) > 0
    counted = visible & usable[:, None]
    # NaN compares as False, so missing joints are wrong.
    correct = counted & (distance <= threshold * np.where(usable, reference, 0.0)[:, None])
    counts = counted.sum(axis=0)
    rate = np.divide(correct.sum(axis=0), counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return Pck(float(rate[counts > 0].mean()) if counts.any() else float("nan"), rate, counts)


def torso_diameter(joints: Array, visible: Bools, skeleton: Skeleton) -> Array:
    """(n, J, 2), (n, J) -> (n,) pixels from the left shoulder to the right hip.

    Where one of the two is not labelled it is the other diagonal, then the left, then the right side of the torso
    (a little shorter, so stricter); NaN where none of these is labelled.
    """
    left_shoulder, right_shoulder, left_hip, right_hip = skeleton.indices(
        "left_shoulder", "right_shoulder", "left_hip", "right_hip"
    )
    result = np.full(len(joints), np.nan)
    for a, b in ((left_shoulder, right_hip), (right_shoulder, left_hip),
                 (left_shoulder, left_hip), (right_shoulder, right_hip)):  # fmt: skip
        length = np.linalg.norm(joints[:, a].astype(np.float64) - joints[:, b], axis=-1)
        use = np.isnan(result) & visible[:, a] & visible[:, b]
        result[use] = length[use]
    return result
