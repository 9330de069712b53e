"""People in exact motion before a camera, as a perfect detector would see them."""

import numpy as np

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses, body_centre
from anchorpose.core.skeleton import LCR13

CAMERA = Camera.from_fov(640, 480, 60)
STANDING = np.array([
    [-.12, .86, 0], [.12, .86, 0], [-.11, .46, .02], [.11, .46, .02], [-.1, .05, 0], [.1, .05, 0], [-.3, .0, -.1],
    [.3, .0, -.1], [-.26, -.22, 0], [.26, -.22, 0], [-.18, -.48, 0], [.18, -.48, 0], [0, -.8, 0],
])  # fmt: skip
STANDING = STANDING - body_centre(STANDING)


def people_at(places, pose=STANDING, camera=CAMERA):
    """`Poses` of the same body at each of (n, 3) metres."""
    places = np.asarray(places, float).reshape(-1, 3)
    joints3d = np.broadcast_to(pose, (len(places), 13, 3)).astype(np.float32)
    joints2d = camera.project(joints3d + places[:, None]).astype(np.float32)
    inside = ((joints2d >= 0) & (joints2d < [camera.width, camera.height])).all(-1)
    states = np.where(inside, JointState.VISIBLE, JointState.OUTSIDE).astype(np.uint8)
    return Poses(LCR13, camera, np.linspace(1, 0.9, len(places), dtype=np.float32), boxes.around(joints2d, 0.1),
                 joints2d, joints3d, places.astype(np.float32), inside.astype(np.float32), states)  # fmt: skip
