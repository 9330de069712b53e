"""The floor under several people, although how large some of them are was misjudged.

Who is placed too large is placed too far away and stands too deep by as much, so one plane through everybody's feet may
go through the wrong ones. But how high the camera is above the floor, in heights of the person who stands there, does
not change with the size that somebody is given: on one floor it differs between people only as their heights do. Where
all walk the same way side by side, a floor that is tilted about that way and people of different heights look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anchorpose.motion.floor import FEWEST, LEAST_BELOW, MOST_SCALE, Floor, find_floor, fit_plane, level_planes

Floats = NDArray[np.floating]
_TRIES = 400
_MOST_POINTS, _MOST_PEOPLE = 400, 30
"""Of a person, and of a scene, whom trials are judged by."""
_HEIGHTS, _SIZES = 0.1, 0.15
"""Spread of the logarithm of people's heights, and of the sizes that they are given."""


def find_common_floor(
    standing: Sequence[Floats], heights: Sequence[float], rng: np.random.Generator, tolerance: float = 0.06
) -> Floor | None:
    """The plane that most people's standing ankles lie on once everybody is as large as it says.

    Directions come from trials (RANSAC) over ankles in heights of their person, judged by how many of a person's lie
    flat, and by how far the person's camera height is from that of others. The plane is as far below the camera as the
    people tell whose sizes agree; least squares over all of them, each as large as it says, gives the rest.

    Args:
        standing: of each person, (n, 3) ankles that stand; metres in the camera frame.
        heights: of each person, metres, of the size that `standing` has; who has none (NaN) counts as of middle height.
        rng: of the trials.
        tolerance: metres from the plane.

    Returns:
        None where fewer than 12 ankles or fewer than half of them agree, where they lie on one line, or where the plane
        is more than 40 degrees from level for an upright camera.
    """
    sizes = np.asarray(heights, np.float64)
    middle = float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else 1.0
    known = zip([p[np.isfinite(p).all(1)].astype(np.float64) for p in standing], np.nan_to_num(sizes, nan=middle),
                strict=True)  # fmt: skip
    people = sorted(((p, h) for p, h in known if len(p) >= 3), key=lambda person: len(person[0]), reverse=True)
    if len(people) < 2:
        return find_floor(people[0][0], rng, tolerance) if people else None
    if sum(len(p) for p, _ in people) < FEWEST:
        return None
    # Long videos of crowds cost no more.
    some = [(p[:: -(-len(p) // _MOST_POINTS)], h) for p, h in people[:_MOST_PEOPLE]]
    alike = [p * middle / h for p, h in some]
    normals = np.concatenate([level_planes(np.concatenate(alike), _TRIES, rng)[0],
                              *(level_planes(p, _TRIES // len(alike), rng)[0] for p in alike)])  # fmt: skip
    own, flat = (np.stack(rows) for rows in zip(*(_flatness(p, normals, tolerance) for p in alike), strict=True))
    if not (own > LEAST_BELOW).any():
        return None
    best = int(_agreement(own, flat, _HEIGHTS).sum(1).max(0).argmax())
    below = own[:, best] * np.array([height / middle for _, height in some])
    trust = _agreement(below[:, None], flat[:, best, None], _SIZES)[..., 0]
    weights = trust[trust.sum(1).argmax()] ** 2
    offset = np.exp(np.average(np.log(np.maximum(below, LEAST_BELOW)), weights=weights))
    return _through([p for p, _ in people], normals[best], float(offset), tolerance)


def _flatness(points: Floats, normals: Floats, tolerance: float) -> tuple[Floats, NDArray[np.int64]]:
    """(h) metres from the camera to the plane of each normal under one person's points, and how many lie on it."""
    below = -points @ normals.T
    own = np.median(below, axis=0)
    return own, (np.abs(below - own) <= tolerance).sum(0)


def _agreement(below: Floats, flat: NDArray[np.int64], spread: float) -> Floats:
    """(p, h) metres below the camera, (p, h) ankles on the plane -> (p, p, h) those of all, worth less the further the
    logarithm is from that of the first."""
    size = np.log(below, where=below > LEAST_BELOW, out=np.full(below.shape, np.nan))
    return np.asarray(np.nan_to_num(1 / (1 + ((size[:, None] - size) / spread) ** 2)) * flat)


def _through(people: Sequence[Floats], normal: Floats, offset: float, tolerance: float) -> Floor | None:
    """The plane of about that normal and offset through everybody's points, each person as large as it says."""
    agree = [np.empty((0, 3))]
    for points in people:
        below = -points @ normal
        own = np.median(below)
        if own > LEAST_BELOW and 1 / MOST_SCALE < offset / own < MOST_SCALE:
            agree.append(offset / own * points[np.abs(below - own) <= tolerance])
    inliers, count = np.concatenate(agree), sum(len(p) for p in people)
    found = fit_plane(inliers) if len(inliers) >= max(FEWEST, count / 2) else None
    return None if found is None else replace(found, share=len(inliers) / count)
