"""Curves over thresholds: PCK, and precision over recall at thresholds of OKS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import base_name
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.keypoints import MAX_DETECTIONS, OKS_THRESHOLDS, RECALLS, Detections, match, oks
from anchorpose.evaluation.pck import pck_curve
from anchorpose.evaluation.protocols import in_order, plain
from anchorpose.evaluation.report.people import People

Array = NDArray[np.floating]
Data = dict[str, Any]
"""What a section of the page shows, plain enough for JSON; shares are 0 to 1."""

THRESHOLDS = {"torso": np.arange(51) / 100, "box": np.arange(31) / 100}
"""Shares of the reference over which PCK is drawn."""
HEADLINE = {"torso": 0.2, "box": 0.1}
"""The share at which PCK is given elsewhere on the page: that of LSP's tables; about as many pixels of a box."""


def correct_share(people: People, threshold: float) -> Array:
    """(p,) share of each person's labelled joints within `threshold`, 0 for people who were not found.

    NaN where no joint is labelled or the reference cannot be told.
    """
    counted = people.labelled.sum(axis=1)
    usable = (counted > 0) & (people.reference > 0)
    right = people.right(threshold).sum(axis=1)
    return np.asarray(np.divide(right, counted, out=np.full(len(people), np.nan), where=usable))


def pck_data(people: People, unit: str) -> Data:
    """PCK over thresholds: the mean, each joint, and both sides of a joint together.

    Args:
        people: of `people.gather`.
        unit: "torso" or "box", what `people.reference` measures.
    """
    curve = pck_curve(people.found, people.truth, people.labelled, people.reference, THRESHOLDS[unit])
    at = int(np.flatnonzero(curve.thresholds == HEADLINE[unit])[0])
    names = people.skeleton.joints
    parts: dict[str, list[float | None]] = {}
    for part in dict.fromkeys(map(base_name, names)):
        chosen = [j for j, name in enumerate(names) if base_name(name) == part and curve.counts[j]]
        if chosen:
            pooled = np.average(curve.per_joint[:, chosen], axis=1, weights=curve.counts[chosen])
            parts[part] = [plain(v) for v in pooled]
    return {
        "unit": unit, "thresholds": curve.thresholds.tolist(), "mean": [plain(v) for v in curve.mean],
        "parts": parts, "auc": plain(curve.auc), "headline": HEADLINE[unit],
        "joints": {name: {"labelled": int(count), "pck": plain(rate)}
                   for name, count, rate in zip(names, curve.counts, curve.per_joint[at], strict=True)},
    }  # fmt: skip


def precision_recall_data(annotations: Annotations, predictions: Mapping[str, Poses], joints: tuple[str, ...]) -> Data:
    """Precision at COCO's 101 recalls for OKS 0.50, 0.75 and the mean over 0.50:0.05:0.95.

    The mean of each curve is the AP that `keypoints.oks_average_precision` gives (same matching, same sampling).

    Args:
        annotations, predictions: as in `people.gather`.
        joints: names of the joints that count.
    """
    skeleton = annotations.skeleton
    chosen = np.array(skeleton.indices(*joints), dtype=np.intp)
    scores: list[NDArray[np.floating]] = [np.zeros(0)]
    hits, skips, total = [np.zeros((10, 0), bool)], [np.zeros((10, 0), bool)], 0
    for everyone, poses in zip(annotations.people, in_order(annotations, predictions), strict=True):
        truth = everyone.only(chosen)
        best = Detections(poses.to_skeleton(skeleton).joints2d, poses.scores).best(MAX_DETECTIONS)
        ignored = truth.ignore | truth.crowd
        matched, skipped = match(oks(best.joints, truth, skeleton.sigmas), truth, ignored[None])
        scores.append(best.scores)
        hits.append(matched[0])
        skips.append(skipped[0])
        total += int((~ignored).sum())
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit, skip = np.concatenate(hits, axis=1)[:, order], np.concatenate(skips, axis=1)[:, order]
    sampled = _sampled(hit & ~skip, ~hit & ~skip, total) if total else np.full((10, len(RECALLS)), np.nan)
    curves = {"0.50": sampled[0], "0.75": sampled[5], "mean": sampled.mean(axis=0)}
    reached = (hit & ~skip).sum(axis=1) / total if total else np.full(10, np.nan)
    return {
        "recall": RECALLS.tolist(), "precision": {name: [plain(v) for v in c] for name, c in curves.items()},
        "AP": {name: plain(float(c.mean())) for name, c in curves.items()}, "people": total,
        "AR": {"0.50": plain(reached[0]), "0.75": plain(reached[5]), "mean": plain(reached.mean())},
        "thresholds": OKS_THRESHOLDS.tolist(),
    }  # fmt: skip


def _sampled(true: NDArray[np.bool_], false: NDArray[np.bool_], people: int) -> Array:
    """(10, d) hits and false alarms by falling score -> (10, 101) precision at COCO's recalls, 0 beyond the last."""
    hits, alarms = np.cumsum(true, axis=1), np.cumsum(false, axis=1)
    precision = np.divide(hits, hits + alarms, out=np.zeros(hits.shape), where=hits + alarms > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    result = np.zeros((len(hits), len(RECALLS)))
    for row, recall, values in zip(result, hits / people, precision, strict=True):
        at = np.searchsorted(recall, RECALLS, side="left")
        row[at < len(values)] = values[at[at < len(values)]]
    return result
