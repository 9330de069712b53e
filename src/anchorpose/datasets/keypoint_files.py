"""Keypoint files as `Result`s (file name and `Poses`) and back: COCO annotations, COCO results, OpenPose.

`io.formats` writes the formats of results; here they are read, and annotations both read and written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core import boxes
from anchorpose.core import skeleton as skeletons
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import SCHEMA, JointState, Poses
from anchorpose.core.skeleton import BODY25, COCO17, LCR13, Skeleton
from anchorpose.datasets.check import LARGEST, load_coco
from anchorpose.io.files import read_json
from anchorpose.io.formats import Result, coco_image_ids

OPENPOSE_SUFFIX = "_keypoints.json"
_DECIMALS = 5


def read_coco_people(path: Path) -> list[Result]:
    """COCO keypoint annotations as results in the file's own joints, in the order of its images; scores are 1.

    v = 2 becomes visible, 1 hidden, 0 missing; crowds are left out. The 3D, states and scores of files by
    `to_coco_annotations` or `anchorpose synthesize` are read too.

    Raises:
        InputError: no COCO keypoint file, or an annotation is broken.
    """
    data = load_coco(path)
    skeleton, category = named_skeleton(data["categories"])
    by_image: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    listed = {repr(id) for id in by_image}
    for annotation in data["annotations"]:
        if not isinstance(annotation, dict):
            raise InputError(
                f"{path}: an annotation is {annotation!r:.40}, wanted an object; run anchorpose data check"
            )
        if annotation.get("category_id") == category and not annotation.get("iscrowd"):
            if repr(annotation.get("image_id")) not in listed:
                raise InputError(f"{path}: annotation {annotation.get('id')} is of an image that is not listed; run "
                                 "anchorpose data check")  # fmt: skip
            by_image[annotation["image_id"]].append(annotation)
    results = []
    for image in data["images"]:
        try:
            people = by_image[image["id"]]
            results.append((str(image["file_name"]), _poses([_person(a, skeleton) for a in people], image, skeleton)))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            line = " ".join(str(error).split())[:100]
            raise InputError(f"{path}: image {image['id']} or one of its annotations is broken ({line}); run "
                             "anchorpose data check") from None  # fmt: skip
    return results


def read_coco_results(path: Path, images: dict[str, Any]) -> list[Result]:
    """COCO's results format, a list of people with scores, as results by file name.

    Args:
        path: the list. Its joints are those of `images`' category where the numbers fit, else COCO's 17.
        images: COCO annotations that name the images and their sizes.

    Raises:
        InputError: not such a list, or people of an image that `images` does not have.
    """
    entries = read_json(path, "give another file")
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "keypoints" in e for e in entries):
        raise InputError(f"{path} is not a list of people with keypoints, wanted COCO results; choose another --from")
    own, _ = named_skeleton(images["categories"])
    skeleton = own if all(len(e["keypoints"]) == 3 * len(own) for e in entries) else COCO17
    listed = {image["id"] for image in images["images"]}
    people: dict[Any, list[dict[str, Any]]] = {id: [] for id in listed}
    try:
        for entry in entries:
            if entry["image_id"] not in listed:
                raise InputError(f"{path} has people of image {entry['image_id']}, which is not annotated; give "
                                 "another --annotations")  # fmt: skip
            flat = np.array(entry["keypoints"], dtype=np.float64).reshape(-1, 3)
            around = boxes.around(np.where(flat[:, 2:] > 0, flat[:, :2], np.nan)).astype(np.float64)
            box = entry.get("bbox") or np.nan_to_num(boxes.to_xywh(around)).tolist()
            people[entry["image_id"]].append(_person({**entry, "bbox": box}, skeleton))
        return [(str(i["file_name"]), _poses(people[i["id"]], i, skeleton)) for i in images["images"]]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        line = " ".join(str(error).split())[:100]
        raise InputError(f"{path} has an entry that is no COCO result of {len(skeleton)} joints ({line}); write the "
                         "file anew") from None  # fmt: skip


def read_openpose(folder: Path, images: dict[str, Any]) -> list[Result]:
    """OpenPose's BODY_25 in 2D; c becomes the joint's score, their mean the person's.

    Args:
        folder: with one JSON for each picture, called like it.
        images: COCO file that names the pictures and their sizes.

    Raises:
        InputError: there is no such folder, or a picture's file is missing or broken.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder, wanted OpenPose's with one NAME{OPENPOSE_SUFFIX} a picture")
    results = []
    for image in images["images"]:
        path = folder / f"{Path(image['file_name']).stem}{OPENPOSE_SUFFIX}"
        try:
            people = [_openpose_person(entry) for entry in read_json(path, "give another file")["people"]]
            results.append((str(image["file_name"]), _poses(people, image, BODY25)))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is not OpenPose's JSON of BODY_25; choose another --from") from None
    return results


