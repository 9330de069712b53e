"""A scene whose truth is exact: two bodies in front of a camera, drawn as sticks."""

import cv2
import numpy as np
import pytest

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.scenes import Scene, ScenePerson

STANDING = np.array([
    [-.12, .86, 0], [.12, .86, 0], [-.11, .46, .02], [.11, .46, .02], [-.1, .05, 0], [.1, .05, 0], [-.3, .0, -.1],
    [.3, .0, -.1], [-.26, -.22, 0], [.26, -.22, 0], [-.18, -.48, 0], [.18, -.48, 0], [0, -.8, 0],
], dtype=np.float32)  # fmt: skip
"""A person facing the camera: its right is at the image's left."""


@pytest.fixture
def make_scene():
    """Scene number `i`: one person inside, one cut by the right border."""

    def make(i):
        camera = Camera.from_fov(320, 240, 60)
        people = []
        image = np.full((240, 320, 3), 90, np.uint8)
        for place in ([-0.4, 0.1, 3.0 + 0.1 * i], [1.6, 0.1, 3.2]):
            body = STANDING - body_centre(STANDING[None])[0]
            translation = np.array(place, np.float32)
            joints2d = camera.project(body + translation).astype(np.float32)
            inside = ((joints2d >= 0) & (joints2d < [320, 240])).all(1)
            states = np.where(inside, JointState.VISIBLE, JointState.OUTSIDE).astype(np.uint8)
            states[LCR13.index("left_wrist")] = JointState.HIDDEN if inside[7] else JointState.OUTSIDE
            for a, b in LCR13.bones:
                cv2.line(image, tuple(map(int, joints2d[a])), tuple(map(int, joints2d[b])), (60, 120, 220), 3)
            box = boxes.clip(boxes.around(joints2d, 0.1), 320, 240)
            people.append(ScenePerson(box, joints2d, body.astype(np.float32), translation, states, {"body": i}))
        return Scene(image, tuple(people), camera, {"seed": i})

    return make
