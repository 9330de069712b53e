"""Small real data: pictures on disk with COCO files, drawn people with known joints."""

import json

import cv2
import numpy as np
import pytest

from anchorpose.core.skeleton import COCO17


def draw_person(image, joints):
    for a, b in COCO17.bones:
        cv2.line(image, tuple(int(v) for v in joints[a]), tuple(int(v) for v in joints[b]), (40, 200, 90), 3)


def upright(x, y, size):
    """(17, 2) a standing person seen from the front, facing us: its left is at our right."""
    shape = np.array([[0, -.9], [.05, -.95], [-.05, -.95], [.1, -.9], [-.1, -.9], [.2, -.7], [-.2, -.7], [.3, -.4],
                      [-.3, -.4], [.35, -.1], [-.35, -.1], [.12, 0], [-.12, 0], [.14, .45], [-.14, .45], [.15, .9],
                      [-.15, .9]])  # fmt: skip
    return shape * size + [x, y]


@pytest.fixture
def coco_folder(tmp_path):
    """Four pictures of 240 x 200 with one or two people: (annotations, images)."""
    images, annotations = [], []
    (tmp_path / "images").mkdir()
    for i in range(4):
        picture = np.full((200, 240, 3), 60 + 20 * i, np.uint8)
        images.append({"id": i + 1, "file_name": f"{i}.png", "width": 240, "height": 200})
        for k in range(1 + i % 2):
            joints = upright(70 + 90 * k, 100, 60 + 5 * i)
            draw_person(picture, joints)
            flags = np.full((17, 1), 2.0)
            flags[13] = 1
            low, high = joints.min(0), joints.max(0)
            annotations.append({
                "id": len(annotations) + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
                "bbox": [*low, *(high - low)], "area": float(np.prod(high - low)),
                "keypoints": np.concatenate([joints, flags], 1).ravel().tolist(),
            })  # fmt: skip
        annotations.append({"id": 100 + i, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "num_keypoints": 0,
                            "bbox": [200, 150, 30, 40], "area": 100, "keypoints": [0] * 51})  # fmt: skip
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), picture)
    card = {"images": images, "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]}  # fmt: skip
    path = tmp_path / "people.json"
    path.write_text(json.dumps(card))
    return path, tmp_path / "images"
