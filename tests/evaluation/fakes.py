"""Random people, as our structs and as COCO's dicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core.camera import Camera
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import COCO17, Skeleton


def person(rng: np.random.Generator, skeleton: Skeleton = COCO17, centre: Any = None, size: float = 100) -> np.ndarray:
    """(J, 2) joints scattered around a centre."""
    centre = rng.uniform(100, 500, 2) if centre is None else np.asarray(centre)
    return centre + rng.normal(0, size / 4, (len(skeleton), 2))


def annotation(id: int, image: int, joints: np.ndarray, visible: np.ndarray, crowd: bool = False) -> dict[str, Any]:
    """One COCO annotation; numbers are kept exact."""
    low, high = joints.min(0) - 5, joints.max(0) + 5
    flat = np.concatenate([np.where(visible[:, None], joints, 0), 2 * visible[:, None]], axis=1)
    w, h = high - low
    return {"id": id, "image_id": image, "category_id": 1, "iscrowd": int(crowd), "keypoints": flat.ravel().tolist(),
            "bbox": [*low.tolist(), float(w), float(h)], "area": float(0.53 * w * h),
            "num_keypoints": int(visible.sum())}  # fmt: skip


def coco(images: int, annotations: list[dict[str, Any]], skeleton: Skeleton = COCO17) -> dict[str, Any]:
    """A COCO file around annotations; image ids are 1, 2, ..."""
    return {"info": {}, "images": [{"id": i + 1, "file_name": f"{i + 1}.jpg", "width": 640, "height": 640}
                                   for i in range(images)],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": list(skeleton.joints)}]}  # fmt: skip


def write(folder: Path, data: Any) -> Path:
    """The data as a JSON file."""
    path = folder / "annotations.json"
    path.write_text(json.dumps(data))
    return path


def poses(joints: np.ndarray, scores: Any = None, skeleton: Skeleton = COCO17) -> Poses:
    """(n, J, 2) pixels -> `Poses` without 3D."""
    n, j = joints.shape[:2]
    f = np.float32
    return Poses(skeleton, Camera.from_fov(640, 640), np.asarray(np.ones(n) if scores is None else scores, f),
                 np.zeros((n, 4), f), joints.astype(f), np.zeros((n, j, 3), f), np.zeros((n, 3), f),
                 np.ones((n, j), f), np.ones((n, j), np.uint8))  # fmt: skip


def scene(
    rng: np.random.Generator, images: int = 6, skeleton: Skeleton = COCO17
) -> tuple[dict[str, Any], dict[int, Any]]:
    """Photographs with crowds, unlabelled people, ties of score and more than 20 detections.

    Returns:
        COCO file, and image id -> (joints (n, J, 2), scores (n,)).
    """
    annotations: list[dict[str, Any]] = []
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for image in range(1, images + 1):
        people = [person(rng, skeleton) for _ in range(int(rng.integers(0, 6)))]
        for joints in people:
            visible = rng.random(len(skeleton)) < rng.choice([0.0, 0.3, 0.9])
            annotations.append(annotation(len(annotations) + 1, image, joints, visible, rng.random() < 0.15))
        guesses = [j + rng.normal(0, rng.choice([0, 2, 8, 30]), j.shape)
                   for j in people for _ in range(int(rng.integers(0, 8)))]  # fmt: skip
        guesses += [person(rng, skeleton) for _ in range(int(rng.integers(0, 4)))]
        scores = np.round(rng.random(len(guesses)), 1)  # rounded, so that there are ties
        found[image] = (np.array(guesses).reshape(-1, len(skeleton), 2), scores)
    return coco(images, annotations, skeleton), found
