"""Miniature archives in their original layouts, with the example photographs and their annotated people.

Human3.6M's is in the room of an invented body, so its figures mean nothing; the layout is the archive's.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core.skeleton import COCO17, MPII16
from anchorpose.io.files import write_image
from anchorpose.io.images import read_image
from tests.datasets import test_crowdpose, test_mpii, test_posetrack

FRAMES, SHIFT = 4, 3
"""Of PoseTrack's video: a photograph that moves by so many pixels a frame."""


def make_archives(folder: Path, photos: Path, annotations: dict[str, Any]) -> None:
    """`val2017`, `mpii`, `crowdpose`, `posetrack18` and `h36m`, and predictions for CrowdPose.

    Args:
        folder: to write into. photos: folder of the photographs. annotations: COCO's, of these photographs.
    """
    shutil.copytree(photos, folder / "val2017")
    (folder / "person_keypoints_val2017.json").write_text(json.dumps(annotations), encoding="utf-8")
    _mpii(folder / "mpii", photos, annotations)
    _crowdpose(folder, photos, annotations)
    _posetrack(folder / "posetrack18", photos, annotations)
    _h36m(folder / "h36m", photos)


def _people(annotations: dict[str, Any], image: dict[str, Any], joints: tuple[str, ...]) -> list[np.ndarray]:
    """(J, 3) x, y, flag of the people of a photograph in other joints; 0, 0, 0 where COCO has none."""
    people = [np.reshape(a["keypoints"], (-1, 3)) for a in annotations["annotations"] if a["image_id"] == image["id"]]
    rows = [COCO17.joints.index(joint) if joint in COCO17.joints else -1 for joint in joints]
    return [np.where(np.array(rows)[:, None] >= 0, person[rows], 0.0) for person in people]


def _mpii(root: Path, photos: Path, annotations: dict[str, Any]) -> None:
    root.mkdir()
    pictures = []
    for image in annotations["images"]:
        known = [(i, joint) for i, joint in enumerate(_people(annotations, image, MPII16.joints)[0]) if joint[2]]
        nose = _people(annotations, image, ("nose",))[0][0, :2]
        x, y = np.mean([joint[:2] for _, joint in known], axis=0)
        people = [{"x1": nose[0] - 20, "y1": nose[1] - 25, "x2": nose[0] + 20, "y2": nose[1] + 25, "scale": 1.5,
                   "annopoints": test_mpii.points({i: tuple(joint[:2]) for i, joint in known}, {}),
                   "objpos": test_mpii.struct(x=x, y=y)}]  # fmt: skip
        pictures.append(test_mpii.picture(image["file_name"], test_mpii.structs(people)))
    test_mpii.write(root, pictures, [1] * len(pictures), [1.0] * len(pictures))
    _copy(photos, annotations, root / "images")


def _crowdpose(folder: Path, photos: Path, annotations: dict[str, Any]) -> None:
    data = test_crowdpose.content(people=0)
    data["images"] = [{**image, "crowdIndex": 0.1 + 0.3 * i} for i, image in enumerate(annotations["images"])]
    names = tuple(test_crowdpose.NAMES)
    results = []
    for image in annotations["images"]:
        boxes = [a["bbox"] for a in annotations["annotations"] if a["image_id"] == image["id"]]
        for box, person in zip(boxes, _people(annotations, image, names), strict=True):
            entry = {"image_id": image["id"], "category_id": 1, "keypoints": person.ravel().tolist()}
            results.append({**entry, "score": 0.9})
            data["annotations"].append({**entry, "id": len(results), "iscrowd": 0, "bbox": box,
                                        "num_keypoints": int((person[:, 2] > 0).sum())})  # fmt: skip
    (folder / "crowdpose").mkdir()
    test_crowdpose.write(folder / "crowdpose", data, "test")
    _copy(photos, annotations, folder / "crowdpose" / "images")
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def _posetrack(root: Path, photos: Path, annotations: dict[str, Any]) -> None:
    """One video: the photograph moves to the right."""
    root.mkdir()
    image = annotations["images"][0]
    data = test_posetrack.video(342, frames=FRAMES, people=1)
    [person] = _people(annotations, image, tuple(test_posetrack.NAMES))
    photo = read_image(photos / image["file_name"])
    for number, entry in enumerate(data["images"]):
        path = root / entry["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.roll(photo, SHIFT * number, axis=1))
    for entry in data["annotations"]:
        moved = person + np.array([SHIFT * (entry["image_id"] % 10_000), 0, 0])
        entry["keypoints"] = np.where(person[:, 2:] > 0, moved, 0.0).ravel().tolist()
    test_posetrack.write(root, {342: data})


def _h36m(root: Path, photos: Path) -> None:
    from tests.datasets.test_h36m import write_recording  # needs cdflib, as reading it does

    write_recording(root, "S11", "Directions 1.55011271", frames=70, pictures=(0, 64))
    for path, photo in zip(sorted((root / "images").iterdir()), sorted(photos.glob("*.jpg")), strict=False):
        shutil.copy(photo, path)


def _copy(photos: Path, annotations: dict[str, Any], to: Path) -> None:
    to.mkdir(exist_ok=True)
    for image in annotations["images"]:
        shutil.copy(photos / image["file_name"], to)
