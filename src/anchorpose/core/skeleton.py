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

_ARMS_FROM_NECK = {"right_shoulder": "neck", "left_shoulder": "neck"}
_LEGS_FROM_PELVIS = {"right_hip": "pelvis", "left_hip": "pelvis"}
_COLLARS = {"left_shoulder": "left_clavicle", "right_shoulder": "right_clavicle"}
_FEET = {
    f"{side}_{child}": f"{side}_{parent}"
    for side in ("left", "right")
    for child, parent in (("foot", "ankle"), ("toe", "foot"), ("hand", "wrist"))
}

MUPOTS17 = Skeleton(
    "MUPOTS17",
    ("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
     "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head"),
    _LIMBS | _ARMS_FROM_NECK | _LEGS_FROM_PELVIS | {"spine": "pelvis", "neck": "spine", "head": "neck",
                                                    "head_top": "head"},
)  # fmt: skip
"""MuPoTS-3D and the test set of MPI-INF-3DHP ("relevant" in the toolkit)."""

MPI3DHP28 = Skeleton(
    "MPI3DHP28",
    ("spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top", "left_clavicle", "left_shoulder",
     "left_elbow", "left_wrist", "left_hand", "right_clavicle", "right_shoulder", "right_elbow", "right_wrist",
     "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot", "left_toe", "right_hip", "right_knee",
     "right_ankle", "right_foot", "right_toe"),
    _LIMBS | _COLLARS | _LEGS_FROM_PELVIS | _FEET
    | {"spine": "pelvis", "spine2": "spine", "spine3": "spine2", "spine4": "spine3", "neck": "spine4", "head": "neck",
       "head_top": "head", "left_clavicle": "spine4", "right_clavicle": "spine4"},
)  # fmt: skip
"""Training set of MPI-INF-3DHP ("all" in the toolkit)."""

H36M32 = Skeleton(
    "H36M32",
    ("pelvis", "right_hip", "right_knee", "right_ankle", "right_foot", "right_toe", "left_hip", "left_knee",
     "left_ankle", "left_foot", "left_toe", "spine_base", "spine", "neck", "nose", "head_top", "left_clavicle",
     "left_shoulder", "left_elbow", "left_wrist", "left_thumb", "left_thumb_tip", "left_hand", "left_hand_tip",
     "right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_thumb", "right_thumb_tip", "right_hand",
     "right_hand_tip"),
    _LIMBS | _COLLARS | _LEGS_FROM_PELVIS | _FEET
    | {"spine_base": "pelvis", "spine": "spine_base", "neck": "spine", "nose": "neck", "head_top": "nose"}
    | {f"{side}_{child}": f"{side}_{parent}" for side in ("left", "right")
       for child, parent in (("thumb", "wrist"), ("thumb_tip", "thumb"), ("hand_tip", "hand"))}
    | {"left_clavicle": "spine", "right_clavicle": "spine"},
)  # fmt: skip
"""Human3.6M's 32 joints, some of which coincide."""

SMPL24 = Skeleton(
    "SMPL24",
    ("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
     "spine3", "left_foot", "right_foot", "neck", "left_clavicle", "right_clavicle", "head", "left_shoulder",
     "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand"),
    _LIMBS | _COLLARS | _LEGS_FROM_PELVIS
    | {"spine1": "pelvis", "spine2": "spine1", "spine3": "spine2", "neck": "spine3", "head": "neck",
       "left_clavicle": "spine3", "right_clavicle": "spine3"}
    | {f"{side}_{child}": f"{side}_{parent}" for side in ("left", "right")
       for child, parent in (("foot", "ankle"), ("hand", "wrist"))},
)  # fmt: skip
"""The joints of the SMPL body model; SMPL-X begins with the same 22."""

PANOPTIC19 = Skeleton(
    "PANOPTIC19",
    ("neck", "nose", "pelvis", "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle",
     "right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle", "left_eye", "left_ear",
     "right_eye", "right_ear"),
    _LIMBS | _FACE | _ARMS_FROM_NECK | _LEGS_FROM_PELVIS | {"pelvis": "neck", "nose": "neck"},
)  # fmt: skip
"""CMU Panoptic's `joints19` (hdPose3d_stage1_coco19)."""

MPII16 = Skeleton(
    "MPII16",
    ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax", "neck",
     "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    _LIMBS | {"right_hip": "pelvis", "left_hip": "pelvis", "thorax": "pelvis", "right_shoulder": "thorax",
              "left_shoulder": "thorax", "neck": "thorax", "head_top": "neck"},
)  # fmt: skip
"""MPII Human Pose's 16 joints by id; `neck` is its upper neck, person-centric."""

CROWDPOSE14 = Skeleton(
    "CROWDPOSE14",
    ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
     "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head_top", "neck"),
    _LIMBS | _TORSO | {"left_shoulder": "neck", "right_shoulder": "neck", "head_top": "neck"},
)  # fmt: skip
"""CrowdPose's 14 joints; its files call the head top `head`."""

POSETRACK17 = Skeleton(
    "POSETRACK17",
    ("nose", "head_bottom", "head_top", *_COCO_NAMES[3:]),
    _LIMBS | _TORSO | {"left_shoulder": "head_bottom", "right_shoulder": "head_bottom", "nose": "head_bottom",
                       "head_top": "nose", "left_ear": "nose", "right_ear": "nose"},
)  # fmt: skip
"""PoseTrack18's 17 keypoints as its files have them; the ears are never labelled."""

POSETRACK15 = Skeleton(
    "POSETRACK15",
    ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
     "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose", "head_top"),
    {joint: parent for joint, parent in POSETRACK17.parents.items() if "ear" not in joint},
)  # fmt: skip
"""The 15 joints that PoseTrack evaluates, in the order of its toolkit."""

FLIC11 = Skeleton(
    "FLIC11",
    ("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist", "left_hip",
     "right_hip", "left_eye", "right_eye", "nose"),
    {joint: parent for joint, parent in (_LIMBS | _TORSO | _FACE).items()
     if base_name(joint) in ("elbow", "wrist", "hip", "eye")},
)  # fmt: skip
"""The 11 joints that Frames Labeled In Cinema labels, out of the 29 columns of its file."""

HUMANEVA15 = Skeleton(
    "HUMANEVA15",
    ("pelvis", "neck", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
     "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "head"),
    _LIMBS | _ARMS_FROM_NECK | _LEGS_FROM_PELVIS | {"neck": "pelvis", "head": "neck"},
)  # fmt: skip
"""HumanEva's common 15-joint export; `neck` is its thorax."""
