"""Results of several pictures as JSON: our own format, COCO's results format and OpenPose's.

All functions return plain dictionaries and lists without NaN; `io.files.write_json` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.boxes import to_xywh
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import BODY25, COCO17

Result = tuple[str, Poses]
"""The file's name and its people."""
SCHEMA = "anchorpose/results/1"
_LOWEST_CONFIDENCE = 0.01


def to_anchorpose(results: Iterable[Result]) -> dict[str, Any]:
    """Everything we know; `from_anchorpose` reads it back (to 5 decimals)."""
    images = [
        {"file": str(file), "width": poses.camera.width, "height": poses.camera.height, "poses": poses.to_dict()}
        for file, poses in results
    ]
    return {"schema": SCHEMA, "images": images}


def from_anchorpose(data: Any) -> list[Result]:
    """Inverse of `to_anchorpose`.

    Raises:
        InputError: another schema, or an entry that is broken.
    """
    schema = data.get("schema") if isinstance(data, dict) else type(data).__name__
    if schema != SCHEMA:
        raise InputError(f"found schema {schema!r}, wanted {SCHEMA!r}; give a poses.json that anchorpose wrote")
    results = []
    for number, entry in enumerate(data.get("images", [])):
        try:
            results.append((str(entry["file"]), Poses.from_dict(entry["poses"])))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            line = " ".join(str(error).split())
            raise InputError(f"image {number} of the results is broken ({line}); write the file anew") from error
    return results


def coco_image_ids(files: Sequence[str]) -> list[int]:
    """COCO image ids: the digits that end each file's stem (000000000139.jpg -> 139).

    Where a file has none, or two files share a number, all files are numbered 1, 2, 3, ... so that no two pictures
    can be taken for one.
    """
    endings = [re.search(r"(\d+)$", Path(file).stem) for file in files]
    numbers = [int(match.group(1)) for match in endings if match]
    return numbers if len(set(numbers)) == len(files) else list(range(1, len(files) + 1))


def to_coco(results: Iterable[Result], image_ids: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
    """COCO results format, as `pycocotools.COCO.loadRes` takes it: one entry a person.

    `keypoints` are 17 times x, y, v; v is 2 for visible joints, 1 for hidden ones and those outside the picture; joints
    we lack are 0, 0, 0. People without any joint of COCO's are left out.

    Args:
        results: pairs of file and people.
        image_ids: id of each file; None takes `coco_image_ids`.

    Raises:
        InputError: `image_ids` lacks a file.
    """
    pairs = [(str(file), poses) for file, poses in results]
    ids = dict(image_ids) if image_ids is not None else {}
    numbers = coco_image_ids([file for file, _ in pairs])
    entries = []
    for number, (file, poses) in zip(numbers, pairs, strict=True):
        if image_ids is not None and file not in ids:
            raise InputError(f"{file} has no image id, wanted one for each file; add it to image_ids")
        entries += _coco_people(poses.to_skeleton(COCO17), ids.get(file, number))
    return entries


def _coco_people(people: Poses, image_id: int) -> list[dict[str, Any]]:
    entries = []
    for i in range(len(people)):
        present = np.isfinite(people.joints2d[i]).all(-1)
        if not present.any():
            continue
        flags = np.where(people.joint_states[i] == JointState.VISIBLE, 2, 1)
        keypoints = np.where(present[:, None], np.column_stack([people.joints2d[i], flags]), 0)
        box = people.boxes[i] if np.isfinite(people.boxes[i]).all() else _bounds(people.joints2d[i][present])
        entries.append({
            "image_id": int(image_id), "category_id": 1, "keypoints": _numbers(keypoints, 3),
            "score": float(people.scores[i]), "bbox": _numbers(to_xywh(box), 3),
        })  # fmt: skip
    return entries


def _bounds(points: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.concatenate([points.min(0), points.max(0)])


def to_openpose(poses: Poses) -> dict[str, Any]:
    """OpenPose's JSON of one picture, BODY_25.

    `pose_keypoints_2d` is x, y, c in pixels; `pose_keypoints_3d` is x, y, z, c in metres of the camera frame (all 0 for
    people that could not be placed). Joints we lack are 0; neck and mid hip are filled with the middle of the shoulders
    and of the hips. c is the probability that the joint is visible, but at least 0.01 for a joint that is known, since
    OpenPose's readers take 0 for missing.
    """
    people = poses.to_skeleton(BODY25)
    body = _with_middles(np.concatenate([people.joints2d, people.joint_scores[..., None]], axis=-1))
    space = _with_middles(np.concatenate([people.joints3d_camera, people.joint_scores[..., None]], axis=-1))
    entries = []
    for i in range(len(people)):
        empty: dict[str, Any] = {f"{part}_keypoints_{d}": [] for d in ("2d", "3d")
                                 for part in ("face", "hand_left", "hand_right")}  # fmt: skip
        entries.append({
            "person_id": [-1 if poses.track_ids is None else int(poses.track_ids[i])],
            "pose_keypoints_2d": _numbers(body[i], 5), "pose_keypoints_3d": _numbers(space[i], 5), **empty,
        })  # fmt: skip
    return {"version": 1.3, "people": entries}


def _with_middles(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """(n, 25, d + 1) coordinates and confidence -> the same with neck and mid hip, missing joints 0."""
    joints = joints.astype(np.float64)
    for middle, part in (("neck", "shoulder"), ("mid_hip", "hip")):
        target, pair = BODY25.index(middle), joints[:, BODY25.indices(f"right_{part}", f"left_{part}")]
        filled = np.concatenate([pair[..., :-1].mean(1), pair[..., -1:].min(1)], axis=-1)
        lacking = np.isnan(joints[:, target, :-1]).any(-1)
        joints[lacking, target] = filled[lacking]
    known = np.isfinite(joints[..., :-1]).all(-1)
    joints[..., -1] = np.fmax(joints[..., -1], _LOWEST_CONFIDENCE)
    return np.where(known[..., None], joints, 0)


def _numbers(values: NDArray[Any], decimals: int) -> list[float]:
    flat: list[float] = np.round(np.asarray(values, dtype=np.float64), decimals).ravel().tolist()
    return flat