def to_coco_annotations(results: Sequence[Result], image_ids: Mapping[str, int] | None = None) -> dict[str, Any]:
    """COCO keypoint annotations in the results' own joints, as `read_coco_people` and `datasets.coco` read them.

    Beside COCO's fields people have `score`, `joint_scores` and `track_id`, and those of `LCR13` also `joints2d`,
    `joints3d`, `translation` and `joint_state` as `anchorpose synthesize` writes them. COCO's keypoints leave out what
    is outside the picture; `area` is that of the box.

    Args:
        image_ids: id of each file; None takes `coco_image_ids`.

    Raises:
        InputError: the results are of several skeletons, or `image_ids` lacks a file.
    """
    kinds = {poses.skeleton for _, poses in results} or {LCR13}
    if len(kinds) > 1:
        raise InputError(f"found the skeletons {', '.join(sorted(s.name for s in kinds))}, wanted one in a file; "
                         "choose one with --skeleton")  # fmt: skip
    (skeleton,) = kinds
    files = [file for file, _ in results]
    if image_ids is not None and (absent := [file for file in files if file not in image_ids]):
        raise InputError(f"{absent[0]} is not among the annotated images, wanted all {len(files)}; give another "
                         "--annotations")  # fmt: skip
    ids = coco_image_ids(files) if image_ids is None else [image_ids[file] for file in files]
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for id, (file, poses) in zip(ids, results, strict=True):
        camera = poses.camera
        images.append({"id": id, "file_name": file, "width": camera.width, "height": camera.height,
                       "camera": camera.to_dict()})  # fmt: skip
        for k, person in enumerate(poses.to_dict()["people"]):
            annotations.append({"id": len(annotations) + 1, "image_id": id, "category_id": 1,
                                **_annotation(poses, k, person)})  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.joints),
                "skeleton": [[a + 1, b + 1] for a, b in skeleton.bones]}  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": [category]}


def _annotation(poses: Poses, k: int, person: dict[str, Any]) -> dict[str, Any]:
    states, joints = poses.joint_states[k], poses.joints2d[k].astype(np.float64)
    named = np.isin(states, (JointState.VISIBLE, JointState.HIDDEN)) & np.isfinite(joints).all(-1)
    flags = np.where(states == JointState.VISIBLE, 2, 1)
    flat = np.where(named[:, None], np.column_stack([joints, flags]), 0)
    box = poses.boxes[k] if np.isfinite(poses.boxes[k]).all() else boxes.around(joints)
    box = np.nan_to_num(box, nan=0.0)
    entry = {
        "bbox": np.round(boxes.to_xywh(box.astype(np.float64)), _DECIMALS).tolist(), "iscrowd": 0,
        "area": round(float(boxes.area(box)), _DECIMALS), "num_keypoints": int(named.sum()),
        "keypoints": np.round(flat, _DECIMALS).ravel().tolist(), "score": person["score"],
        "joint_scores": person["joint_scores"], "track_id": person["track_id"],
    }  # fmt: skip
    if poses.skeleton != LCR13:
        return entry
    rows = {name: [None if None in row else row for row in person[name]] for name in ("joints2d", "joints3d")}
    place = None if None in person["translation"] else person["translation"]
    return entry | rows | {"translation": place, "joint_state": person["joint_states"]}


