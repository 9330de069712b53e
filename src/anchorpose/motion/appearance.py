"""What somebody's clothes look like: colour histograms of the torso and arms, and of the legs."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import Skeleton

Floats = NDArray[np.floating]
BINS = 8
SIZE = 2 * 3 * BINS
"""Numbers in a histogram: two regions, three channels of CIE L*a*b*, eight bins."""
# OpenCV's 8-bit L*a*b*; cloth hardly ever leaves the middle of a and b
_LOWEST = np.array([0.0, 88.0, 88.0])
_WIDTH = np.array([32.0, 10.0, 10.0])
_UPPER = (("shoulder", "elbow"), ("elbow", "wrist"))
_LOWER = (("hip", "knee"), ("knee", "ankle"))
_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_FEWEST = 5
"""Samples of a region at least."""


def histograms(image: NDArray[np.uint8], poses: Poses) -> NDArray[np.float64]:
    """Colours of every person, sampled along limbs and over the torso.

    Args:
        image: (h, w, 3) uint8 BGR, the picture of the poses.
        poses: n people; only what is visible and inside the picture is looked at.

    Returns:
        (n, `SIZE`); each eight bins sum to 1, NaN where a region cannot be seen.
    """
    weights, regions = _samples(poses.skeleton)
    height, width = image.shape[:2]
    visible: Floats = np.array((poses.joint_states == JointState.VISIBLE) & np.isfinite(poses.joints2d).all(-1), float)
    shown = np.asarray(np.where(visible[..., None] > 0, poses.joints2d, 0.0), np.float64)
    points = np.floor(np.matmul(weights, shown)).astype(np.int64)
    inside = ((points >= 0) & (points < [width, height])).all(-1)
    needed = (weights > 0).astype(np.float64)
    used = inside & (np.matmul(visible, needed.T) == needed.sum(1))  # (n, p), every joint of the sample is visible
    enough = np.stack([(used & (regions == r)).sum(1) for r in (0, 1)], axis=1) >= _FEWEST
    person, sample = np.nonzero(used & enough[:, regions])
    if not len(person):
        return np.full((len(poses), SIZE), np.nan)
    column, row = points[person, sample].T
    colours = np.asarray(cv2.cvtColor(image[row, column][None], cv2.COLOR_BGR2LAB))[0]
    # each sample is shared between two bins, so that a little more light changes little
    place = np.clip((colours - _LOWEST) / _WIDTH - 0.5, 0, BINS - 1)
    lower = np.minimum(place.astype(np.int64), BINS - 2)
    first = ((2 * person + regions[sample])[:, None] * 3 + np.arange(3)) * BINS + lower
    share = place - lower
    counted = np.bincount(np.stack([first, first + 1]).ravel(), np.stack([1 - share, share]).ravel(),
                          len(poses) * SIZE).reshape(len(poses), 2, 3, BINS)  # fmt: skip
    total = counted.sum(-1, keepdims=True)
    shares = np.divide(counted, total, out=np.full(counted.shape, np.nan), where=total > 0)
    return np.asarray(shares.reshape(len(poses), SIZE))


def likeness(a: Floats, b: Floats) -> NDArray[np.float64]:
    """(n, `SIZE`), (m, `SIZE`) -> (n, m) mean Bhattacharyya coefficient, 0 to 1; NaN without a common region."""
    groups_a, groups_b = (h.reshape(len(h), -1, BINS) for h in (a, b))
    known_a, known_b = (np.array(np.isfinite(g).all(-1), np.float64) for g in (groups_a, groups_b))
    roots = [np.sqrt(np.nan_to_num(g)).reshape(len(g), -1) for g in (groups_a, groups_b)]
    total, count = roots[0] @ roots[1].T, np.matmul(known_a, known_b.T)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


@lru_cache(maxsize=8)
def _samples(skeleton: Skeleton) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(p, J) weights that make sample points out of joints, and (p,) their region, 0 upper and 1 lower body."""
    rows: list[NDArray[np.float64]] = []
    regions: list[int] = []

    def add(region: int, **shares: float) -> None:
        row = np.zeros(len(skeleton))
        for joint, share in shares.items():
            row[skeleton.index(joint)] += share
        rows.append(row)
        regions.append(region)

    for region, bones in enumerate((_UPPER, _LOWER)):
        for side in ("left", "right"):
            for start, end in bones:
                first, last = f"{side}_{start}", f"{side}_{end}"
                if first in skeleton.joints and last in skeleton.joints:
                    for place in np.linspace(0.15, 0.85, 6):
                        add(region, **{first: 1 - place, last: place})
    if all(joint in skeleton.joints for joint in _TORSO):
        for across in np.linspace(0.2, 0.8, 4):
            for down in np.linspace(0.1, 0.9, 5):
                add(0, left_shoulder=across * (1 - down), right_shoulder=(1 - across) * (1 - down),
                    left_hip=across * down, right_hip=(1 - across) * down)  # fmt: skip
    return np.array(rows).reshape(-1, len(skeleton)), np.array(regions, dtype=np.int64)
