"""Pose proposal integration (PPI, LCR-Net section 3.5): many proposals in, people out. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core import boxes as box_ops
from anchorpose.core.poses import Floats, Hypotheses, body_centre
from anchorpose.core.skeleton import LCR13, base_name

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
    joints3d: Array  # (m, 13, 3) metres, camera axes, relative to the body centre
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

    def __post_init__(self) -> None:
        checks = {
            "iou_threshold": (0 <= self.iou_threshold <= 1, "0 to 1"),
            "distance3d": (self.distance3d > 0, "more than 0 metres"),
            "min_score": (self.min_score > 0, "more than 0"),
            "lower_limb_weight": (0 < self.lower_limb_weight <= 1, "more than 0, at most 1"),
            "max_hypotheses": (self.max_hypotheses >= 0, "0 or more"),
            "overlap": (self.overlap in ("iou", "upper_body_iou"), "'iou' or 'upper_body_iou'"),
            "method": (self.method in ("ppi", "nms"), "'ppi' or 'nms'"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ValueError(f"IntegrationOptions.{name} is {getattr(self, name)!r}, wanted {wanted}")


@dataclass(frozen=True)
class People:
    """n people of one image, best score first; frames and units as in `Poses`."""

    scores: Floats  # (n,) sum of the proposals' scores (NMS: the score of the best proposal)
    boxes: Floats  # (n, 4) around all joints with a margin of 10 %, may reach outside the image
    joints2d: Floats  # (n, 13, 2) pixels
    joints3d: Floats  # (n, 13, 3) metres, relative to the body centre
    visibility: Floats  # (n, 13) weighted mean of the proposals'
    hypotheses: tuple[Hypotheses, ...]  # further modes, one entry a person

    def __len__(self) -> int:
        return len(self.scores)


def integrate(
    proposals: Proposals, K: int, width: float, height: float, options: IntegrationOptions | None = None
) -> People:
    """Groups proposals into people and averages each person's 3D modes (section 3.5, eq. 6 and 7).

    A person is the mode with the highest summed score; the other modes of the group are its hypotheses.

    Args:
        proposals: m proposals; those with a low score or a value that is not finite are ignored.
        K: number of full-body anchor-poses, half the number of classes.
        width, height: image size, pixels, in the same frame as the proposals.
        options: None takes the defaults; `method="nms"` is `non_maximum_suppression`.

    Raises:
        ValueError: a label is not in 0..2K-1.
    """
    options = options or IntegrationOptions()
    if options.method == "nms":
        return non_maximum_suppression(proposals, K, width, height, options)
    kept = _keep(proposals, K, options.min_score)
    groups = _groups(kept, width, height, options)
    # No mode outweighs its group: this spares the many weak strays the search for modes.
    strong = [members for members in groups if kept.scores[members].sum() >= options.min_person_score]
    found = [_modes(kept, members, options) for members in strong]
    people = [modes for modes in found if modes[0] @ kept.scores >= options.min_person_score]
    return _people(kept, K, people, options.lower_limb_weight)


def non_maximum_suppression(
    proposals: Proposals, K: int, width: float, height: float, options: IntegrationOptions | None = None
) -> People:
    """The best proposal of each group, without averaging and hypotheses: what the paper compares PPI with.

    Arguments and errors as in `integrate`.
    """
    options = options or IntegrationOptions()
    kept = _keep(proposals, K, options.min_score)
    seeds = [members[0] for members in _groups(kept, width, height, options)]
    alone: list[Array] = [np.eye(1, len(kept), seed) for seed in seeds if kept.scores[seed] >= options.min_person_score]
    return _people(kept, K, alone, options.lower_limb_weight)


def _keep(proposals: Proposals, K: int, min_score: float) -> Proposals:
    """The usable proposals, best first, in double precision."""
    labels = proposals.labels
    if len(labels) and not 0 <= labels.min() <= labels.max() < 2 * K:
        raise ValueError(
            f"found labels {labels.min()}..{labels.max()}, wanted 0..{2 * K - 1} ({K} full-body anchor-poses and as "
            "many upper-body ones); pass the K the network was trained with"
        )
    usable = proposals.scores >= min_score
    for values in (proposals.scores, proposals.joints2d, proposals.joints3d, proposals.visibility):
        usable &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    kept = proposals[usable]
    order = np.argsort(-kept.scores, kind="stable")
    arrays = (np.asarray(getattr(kept, f.name)[order], dtype=None if f.name == "labels" else np.float64)
              for f in fields(kept))  # fmt: skip
    return Proposals(*arrays)


def _groups(kept: Proposals, width: float, height: float, options: IntegrationOptions) -> list[NDArray[np.intp]]:
    """Greedy groups by 2D overlap with the best proposal left; positions, best (the seed) first.

    Overlap is that of the pose boxes, not of the candidate regions: a region may hold a second person's limbs.
    """
    joints = kept.joints2d if options.overlap == "iou" else kept.joints2d[:, _UPPER_BODY]
    around = box_ops.clip(box_ops.around(joints), width, height)
    free = np.arange(len(kept))
    groups = []
    while len(free):
        # One row a person: far fewer pairs than the whole matrix, and the rows get shorter.
        joins = box_ops.iou(around[free[:1]], around[free])[0] > options.iou_threshold
        joins[0] = True  # a pose outside the image has an empty box, which does not even overlap itself
        groups.append(free[joins])
        free = free[~joins]
    return groups


def _modes(kept: Proposals, members: NDArray[np.intp], options: IntegrationOptions) -> Array:
    """3D modes of one group, highest summed score first: (1 + hypotheses, m), 1 where a proposal is in the mode."""
    close = _distances(kept.joints3d[members]) < options.distance3d
    np.fill_diagonal(close, True)
    uncovered = np.ones(len(members), dtype=bool)
    seeds = []
    for best in range(len(members)):
        if uncovered[best]:
            seeds.append(best)
            uncovered &= ~close[best]  # members come from the whole group, so modes may share some (eq. 6)
    totals = close[seeds] @ kept.scores[members]
    order = np.argsort(-totals, kind="stable")
    strong = order[1:][totals[order[1:]] >= options.min_mode_score][: options.max_hypotheses]
    chosen = np.array(seeds)[[order[0], *strong]]
    modes = np.zeros((len(chosen), len(kept)))
    modes[:, members] = close[chosen]
    return modes


def _distances(joints3d: Array) -> Array:
    """(g, 13, 3) metres -> (g, g) mean distance between corresponding joints, metres."""
    points = np.ascontiguousarray(joints3d.swapaxes(0, 1))
    squares = (points**2).sum(-1)
    # |a - b|^2 = |a|^2 + |b|^2 - 2ab is one matrix product; in double precision it loses 1e-8 m.
    squared = points @ (-2 * points.swapaxes(1, 2))
    squared += squares[:, :, None]
    squared += squares[:, None, :]
    return np.asarray(np.sqrt(np.maximum(squared, 0, out=squared), out=squared).mean(0))


def _people(kept: Proposals, K: int, people: list[Array], lower_limb_weight: float) -> People:
    """Averages the modes; each entry of `people` is (1 + hypotheses, m), the person first."""
    people = sorted(people, key=lambda modes: -float(modes[0] @ kept.scores))
    weights = np.repeat(kept.scores[:, None], J, axis=1)
    # Knees and ankles of an upper-body proposal are a guess at what its region does not show.
    weights[:, _LOWER_LIMBS] *= np.where(kept.labels >= K, lower_limb_weight, 1.0)[:, None]
    seen = kept.visibility[..., None]
    values = np.concatenate([kept.joints2d, kept.joints3d, seen, np.ones_like(seen)], axis=-1)
    weighted = (weights[..., None] * values).reshape(len(kept), J * 7)
    # One small product a person: BLAS gives a large one to threads, which wait for each other on busy cores.
    sums = [modes[:, used := modes.any(axis=0)] @ weighted[used] for modes in people]
    means = np.concatenate([np.zeros((0, J * 7)), *sums]).reshape(-1, J, 7)
    means = means[..., :6] / means[..., 6:]
    scores = np.concatenate([np.zeros(0), *(modes @ kept.scores for modes in people)]).astype(np.float32)
    joints2d = means[..., :2].astype(np.float32)
    joints3d = (means[..., 2:5] - body_centre(means[..., 2:5])[:, None]).astype(np.float32)
    sizes = np.array([len(m) for m in people], dtype=np.intp)
    first = np.cumsum(sizes) - sizes
    further = [slice(start + 1, start + size) for start, size in zip(first, sizes, strict=True)]
    hypotheses = tuple(Hypotheses(scores[s], joints2d[s], joints3d[s]) for s in further)
    return People(scores[first], box_ops.around(joints2d[first], BOX_MARGIN), joints2d[first], joints3d[first],
                  means[first, :, 5].astype(np.float32), hypotheses)  # fmt: skip
