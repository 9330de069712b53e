"""Reading COCO keypoint JSON for evaluation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import COCO17, LSP14, Skeleton
from anchorpose.evaluation.keypoints import Truth

_KNOWN = (COCO17, LSP14)


@dataclass(frozen=True)
class ImageEntry:
    """One annotated image."""

    id: int
    file_name: str
    width: int
    height: int


@dataclass(frozen=True)
class Annotations:
    """Images by rising id, and for each of them its people."""

    skeleton: Skeleton
    images: tuple[ImageEntry, ...]
    people: tuple[Truth, ...]

    def __len__(self) -> int:
        return len(self.images)

    def only(self, file_names: Collection[str]) -> Annotations:
        """Only the images with these file names."""
        keep = [i for i, image in enumerate(self.images) if image.file_name in set(file_names)]
        return replace(self, images=tuple(self.images[i] for i in keep), people=tuple(self.people[i] for i in keep))


def load_annotations(path: str | Path) -> Annotations:
    """Read a COCO keypoint file (17 COCO joints, 14 LSP joints or any named set of joints).

    People without `keypoints` or with `num_keypoints` 0 and crowds are kept and marked as ignored. Joint states are
    those of `joint_state` (rendered scenes have it), else COCO's v: 2 can be seen, 1 is hidden.

    Raises:
        InputError: no such file, not JSON, not COCO keypoint annotations, or images or people stand in it twice.
    """
    data = _read(Path(path))
    try:
        category, skeleton = _category(data["categories"])
        images = sorted((ImageEntry(int(i["id"]), str(i["file_name"]), int(i.get("width", 0)), int(i.get("height", 0)))
                         for i in data["images"]), key=lambda image: image.id)  # fmt: skip
        by_image: dict[int, list[Any]] = {image.id: [] for image in images}
        if len(by_image) != len(images):
            raise InputError("two images have the same id")
        if twice := _repeated(image.file_name for image in images):
            raise InputError(f"two images are called {twice}, wanted a name for each, since predictions are found "
                             "by it")  # fmt: skip
        if twice := _repeated(str(a["id"]) for a in data["annotations"] if a.get("id") is not None):
            raise InputError(f"two annotations have the id {twice}, wanted another for each; is somebody in it twice?")
        for annotation in data["annotations"]:
            if annotation["image_id"] not in by_image:
                raise InputError(f"annotation {annotation.get('id')} is of image {annotation['image_id']}, "
                                 "which is not in the list of images")  # fmt: skip
            if annotation.get("category_id", category) == category:
                by_image[annotation["image_id"]].append(annotation)
        people = tuple(_truth(by_image[image.id], skeleton) for image in images)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except KeyError as error:
        raise InputError(f"{path}: not COCO keypoint annotations, {error} is missing") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not COCO keypoint annotations ({_one_line(error)})") from None
    if not images:
        raise InputError(f"{path}: lists no images, so there is nothing to evaluate")
    return Annotations(skeleton, tuple(images), people)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the annotations ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{path}: not a JSON file ({_one_line(error)})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: not COCO keypoint annotations, found a {type(data).__name__} where an object was "
                         "wanted")  # fmt: skip
    return data


def _repeated(names: Iterable[str]) -> str | None:
    """The first that stands there more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _category(categories: list[Any]) -> tuple[int, Skeleton]:
    """Id and skeleton of the first category that has joints."""
    for category in categories:
        if names := tuple(str(name) for name in category.get("keypoints", ())):
            known = next((s for s in _KNOWN if s.joints == names), None)
            return int(category["id"]), known or Skeleton("annotations", names)
    raise InputError("no category has 'keypoints'; wanted the keypoint annotations, such as person_keypoints_val.json")


def _truth(annotations: list[Any], skeleton: Skeleton) -> Truth:
    m, j = len(annotations), len(skeleton)
    keypoints, boxes, areas = np.zeros((m, j, 3)), np.zeros((m, 4)), np.zeros(m)
    crowd, ignore = np.zeros((2, m), dtype=bool)
    for i, a in enumerate(annotations):
        flat = a.get("keypoints") or np.zeros(3 * j)
        if len(flat) != 3 * j:
            raise InputError(f"annotation {a.get('id')} has {len(flat)} keypoint numbers, wanted {3 * j} (x, y, v of "
                             f"{j} joints)")  # fmt: skip
        if len(a["bbox"]) != 4:
            raise InputError(f"annotation {a.get('id')} has {len(a['bbox'])} box numbers, wanted 4 (x, y, w, h)")
        keypoints[i], boxes[i] = np.asarray(flat, dtype=np.float64).reshape(j, 3), a["bbox"]
        areas[i], crowd[i] = a.get("area", boxes[i, 2] * boxes[i, 3]), bool(a.get("iscrowd", 0))
        ignore[i] = crowd[i] or a.get("num_keypoints", 1) == 0 or not (keypoints[i, :, 2] > 0).any()
        if not (np.isfinite(keypoints[i]).all() and np.isfinite(boxes[i]).all() and np.isfinite(areas[i])):
            raise InputError(f"annotation {a.get('id')} holds a number that is not finite")
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    states = np.array([_states(a, flags) for a, flags in zip(annotations, keypoints[..., 2], strict=True)], np.uint8)
    return Truth(keypoints[..., :2], keypoints[..., 2] > 0, corners, areas, crowd, ignore, _exact3d(annotations, j),
                 states.reshape(m, j))  # fmt: skip


def _states(annotation: Mapping[str, Any], flags: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(J,) of JointState."""
    names = [str(name) for name in annotation.get("joint_state") or ()]
    if len(names) != len(flags):
        return np.select([flags >= 2, flags > 0], [JointState.VISIBLE, JointState.HIDDEN], JointState.MISSING)
    known = {state.name.lower(): state for state in JointState}
    if unknown := [name for name in names if name.lower() not in known]:
        raise InputError(f"annotation {annotation.get('id')} has the joint state {unknown[0]!r}, wanted one of "
                         f"{', '.join(known)}")  # fmt: skip
    return np.array([known[name.lower()] for name in names], np.uint8)


def _exact3d(annotations: list[Any], joints: int) -> NDArray[np.floating] | None:
    """(m, J, 3) of synthesised people (see `anchorpose.synthesis.scenes`); None where nobody has it in these joints."""
    rows = [a.get("joints3d") or [] for a in annotations]
    if not any(len(r) == joints for r in rows):
        return None
    unknown = [None] * joints
    return np.array([[[np.nan] * 3 if x is None else x for x in (r if len(r) == joints else unknown)] for r in rows])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
