"""Tracked people in the JSON of image benchmarks: COCO's results, PoseTrack18's and OpenPose's files a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import POSETRACK17
from anchorpose.io.exports.clip import Clip
from anchorpose.io.files import write_json
from anchorpose.io.formats import to_coco, to_openpose

_FRAME_NUMBERS = 10_000


def write_coco(path: Path, clip: Clip) -> None:
    """COCO keypoint results as `pycocotools.COCO.loadRes` takes them (`formats.to_coco`).

    `image_id` is the number of the frame in its video; `track_id` is added, which COCO's tools ignore.
    """
    entries: list[dict[str, Any]] = []
    for index, _, poses in clip.frames():
        for person in poses:
            assert person.track_ids is not None
            identity = int(person.track_ids[0])
            entries += [{**entry, "track_id": identity} for entry in to_coco([("", person)], {"": index})]
    write_json(path, entries)


def write_openpose(folder: Path, clip: Clip, name: str = "video") -> int:
    """OpenPose's JSON, one file a frame: `NAME_000000000012_keypoints.json` in `folder`, as its `--write_json` does.

    Returns:
        how many files were written.

    Raises:
        InputError: the folder does not exist.
    """
    for index, _, poses in clip.frames():
        write_json(folder / f"{name}_{index:012d}_keypoints.json", to_openpose(poses))
    return len(clip)


def write_posetrack(path: Path, clip: Clip, name: str = "video", number: int = 1) -> None:
    """A video in PoseTrack18's JSON, with the `scores` of each joint that its toolkit poseval ranks by.

    Joints that we lack (nose, head bottom, ears) are 0, 0, 0 with score 0.

    Args:
        path: the file.
        clip: the tracked people.
        name: of the video: `file_name` is images/NAME/000012.jpg.
        number: of the video, up to six digits; image ids are 1VVVVVVFFFF.

    Raises:
        InputError: a frame's number has more than four digits, which the ids cannot hold.
    """
    if clip.indices[-1] >= _FRAME_NUMBERS or not 0 <= number < 1_000_000:
        raise InputError(f"found frame {clip.indices[-1]} of video {number}, wanted at most 9999 of 999999, the digits "
                         "that PoseTrack18's ids have; give a part of the video")  # fmt: skip
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, _, poses in clip.frames():
        identity = (1_000_000 + number) * _FRAME_NUMBERS + index
        images.append({
            "file_name": f"images/{name}/{index:06d}.jpg", "id": identity, "frame_id": identity,
            "vid_id": f"{number:06d}", "nframes": len(clip), "is_labeled": True, "has_labeled_person": len(poses) > 0,
            "width": clip.camera.width, "height": clip.camera.height,
        })  # fmt: skip
        people = poses.to_skeleton(POSETRACK17)
        known = np.asarray(np.isfinite(people.joints2d).all(-1))
        points = np.where(known[..., None], people.joints2d, 0)
        keypoints = np.concatenate([points, known[..., None]], axis=-1).reshape(len(people), -1)
        scores = np.where(known, np.nan_to_num(people.joint_scores), 0)
        for i in np.flatnonzero(known.any(-1)):
            assert people.track_ids is not None
            annotations.append({
                "id": len(annotations) + 1, "image_id": identity, "category_id": 1,
                "track_id": int(people.track_ids[i]), "keypoints": np.round(keypoints[i].astype(float), 3),
                "scores": np.round(scores[i].astype(float), 5),
                "bbox": np.round(boxes.to_xywh(people.boxes[i]).astype(float), 3), "score": float(people.scores[i]),
            })  # fmt: skip
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(POSETRACK17.joints),
                "skeleton": [[a + 1, b + 1] for a, b in POSETRACK17.bones]}  # fmt: skip
    write_json(path, {"images": images, "annotations": annotations, "categories": [category]})
