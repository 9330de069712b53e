"""What annotation files know of joints beyond being labelled: visible, hidden, outside the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.report.people import States
from anchorpose.io.files import read_json

_FLAGS = (JointState.MISSING, JointState.HIDDEN, JointState.VISIBLE)
"""COCO's v: 0 not labelled, 1 labelled but hidden, 2 visible."""


def read_states(path: Path, annotations: Annotations) -> States:
    """The states in a COCO keypoint file: of `joint_state` where it has them (as rendered scenes do), else of v.

    Args:
        path: the file that `annotations` were loaded from.
        annotations: of `load_annotations(path)`, or some of its images.

    Raises:
        InputError: the file cannot be read, or does not go with `annotations`.
    """
    data = read_json(path, "give the file of the annotations")
    joints = annotations.skeleton.joints
    by_image: dict[int, list[NDArray[np.uint8]]] = {image.id: [] for image in annotations.images}
    try:
        category = next(int(c["id"]) for c in data["categories"] if c.get("keypoints"))
        for person in data["annotations"]:
            if person["image_id"] in by_image and person.get("category_id", category) == category:
                by_image[person["image_id"]].append(_states(person, len(joints)))
    except (StopIteration, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{path}: not COCO keypoint annotations ({type(error).__name__} {error})") from None
    counts = [len(by_image[image.id]) for image in annotations.images]
    if counts != [len(people) for people in annotations.people]:
        raise InputError(f"{path} holds other people than the annotations; give the file they were read from")
    return {image.file_name: np.array(by_image[image.id], np.uint8).reshape(-1, len(joints))
            for image in annotations.images}  # fmt: skip


def _states(person: dict[str, Any], joints: int) -> NDArray[np.uint8]:
    if len(names := person.get("joint_state") or ()) == joints:
        return np.array([JointState[str(name).upper()] for name in names], np.uint8)
    flags = (person.get("keypoints") or [0] * (3 * joints))[2::3]
    return np.array([_FLAGS[int(v)] for v in flags], np.uint8)
