"""Joint angles in degrees from joint positions, with the signs of the ISB's recommendations.

0 is the anatomical position: upright, arms hanging, all joints straight. Positions do not tell how a bone turns about
its own axis, so internal and external rotations are not given. The frames are those of Wu et al. (J. Biomechanics 2002,
2005) as far as 13 joints carry them: the body's long axis runs from the middle of the hips to that of the shoulders,
the pelvis' (thorax') right from the left hip (shoulder) to the right one, at right angles to the long axis.

| column | plane | 0 | positive |
| --- | --- | --- | --- |
| `*_knee_flexion`, `*_elbow_flexion` | of the three joints | straight | bent (0 to 180; the way is not told) |
| `*_hip_flexion` | sagittal of the pelvis, first of the joint's angles | thigh along the trunk | thigh forward |
| `*_hip_adduction` | across it, second | as above | towards and past the body's middle |
| `*_shoulder_elevation` | of trunk and upper arm | arm hangs | raised, 180 overhead |
| `*_shoulder_plane` | transverse of the thorax | elevation to the side | 90 forward, -90 backward |
| `trunk_flexion` | sagittal, against the vertical | upright | bent forward |
| `trunk_lateral` | frontal, against the vertical | upright | leaning to the right |
| `trunk_rotation` | transverse, shoulders against hips | shoulders over hips | turned to the left |
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core.skeleton import LCR13, Skeleton

Array = NDArray[np.floating]
SIDES = ("right", "left")
ANGLES = (
    *(f"{side}_{name}" for name in ("knee_flexion", "hip_flexion", "hip_adduction", "elbow_flexion",
                                    "shoulder_elevation", "shoulder_plane") for side in SIDES),
    "trunk_flexion", "trunk_lateral", "trunk_rotation",
)  # fmt: skip
"""The columns, in order."""
_UNDEFINED = np.sin(np.radians(10))


def joint_angles(
    joints3d: Array, skeleton: Skeleton = LCR13, up: ArrayLike = (0.0, -1.0, 0.0)
) -> dict[str, NDArray[np.float64]]:
    """Angles of knees, hips, elbows, shoulders and trunk; the module says their conventions.

    Args:
        joints3d: (..., J, 3) in any unit, in right-handed axes (as the camera's: x right, y down, z forward).
        skeleton: of the J joints; needs shoulders, elbows, wrists, hips, knees and ankles.
        up: (3,) against gravity, in the same axes; only `trunk_flexion` and `trunk_lateral` use it. The default takes
            the camera for level.

    Returns:
        (...) degrees for each name of `ANGLES`; NaN where a joint is missing, where a direction does not exist, and
        within 10 degrees of where an angle has no meaning: the shoulder's plane with the arm along the trunk, hip
        flexion with the thigh straight sideways, the trunk's lean with the hips one above the other.

    Raises:
        KeyError: the skeleton lacks a joint.
    """
    at = {name: np.asarray(joints3d[..., skeleton.index(name), :], np.float64)
          for name in LCR13.joints if name != "head_top"}  # fmt: skip
    hips, shoulders = (at[f"left_{p}"] / 2 + at[f"right_{p}"] / 2 for p in ("hip", "shoulder"))
    long = _unit(shoulders - hips)
    pelvis = _across(at["right_hip"] - at["left_hip"], long)
    thorax = _across(at["right_shoulder"] - at["left_shoulder"], long)
    found = _trunk(long, pelvis, thorax, _unit(np.asarray(up, np.float64)))
    for side, outward in (("right", 1.0), ("left", -1.0)):
        found |= _hip(side, _unit(at[f"{side}_knee"] - at[f"{side}_hip"]), long, pelvis, outward)
        found |= _shoulder(side, _unit(at[f"{side}_elbow"] - at[f"{side}_shoulder"]), long, thorax, outward)
        for hinge, upper, lower in (("knee", "hip", "ankle"), ("elbow", "shoulder", "wrist")):
            middle = at[f"{side}_{hinge}"]
            above, below = _unit(middle - at[f"{side}_{upper}"]), _unit(at[f"{side}_{lower}"] - middle)
            found[f"{side}_{hinge}_flexion"] = _between(above, below)
    return {name: found[name] for name in ANGLES}


def _trunk(long: Array, pelvis: Array, thorax: Array, up: Array) -> dict[str, NDArray[np.float64]]:
    level = pelvis - _dot(pelvis, up)[..., None] * up
    right = np.where(np.linalg.norm(level, axis=-1, keepdims=True) < _UNDEFINED, np.nan, _unit(level))
    forward = np.cross(np.broadcast_to(up, right.shape), right)
    lateral = np.degrees(np.arcsin(np.clip(_dot(long, right), -1, 1)))
    turned = np.degrees(np.arctan2(_dot(long, np.cross(pelvis, thorax)), _dot(pelvis, thorax)))
    return {"trunk_flexion": _angle(_dot(long, forward), _dot(long, up)), "trunk_lateral": lateral,
            "trunk_rotation": turned}  # fmt: skip


def _hip(side: str, thigh: Array, long: Array, right: Array, outward: float) -> dict[str, NDArray[np.float64]]:
    """The first two Cardan angles: about the pelvis' right, then about the turned forward axis."""
    forward = np.cross(long, right)
    return {
        f"{side}_hip_flexion": _angle(_dot(thigh, forward), -_dot(thigh, long)),
        f"{side}_hip_adduction": -outward * np.degrees(np.arcsin(np.clip(_dot(thigh, right), -1, 1))),
    }


def _shoulder(side: str, arm: Array, long: Array, right: Array, outward: float) -> dict[str, NDArray[np.float64]]:
    """Elevation and its plane: the globe of Doorenbosch et al. that the ISB recommends for the shoulder."""
    forward = np.cross(long, right)
    return {
        f"{side}_shoulder_elevation": _between(arm, -long),
        f"{side}_shoulder_plane": _angle(_dot(arm, forward), outward * _dot(arm, right)),
    }


def _dot(a: Array, b: Array) -> NDArray[np.float64]:
    return np.asarray((a * b).sum(-1), np.float64)


def _unit(vectors: Array) -> NDArray[np.float64]:
    long = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(long > 0, long, np.nan))


def _across(vectors: Array, long: Array) -> NDArray[np.float64]:
    return _unit(vectors - _dot(vectors, long)[..., None] * long)


def _between(a: Array, b: Array) -> NDArray[np.float64]:
    """Degrees between unit vectors; exact for small angles too."""
    sine = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.degrees(np.arctan2(sine, _dot(a, b))))


def _angle(y: Array, x: Array) -> NDArray[np.float64]:
    """Degrees of (x, y); NaN where that is too short to point anywhere."""
    return np.where(np.hypot(x, y) < _UNDEFINED, np.nan, np.degrees(np.arctan2(y, x)))
