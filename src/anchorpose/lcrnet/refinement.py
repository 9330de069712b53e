"""People as the network's second pass saw them, in place of the averages of pose proposal integration. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes as box_ops
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.oks_nms import oks_nms

if TYPE_CHECKING:
    from anchorpose.lcrnet.integration import People

Array = NDArray[np.floating[Any]]
BOX_MARGIN = 0.1
NEAR = 0.1
_SCORES = (1e-3, 0.999)
"""Within which a score says something of the error."""
_ROUNDING = 1 - 1e-6  # `refine` multiplies in float32


@dataclass(frozen=True)
class Refined:
    """What the second pass of the network says of s people, each the group of one proposal (`lcrnet.people`)."""

    seeds: NDArray[np.int64]  # (s,) position of the group's best proposal
    joints2d: Array  # (s, 13, 2) pixels
    joints3d: Array  # (s, 13, 3) metres, as seen straight on, relative to the body centre
    visibility: Array  # (s, 13) probability that the joint can be seen
    errors: Array  # (s, 13) expected absolute error of a coordinate, pixels
    quality: Array  # (s,) expected object keypoint similarity

    def scaled(self, factor: tuple[float, float]) -> Refined:
        """The same people in a picture resized by `factor` (x and y)."""
        xy = np.asarray(factor, dtype=np.float32)
        return replace(self, joints2d=self.joints2d * xy, errors=self.errors * xy.mean())


def least_scores(refined: Refined, min_person_score: float, min_quality: float) -> dict[int, float]:
    """Seed of each group that the second pass has looked at -> sum of scores from which `refine` may keep it.

    Where `refine` drops a person whatever the sum is (at most 1 counts), that is infinite.
    """
    quality = np.maximum(refined.quality.astype(np.float64), 1e-9)
    least = np.maximum(min_quality / quality * _ROUNDING, min_person_score)
    least[min_quality * _ROUNDING > quality] = np.inf
    return dict(zip(refined.seeds.tolist(), least.tolist(), strict=True))


def refine(
    people: People, seeds: NDArray[np.intp], refined: Refined, min_quality: float = 0.0, same_person: float = 1.0
) -> People:
    """The second pass's poses in place of the averages, and people scored anew; best score first.

    A person's score becomes min(1, sum of the proposals' scores) x expected similarity, 0 to 1.

    Args:
        people: of the integration. seeds: (n,) position of the best proposal of each person's group.
        refined: of the second pass. People it has not looked at (weaker than `PeopleOptions.min_person_score`) are left
            out.
        min_quality, same_person: see `IntegrationOptions`.
    """
    at = {int(seed): i for i, seed in enumerate(refined.seeds)}
    seen = np.array([i for i, seed in enumerate(seeds) if int(seed) in at], dtype=np.intp)
    rows = np.array([at[int(seeds[i])] for i in seen], dtype=np.intp)
    # Probability that somebody is there (proposals' scores sum to more for clear people) x how similar, if so.
    scores = np.minimum(people.scores[seen], 1) * refined.quality[rows].astype(np.float32)
    good = scores >= min_quality
    seen, rows, scores = seen[good], rows[good], scores[good]
    joints2d = refined.joints2d[rows].astype(np.float32)
    around = box_ops.around(joints2d)
    kept = np.argsort(-scores, kind="stable")
    if same_person < 1:
        kept = oks_nms(joints2d, scores, box_ops.area(around), LCR13.sigmas, same_person)
    seen, rows = seen[kept], rows[kept]
    joints3d = refined.joints3d[rows] - body_centre(refined.joints3d[rows])[:, None]
    return replace(
        people, scores=scores[kept], boxes=box_ops.expand(around[kept], BOX_MARGIN), joints2d=joints2d[kept],
        joints3d=joints3d.astype(np.float32),
        visibility=refined.visibility[rows].astype(np.float32), hypotheses=tuple(people.hypotheses[i] for i in seen),
        errors=refined.errors[rows].astype(np.float32),
    )  # fmt: skip


def joint_confidence(people: People) -> NDArray[np.float32]:
    """(n, 13) probability that a joint can be seen and lies within a tenth of the person's size from where we say.

    With errors that follow Laplace's distribution of scale b the second factor is 1 - exp(-d / b). Without a second
    pass it is the probability that the joint can be seen.
    """
    if people.errors is None:
        return people.visibility
    near = 1 - np.exp(-NEAR * _sizes(people.joints2d) / np.maximum(people.errors, 1e-6))
    return np.asarray(people.visibility * near, dtype=np.float32)


def confident_errors(joint_scores: Array, joints2d: Array) -> NDArray[np.float64]:
    """Expected absolute errors of 2D coordinates from `joint_confidence`, where results keep no others.

    Whether a joint can be seen is not told apart, so hidden joints get larger errors than the network expected.

    Args:
        joint_scores: (n, 13). joints2d: (n, 13, 2) pixels.

    Returns:
        (n, 13) pixels; NaN where the 2D joint is missing, and for somebody of whom one is.
    """
    return np.asarray(-NEAR * _sizes(joints2d) / np.log1p(-np.clip(joint_scores, *_SCORES)))


def _sizes(joints2d: Array) -> Array:
    """(n, 13, 2) -> (n, 1) the longer side of the joints' box."""
    return np.asarray((joints2d.max(1) - joints2d.min(1)).max(1)[:, None])
