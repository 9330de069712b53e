"""Accuracy against how rare a pose is: LCR-Net, figure 6 right.

The paper orders people by the distance of their pose to the closest pose cluster. Here the clusters are of the
annotated poses themselves.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from anchorpose.core.skeleton import BODY12
from anchorpose.evaluation.report.breakdown import binned
from anchorpose.evaluation.report.curves import HEADLINE, Data, correct_share
from anchorpose.evaluation.report.people import People

Array = NDArray[np.floating]
MOST_CLUSTERS = 100
"""K of the paper (section 4.2)."""
PEOPLE_PER_CLUSTER = 10
FEWEST_JOINTS = 8
"""With fewer labelled joints many poses look common."""


def normalised(poses: Array) -> Array:
    """(..., J, d) -> the same, about their mean and divided by their root mean square distance from it; NaN-safe."""
    known = ~np.isnan(poses)
    count = known.sum(axis=-2, keepdims=True)
    total = np.where(known, poses, 0.0).sum(axis=-2, keepdims=True)
    centred = poses - np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    squares = np.where(known, centred, 0.0) ** 2
    spread = np.sqrt(squares.sum(axis=(-2, -1), keepdims=True) / np.maximum(count[..., :1], 1))
    return np.asarray(np.divide(centred, spread, out=np.full(centred.shape, np.nan), where=spread > 0))


def clusters(poses: Array, seed: int = 0) -> Array:
    """(n, J, d) complete poses -> (K, J, d) centres of k-means, one for ten poses and at most 100."""
    count = min(MOST_CLUSTERS, len(poses) // PEOPLE_PER_CLUSTER)
    if count < 2:
        return poses.mean(axis=0, keepdims=True) if len(poses) else poses
    flat = poses.reshape(len(poses), -1)
    count = min(count, len(np.unique(flat, axis=0)))  # k-means++ needs a new pose for each
    generator = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a cluster that is empty, which is left out below
        centres, labels = kmeans2(flat, count, minit="++", seed=generator)
    return np.asarray(centres[np.unique(labels)].reshape(-1, *poses.shape[1:]))


def rarity(poses: Array) -> Array:
    """(p, J, d) poses, NaN where not labelled -> (p,) distance of each to the closest cluster of the complete ones.

    2D poses are compared over the labelled joints, after `normalised`: the result is in units of the pose's own size.
    NaN where fewer than `FEWEST_JOINTS` joints are labelled or there is no complete pose.
    """
    complete = normalised(poses[~np.isnan(poses).any(axis=(1, 2))])
    centres = clusters(complete[~np.isnan(complete).any(axis=(1, 2))])
    result = np.full(len(poses), np.nan)
    if not len(centres):
        return result
    for k in np.flatnonzero((~np.isnan(poses).any(axis=2)).sum(axis=1) >= FEWEST_JOINTS):
        known = ~np.isnan(poses[k]).any(axis=1)
        offset = normalised(centres[:, known]) - normalised(poses[k, known])
        result[k] = np.sqrt((offset**2).sum(axis=-1).mean(axis=-1)).min()
    return result


def rarity3d(poses: Array) -> Array:
    """(p, J, 3) metres relative to the body centre -> (p,) mean distance of the joints to the closest cluster, mm.

    The distance between oriented 3D poses of the paper's section 3.1. NaN where a joint is.
    """
    known = ~np.isnan(poses).any(axis=(1, 2))
    result = np.full(len(poses), np.nan)
    if known.any():
        # one cluster after the other: all at once would need a hundred times the memory
        distances = [np.linalg.norm(poses[known] - centre, axis=-1).mean(axis=-1) for centre in clusters(poses[known])]
        result[known] = 1000 * np.min(distances, axis=0)
    return result


def rarity_data(people: People, unit: str) -> Data:
    """PCK of people in order of rarity: by exact 3D where most have it, else by the labelled body joints in 2D.

    Args:
        people: of `people.gather`.
        unit: "torso" or "box", what `people.reference` measures.
    """
    chosen = [j for j, name in enumerate(people.skeleton.joints) if name in BODY12]
    space = bool(np.mean(~np.isnan(people.exact).any(axis=(1, 2))) > 0.5) if len(people) else False
    if space:
        distance = rarity3d(people.exact)
    else:
        distance = rarity(np.where(people.labelled[..., None], people.truth, np.nan)[:, chosen])
    share = correct_share(people, HEADLINE[unit])
    known = ~np.isnan(distance + share)
    return {
        "unit": unit, "headline": HEADLINE[unit], "space": "3D" if space else "2D", "people": int(known.sum()),
        "correlation": rank_correlation(distance[known], share[known]), "curve": binned(distance, share),
    }  # fmt: skip


def rank_correlation(a: Array, b: Array) -> float | None:
    """Spearman's; None where one side does not vary."""
    from scipy.stats import spearmanr

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)
