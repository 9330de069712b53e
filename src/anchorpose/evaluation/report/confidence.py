"""Whether scores can be believed: reliability of people's scores, risk over coverage of joints' scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState, Poses
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.calibration import Reliability, reliability, risk_coverage
from anchorpose.evaluation.keypoints import Detections, match, oks
from anchorpose.evaluation.pck3d import PCK3D_MILLIMETRES
from anchorpose.evaluation.protocols import in_order, plain
from anchorpose.evaluation.report.bodies import Bodies
from anchorpose.evaluation.report.breakdown import binned
from anchorpose.evaluation.report.curves import HEADLINE, Data
from anchorpose.evaluation.report.people import People

Array = NDArray[np.floating]
RIGHT = 0.5
"""A prediction is right if its OKS with a person of its own is at least this."""
_POINTS = 200


def person_scores(annotations: Annotations, predictions: Mapping[str, Poses], people: People) -> tuple[Array, Array]:
    """(n,) scores of all predictions and whether each is right; NaN where that is not known (ignored people).

    Matched as COCO does, best score first. The scores are as they are: one may exceed 1.

    Args:
        annotations, predictions: as in `people.gather`.
        people: what it returned, for the joints that count.
    """
    skeleton = annotations.skeleton
    chosen = np.array(skeleton.indices(*people.skeleton.joints), dtype=np.intp)
    scores: list[NDArray[np.floating]] = [np.zeros(0)]
    right: list[NDArray[np.floating]] = [np.zeros(0)]
    for everyone, poses in zip(annotations.people, in_order(annotations, predictions), strict=True):
        truth = everyone.only(chosen)
        found = Detections(poses.to_skeleton(skeleton).joints2d, poses.scores).best(len(poses))
        matched, ignored = match(oks(found.joints, truth, skeleton.sigmas), truth, truth.ignore[None] | truth.crowd)
        scores.append(found.scores)
        right.append(np.where(ignored[0, 0], np.nan, matched[0, 0]))
    return np.concatenate(scores), np.concatenate(right)


def calibration_data(scores: Array, right: Array, people: People | Bodies) -> Data:
    """Reliability of people's scores and, where states are known, of joint scores as probabilities of being seen.

    Args:
        scores, right: (n,) of `person_scores`, or of the predictions that were taken for people. Of scores that
            are no probabilities those above 1 count as 1, those below 0 as 0; `outside` says how many.
        people: of `people.gather`, or the bodies of `bodies.gather3d`.
    """
    data: Data = {"right": RIGHT, "outside": int(((scores < 0) | (scores > 1)).sum()),
                  "person": _curve(reliability(np.clip(scores, 0, 1), right)),
                  "by_score": binned(scores, right)}  # fmt: skip
    known = people.states != JointState.MISSING
    if known.any() and len(np.unique(people.states[known])) > 1:
        seen = np.where(known, people.states == JointState.VISIBLE, np.nan)
        data["joint"] = _curve(reliability(np.clip(people.joint_scores, 0, 1), seen))
    return data


def _curve(result: Reliability) -> Data:
    return {
        "count": int(result.counts.sum()), "error": plain(result.expected_error), "counts": result.counts.tolist(),
        "confidence": [plain(v) for v in result.confidence], "accuracy": [plain(v) for v in result.accuracy],
    }  # fmt: skip


def coverage_data(people: People, unit: str) -> Data:
    """Share of wrong joints among the most confident ones, over their number.

    Args:
        people: of `people.gather`; joints of people who were not found have no score and are not among them.
        unit: "torso" or "box", what `people.reference` measures.
    """
    wrong = np.where(np.isnan(people.error), np.nan, ~people.right(HEADLINE[unit]))
    return {"unit": unit, "headline": HEADLINE[unit], **_risk(people.joint_scores, wrong)}


def calibration3d_data(bodies: Bodies) -> Data:
    """`calibration_data` of the predictions that were taken for somebody; of others nobody knows who they are.

    A person is right if their mean error is less than 150 mm.

    Args:
        bodies: of `bodies.gather3d` or `archives.gather_archive`.
    """
    found = ~bodies.missed
    right = (bodies.mean_error[found] < PCK3D_MILLIMETRES).astype(np.float64)
    return calibration_data(bodies.scores[found], right, bodies) | {"right": PCK3D_MILLIMETRES}


def coverage3d_data(bodies: Bodies) -> Data:
    """Share of joints 150 mm or more off among the most confident ones; arguments as in `calibration3d_data`."""
    found = np.isfinite(bodies.error)
    risk = _risk(bodies.joint_scores, np.where(found, 1 - bodies.right(PCK3D_MILLIMETRES), np.nan))
    return {"headline": PCK3D_MILLIMETRES, **risk}


def _risk(scores: Array, wrong: Array) -> Data:
    result = risk_coverage(scores, wrong)
    count = len(result.risk)
    at = np.unique(np.linspace(0, count - 1, min(count, _POINTS)).astype(np.intp)) if count else np.zeros(0, np.intp)
    # The first few answers say little: one wrong joint among three is a spike of a third.
    at = at[at >= count // 100]
    return {
        "joints": count, "area": plain(result.area), "all": plain(float(result.risk[-1])) if count else None,
        "coverage": result.coverage[at].tolist(), "risk": result.risk[at].tolist(),
    }  # fmt: skip
