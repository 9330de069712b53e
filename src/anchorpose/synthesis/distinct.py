"""Leaving out poses that are there already: greedy, exact, a matrix product for most pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.diversity import without_yaw

Floats = NDArray[np.float32]
_BLOCK = 1024


def distinct(poses: Floats, min_distance: float, seed: int = 0) -> NDArray[np.intp]:
    """Positions of poses that are all at least `min_distance` apart, in rising order.

    Greedy in a random order: a pose is kept if no kept one is nearer. The distance is the mean over the joints, in
    metres, with the yaw of both removed (`diversity.without_yaw`). It is exact: of a pair, |difference| / sqrt(13) is
    at least the mean joint distance and |difference| / 13 at most, so a matrix product settles most pairs.

    Args:
        poses: (n, 13, 3) metres.
        min_distance: metres; 0 keeps all.
        seed: of the order.
    """
    if min_distance <= 0 or not len(poses):
        return np.arange(len(poses))
    order = np.random.default_rng(seed).permutation(len(poses))
    tried = without_yaw(poses)[order]
    kept = np.zeros(len(poses), dtype=np.intp)
    count = 0
    for start in tqdm(range(0, len(poses), _BLOCK), desc="comparing", unit="block", disable=None):
        block = np.arange(start, min(start + _BLOCK, len(poses)))
        new = block[~_near_any(tried[block], tried[kept[:count]], min_distance)]
        for i in new[_first_of_close(tried[new], min_distance)]:
            kept[count] = i
            count += 1
    return np.sort(order[kept[:count]])


def _near_any(poses: Floats, others: Floats, distance: float) -> NDArray[np.bool_]:
    """(n,) whether one of `others` is nearer than `distance`."""
    squared = _squared(poses, others)
    near = (squared < (np.sqrt(len(LCR13)) * distance) ** 2 * 0.999).any(1)
    rows, columns = np.nonzero((squared < (len(LCR13) * distance) ** 2 * 1.001) & ~near[:, None])
    for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // 100_000)):
        apart = np.linalg.norm(poses[rows[part]] - others[columns[part]], axis=-1).mean(-1)
        near[rows[part][apart < distance]] = True
    return near


def _first_of_close(poses: Floats, distance: float) -> list[int]:
    """Greedy choice among a few poses, in their order."""
    chosen: list[int] = []
    for i in range(len(poses)):
        if not chosen or np.linalg.norm(poses[chosen] - poses[i], axis=-1).mean(-1).min() >= distance:
            chosen.append(i)
    return chosen


def _squared(a: Floats, b: Floats) -> Floats:
    """(n, m) squared distances of flattened poses."""
    width = 3 * len(LCR13)
    a, b = a.reshape(-1, width), b.reshape(-1, width)
    return np.asarray((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T)
