"""Exact nearest neighbours among 2D shapes of which the query knows only some joints.

The distance is what is left of the query after the best scale and shift of the candidate, over the labelled joints.
With both centred on those joints and scaled to length one it is sin^2 of the angle between two unit vectors, so the
nearest candidate is the one of greatest cosine. Which joints are labelled changes both vectors; hence no tree over
one normalisation serves. Instead the candidates lie in clusters of like shape: for a set of labelled joints, once,
the greatest angle between each cluster's centre and its members is measured, and by the triangle inequality on the
sphere most clusters cannot hold the nearest neighbour. The answer is that of the full search.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

Floats = NDArray[np.float32]
_FEWEST_JOINTS = 2
_CLUSTER_SIZE = 256
_MOST_CLUSTERS = 4096
_SAMPLES_A_CLUSTER = 12
_ROWS_AT_ONCE = 16384
_FIRST_CLUSTERS = 16
_ROUNDING = 2e-3  # radians: the arc cosine of a float32 near 1 is no better
_PREPARED = 16
_POINT = 1e-6  # squared extent, of a body of 1, below which the labelled joints are one point


@dataclass(frozen=True)
class _Prepared:
    """What one set of labelled joints fixes: (K, 2J) unit centres, (K,) angles, (N,) 1 / length of the candidates."""

    centres: Floats
    angles: Floats
    inverse_length: Floats


class ShapeIndex:
    """Exact search over N shapes of J joints under any set of labelled joints.

    Args:
        shapes: (N, J, 2) in any unit, without NaN.
        rng: chooses the first cluster centres; the answers do not depend on it.

    Raises:
        ValueError: no shape, or a wrong rank.
    """

    def __init__(self, shapes: Floats, rng: np.random.Generator) -> None:
        if shapes.ndim != 3 or shapes.shape[2] != 2 or not len(shapes):
            raise ValueError(f"found shapes {shapes.shape}, wanted (N, J, 2) with N at least 1")
        self.joints = shapes.shape[1]
        flat = _unit(_centred(shapes.astype(np.float32), np.ones(self.joints, np.float32)))
        self._centres, labels = _cluster(flat, rng)
        self._rows = np.argsort(labels, kind="stable")
        self._flat = flat[self._rows]
        counts = np.bincount(labels, minlength=len(self._centres))
        stops = np.cumsum(counts)
        self._bounds = np.stack([stops - counts, stops], axis=1)
        self._cache: OrderedDict[bytes, _Prepared] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flat)

    def nearest(self, queries: Floats, count: int = 1) -> tuple[NDArray[np.int64], Floats]:
        """The shapes nearest to each query, best first.

        Args:
            queries: (q, J, 2), NaN where unlabelled; every query needs two labelled joints in different places.
            count: neighbours a query, at most N.

        Returns:
            rows (q, count) of the shapes given at the start, and cosines (q, count).

        Raises:
            ValueError: a query with fewer than two labelled joints, or `count` outside 1..N.
        """
        labelled = ~np.isnan(queries).any(-1)
        if not 1 <= count <= len(self) or (len(queries) and labelled.sum(1).min() < _FEWEST_JOINTS):
            raise ValueError(f"wanted {_FEWEST_JOINTS} labelled joints or more and 1 to {len(self)} neighbours, found "
                             f"{labelled.sum(1).min(initial=self.joints)} joints and {count} neighbours")  # fmt: skip
        rows, cosines = np.zeros((len(queries), count), np.int64), np.zeros((len(queries), count), np.float32)
        patterns, which = np.unique(labelled, axis=0, return_inverse=True)
        for p, pattern in enumerate(patterns):
            weight = pattern.astype(np.float32)
            prepared = self._prepare(weight)
            members = np.flatnonzero(which.ravel() == p)
            known = np.nan_to_num(queries[members]).astype(np.float32)
            for i, query in zip(members, _unit(_centred(known, weight)), strict=True):
                rows[i], cosines[i] = self._search(query, prepared, count)
        return rows, cosines

    def _search(self, query: Floats, prepared: _Prepared, count: int) -> tuple[NDArray[np.int64], Floats]:
        """Clusters by their best possible cosine, until none can still improve on the worst one kept."""
        angles = np.arccos(np.clip(prepared.centres @ query, -1, 1)) - prepared.angles
        possible = np.cos(np.maximum(angles, 0))
        order = np.argsort(-possible)
        rows, cosines, worst = np.zeros(0, np.int64), np.zeros(0, np.float32), -np.inf
        begin, step = 0, _FIRST_CLUSTERS
        while begin < len(order):
            clusters = order[begin : begin + step]
            clusters = clusters[possible[clusters] > worst]
            if not clusters.size:
                break
            blocks = [slice(a, b) for a, b in self._bounds[clusters].tolist()]
            values = np.concatenate([self._flat[block] @ query for block in blocks])
            values *= np.concatenate([prepared.inverse_length[block] for block in blocks])
            better = np.flatnonzero(values > worst)
            found = np.concatenate([self._rows[block] for block in blocks])[better]
            rows, cosines = np.concatenate([rows, found]), np.concatenate([cosines, values[better]])
            best = np.argsort(-cosines, kind="stable")[:count]
            rows, cosines = rows[best], cosines[best]
            worst = cosines[-1] if len(cosines) == count else -np.inf
            begin, step = begin + step, 4 * step
        return rows, cosines

    def _prepare(self, weight: Floats) -> _Prepared:
        key = weight.tobytes()
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        centres = _unit(_centred(self._centres.reshape(-1, self.joints, 2), weight))
        sizes = self._bounds[:, 1] - self._bounds[:, 0]
        inverse, cosines = np.empty(len(self), np.float32), np.empty(len(self), np.float32)
        own = np.repeat(np.arange(len(centres)), sizes)
        for start in range(0, len(self), _ROWS_AT_ONCE):
            block = slice(start, start + _ROWS_AT_ONCE)
            inverse[block] = _inverse_length(self._flat[block], weight)
            cosines[block] = np.einsum("nd,nd->n", self._flat[block], centres[own[block]]) * inverse[block]
        furthest = np.ones(len(centres), np.float32)
        filled = sizes > 0
        furthest[filled] = np.minimum.reduceat(cosines, self._bounds[filled, 0])
        angles = np.arccos(np.clip(furthest, -1, 1)) + np.float32(_ROUNDING)
        prepared = _Prepared(centres, np.asarray(angles, np.float32), inverse)
        self._cache[key] = prepared
        if len(self._cache) > _PREPARED:
            self._cache.popitem(last=False)
        return prepared


def _centred(shapes: Floats, weight: Floats) -> Floats:
    """(n, J, 2) -> (n, 2J): shifted to the mean of the joints of weight 1, the others 0."""
    mean = np.einsum("njd,j->nd", shapes, weight) / weight.sum()
    return np.asarray(((shapes - mean[:, None]) * weight[:, None]).reshape(len(shapes), -1))


def _unit(vectors: Floats) -> Floats:
    """Rows of length one; a row without extent stays 0 and is nobody's neighbour."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9))


