"""Pose proposal integration (PPI, LCR-Net section 3.5): many proposals in, people out. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core import boxes as box_ops
from anchorpose.core.poses import Floats, Hypotheses, body_centre
from anchorpose.core.skeleton import LCR13, base_name
from anchorpose.lcrnet.refinement import Refined, least_scores, refine

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

J = len(LCR13)
BOX_MARGIN = 0.1
_LOWER_LIMBS = [i for i, name in enumerate(LCR13.joints) if base_name(name) in ("knee", "ankle")]
_UPPER_BODY = [i for i in range(J) if i not in _LOWER_LIMBS]


@dataclass(frozen=True)
class Proposals:
    """m refined pose proposals of one image, in any order: one for each kept pair of region and anchor-pose class.

    Raises:
        ValueError: an array has another shape than the one named below.
    """

    boxes: Array  # (m, 4) candidate regions x1, y1, x2, y2, pixels
    scores: Array  # (m,) probability of the anchor-pose class
    labels: NDArray[np.int64]  # (m,) class 0..2K-1; K and above are the upper-body classes
    joints2d: Array  # (m, 13, 2) pixels
    joints3d: Array  # (m, 13, 3) metres, as seen straight on, relative to the body centre
    visibility: Array  # (m, 13) probability that the joint can be seen

    def __post_init__(self) -> None:
        shapes = {"boxes": (4,), "scores": (), "labels": (), "joints2d": (J, 2), "joints3d": (J, 3), "visibility": (J,)}
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != (len(self.scores), *shape):
                raise ValueError(f"Proposals.{name} has shape {found}, wanted {(len(self.scores), *shape)}")

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: slice | ArrayLike) -> Proposals:
        """Some of the proposals: a slice, a boolean mask (m,) or positions."""
        chosen = np.arange(len(self))[index if isinstance(index, slice) else np.atleast_1d(index)]
        return Proposals(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def scaled(self, factor: float | tuple[float, float]) -> Proposals:
        """The same proposals in a picture resized by `factor` (one number, or one each for x and y)."""
        xy = np.broadcast_to(np.asarray(factor, dtype=np.float32), 2)
        return Proposals(self.boxes * np.tile(xy, 2), self.scores, self.labels, self.joints2d * xy, self.joints3d,
                         self.visibility)  # fmt: skip


@dataclass(frozen=True)
class IntegrationOptions:
    """How proposals become people; plain values, which the ONNX metadata carries.

    Args:
        iou_threshold: 2D overlap with a group's best proposal above which a proposal joins the group. The paper's
            0.08 suits one person an image; neighbours in a crowd overlap far more.
        distance3d: T_3D of eq. 6, metres, mean over the joints.
        min_score: proposals below are ignored; above 0, because scores are the weights of the averages.
        min_mode_score: further modes whose summed score is below are dropped.
        min_person_score: people whose score is below are dropped; PPI sums scores (1 may be exceeded), NMS does not.
        lower_limb_weight: factor on the weight of an upper-body proposal for knees and ankles, in (0, 1].
        max_hypotheses: most further modes a person keeps.
        overlap: of boxes around all joints (paper) or all but knees and ankles, cut at the image border.
        method: "ppi", or "nms" for the comparison in the paper.
        outside_penalty: LCR-Net++'s re-scoring: a proposal's score falls by exp(-penalty x the mean distance of its
            joints from its region, in sides of the region); 0 leaves scores alone. The paper gives no formula. Knees
            and ankles of upper-body classes belong outside and do not count.
        min_quality: with a second pass, people whose score (0 to 1) is below are dropped.
        same_person: similarity of two people (object keypoint similarity of the worse to the better) above which
            they are the same, once the second pass has looked at both; 1 keeps all.

    Raises:
        ValueError: a value is out of range.
    """

    iou_threshold: float = 0.3
    distance3d: float = 0.2
    min_score: float = 0.01
    min_mode_score: float = 0.05
    min_person_score: float = 0.1
    lower_limb_weight: float = 0.1
    max_hypotheses: int = 4
    overlap: Literal["iou", "upper_body_iou"] = "iou"
    method: Literal["ppi", "nms"] = "ppi"
    outside_penalty: float = 0.0
    min_quality: float = 0.0
    same_person: float = 1.0

    def __post_init__(self) -> None:
        checks = {
            "iou_threshold": (0 <= self.iou_threshold <= 1, "0 to 1"),
            "distance3d": (self.distance3d > 0, "more than 0 metres"),
            "min_score": (self.min_score > 0, "more than 0"),
            "lower_limb_weight": (0 < self.lower_limb_weight <= 1, "more than 0, at most 1"),
            "max_hypotheses": (self.max_hypotheses >= 0, "0 or more"),
            "overlap": (self.overlap in ("iou", "upper_body_iou"), "'iou' or 'upper_body_iou'"),
            "method": (self.method in ("ppi", "nms"), "'ppi' or 'nms'"),
            "outside_penalty": (self.outside_penalty >= 0, "0 or more"),
            "min_quality": (0 <= self.min_quality <= 1, "0 to 1"),
            "same_person": (0 < self.same_person <= 1, "more than 0, at most 1"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ValueError(f"IntegrationOptions.{name} is {getattr(self, name)!r}, wanted {wanted}")


@dataclass(frozen=True)
class People:
    """n people of one image, best score first; frames and units as in `Poses`."""

    scores: Floats  # (n,) sum of the proposals' scores (NMS: the best one's; with a second pass see `refine`)
    boxes: Floats  # (n, 4) around all joints with a margin of 10 %, may reach outside the image
    joints2d: Floats  # (n, 13, 2) pixels
    joints3d: Floats  # (n, 13, 3) metres, as seen straight on, relative to the body centre
    visibility: Floats  # (n, 13) weighted mean of the proposals'
    hypotheses: tuple[Hypotheses, ...]  # further modes, one entry a person
    errors: Floats | None = None  # (n, 13) expected absolute error of a coordinate, pixels; None without a second pass

    def __len__(self) -> int:
        return len(self.scores)


def integrate(
    proposals: Proposals,
    K: int,
    width: float,
    height: float,
    options: IntegrationOptions | None = None,
    refined: Refined | None = None,
) -> People:
    """Groups proposals into people and averages each person's 3D modes (section 3.5, eq. 6 and 7).

    A person is the mode with the highest summed score; the other modes of the group are its hypotheses. Where the
    second pass has looked at a group, its pose and score are the person's (`lcrnet.refinement`).

    Args:
        proposals: m proposals; those with a low score or a value that is not finite are ignored.
        K: number of full-body anchor-poses, half the number of classes.
        width, height: image size, pixels, in the same frame as the proposals.
        options: None takes the defaults; `method="nms"` is `non_maximum_suppression`.
        refined: of the second pass; None without one.

    Raises:
        ValueError: a label is not in 0..2K-1.
    """
    options = options or IntegrationOptions()
    if options.method == "nms":
        return non_maximum_suppression(proposals, K, width, height, options)
    kept, positions = _keep(proposals, K, options)
    groups = _groups(kept, width, height, options)
    # No mode outweighs its group: this spares the many weak strays the search for modes.
    least, otherwise = {}, options.min_person_score
    if refined is not None:  # `refine` leaves out whom it did not look at
        least, otherwise = least_scores(refined, options.min_person_score, options.min_quality), np.inf
    strong = [members for members in groups
              if kept.scores[members].sum() >= least.get(int(positions[members[0]]), otherwise)]  # fmt: skip
    found = [_modes(kept, members, options) for members in strong]
    found = [modes for modes in found if modes.scores[0] >= options.min_person_score]
    found.sort(key=lambda modes: -float(modes.scores[0]))
    people = _people(kept, K, found, options.lower_limb_weight)
    if refined is None:
        return people
    seeds = positions[np.array([modes.members[0] for modes in found], dtype=np.intp)]
    return refine(people, seeds, refined, options.min_quality, options.same_person)


def non_maximum_suppression(
    proposals: Proposals, K: int, width: float, height: float, options: IntegrationOptions | None = None
) -> People:
    """The best proposal of each group, without averaging and hypotheses: what the paper compares PPI with.

    Arguments and errors as in `integrate`.
    """
    options = options or IntegrationOptions()
    kept, _ = _keep(proposals, K, options)
    seeds = [members[:1] for members in _groups(kept, width, height, options)]  # best first
    alone = [_Modes(seed, np.ones((1, 1), dtype=bool), kept.scores[seed]) for seed in seeds]
    alone = [modes for modes in alone if modes.scores[0] >= options.min_person_score]
    return _people(kept, K, alone, options.lower_limb_weight)


def _keep(proposals: Proposals, K: int, options: IntegrationOptions) -> tuple[Proposals, NDArray[np.intp]]:
    """The usable proposals, best first, in double precision, and their positions."""
    labels = proposals.labels
    if len(labels) and not 0 <= labels.min() <= labels.max() < 2 * K:
        raise ValueError(
            f"found labels {labels.min()}..{labels.max()}, wanted 0..{2 * K - 1} ({K} full-body anchor-poses and as "
            "many upper-body ones); pass the K the network was trained with"
        )
    if options.outside_penalty > 0:
        inside = np.exp(-options.outside_penalty * outside(proposals, K)).astype(np.float32)
        proposals = replace(proposals, scores=proposals.scores * inside)
    usable = proposals.scores >= options.min_score
    for values in (proposals.scores, proposals.joints2d, proposals.joints3d, proposals.visibility):
        usable &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    positions = np.flatnonzero(usable)
    positions = positions[np.argsort(-proposals.scores[positions], kind="stable")]
    arrays = (np.asarray(getattr(proposals, f.name)[positions], dtype=None if f.name == "labels" else np.float64)
              for f in fields(proposals))  # fmt: skip
    return Proposals(*arrays), positions


def outside(proposals: Proposals, K: int) -> Array:
    """(m,) mean distance of the joints from the candidate region, in sides of the region; 0 where all are inside."""
    low, high = proposals.boxes[:, None, :2], proposals.boxes[:, None, 2:]
    beyond = np.maximum(low - proposals.joints2d, 0) + np.maximum(proposals.joints2d - high, 0)
    distance = np.linalg.norm(beyond / np.maximum(high - low, 1e-6), axis=-1)
    counted = np.ones_like(distance)
    counted[:, _LOWER_LIMBS] = proposals.labels[:, None] < K
    return np.asarray((distance * counted).sum(1) / counted.sum(1))


def _groups(kept: Proposals, width: float, height: float, options: IntegrationOptions) -> list[NDArray[np.intp]]:
    """Greedy groups by 2D overlap with the best proposal left; positions, best (the seed) first.

    Overlap is that of the pose boxes, not of the candidate regions: a region may hold a second person's limbs.
    """
    joints = kept.joints2d if options.overlap == "iou" else kept.joints2d[:, _UPPER_BODY]
    around = box_ops.clip(box_ops.around(joints), width, height)
    areas = box_ops.area(around)
    free = np.ones(len(kept), dtype=bool)
    groups = []
    while free.any():
        # One row a person: far fewer pairs than the whole matrix.
        seed = free.argmax()
        shared = box_ops.intersection(around[seed : seed + 1], around)[0]
        joins = free & (shared > options.iou_threshold * (areas + areas[seed] - shared))
        joins[seed] = True  # a pose outside the image has an empty box, which does not even overlap itself
        groups.append(np.flatnonzero(joins))
        free &= ~joins
    return groups


class _Modes(NamedTuple):
    """The 3D modes of one group of g proposals, highest summed score first."""

    members: NDArray[np.intp]  # (g,) positions of the group's proposals, the seed first
    rows: Mask  # (1 + hypotheses, g) whether a proposal is in the mode
    scores: Array  # (1 + hypotheses,) sum of the scores of a mode's proposals


def _modes(kept: Proposals, members: NDArray[np.intp], options: IntegrationOptions) -> _Modes:
    points, rows = kept.joints3d[members], []
    uncovered = np.ones(len(members), dtype=bool)
    best = 0
    while uncovered[best]:
        # A row for each mode, of which there are few: all pairs of a large group cost far more.
        offsets = points - points[best]
        row = np.sqrt(np.einsum("gjc,gjc->gj", offsets, offsets)).sum(1) < options.distance3d * J
        row[best] = True
        uncovered &= ~row  # members come from the whole group, so modes may share some (eq. 6)
        rows.append(row)
        best = int(uncovered.argmax())
    close = np.array(rows)
    totals = close @ kept.scores[members]
    if len(rows) == 1:
        return _Modes(members, close, totals)
    order = np.argsort(-totals, kind="stable")
    strong = order[1:][totals[order[1:]] >= options.min_mode_score][: options.max_hypotheses]
    chosen = np.array([order[0], *strong])
    return _Modes(members, close[chosen], totals[chosen])


def _people(kept: Proposals, K: int, found: list[_Modes], lower_limb_weight: float) -> People:
    """Averages the modes of each person, best first; the first mode is the person."""
    weights = np.repeat(kept.scores[:, None], J, axis=1)
    # Knees and ankles of an upper-body proposal are a guess at what its region does not show.
    weights[:, _LOWER_LIMBS] *= np.where(kept.labels >= K, lower_limb_weight, 1.0)[:, None]
    weighted = np.empty((len(kept), J, 7))
    np.multiply(kept.joints2d, weights[..., None], out=weighted[..., :2])
    np.multiply(kept.joints3d, weights[..., None], out=weighted[..., 2:5])
    np.multiply(kept.visibility, weights, out=weighted[..., 5])
    weighted[..., 6] = weights
    rows = weighted.reshape(len(kept), J * 7)
    # One small product a person: BLAS gives a large one to threads, which wait for each other on busy cores.
    sums = [modes.rows.astype(np.float64) @ rows[modes.members] for modes in found]
    means = np.concatenate([np.zeros((0, J * 7)), *sums]).reshape(-1, J, 7)
    means = means[..., :6] / means[..., 6:]
    scores = np.concatenate([np.zeros(0), *(modes.scores for modes in found)]).astype(np.float32)
    joints2d = means[..., :2].astype(np.float32)
    joints3d = (means[..., 2:5] - body_centre(means[..., 2:5])[:, None]).astype(np.float32)
    sizes = np.array([len(modes.scores) for modes in found], dtype=np.intp)
    first = np.cumsum(sizes) - sizes
    further = [slice(start + 1, start + size) for start, size in zip(first, sizes, strict=True)]
    hypotheses = tuple(Hypotheses(scores[s], joints2d[s], joints3d[s]) for s in further)
    return People(scores[first], box_ops.around(joints2d[first], BOX_MARGIN), joints2d[first], joints3d[first],
                  means[first, :, 5].astype(np.float32), hypotheses)  # fmt: skip
