"""CrowdPose (Li et al., CVPR 2019): `crowdpose_{train,val,trainval,test}.json` and the folder `images`.

Known from the toolkit: COCO's keypoint JSON with 14 keypoints (`left_shoulder` ... `right_ankle`, `head`, `neck`),
flags 0 unlabelled, 1 hidden, 2 visible; each image has a `crowdIndex`; the evaluation takes 0.53 x width x height of
the box as area, for want of a segmentation.

Inferred: `head` is the head top, as the other sets that the pictures come from have it; everybody is labelled or at
least has a box; coordinates are COCO's, from the corner of the top-left pixel. The names of the folder (`json` or
`annotations`) are users' habits: the annotations and the pictures are two separate downloads.
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
from anchorpose.core.skeleton import CROWDPOSE14
from anchorpose.datasets.archives import Archive, read_json
from anchorpose.datasets.labels import bare_person, keypoint_triplets, labelled_person, positive_box, unlabelled
from anchorpose.datasets.samples import UNKNOWN, Annotation, Person, Sample

CROWDPOSE = Archive(
    "CrowdPose",
    "github.com/Jeff-sjtu/CrowdPose",
    "Li et al., CrowdPose: Efficient Crowded Scenes Pose Estimation and a New Benchmark, CVPR 2019",
    "none stated with the data; the pictures come from COCO, MPII and AI Challenger, whose terms hold",
    ("json|annotations", "images"),
)
AREA_OVER_BOX = 0.53
"""The person's area over that of its box, in the toolkit's object keypoint similarity."""


def read_crowdpose(root: Path, split: Literal["train", "val", "trainval", "test"] = "train") -> list[Sample]:
    """Samples of CrowdPose in the file's order, with the crowd index, and all 14 joints and areas in the annotations.

    Args:
        root: folder with `images` and, there or in `json` or `annotations`, `crowdpose_SPLIT.json`.
        split: which file.

    Raises:
        InputError: parts of the archive are missing, or the file is not CrowdPose's.
    """
    name = f"crowdpose_{split}.json"
    archive = replace(CROWDPOSE, parts=(f"json/{name}|annotations/{name}|{name}", "images"))
    archive.require(root)
    path = archive.part(root, 0)
    data = read_json(path, ("images", "annotations", "categories"), archive)
    try:
        _check_joints(data["categories"], path)
        people: dict[int, list[Person]] = defaultdict(list)
        for record in data["annotations"]:
            if (person := _person(record)) is not None:
                people[record["image_id"]].append(person)
        return [Sample(archive.part(root, 1) / image["file_name"], tuple(people[image["id"]]), id=image["id"],
                       crowd_index=image.get("crowdIndex")) for image in data["images"]]  # fmt: skip
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{path} is not laid out as CrowdPose's ({type(error).__name__}: {error}); "
                         f"{CROWDPOSE.source}") from None  # fmt: skip


def _check_joints(categories: list[Mapping[str, Any]], path: Path) -> None:
    found = [tuple("head_top" if name == "head" else name for name in c.get("keypoints", ())) for c in categories]
    if CROWDPOSE14.joints not in found:
        names = ", ".join(found[0]) if found and found[0] else "none"
        raise InputError(f"{path} has the keypoints {names}, wanted CrowdPose's 14, left_shoulder to head and neck; "
                         f"{CROWDPOSE.source}")  # fmt: skip


def _person(record: Mapping[str, Any]) -> Person | None:
    """None where there is neither a box nor a joint."""
    box = positive_box(record)
    triplets = None if record.get("iscrowd") else keypoint_triplets(record, CROWDPOSE14)
    joints2d, flags = triplets or unlabelled(CROWDPOSE14)
    visible = np.select([flags >= 2, flags >= 1], [1, 0], UNKNOWN).astype(np.int8)
    area = 0.0 if box is None else float(boxes.area(box)) * AREA_OVER_BOX
    annotation = Annotation(CROWDPOSE14, joints2d, visible, id=record.get("id"), area=area)
    if annotation.labelled.any():
        return labelled_person(annotation, box)
    return None if box is None else bare_person(box, annotation)
