"""Skeletons: joint names and parents, from which bones, sides and flips follow.

A skeleton is defined once, by its joint names and the parent of each joint. Names that start with `left_` or
`right_` form pairs; everything that depends on sides (flips, colours) is derived from the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# COCO's per-joint constants of the object keypoint similarity; joints that COCO lacks use a neighbour's.
_COCO_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089, "head_top": 0.079, "neck": 0.079,
}  # fmt: skip
_DEFAULT_SIGMA = 0.079


@dataclass(frozen=True)
class Skeleton:
    """Joint names with the parent of each joint (None for the root).

    Args:
        name: how files and cards call this skeleton.
        joints: the J joint names, in array order.
        parents: name of each joint's parent; joints that are left out have none and start no bone.
    """

    name: str
    joints: tuple[str, ...]
    parents: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f"skeleton {self.name!r} has repeated joint names: {sorted(self.joints)}")
        unknown = (set(self.parents) | set(self.parents.values())) - set(self.joints)
        if unknown:
            raise ValueError(f"skeleton {self.name!r} names parents that are not joints: {sorted(unknown)}")

    def __hash__(self) -> int:
        return hash((self.name, self.joints))

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Array position of a joint name; KeyError with the known names if there is none."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise KeyError(f"{self.name} has no joint {joint!r}; it has {', '.join(self.joints)}") from None

    def indices(self, *joints: str) -> list[int]:
        """Array positions of several joint names."""
        return [self.index(joint) for joint in joints]

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs."""
        return tuple((self.index(self.parents[j]), i) for i, j in enumerate(self.joints) if j in self.parents)

    @cached_property
    def flip(self) -> NDArray[np.intp]:
        """(J,) permutation that swaps left and right: `joints[..., flip, :]` after mirroring the picture."""
        order = [self.joints.index(m) if (m := mirror_name(j)) in self.joints else i for i, j in enumerate(self.joints)]
        return np.array(order, dtype=np.intp)

    @cached_property
    def sigmas(self) -> NDArray[np.float64]:
        """(J,) COCO constants for the object keypoint similarity."""
        return np.array([_COCO_SIGMAS.get(base_name(j), _DEFAULT_SIGMA) for j in self.joints])

    def side(self, joint: int) -> str:
        """'left', 'right' or 'middle'."""
        prefix = self.joints[joint].split("_")[0]
        return prefix if prefix in ("left", "right") else "middle"

    def map_to(self, other: Skeleton) -> NDArray[np.intp]:
        """(J_other,) for each joint of `other` its position here by name, or -1 where this skeleton lacks it."""
        return np.array([self.joints.index(j) if j in self.joints else -1 for j in other.joints], dtype=np.intp)


def mirror_name(joint: str) -> str:
    """The joint's name after a mirror: left_knee -> right_knee; names without a side stay."""
    if joint.startswith("left_"):
        return "right_" + joint[5:]
    return "left_" + joint[6:] if joint.startswith("right_") else joint


def base_name(joint: str) -> str:
    """The joint's name without its side: left_knee -> knee."""
    return joint.removeprefix("left_").removeprefix("right_")


_LIMBS = {
    f"{side}_{child}": f"{side}_{parent}"
    for side in ("left", "right")
    for child, parent in (("ankle", "knee"), ("knee", "hip"), ("wrist", "elbow"), ("elbow", "shoulder"))
}
_TORSO = {"left_hip": "left_shoulder", "right_hip": "right_shoulder"}
_COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_FACE = {"left_eye": "nose", "right_eye": "nose", "left_ear": "left_eye", "right_ear": "right_eye"}

LCR13 = Skeleton(
    "LCR13",
    ("right_ankle", "left_ankle", "right_knee", "left_knee", "right_hip", "left_hip", "right_wrist", "left_wrist",
     "right_elbow", "left_elbow", "right_shoulder", "left_shoulder", "head_top"),
    _LIMBS | _TORSO,
)  # fmt: skip
"""The 13 joints of LCR-Net (Rogez et al., CVPR 2017), in the authors' order."""

COCO17 = Skeleton("COCO17", _COCO_NAMES, _LIMBS | _TORSO | _FACE)
"""COCO's 17 keypoints."""

LSP14 = Skeleton(
    "LSP14",
    ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
     "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
    _LIMBS | {"right_hip": "neck", "left_hip": "neck", "right_shoulder": "neck", "left_shoulder": "neck",
              "head_top": "neck"},
)  # fmt: skip
"""The 14 joints of Leeds Sports Pose, person-centric."""

BLAZEPOSE33 = Skeleton(
    "BLAZEPOSE33",
    ("nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
     "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder", "right_shoulder", "left_elbow",
     "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
     "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
     "left_heel", "right_heel", "left_foot_index", "right_foot_index"),
    _LIMBS | _TORSO | _FACE,
)  # fmt: skip
"""BlazePose's 33 landmarks."""

BODY25 = Skeleton(
    "BODY25",
    ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
     "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
     "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
     "right_small_toe", "right_heel"),
    _LIMBS | {"neck": "nose", "right_shoulder": "neck", "left_shoulder": "neck", "mid_hip": "neck",
              "right_hip": "mid_hip", "left_hip": "mid_hip"} | _FACE,
)  # fmt: skip
"""OpenPose's BODY_25."""

BODY12 = tuple(j for j in COCO17.joints if base_name(j) not in ("nose", "eye", "ear"))
"""The 12 body joints that LCR13 and COCO17 share."""