def _person(annotation: Mapping[str, Any], skeleton: Skeleton) -> dict[str, Any]:
    """One annotation as an entry of `Poses.to_dict`."""
    count = len(skeleton)
    keypoints = np.array(annotation.get("keypoints") or np.zeros(3 * count), dtype=np.float64).reshape(count, 3)
    box = np.array(annotation["bbox"], dtype=np.float64).reshape(4)
    if not (np.abs(np.concatenate([keypoints.ravel(), box])) <= LARGEST).all():
        raise ValueError("a keypoint or a box is not finite, or beyond a million pixels")
    flags = keypoints[:, 2]
    x1, y1, x2, y2 = boxes.from_xywh(box).tolist()
    states = np.select([flags >= 2, flags >= 1], ["visible", "hidden"], "missing").tolist()
    flat = [[x, y] if v > 0 else None for x, y, v in keypoints.tolist()]
    known = annotation if skeleton == LCR13 else {}
    return {
        "score": annotation.get("score", 1.0), "box": [x1, y1, x2, y2],
        "joints2d": _filled(known.get("joints2d") or flat, 2),
        "joints3d": _filled(known.get("joints3d") or [None] * count, 3),
        "translation": _filled([known.get("translation")], 3)[0],
        "joint_scores": annotation.get("joint_scores") or [1.0 if state == "visible" else 0.0 for state in states],
        "joint_states": known.get("joint_state") or states, "track_id": annotation.get("track_id"), "hypotheses": [],
    }  # fmt: skip


def _openpose_person(entry: Mapping[str, Any]) -> dict[str, Any]:
    values = np.array(entry["pose_keypoints_2d"], dtype=np.float64).reshape(len(BODY25), 3)
    known = values[:, 2] > 0
    box = np.nan_to_num(boxes.around(np.where(known[:, None], values[:, :2], np.nan)))
    ids = entry.get("person_id") or [-1]
    return _person({
        "keypoints": np.column_stack([values[:, :2], 2 * known]).ravel().tolist(), "bbox": boxes.to_xywh(box).tolist(),
        "joint_scores": values[:, 2].tolist(), "score": float(values[known, 2].mean()) if known.any() else 0.0,
        "track_id": None if ids[0] == -1 else ids[0],
    }, BODY25)  # fmt: skip


def _filled(rows: Sequence[Any], width: int) -> list[Any]:
    return [[None] * width if row is None else row for row in rows]


def _poses(people: list[dict[str, Any]], image: Mapping[str, Any], skeleton: Skeleton) -> Poses:
    """Entries of `Poses.to_dict` as the people of an image, with its camera or an assumed one."""
    given = image.get("camera")
    camera = Camera.from_fov(image["width"], image["height"]) if given is None else Camera.from_dict(given)
    own = {"name": skeleton.name, "joints": list(skeleton.joints), "parents": dict(skeleton.parents)}
    return Poses.from_dict({"schema": SCHEMA, "skeleton": own, "camera": camera.to_dict(),
                            "people": people})  # fmt: skip


def named_skeleton(categories: list[dict[str, Any]]) -> tuple[Skeleton, Any]:
    """Skeleton and id of the first category with joints."""
    category = next(c for c in categories if c.get("keypoints"))
    names = tuple(str(joint) for joint in category["keypoints"])
    known = (s for s in vars(skeletons).values() if isinstance(s, Skeleton) and s.joints == names)
    return next(known, Skeleton(str(category.get("name", "person")), names)), category["id"]
