"""Photographs that tests write themselves: people whose every limb has its own colour, with COCO annotations."""

import json

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13

UPRIGHT = np.array([
    [-.12, .86, 0], [.12, .86, 0], [-.11, .46, 0], [.11, .46, 0], [-.1, .05, 0], [.1, .05, 0], [-.3, .02, 0],
    [.3, .02, 0], [-.26, -.22, 0], [.26, -.22, 0], [-.18, -.48, 0], [.18, -.48, 0], [0, -.8, 0],
])  # fmt: skip
"""Faces the camera: its right is at the image's left."""
LIMBS = tuple(LCR13.bones)
_HUES = np.linspace(0, 179, len(LIMBS), endpoint=False).astype(np.uint8)
_HSV = np.stack([_HUES, np.full_like(_HUES, 255), np.full_like(_HUES, 230)], -1)
COLOURS = cv2.cvtColor(_HSV[None], cv2.COLOR_HSV2BGR)[0].astype(int)
"""(bones, 3) BGR of each of `LIMBS`."""


def random_pose(rng, bend=0.7):
    """(13, 3) metres relative to the body centre: limbs bent at random, seen from up to 0.5 rad beside the front."""
    pose = UPRIGHT.copy()
    for side in ("left", "right"):
        for upper, joint, end in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            a, b, c = LCR13.indices(f"{side}_{upper}", f"{side}_{joint}", f"{side}_{end}")
            turn = Rotation.from_euler("ZX", rng.uniform(-bend, bend, 2))
            pose[[b, c]] = turn.apply(pose[[b, c]] - pose[a]) + pose[a]
            pose[c] = Rotation.from_euler("ZX", rng.uniform(-bend, bend, 2)).apply(pose[c] - pose[b]) + pose[b]
    pose = Rotation.from_euler("Y", rng.uniform(-0.5, 0.5)).apply(pose)
    return (pose - body_centre(pose)).astype(np.float32)


def draw(joints2d, width, height, grey):
    """A picture of one person in the limbs' colours."""
    picture = np.full((height, width, 3), grey, np.uint8)
    for (a, b), colour in zip(LIMBS, COLOURS.tolist(), strict=True):
        ends = [np.round((joints2d[k] - 0.5) * 16).astype(int).tolist() for k in (a, b)]
        cv2.line(picture, *ends, colour, 7, cv2.LINE_AA, 4)
    return picture


def write_photographs(folder, poses, rng, scale=80):
    """Write one picture a pose and `people.json`; returns (annotations, images)."""
    images, annotations = [], []
    (folder / "photographs").mkdir()
    for i, pose in enumerate(poses, 1):
        size = scale * rng.uniform(0.8, 1.2)
        joints2d = pose[:, :2] * size + [100, 110] + rng.uniform(-10, 10, 2)
        name = f"{i}.png"
        cv2.imwrite(str(folder / "photographs" / name), draw(joints2d, 200, 220, int(rng.integers(60, 200))))
        images.append({"id": i, "file_name": name, "width": 200, "height": 220})
        low, extent = joints2d.min(0), np.ptp(joints2d, axis=0)
        keypoints = np.concatenate([joints2d, np.full((13, 1), 2.0)], 1)
        annotations.append({"id": i, "image_id": i, "category_id": 1, "bbox": [*low, *extent], "num_keypoints": 13,
                            "iscrowd": 0, "keypoints": keypoints.ravel().tolist()})  # fmt: skip
    categories = [{"id": 1, "name": "person", "keypoints": list(LCR13.joints)}]
    path = folder / "people.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path, folder / "photographs"
