"""Exact nearest neighbours among many views of 3D poses, for a query of which only some joints are labelled.

The distance is what is left of the query after the best scale and shift of the projection, over the labelled joints.
With both centred on those joints and scaled to length one it is sin^2 of the angle between two unit vectors, so the
nearest projection is the one of greatest cosine.

That cosine needs no projection. With S (J, 3) a pose and q (J, 2) the query, both centred on the labelled joints, and R
the first two rows of a camera's rotation, it is <R, q'S> / |S R'|: six products over the root of another six, since
|S R'|^2 = trace(S'S) - r'(S'S)r, where r is the camera's axis. So a set of labelled joints costs one (3, 3) matrix a
pose, whatever the number of views, and nothing has to be kept for it. And were R any matrix, the cosine could reach
|chol(S'S)^-1 S'q| at most: most poses cannot hold the nearest projection from any side and are skipped. The answer is
that of the full search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
_FEWEST_JOINTS = 2
_ROUNDS = (16, 128)  # poses that are looked at first, for a good start; then all that may still hold a better one
_REFINED_AT_ONCE = 64
_POINT = 1e-6  # share of a pose's squared extent below which a view shows the labelled joints as one point
# What rounding may hide. Scores are float32 sums of at most twelve products below 2. The ridge makes planar poses
# invertible; it costs the bound at most the factor sqrt(1 + 2 ridge / _POINT), the slack has room for it.
_ROUNDING = 4e-6
_RIDGE = 1e-10
_SLACK = 1 + 2e-4
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class _Spread:
    """What one set of labelled joints fixes of P poses.

    Args:
        weight: (J,) 1 where labelled.
        inverse: (P,) 1 / extent of the pose; 0 where it has none.
        pairs: (6, P) S'S of a pose of extent 1. shortest: (P,) the least extent that any view can show of it.
    """

    weight: Doubles
    inverse: Doubles
    pairs: Doubles
    shortest: Doubles

    @classmethod
    def of(cls, weight: Doubles, pairs: Doubles) -> _Spread:
        """From (6, P) S'S; its greatest eigenvalue (by Smith's trigonometric formula) is what a view can hide."""
        trace = pairs[0] + pairs[3] + pairs[5]
        inverse = np.divide(1, np.sqrt(np.maximum(trace, 0)), where=trace > 0, out=np.zeros_like(trace))
        pairs = pairs * inverse**2
        a, b, c, d, e, f = pairs - np.array([1, 0, 0, 1, 0, 1])[:, None] / 3
        size = np.sqrt(np.maximum((a * a + d * d + f * f + 2 * (b * b + c * c + e * e)) / 6, 1e-12))
        half = (a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d)) / (2 * size**3)
        hidden = 1 / 3 + 2 * size * np.cos(np.arccos(np.clip(half, -1, 1)) / 3)
        return cls(weight, inverse, pairs, np.sqrt(np.maximum(1 - hidden - _POINT, 0)))

    def bound(self, directions: Doubles) -> Doubles:
        """(3, 2, P) S'q -> (P,) no view's cosine is greater.

        The less of what any matrix reaches, |chol(S'S)^-1 S'q|, and of what two orthonormal rows reach at most, the sum
        of the singular values of S'q, over the least extent.
        """
        a, b, c, d, e, f = self.pairs
        root = np.sqrt(a + _RIDGE)
        down, across = b / root, c / root
        second = np.sqrt(np.maximum(d + _RIDGE - down * down, _RIDGE))
        mixed = (e - across * down) / second
        third = np.sqrt(np.maximum(f + _RIDGE - across * across - mixed * mixed, _RIDGE))
        x = directions[0] / root
        y = (directions[1] - down * x) / second
        z = (directions[2] - across * x - mixed * y) / third
        free = (x * x + y * y + z * z).sum(0)
        (xx, yy), xy = (directions * directions).sum(0), (directions[:, 0] * directions[:, 1]).sum(0)
        values = xx + yy + 2 * np.sqrt(np.maximum(xx * yy - xy * xy, 0))
        turned = np.divide(values, self.shortest**2, where=self.shortest > 1e-2, out=np.full_like(values, np.inf))
        return np.asarray(np.sqrt(np.minimum(free, turned)) * _SLACK)


class ProjectionIndex:
    """Exact search over P poses of J joints, each seen by V orthographic cameras, under any set of labelled joints.

    Args:
        poses: (P, J, 3) in any unit, without NaN.
        turns: (S, V, 3, 3) rotations into each camera's axes; a projection is the first two coordinates there. Pose p
            is seen by the cameras of set p % S. Few sets make the search fast: they stay in a core's cache.

    Raises:
        ValueError: no pose or view, or a wrong rank.
    """

    def __init__(self, poses: Floats, turns: Floats) -> None:
        if poses.ndim != 3 or turns.ndim != 4 or not poses.size or not turns.size \
                or poses.shape[2:] + turns.shape[2:] != (3, 3, 3):  # fmt: skip
            raise ValueError(f"found poses {poses.shape} and turns {turns.shape}, wanted (P, J, 3) and (S, V, 3, 3) "
                             "with none of them 0")  # fmt: skip
        self.joints, self.poses = poses.shape[1], len(poses)
        self.sets, self.views = turns.shape[:2]
        centred = (poses - poses.mean(1, keepdims=True)).astype(np.float64)
        self._coordinates = np.ascontiguousarray(centred.transpose(1, 2, 0))  # (J, 3, P)
        self._products = np.stack([self._coordinates[:, i] * self._coordinates[:, j] for i, j in _PAIRS], axis=1)
        # for each camera the two rows that project, and the pairs of its axis, off-diagonal ones twice
        axis = turns[:, :, 2]
        pairs = [axis[..., i] * axis[..., j] * (1 if i == j else 2) for i, j in _PAIRS]
        rows = turns[:, :, :2].reshape(self.sets, self.views, 6).swapaxes(1, 2)
        self._cameras = np.concatenate([rows, np.stack(pairs, axis=1)], axis=1).astype(np.float32)  # (S, 12, V)

    def __len__(self) -> int:
        return self.poses * self.views

    def nearest(self, queries: Floats, count: int = 1) -> tuple[Rows, Floats]:
        """The projections nearest to each query, best first.

        Args:
            queries: (q, J, 2), NaN where unlabelled; every query needs two labelled joints in different places.
            count: neighbours a query, at most P V.

        Returns:
            rows (q, count), `pose * V + view`, and cosines (q, count).

        Raises:
            ValueError: a query with fewer than two labelled joints, or `count` outside 1..P V.
        """
        labelled = np.asarray(~np.isnan(queries).any(-1))
        if not 1 <= count <= len(self) or (len(queries) and labelled.sum(1).min() < _FEWEST_JOINTS):
            raise ValueError(f"wanted {_FEWEST_JOINTS} labelled joints or more and 1 to {len(self)} neighbours, found "
                             f"{labelled.sum(1).min(initial=self.joints)} joints and {count} neighbours")  # fmt: skip
        rows, cosines = np.zeros((len(queries), count), np.int64), np.zeros((len(queries), count), np.float32)
        spread = None
        for i in np.lexsort(labelled.T):
            weight = labelled[i].astype(np.float64)
            if spread is None or not np.array_equal(spread.weight, weight):
                spread = self._spread(weight)
            rows[i], cosines[i] = _Search(self, queries[i].astype(np.float64), spread, count).run()
        return rows, cosines

    def _spread(self, weight: Doubles) -> _Spread:
        sums = _mixed(weight, self._coordinates)
        outer = np.stack([sums[i] * sums[j] for i, j in _PAIRS])
        return _Spread.of(weight, _mixed(weight, self._products) - outer / weight.sum())

    def directions(self, query: Doubles, spread: _Spread) -> Doubles:
        """(J, 2) -> (3, 2, P) S'q, the poses at extent 1."""
        return _mixed(query.T, self._coordinates).swapaxes(0, 1) * spread.inverse

    def promising(self, poses: Rows, scores: Floats, worst: float) -> tuple[Rows, Rows]:
        """The views of m poses whose cosine may be greater than `worst`; all, if that is not above 0.

        Args:
            poses: (m,).
            scores: (12, m) S'q in the order of a camera's rows, and `worst / (1 + shortest)` S'S.

        Returns:
            (n,) positions in `poses`, and (n,) views.
        """
        if worst <= 0:
            return np.divmod(np.arange(len(poses) * self.views), self.views)
        order = np.argsort(poses % self.sets, kind="stable")
        sorted_scores = np.ascontiguousarray(scores[:, order].T)
        stops = np.searchsorted(poses[order] % self.sets, np.arange(self.sets + 1))
        which, views = [], []
        for cameras, begin, end in zip(self._cameras, stops[:-1].tolist(), stops[1:].tolist(), strict=True):
            if begin < end:
                high = np.flatnonzero(sorted_scores[begin:end] @ cameras > worst - _ROUNDING)
                which.append(begin + high // self.views)
                views.append(high % self.views)
        return order[np.concatenate(which)], np.concatenate(views)

    def at_most(self, poses: Rows, views: Rows, along: Doubles, pairs: Doubles) -> Doubles:
        """(n,) poses, views, (6, n) S'q and S'S of each -> (n,) what their cosines are at most."""
        found = self._cameras[poses % self.sets, :, views]
        products = np.maximum(np.einsum("dn,nd->n", along, found[:, :6]), 0) + _ROUNDING
        squared = 1 - _ROUNDING - np.einsum("dn,nd->n", pairs, found[:, 6:])
        return np.asarray(products / np.sqrt(np.maximum(squared, _ROUNDING**2)))

    def exact(self, rows: Rows, query: Doubles, spread: _Spread) -> Doubles:
        """(n,) cosines in double precision; 0 where a view shows the labelled joints as one point."""
        poses, views = np.divmod(rows, self.views)
        turns = self._cameras[poses % self.sets, :6, views].reshape(-1, 2, 3).astype(np.float64)
        shapes = turns @ (self._coordinates[..., poses] * spread.inverse[poses]).transpose(2, 1, 0)
        shapes = (shapes - (shapes @ spread.weight)[..., None] / spread.weight.sum()) * spread.weight
        squared = (shapes * shapes).sum((1, 2))
        products = np.einsum("ncj,jc->n", shapes, query)
        return np.divide(products, np.sqrt(squared), where=squared > _POINT, out=np.zeros_like(products))


class _Search:
    """One query's search: poses by their bound, then their views by score, the best of them in double precision."""

    def __init__(self, index: ProjectionIndex, query: Doubles, spread: _Spread, count: int) -> None:
        self._index, self._query, self._spread, self._count = index, _unit(query, spread.weight), spread, count
        directions = index.directions(self._query, spread)
        self._bound = spread.bound(directions)
        self._along = directions.swapaxes(0, 1).reshape(6, -1)
        self._rows, self._cosines, self._worst = np.zeros(0, np.int64), np.zeros(0), -np.inf

    def run(self) -> tuple[Rows, Floats]:
        """(count,) rows and cosines, best first."""
        for most in (*_ROUNDS, self._index.poses):
            poses = np.flatnonzero(self._bound > self._worst)
            if len(poses) > most:
                poses = poses[np.argpartition(-self._bound[poses], most)[:most]]
            if len(poses):
                self._look_at(poses)
        return self._rows, self._cosines.astype(np.float32)

    def _look_at(self, poses: Rows) -> None:
        """All views of some poses, which are then done."""
        along, pairs = self._along[:, poses], self._spread.pairs[:, poses]
        # The extent, sqrt(1 - r'S'Sr), is at least its chord between the least one and 1. So where the cosine is above
        # `worst`, S'q R + worst / (1 + least) r'S'Sr is: one sum of products.
        slope = max(self._worst, 0.0) / (1 + self._spread.shortest[poses])
        scores = np.concatenate([along, pairs * slope]).astype(np.float32)
        which, views = self._index.promising(poses, scores, self._worst)
        most = self._index.at_most(poses[which], views, along[:, which], pairs[:, which])
        rows = poses[which] * self._index.views + views
        self._bound[poses] = -np.inf
        left = np.flatnonzero(most > self._worst)
        while len(left):
            best = left
            if len(left) > _REFINED_AT_ONCE:
                best = left[np.argpartition(-most[left], _REFINED_AT_ONCE)[:_REFINED_AT_ONCE]]
            self._keep(rows[best])
            most[best] = -np.inf
            left = left[most[left] > self._worst]

    def _keep(self, rows: Rows) -> None:
        """The best of these and those found so far; of equals the first row."""
        cosines = np.concatenate([self._cosines, self._index.exact(rows, self._query, self._spread)])
        rows = np.concatenate([self._rows, rows])
        best = np.lexsort((rows, -cosines))[: self._count]
        self._rows, self._cosines = rows[best], cosines[best]
        if len(best) == self._count:
            self._worst = float(self._cosines[-1])


def _mixed(weights: Doubles, values: Doubles) -> Doubles:
    """(..., J) @ (J, a, P) -> (..., a, P), one matrix product."""
    return np.asarray((weights @ values.reshape(len(values), -1)).reshape(*weights.shape[:-1], *values.shape[1:]))


def _unit(query: Doubles, weight: Doubles) -> Doubles:
    """(J, 2) -> centred on the labelled joints, of length one, 0 elsewhere; all 0 without extent."""
    known = np.nan_to_num(query)
    centred = (known - weight @ known / weight.sum()) * weight[:, None]
    length = np.linalg.norm(centred)
    return np.asarray(centred / length if length > 0 else centred)
