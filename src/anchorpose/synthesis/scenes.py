"""Synthesised photographs on disk: COCO keypoint JSON with exact 3D, camera and joint states, append-only.

Beside COCO's own fields (whose keypoints are `LCR13`'s joints) an annotation holds, in `LCR13` order:

- `joints2d` 13 x [x, y] pixels, also of joints outside the image (COCO's own keypoints leave those out);
- `joints3d` 13 x [x, y, z] metres, camera axes (x right, y down, z forward), relative to the body centre;
- `translation` [x, y, z] metres, the body centre in the camera frame, or null;
- `joint_state` 13 of "missing", "visible", "hidden", "outside";

and an image holds `camera` (see `Camera.to_dict`). `anchorpose.datasets.coco.read_coco` reads them back.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.samples import Person
from anchorpose.io.files import write_image, write_json

Floats = NDArray[np.float32]
LOG = "scenes.jsonl"
ANNOTATIONS = "annotations.json"
IMAGES = "images"
AREA_OF_BOX = 0.53
"""COCO's mean share of a person's box that the person fills; used where no mask says it."""
_DECIMALS = 4


@dataclass(frozen=True)
class ScenePerson:
    """One person whose truth is known.

    Args:
        box: (4,) x1, y1, x2, y2 pixels of what is in the image.
        joints2d: (13, 2) pixels, also outside the image; NaN where unknown.
        joints3d: (13, 3) metres, camera axes, relative to the body centre; NaN where unknown.
        translation: (3,) metres, the body centre in the camera frame; NaN where unknown.
        states: (13,) of `JointState`.
        extra: further fields of the annotation, plain JSON values.
    """

    box: Floats
    joints2d: Floats
    joints3d: Floats
    translation: Floats
    states: NDArray[np.uint8]
    extra: dict[str, Any] = field(default_factory=dict)

    def as_person(self) -> Person:
        """The same person as a training sample's."""
        visible = np.select([self.states == JointState.VISIBLE, self.states == JointState.MISSING], [1, -1], 0)
        return Person(self.box, self.joints2d, visible.astype(np.int8), self.joints3d, self.translation)


@dataclass(frozen=True)
class Scene:
    """A synthesised photograph.

    Args:
        image: (h, w, 3) uint8 BGR.
        people: those in it. camera: that took it.
        extra: further fields of the image's entry, plain JSON values.
    """

    image: NDArray[np.uint8]
    people: tuple[ScenePerson, ...]
    camera: Camera
    extra: dict[str, Any] = field(default_factory=dict)


class SceneWriter:
    """Writes scenes into a folder, each at once and whole, so that a killed run goes on where it stopped.

    Args:
        folder: gets `images/`, the log `scenes.jsonl` and, from `finish`, `annotations.json`.
        suffix: of the pictures.
        header: what the scenes are made of (seed, options ...); a folder begun with another one is refused.

    Raises:
        InputError: the folder cannot be made, or holds scenes of another header.
    """

    def __init__(self, folder: Path, header: dict[str, Any], suffix: str = ".jpg") -> None:
        self.folder, self.suffix = Path(folder), suffix
        try:
            (self.folder / IMAGES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another --out") from None
        self.header = json.loads(json.dumps(header, allow_nan=False))
        lines = self._whole_lines()
        if lines and lines[0] != self.header:
            raise InputError(f"{self.folder} holds scenes made with other settings; give another --out or remove it")
        if not lines:
            self._append(self.header)
        self.done = {int(entry["index"]) for entry in lines[1:]}

    def write(self, index: int, scene: Scene) -> Path:
        """Write scene number `index` (its picture first, then its line in the log).

        Returns:
            the picture's path.
        """
        path = self.folder / IMAGES / f"{index:06d}{self.suffix}"
        write_image(path, scene.image)
        height, width = scene.image.shape[:2]
        self._append({
            "index": index, "file_name": path.name, "width": width, "height": height,
            "camera": scene.camera.to_dict(), **scene.extra, "people": [_annotation(p) for p in scene.people],
        })  # fmt: skip
        self.done.add(index)
        return path

    def finish(self) -> Path:
        """Write `annotations.json` of all scenes, in the order of their numbers; returns its path."""
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for entry in sorted(self._whole_lines()[1:], key=lambda e: int(e["index"])):
            people = entry.pop("people")
            image = {"id": entry.pop("index") + 1, **entry}
            images.append(image)
            for person in people:
                annotations.append({"id": len(annotations) + 1, "image_id": image["id"], "category_id": 1, **person})
        skeleton = [[a + 1, b + 1] for a, b in LCR13.bones]  # COCO counts from 1
        category = {"id": 1, "name": "person", "keypoints": list(LCR13.joints), "skeleton": skeleton}
        path = self.folder / ANNOTATIONS
        write_json(path, {"info": self.header, "images": images, "annotations": annotations, "categories": [category]})
        return path

    def _append(self, entry: dict[str, Any]) -> None:
        with (self.folder / LOG).open("a") as log:
            log.write(json.dumps(entry, allow_nan=False) + "\n")
            log.flush()
            os.fsync(log.fileno())

    def _whole_lines(self) -> list[dict[str, Any]]:
        path = self.folder / LOG
        if not path.exists():
            return []
        data = path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):  # a run was killed while it wrote
            with path.open("r+b") as log:
                log.truncate(end)
        try:
            return [json.loads(line) for line in data[:end].splitlines()]
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); remove the folder and make it again") from None


def _annotation(person: ScenePerson) -> dict[str, Any]:
    named = np.isin(person.states, (JointState.VISIBLE, JointState.HIDDEN))
    flags = np.select([person.states == JointState.VISIBLE, named], [2, 1], 0)
    keypoints = np.concatenate([np.where(named[:, None], person.joints2d, 0), flags[:, None]], axis=1)
    x, y, w, h = boxes.to_xywh(person.box[None])[0].tolist()
    return {
        "bbox": [round(v, 2) for v in (x, y, w, h)],
        "area": round(AREA_OF_BOX * w * h, 2),
        "iscrowd": 0,
        "num_keypoints": int(named.sum()),
        "keypoints": np.round(keypoints, 2).ravel().tolist(),
        "joints2d": _rows(person.joints2d, 2),
        "joints3d": _rows(person.joints3d, _DECIMALS),
        "translation": _rows(person.translation[None], _DECIMALS)[0],
        "joint_state": [JointState(int(s)).name.lower() for s in person.states],
        **person.extra,
    }


def _rows(values: Floats, decimals: int) -> list[list[float] | None]:
    """Rows of numbers; null where a row is not known."""
    return [np.round(row.astype(np.float64), decimals).tolist() if np.isfinite(row).all() else None for row in values]
