"""Non-maximum suppression of people by object keypoint similarity, as SimpleBaseline and HRNet use it on COCO."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def similarity_of_poses(joints: Array, areas: Array, sigmas: Array) -> Array:
    """Object keypoint similarity of predictions with each other.

    Args:
        joints: (n, J, 2) pixels; a pair is compared by the joints that both have.
        areas: (n,) square pixels; a pair's scale is the mean of its two, so the result is symmetric.
        sigmas: (J,) constants of the joints.

    Returns:
        (n, n) 0 to 1; 0 where the two share no joint.
    """
    distance = ((joints[:, None].astype(np.float64) - joints) ** 2).sum(axis=-1)
    mean_area = (areas[:, None] + areas) / 2 + np.spacing(1)
    similarity = np.exp(-distance / (2 * (2 * sigmas) ** 2 * mean_area[..., None]))
    shared = ~np.isnan(similarity)
    return np.asarray(np.where(shared, similarity, 0.0).sum(axis=-1) / np.maximum(shared.sum(axis=-1), 1))


def oks_nms(joints: Array, scores: Array, areas: Array, sigmas: Array, threshold: float = 0.9) -> NDArray[np.intp]:
    """Keep the best of the people who resemble each other.

    Args:
        joints: (n, J, 2) pixels, NaN where missing.
        scores: (n,)
        areas: (n,) square pixels of each prediction, for instance of its box.
        sigmas: (J,) constants of the joints.
        threshold: people more similar than this to a better one that was kept are dropped.

    Returns:
        Positions of those kept, best score first; ties keep their order.
    """
    order = np.argsort(-scores, kind="stable")
    similar = similarity_of_poses(joints[order], areas[order], sigmas) > threshold
    kept = np.ones(len(order), dtype=bool)
    for better, worse in zip(*np.nonzero(np.triu(similar, 1)), strict=True):  # best first
        if kept[better]:
            kept[worse] = False
    return order[kept]
