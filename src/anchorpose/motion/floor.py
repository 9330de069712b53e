"""The floor under people's feet, found from where they stand, and feet that neither slide nor sink.

All heights are of ankle joints: the plane goes through standing ankles, a foot's thickness above the ground.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
_ANKLES = LCR13.indices("left_ankle", "right_ankle")
_UPRIGHT = np.cos(np.radians(40))
_TRIES = 200
FEWEST = 12
"""Standing ankles that tell anything."""
LEAST_BELOW, MOST_SCALE = 0.1, 2.0
"""Metres by which ankles are below the camera where they tell a size; a greater factor tells of another floor."""
_NARROWEST = 0.1
"""Metres, standard deviation of the points across their longest direction."""


@dataclass(frozen=True)
class Floor:
    """The plane `normal @ p + offset = 0` of standing ankles; camera frame, metres.

    Args:
        normal: (3,) unit, upwards. offset: metres. share: of the points it was found from that lie on it.
    """

    normal: NDArray[np.float64]
    offset: float
    share: float = 1.0

    def heights(self, points: Floats) -> Floats:
        """(..., 3) metres in the camera frame -> (...) metres above the plane."""
        return np.asarray(points @ self.normal + self.offset)


@dataclass(frozen=True)
class ContactOptions:
    """When a foot stands.

    Args:
        speed: metres a second, and height: metres above the floor's ankles, below which it does; a foot below the floor
            is raised by `height` at most.
        shortest: seconds of a contact, and of a gap in one.
        fade: seconds in which a correction fades out after and before a contact.
    """

    speed: float = 0.5
    height: float = 0.08
    shortest: float = 0.1
    fade: float = 0.15

    def __post_init__(self) -> None:
        if min(self.speed, self.height, self.shortest, self.fade) <= 0:
            raise InputError("found a contact option of 0 or less, wanted metres and seconds above 0")


def ankle_speeds(joints: Floats, times: Floats) -> Floats:
    """(t, 13, 3) metres in the camera frame, (t,) seconds -> (t, 2) metres a second, left and right."""
    if len(times) < 2:
        return np.full((len(times), 2), np.nan)
    return np.asarray(np.linalg.norm(np.gradient(joints[:, _ANKLES].astype(np.float64), times, axis=0), axis=-1))


def standing_ankles(joints: Floats, times: Floats, speed: float = 0.4) -> Floats:
    """(n, 3) ankles that hardly move and are the lower one (largest y): what a floor is found from."""
    ankles = joints[:, _ANKLES].astype(np.float64)
    lower = ankles[..., 1] >= ankles[..., 1].max(1, keepdims=True) - 0.05
    return np.asarray(ankles[lower & (ankle_speeds(joints, times) < speed)])


def find_floor(points: Floats, rng: np.random.Generator, tolerance: float = 0.06) -> Floor | None:
    """The plane that most standing ankles lie on (RANSAC, then least squares on those).

    Args:
        points: (n, 3) metres in the camera frame.
        rng: of the trials.
        tolerance: metres from the plane.

    Returns:
        None where fewer than 12 points or fewer than half of them agree, where they lie on one line, or where the
        plane is more than 40 degrees from level for an upright camera.
    """
    points = points[np.isfinite(points).all(1)].astype(np.float64)
    if len(points) < FEWEST:
        return None
    normals, corners = level_planes(points, _TRIES, rng)
    if not len(normals):
        return None
    near = np.abs(points @ normals.T - (corners * normals).sum(1)) <= tolerance
    inliers = near[:, near.sum(0).argmax()]
    if inliers.sum() < max(FEWEST, len(points) / 2):
        return None
    found = fit_plane(points[inliers])
    return None if found is None else replace(found, share=float(inliers.mean()))


def level_planes(
    points: Floats, tries: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 3) metres -> unit normals, upwards, and a point each, of at most `tries` planes through three of the points.

    Planes more than 40 degrees from level for an upright camera are left out.
    """
    corners = points[rng.integers(len(points), size=(tries, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sizes = np.linalg.norm(normals, axis=1)
    normals, corners = normals[sizes > 1e-4] / sizes[sizes > 1e-4, None], corners[sizes > 1e-4]
    normals *= np.where(normals[:, 1] > 0, -1.0, 1.0)[:, None]
    level = -normals[:, 1] >= _UPRIGHT
    return normals[level], corners[level, 0]


def fit_plane(points: Floats) -> Floor | None:
    """The least-squares plane of (n, 3) metres; None where they lie on a line or it is far from level."""
    centre = points.mean(0)
    _, spread, axes = np.linalg.svd(points - centre, full_matrices=False)
    if spread[1] < _NARROWEST * np.sqrt(len(points)):  # on a line: its tilt about that line is open
        return None
    normal = axes[2] * (-1 if axes[2, 1] > 0 else 1)
    return Floor(normal, float(-normal @ centre)) if -normal[1] >= _UPRIGHT else None


def standing_scale(joints: Floats, times: Floats, floor: Floor) -> float | None:
    """By how much somebody is larger and further away than they were placed, if they stand on the floor.

    A child nearby and an adult far away give one picture; only one of them has the feet on the floor.

    Args:
        joints: (t, 13, 3) metres in the camera frame. times: (t,) seconds. floor: of ankles, of everybody.

    Returns:
        a factor of the distance and of all lengths; None for somebody who hardly stands, or who would be more than
        twice or less than half as large: they are on another floor.
    """
    below = -standing_ankles(joints, times) @ floor.normal
    below = below[np.isfinite(below) & (below > LEAST_BELOW)]
    if len(below) < FEWEST:
        return None
    scale = float(np.median(floor.offset / below))
    return scale if 1 / MOST_SCALE < scale < MOST_SCALE else None


def contacts(joints: Floats, times: Floats, floor: Floor, options: ContactOptions | None = None) -> Bools:
    """(t, 13, 3) metres in the camera frame -> (t, 2) whether the left and the right foot stand."""
    options = options or ContactOptions()
    with np.errstate(invalid="ignore"):
        stands = (ankle_speeds(joints, times) < options.speed) & (
            np.abs(floor.heights(joints[:, _ANKLES])) < options.height
        )
    if len(times) < 2:
        return np.asarray(stands)
    size = max(1, round(options.shortest / float(np.median(np.diff(times)))))
    shape = np.ones((size, 1), bool)
    return np.asarray(binary_opening(binary_closing(stands, shape) | stands, shape))


def plant(joints: Floats, times: Floats, floor: Floor, options: ContactOptions | None = None) -> NDArray[np.float64]:
    """Feet that stay where they stand and do not sink a little; knees bend for it, all bones keep their lengths.

    Args:
        joints: (t, 13, 3) metres in the camera frame, NaN where missing.
        times: (t,) seconds, rising.
        floor: of ankles.
        options: see `ContactOptions`.

    Returns:
        (t, 13, 3) metres; only knees and ankles differ. A foot whose leg is too short for its place is as near to it
        as the leg reaches.
    """
    options = options or ContactOptions()
    stands = contacts(joints, times, floor, options)
    result = joints.astype(np.float64, copy=True)
    for foot, side in enumerate(("left", "right")):
        hip, knee, ankle = LCR13.indices(*(f"{side}_{j}" for j in ("hip", "knee", "ankle")))
        target = _targets(joints[:, ankle].astype(np.float64), stands[:, foot], times, floor, options)
        result[:, knee], result[:, ankle] = _bent(result[:, hip], result[:, knee], result[:, ankle], target)
    return result


def _targets(ankle: Floats, stands: Bools, times: Floats, floor: Floor, options: ContactOptions) -> Floats:
    """(t, 3) where the ankle should be: fixed in each contact, with a correction that fades out around it."""
    shift, weight = np.zeros_like(ankle), np.zeros(len(ankle))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stands.astype(np.int8), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        place = np.median(ankle[first:last], axis=0)
        place = place - floor.heights(place) * floor.normal
        shift[first:last], weight[first:last] = place - ankle[first:last], 1.0
        for edge, rows in ((first, np.arange(first)), (last - 1, np.arange(last, len(ankle)))):
            left = 1 - np.abs(times[rows] - times[edge]) / options.fade
            own = rows[(left > weight[rows]) & ~stands[rows]]
            shift[own] = shift[edge] * (1 - np.abs(times[own] - times[edge]) / options.fade)[:, None]
            weight[own] = 1 - np.abs(times[own] - times[edge]) / options.fade
    moved = ankle + shift
    # Whoever is deeper is in the wrong place as a whole, which bent knees would not mend.
    below = np.maximum(np.fmin(floor.heights(moved), 0.0), -options.height)
    return np.asarray(moved - below[:, None] * floor.normal)


def _bent(hip: Floats, knee: Floats, ankle: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Two-bone inverse kinematics that keeps both lengths and the side to which the knee bends."""
    thigh, shank = (np.linalg.norm(a - b, axis=1) for a, b in ((knee, hip), (ankle, knee)))
    way = target - hip
    reach = np.clip(np.linalg.norm(way, axis=1), np.abs(thigh - shank) + 1e-6, (thigh + shank) * (1 - 1e-6))
    unit = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    along = (thigh**2 - shank**2 + reach**2) / (2 * reach)
    out = knee - hip
    out = out - (out * unit).sum(1, keepdims=True) * unit
    size = np.linalg.norm(out, axis=1, keepdims=True)
    # a straight leg shows no side: knees bend towards the camera then, which is as good as any
    spare = np.cross(unit, np.cross([0.0, 0.0, -1.0], unit))
    spare = spare / np.maximum(np.linalg.norm(spare, axis=1, keepdims=True), 1e-9)
    out = np.where(size > 1e-6, out / np.maximum(size, 1e-9), spare)
    aside = np.sqrt(np.maximum(thigh**2 - along**2, 0))
    return hip + along[:, None] * unit + aside[:, None] * out, hip + reach[:, None] * unit
