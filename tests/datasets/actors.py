"""Bodies before cameras, for miniature archives: what an archive stores must agree with what is read from it."""

import cv2
import numpy as np

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13

# A standing person, seen from the front, in metres around the pelvis: x right in the picture (their left), y down.
BODY = {
    "pelvis": (0, 0, 0), "spine": (0, -0.25, 0), "neck": (0, -0.5, 0), "head": (0, -0.6, 0), "nose": (0, -0.62, -0.1),
    "head_top": (0, -0.78, 0), "shoulder": (0.18, -0.48, 0), "elbow": (0.25, -0.2, 0.03), "wrist": (0.28, 0.05, -0.05),
    "hip": (0.1, 0.02, 0), "knee": (0.11, 0.45, -0.05), "ankle": (0.12, 0.88, 0.02), "ear": (0.07, -0.64, 0),
    "eye": (0.03, -0.65, -0.08),
}  # fmt: skip


def place_of(joint):
    """(3,) metres of a joint name; joints that no test looks at lie near the pelvis."""
    side = -1 if joint.startswith("right_") else 1
    x, y, z = BODY.get(joint.removeprefix("left_").removeprefix("right_"), (0.01 * len(joint), 0.01, 0.01))
    return side * x, y, z


def bodies(skeleton, count=1, seed=0, depth=4.0):
    """(count, J, 3) metres in the camera frame: people side by side, each a little different."""
    rng = np.random.default_rng(seed)
    shape = np.array([place_of(joint) for joint in skeleton.joints])
    positions = np.stack([[0.9 * i - 0.4, 0.1, depth + 0.5 * i] for i in range(count)])
    return (
        shape * rng.uniform(0.9, 1.1, (count, 1, 1)) + rng.normal(0, 0.01, (count, *shape.shape)) + positions[:, None]
    )


def project(joints, focal=1500.0, centre=(1024.0, 1024.0)):
    """(..., 3) metres -> (..., 2) pixels."""
    return joints[..., :2] / joints[..., 2:] * focal + np.array(centre)


def picture(path, size=(8, 6)):
    """An empty picture, small: readers do not open them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((size[1], size[0], 3), np.uint8))


def check_person(person, camera_joints, skeleton, focal=1500.0, centre=(1024.0, 1024.0)):
    """The sample's person is the body `camera_joints` (J, 3) metres: same 3D, which projects onto the 2D, head up."""
    source = skeleton.map_to(LCR13)
    known = source >= 0
    middle = body_centre(camera_joints[source])
    np.testing.assert_allclose(person.joints3d[known], (camera_joints[source] - middle)[known], atol=2e-5)
    np.testing.assert_allclose(
        project(person.joints3d + middle, focal, centre)[known], person.joints2d[known], atol=0.05
    )
    top, ankles = LCR13.index("head_top"), LCR13.indices("left_ankle", "right_ankle")
    assert np.isfinite(person.joints3d).all()
    assert person.joints3d[top, 1] < person.joints3d[ankles, 1].min() - 1
    left, right = LCR13.indices("left_hip", "right_hip")
    assert person.joints3d[left, 0] > person.joints3d[right, 0]
    assert (person.joints2d[known] >= person.box[:2] - 1e-3).all()
    assert (person.joints2d[known] <= person.box[2:] + 1e-3).all()
    assert person.joints2d.dtype == person.joints3d.dtype == person.box.dtype == np.float32
