"""PoseTrack18 (Andriluka et al., CVPR 2018): `annotations/{train,val,test}/VIDEO.json` and `images/...`.

Known from the files and the toolkit (poseval): one JSON for each video with `images` (`file_name` from the archive's
root, `id`, `frame_id` = 1VVVVVVFFFF with the video's and the frame's number, `vid_id`, `nframes`, `is_labeled`, and
`ignore_regions_x`, `ignore_regions_y` as lists of polygons), `annotations` (`bbox`, `bbox_head` as x, y, width, height,
`track_id`, `keypoints`) and `categories` with the 17 names of `POSETRACK17`; the ears are never labelled; the test
videos have no people.

Inferred: a keypoint's flag says only whether it is labelled (1 or 0), not whether it is hidden; in a labelled frame
everybody outside the ignore regions is labelled; coordinates count from the corner of the top-left pixel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import POSETRACK17
from anchorpose.datasets.archives import Archive, read_json
from anchorpose.datasets.labels import bare_person, keypoint_triplets, labelled_person, positive_box, unlabelled
from anchorpose.datasets.samples import UNKNOWN, Annotation, Floats, Person, Sample

POSETRACK = Archive(
    "PoseTrack18",
    "posetrack.net",
    "Andriluka et al., PoseTrack: A Benchmark for Human Pose Estimation and Tracking, CVPR 2018",
    "the terms shown there on registration, for research; the pictures are frames of YouTube videos",
    ("annotations|posetrack_data/annotations", "images"),
)
_FRAMES = 10_000


def read_posetrack(
    root: Path, split: Literal["train", "val", "test"] = "val", labelled_only: bool = True
) -> list[Sample]:
    """Samples of PoseTrack18, video by video in the order of their names, frames in the file's order.

    A sample has `sequence` (the JSON's name), `frame`, `id` and the ignore regions, whose boxes are also people without
    joints; a person's annotation has the 17 joints, the head box and the track.

    Args:
        root: the unpacked archive.
        split: which folder of `annotations`.
        labelled_only: False also gives the frames without labels, as a tracker needs them.

    Raises:
        InputError: parts of the archive are missing, or a file is not laid out as PoseTrack18's.
    """
    folder = f"annotations/{split}"
    archive = replace(POSETRACK, parts=(f"{folder}|posetrack_data/{folder}", "images"))
    archive.require(root)
    paths = sorted(archive.part(root, 0).glob("*.json"))
    if not paths:
        raise InputError(f"{archive.part(root, 0)} holds no JSON files, wanted one for each video; {POSETRACK.source}")
    return [sample for path in paths for sample in _video(path, Path(root), labelled_only)]


def _video(path: Path, root: Path, labelled_only: bool) -> list[Sample]:
    data = read_json(path, ("images",), POSETRACK)
    try:
        people: dict[int, list[Person]] = defaultdict(list)
        for record in data.get("annotations", []):
            if (person := _person(record)) is not None:
                people[record["image_id"]].append(person)
        return [_frame(image, people[image["id"]], path.stem, root) for image in data["images"]
                if image.get("is_labeled", False) or not labelled_only]  # fmt: skip
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{path} is not laid out as PoseTrack18's ({type(error).__name__}: {error}); "
                         f"{POSETRACK.source}") from None  # fmt: skip


def _frame(image: Mapping[str, Any], people: list[Person], sequence: str, root: Path) -> Sample:
    regions = _ignore_regions(image)
    ignored = [bare_person(boxes.around(region)) for region in regions]
    return Sample(root / image["file_name"], (*people, *ignored), exhaustive=bool(image.get("is_labeled", False)),
                  id=image["id"], sequence=sequence, frame=int(image["frame_id"]) % _FRAMES,
                  ignore_regions=tuple(regions))  # fmt: skip


def _ignore_regions(image: Mapping[str, Any]) -> list[Floats]:
    """(m, 2) polygons of at least three corners."""
    xs, ys = (_nested(image.get(f"ignore_regions_{axis}")) for axis in "xy")
    if [len(x) for x in xs] != [len(y) for y in ys]:
        raise InputError(f"image {image.get('id')} has ignore regions of {[len(x) for x in xs]} x and "
                         f"{[len(y) for y in ys]} y, wanted as many of both; {POSETRACK.source}")  # fmt: skip
    return [np.array([x, y], dtype=np.float32).T for x, y in zip(xs, ys, strict=True) if len(x) >= 3]


def _nested(values: Any) -> list[list[float]]:
    """A list of polygons, which some versions of the files flatten where there is one."""
    values = values or []
    return values if not values or isinstance(values[0], list) else [values]


def _person(record: Mapping[str, Any]) -> Person | None:
    """None where there is neither a box nor a joint."""
    box, head_box = positive_box(record), positive_box(record, "bbox_head")
    joints2d, _ = keypoint_triplets(record, POSETRACK17) or unlabelled(POSETRACK17)
    annotation = Annotation(POSETRACK17, joints2d, np.full(len(POSETRACK17), UNKNOWN, np.int8), id=record.get("id"),
                            track_id=record.get("track_id"), head_box=head_box)  # fmt: skip
    if annotation.labelled.any():
        return labelled_person(annotation, box)
    rest = box if box is not None else head_box
    return None if rest is None else bare_person(rest, annotation)