def _inverse_length(flat: Floats, weight: Floats) -> Floats:
    """(n, 2J) -> (n,) 1 / length of `_centred`, from matrix products; 0 where there is no extent."""
    columns = np.kron(weight[:, None], np.eye(2, dtype=np.float32))
    sums = flat @ columns
    squared = (flat * flat) @ columns.sum(1) - (sums * sums).sum(1) / weight.sum()
    inverse = np.divide(1, np.sqrt(np.maximum(squared, _POINT)), where=squared > _POINT, out=np.zeros_like(squared))
    return np.asarray(inverse)


def _cluster(flat: Floats, rng: np.random.Generator) -> tuple[Floats, NDArray[np.intp]]:
    """K-means centres of a sample and the nearest centre of every row; (K, d), (n,)."""
    count = int(np.clip(len(flat) // _CLUSTER_SIZE, 1, _MOST_CLUSTERS))
    sample = flat[rng.permutation(len(flat))[: count * _SAMPLES_A_CLUSTER]]
    centres, _ = kmeans2(sample, sample[:count].copy(), iter=2, minit="matrix", missing="warn")
    half = 0.5 * (centres * centres).sum(1)
    blocks = range(0, len(flat), _ROWS_AT_ONCE // 4)
    labels = [(flat[i : i + _ROWS_AT_ONCE // 4] @ centres.T - half).argmax(1) for i in blocks]
    return centres, np.concatenate(labels)
