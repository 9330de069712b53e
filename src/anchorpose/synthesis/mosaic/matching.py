"""Which photograph shows each joint's surroundings best: the distance D_j of Rogez and Schmid (NIPS 2016, 3.1).

D_j(p, q) = sum_k (w_k^j(p) + w_k^j(q)) d_E(p_k, q'_k), where q' is the photograph's pose q moved by the similarity
that maps q_j to p_j and q_i to p_i, i being the joint farthest from j among those directly connected to it, and
w_k^j = 1 / |p_k - p_j|, normalised to sum 1. Points of the plane are complex numbers here, so that a similarity is one
multiplication and one addition, and a mirrored photograph is the conjugate of -z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.samples import Sample

Floats = NDArray[np.float32]
J = len(LCR13)
_HEAD, _SHOULDERS = LCR13.index("head_top"), LCR13.indices("right_shoulder", "left_shoulder")
CONNECTED = tuple(
    tuple(b if a == j else a for a, b in (*LCR13.bones, *((_HEAD, s) for s in _SHOULDERS)) if j in (a, b))
    for j in range(J)
)
"""For each joint those directly connected to it: the bones, and the head with both shoulders (LCR13 has no neck)."""
_TREE = {12: 10, 11: 10, 4: 10, 5: 11, 2: 4, 3: 5, 0: 2, 1: 3, 8: 10, 9: 11, 6: 8, 7: 9}
"""Child -> parent, from the right shoulder: the connections as a tree, for the choice of photographs."""
MIN_LABELLED = 9
_TINY = 1e-3
_CANDIDATES = 24


@dataclass(frozen=True)
class MatchLimits:
    """What a photograph may be put through, and how much is paid for it.

    Args:
        enlargement: photographs enlarged more than this are not used: they would be blurred.
        reduction: the least scale; below it a crowd of other things comes into the picture.
        rotation: radians that a photograph may be turned by; gravity shows in clothes, hair and background.
        switch: metres, what a change of photograph between connected joints costs. A seam through a limb
            looks worse than a slightly different angle.
        variety: standard deviation of the random factor (log-normal) on each photograph's distances.
        depth: weight of a depth term beyond the paper, the weighted mean of how much the joints' depths relative to
            j differ, for photographs with 3D guesses. In 2D alone a limb towards the camera equals one away from it.
        unknown_depth: metres, what photographs without a guess pay instead, where others have one. It is high,
            because guesses that contradict the labels were dropped: often left and right are exchanged in these.
    """

    enlargement: float = 2.0
    reduction: float = 0.4
    rotation: float = 0.8
    switch: float = 0.05
    variety: float = 0.1
    depth: float = 1.0
    unknown_depth: float = 0.35


@dataclass(frozen=True)
class PhotoIndex:
    """People labelled in photographs, each also mirrored: row r + n is row r mirrored about x = 0.

    Args:
        files: the n photographs.
        points: (2n, 13) complex64, x + iy pixels; NaN where unlabelled.
        weights: (2n, 13, 13) w_k^j as [row, j, k]; 0 where j or k is unlabelled.
        depths: (2n, 13) metres along the camera's axis, relative to the body centre; NaN where nobody guessed them.
    """

    files: tuple[Path, ...]
    points: NDArray[np.complex64]
    weights: Floats
    depths: Floats

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> PhotoIndex:
        """All people of the samples with at least `MIN_LABELLED` joints.

        Raises:
            InputError: there is nobody.
        """
        people = [(s.image, p) for s in samples for p in s.people if p.labelled.sum() >= MIN_LABELLED]
        if not people:
            raise InputError(
                f"found nobody with {MIN_LABELLED} labelled joints in {len(samples)} photographs, wanted whole "
                "people to cut mosaics from; give COCO keypoint json of full bodies, LSPE for example"
            )
        points = as_points(np.stack([person.joints2d for _, person in people]))
        points = np.concatenate([points, -points[:, LCR13.flip].conj()])
        depths = np.stack([person.joints3d[:, 2] for _, person in people])
        depths = np.concatenate([depths, depths[:, LCR13.flip]])
        return cls(tuple(file for file, _ in people), points, local_weights(points), depths)

    def file(self, row: int) -> Path:
        """The photograph of a row."""
        return self.files[row % len(self.files)]

    def is_mirrored(self, row: int) -> bool:
        """Whether the row stands for the mirrored photograph."""
        return row >= len(self.files)


@dataclass(frozen=True)
class Query:
    """A pose that photographs are sought for.

    Args:
        points: (13,) complex64 pixels of the mosaic, no NaN.
        depths: (13,) metres along the camera's axis.
        pixels_per_metre: on the body.
    """

    points: NDArray[np.complex64]
    depths: Floats
    pixels_per_metre: float


@dataclass(frozen=True)
class Matches:
    """The photograph of each joint.

    Args:
        rows: (13,) rows of the `PhotoIndex`.
        distances: (13,) D_j in metres on the query, without the depth term.
        turns: (13,) complex a and `shifts` (13,) complex b: photograph point z lands at a z + b.
        moved: (13, 13) q'_k as [j, k]: joint k of photograph j, in pixels of the mosaic; NaN where unlabelled.
    """

    rows: NDArray[np.intp]
    distances: Floats
    turns: NDArray[np.complex64]
    shifts: NDArray[np.complex64]
    moved: NDArray[np.complex64]


def as_points(joints2d: Floats) -> NDArray[np.complex64]:
    """(..., 2) -> (...) x + iy."""
    return np.ascontiguousarray(joints2d, dtype=np.float32).view(np.complex64)[..., 0]


def local_weights(points: NDArray[np.complex64]) -> Floats:
    """(..., 13) points -> (..., 13, 13) weights w_k^j as [j, k]: inverse distances to j, each row of sum 1."""
    distance = np.abs(points[..., None, :] - points[..., :, None])
    weights = np.where(np.isfinite(distance), 1 / np.maximum(np.nan_to_num(distance), _TINY), 0)
    weights[..., range(J), range(J)] = 0
    return np.asarray(weights / np.maximum(weights.sum(-1, keepdims=True), 1e-12), dtype=np.float32)


def farthest_connected(points: NDArray[np.complex64], joint: int) -> int:
    """The joint i: directly connected to `joint` and farthest from it in the query."""
    return max(CONNECTED[joint], key=lambda i: float(abs(points[i] - points[joint])))


def match_photographs(
    query: Query, index: PhotoIndex, rng: np.random.Generator, limits: MatchLimits | None = None
) -> Matches | None:
    """For each joint of a pose the photograph of most similar surroundings.

    Args:
        query: the pose.
        index: the photographs.
        rng: varies the choice among nearly equal photographs.
        limits: on scale and rotation.

    Returns:
        None where some joint has no photograph within the limits.
    """
    limits = limits or MatchLimits()
    distances, costs = np.full((2, J, len(index)), np.inf, dtype=np.float32)
    for j in range(J):
        rows, found = joint_distances(query, index, j, limits)
        distances[j, rows] = found
        costs[j, rows] = found + depth_penalty(query, index, j, rows, limits)
    if not np.isfinite(costs).any(1).all():
        return None
    noise = np.exp(limits.variety * rng.standard_normal(len(index), dtype=np.float32))
    rows = choose_rows(costs * noise, limits.switch)
    moves = [similarity_of(query.points, index.points[row], j) for j, row in enumerate(rows)]
    turns, shifts = (np.array(values, dtype=np.complex64) for values in zip(*moves, strict=True))
    moved = turns[:, None] * index.points[rows] + shifts[:, None]
    return Matches(rows, distances[range(J), rows], turns, shifts, moved)


def joint_distances(
    query: Query, index: PhotoIndex, joint: int, limits: MatchLimits
) -> tuple[NDArray[np.intp], Floats]:
    """D_j of every photograph within the limits: its rows and their distances in metres.

    Joints that a photograph lacks are left out and their weight goes to the others; the distance then grows by the
    share of the query's weight that is missing, so that a photograph does not win by what it does not show.
    """
    target, weights = query.points, local_weights(query.points)
    i = farthest_connected(target, joint)
    with np.errstate(invalid="ignore", divide="ignore"):
        turns = (target[i] - target[joint]) / (index.points[:, i] - index.points[:, joint])
        scale = np.abs(turns)
        fits = (scale <= limits.enlargement) & (scale >= limits.reduction) & (abs(np.angle(turns)) <= limits.rotation)
    rows = np.flatnonzero(fits)
    points = index.points[rows]
    moved = turns[rows, None] * (points - points[:, joint, None])
    distance = np.nan_to_num(np.abs(moved - (target - target[joint])))
    seen = np.isfinite(points.real) * weights[joint]
    share = seen.sum(1)
    total = np.einsum("nk,nk->n", seen, distance) / np.maximum(share, _TINY)
    total += np.einsum("nk,nk->n", index.weights[rows, joint], distance)
    return rows, (total * (2 - share) / query.pixels_per_metre).astype(np.float32)


def depth_penalty(
    query: Query, index: PhotoIndex, joint: int, rows: NDArray[np.intp], limits: MatchLimits
) -> NDArray[np.floating]:
    """The depth term of `MatchLimits` for some rows, in metres; 0 where no photograph has depths."""
    depths = index.depths[rows]
    if not limits.depth or np.isnan(depths).all():
        return np.zeros(len(rows), dtype=np.float32)
    gap = np.abs(depths - depths[:, joint, None] - (query.depths - query.depths[joint]))
    mean = np.einsum("nk,k->n", gap, local_weights(query.points)[joint])
    return limits.depth * np.where(np.isnan(mean), limits.unknown_depth, mean)


def similarity_of(query: NDArray[np.complex64], points: NDArray[np.complex64], joint: int) -> tuple[complex, complex]:
    """a, b of the similarity z -> a z + b that maps q_j to p_j and q_i to p_i."""
    i = farthest_connected(query, joint)
    turn = complex(query[i] - query[joint]) / complex(points[i] - points[joint])
    return turn, complex(query[joint]) - turn * complex(points[joint])


def choose_rows(costs: Floats, switch: float) -> NDArray[np.intp]:
    """One row a joint: least sum of costs plus `switch` for every connected pair of joints with different rows.

    Exact (dynamic programming from the limbs' ends) over the best `_CANDIDATES` rows of each joint.

    Args:
        costs: (13, n); infinite where a row cannot be used.
        switch: 0 takes the best row for each joint, as in the paper.
    """
    count = min(_CANDIDATES, costs.shape[1])
    best = np.argpartition(costs, count - 1, axis=1)[:, :count]
    candidates = np.unique(best)
    total = costs[:, candidates].copy()
    kept = {}
    for child, parent in sorted(_TREE.items(), key=lambda pair: -_depth(pair[0])):
        kept[child] = total[child] <= total[child].min() + switch
        total[parent] += np.minimum(total[child], total[child].min() + switch)
    chosen = {10: int(total[10].argmin())}
    for child, parent in sorted(_TREE.items(), key=lambda pair: _depth(pair[0])):
        chosen[child] = chosen[parent] if kept[child][chosen[parent]] else int(total[child].argmin())
    return np.array([candidates[chosen[j]] for j in range(J)], dtype=np.intp)


def _depth(joint: int) -> int:
    return 1 + _depth(_TREE[joint]) if joint in _TREE else 0
