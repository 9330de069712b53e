"""People in space as annotated pictures and as predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.truth3d import Truth3D
from tests.datasets.actors import bodies, project

CAMERA = Camera(1500.0, 1500.0, 1024.0, 1024.0, 2048, 2048)


def picture(name: str, skeleton: Skeleton, people: int = 1, seed: int = 0, **fields: Any) -> Truth3D:
    """People side by side, all joints visible; pelvis and neck are the middles of hips and shoulders."""
    joints = bodies(skeleton, people, seed)
    for middle, side in (("pelvis", "hip"), ("neck", "shoulder")):
        if middle in skeleton.joints:
            joints[:, skeleton.index(middle)] = joints[:, skeleton.indices(f"left_{side}", f"right_{side}")].mean(1)
    states = np.full(joints.shape[:2], JointState.VISIBLE, dtype=np.uint8)
    return Truth3D(name, skeleton, joints, project(joints), states, CAMERA, **fields)


def found(joints3d: np.ndarray, skeleton: Skeleton, joints2d: np.ndarray | None = None, scores: Any = None) -> Poses:
    """(n, J, 3) metres in the camera frame as predictions, relative to the mean of the hips and shoulders."""
    n, j = joints3d.shape[:2]
    f = np.float32
    torso = skeleton.indices("right_hip", "left_hip", "right_shoulder", "left_shoulder")
    centre = joints3d[:, torso].mean(1)
    pixels = project(joints3d) if joints2d is None else joints2d
    return Poses(skeleton, CAMERA, np.asarray(np.ones(n) if scores is None else scores, f), np.zeros((n, 4), f),
                 pixels.astype(f), (joints3d - centre[:, None]).astype(f), centre.astype(f), np.ones((n, j), f),
                 np.ones((n, j), np.uint8))  # fmt: skip


def nobody(skeleton: Skeleton) -> Poses:
    return Poses.empty(CAMERA, skeleton)
