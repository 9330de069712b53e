"""What is known of joints beyond being labelled, as COCO-style files say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.annotations import load_annotations
from tests.evaluation.fakes import annotation, coco, write


def person(number: int, image: int, flags: list[int], **more: Any) -> dict[str, Any]:
    one = annotation(number, image, np.full((13, 2), 9.0), np.ones(13, bool))
    one["keypoints"][2::3] = flags
    return {**one, **more}


def test_states_are_those_of_names_else_of_flags(tmp_path: Path) -> None:
    flags = [0, 1, 2] * 4 + [2]
    people = [person(1, 1, flags), person(2, 1, flags, joint_state=["outside", "HIDDEN", *["missing"] * 11]),
              person(3, 1, flags, joint_state=["outside"] * 4), person(4, 2, flags, category_id=2)]  # fmt: skip
    annotations = load_annotations(write(tmp_path, coco(2, people, LCR13)))
    first, second = (truth.states for truth in annotations.people)
    assert first is not None
    assert second is not None
    assert (first.dtype, first.shape, second.shape) == (np.uint8, (3, 13), (0, 13))
    of_flags = [(JointState.MISSING, JointState.HIDDEN, JointState.VISIBLE)[flag] for flag in flags]
    assert first[0].tolist() == first[2].tolist() == of_flags
    assert first[1].tolist() == [JointState.OUTSIDE, JointState.HIDDEN, *[JointState.MISSING] * 11]
    # A choice of joints changes what counts, not what is known.
    np.testing.assert_array_equal(annotations.people[0].only(np.array([1])).states, first)


def test_who_stands_in_it_twice_is_said(tmp_path: Path) -> None:
    """Predictions are found by the name of the picture, and a person who counts twice is missed once."""
    data = coco(2, [person(1, 1, [2] * 13), person(2, 2, [2] * 13)], LCR13)
    for place, key, value, message in (
        ("images", "file_name", "1.jpg", "two images are called 1.jpg"), ("images", "id", 1, "two images have the"),
        ("annotations", "id", 1, "two annotations have the id 1"),
    ):  # fmt: skip
        changed = {**data, place: [data[place][0], {**data[place][1], key: value}]}
        with pytest.raises(InputError, match=message):
            load_annotations(write(tmp_path, changed))
    without = {**data, "annotations": [{k: v for k, v in a.items() if k != "id"} for a in data["annotations"]]}
    assert [len(truth) for truth in load_annotations(write(tmp_path, without)).people] == [1, 1]


def test_unknown_states_are_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, coco(1, [person(7, 1, [2] * 13, joint_state=["gone"] * 13)], LCR13))
    with pytest.raises(InputError, match="annotation 7 has the joint state 'gone', wanted one of missing, ") as error:
        load_annotations(path)
    assert "\n" not in str(error.value)
