"""People made by hand for the tests of this folder."""

from __future__ import annotations

import numpy as np

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13

# a person who faces the camera: their right is at the picture's left (negative x); y is down
STANDING = {
    "ankle": (0.12, 0.95, 0.0), "knee": (0.11, 0.5, 0.0), "hip": (0.13, 0.08, 0.0), "wrist": (0.45, 0.05, -0.1),
    "elbow": (0.35, -0.2, 0.0), "shoulder": (0.2, -0.45, 0.0),
}  # fmt: skip


def standing() -> np.ndarray:
    """(13, 3) metres around the body centre."""
    joints = np.zeros((13, 3))
    for i, name in enumerate(LCR13.joints):
        side, _, part = name.partition("_")
        joints[i] = (
            (0, -0.8, 0) if name == "head_top" else STANDING[part] * np.array([1 if side == "left" else -1, 1, 1])
        )
    return joints - joints[LCR13.indices("right_hip", "left_hip", "right_shoulder", "left_shoulder")].mean(0)


def people(*places: tuple[float, float, float], width: int = 400, height: int = 300, seed: int = 0) -> Poses:
    """One standing person at each place (metres in the camera frame); all joints visible."""
    camera = Camera.from_fov(width, height)
    n = len(places)
    if not n:
        return Poses.empty(camera)
    noise = np.random.default_rng(seed).normal(0, 0.01, (n, 13, 3))
    joints = (standing() + noise).astype(np.float32)
    translation = np.array(places, np.float32)
    flat = camera.project(joints + translation[:, None]).astype(np.float32)
    scores = np.linspace(0.9, 0.5, n).astype(np.float32)
    states = np.full((n, 13), JointState.VISIBLE, np.uint8)
    return Poses(LCR13, camera, scores, boxes.around(flat, 0.1), flat, joints, translation,
                 np.full((n, 13), 0.8, np.float32), states)  # fmt: skip
