"""Errors by joint, by what is known of the joint (visible, hidden), and by the size of the person."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState, Poses
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.keypoints import AREA_RANGES, Detections, oks_average_precision_by_area
from anchorpose.evaluation.protocols import in_order, plain
from anchorpose.evaluation.report.curves import HEADLINE, Data, correct_share
from anchorpose.evaluation.report.people import People

Array = NDArray[np.floating]
SIZES = {"small": (0.0, 32.0**2), "medium": AREA_RANGES["medium"], "large": AREA_RANGES["large"]}
"""COCO's limits in square pixels."""
_PER_BIN = 20


def error_rows(people: People, unit: str) -> Data:
    """Quartiles of the error of each joint, and of all joints of the same state.

    Quartiles are over labelled joints of people who were found; `missed` is the share that people who were not found
    add to them, `pck` counts those as wrong.

    Args:
        people: of `people.gather`.
        unit: "torso" or "box", what `people.reference` measures.
    """
    usable = people.labelled & (people.reference > 0)[:, None]
    by_joint = {}
    for j, name in enumerate(people.skeleton.joints):
        mask = np.zeros_like(usable)
        mask[:, j] = usable[:, j]
        by_joint[name] = _row(people, mask, unit)
    states = {s.name.lower(): usable & (people.states == s) for s in JointState if s != JointState.MISSING}
    by_state = {name: _row(people, mask, unit) for name, mask in states.items() if mask.any()}
    # A single state (v is 2 wherever LSP has a label) tells nothing apart.
    by_state = by_state if len(by_state) > 1 else {}
    return {"unit": unit, "headline": HEADLINE[unit], "joints": by_joint, "states": by_state,
            "all": _row(people, usable, unit)}  # fmt: skip


def _row(people: People, mask: NDArray[np.bool_], unit: str) -> Data:
    error = people.error[mask]
    count, known = len(error), error[np.isfinite(error)]
    quartiles = np.percentile(known, [25, 50, 75]) if len(known) else np.full(3, np.nan)
    return {
        "labelled": count, "missed": plain(1 - len(known) / count) if count else None,
        "pck": plain(float(people.right(HEADLINE[unit])[mask].mean())) if count else None,
        "quartiles": [plain(v) for v in quartiles],
    }  # fmt: skip


def size_data(annotations: Annotations, predictions: Mapping[str, Poses], people: People, unit: str, ap: bool) -> Data:
    """PCK and, where everybody is labelled, AP of small, medium and large people, and PCK over the size.

    Args:
        annotations, predictions: as in `people.gather`.
        people: what it returned.
        unit: "torso" or "box", what `people.reference` measures.
        ap: whether AP has a meaning.
    """
    share, area = correct_share(people, HEADLINE[unit]), people.size**2
    figures = {}
    if ap:
        found = [Detections(p.to_skeleton(annotations.skeleton).joints2d, p.scores)
                 for p in in_order(annotations, predictions)]  # fmt: skip
        figures = oks_average_precision_by_area(annotations.people, found, annotations.skeleton,
                                                people.skeleton.joints, ranges=SIZES)  # fmt: skip
    classes = {}
    for name, (low, high) in SIZES.items():
        inside = (area >= low) & (area <= high)
        usable = inside & ~np.isnan(share)
        classes[name] = {
            "people": int(inside.sum()), "found": int((inside & ~people.missed).sum()),
            "pck": plain(float(share[usable].mean())) if usable.any() else None,
            "AP": plain(figures[name].ap) if ap else None,
        }  # fmt: skip
    return {"unit": unit, "headline": HEADLINE[unit], "classes": classes, "curve": binned(people.size, share)}


def binned(x: Array, y: Array, bins: int = 10, top: float = 1.0) -> Data:
    """Mean of y in bins of equally many people by rising x, with the 95 % interval of that mean.

    Args:
        x, y: (p,), y from 0 to `top`; pairs that are not finite are left out.
        bins: at most; fewer where there would be less than 20 people in a bin.
        top: greatest value of y, where the interval is cut.
    """
    known = np.isfinite(x + y)
    order = np.argsort(x[known], kind="stable")
    bins = max(1, min(bins, len(order) // _PER_BIN))
    parts = [part for part in np.array_split(order, bins) if len(part)]
    xs, ys = [x[known][part] for part in parts], [y[known][part] for part in parts]
    error = [1.96 * float(v.std(ddof=1)) / len(v) ** 0.5 if len(v) > 1 else float("nan") for v in ys]
    means = [float(v.mean()) for v in ys]
    return {
        "x": [float(np.median(v)) for v in xs], "mean": means, "people": [len(v) for v in ys],
        "low": [plain(v) for v in np.clip(np.subtract(means, error), 0, top)],
        "high": [plain(v) for v in np.clip(np.add(means, error), 0, top)],
    }  # fmt: skip
