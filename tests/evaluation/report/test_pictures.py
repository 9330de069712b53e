"""Which pictures are shown, and what is drawn on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import COCO17
from anchorpose.evaluation.report.people import gather
from anchorpose.evaluation.report.pictures import choose, draw, truth_poses
from tests.evaluation.fakes import poses


@pytest.mark.parametrize("images", range(1, 30))
def test_groups_are_in_order_and_share_no_picture(images: int) -> None:
    rng = np.random.default_rng(images)
    number = np.repeat(np.arange(images), 2)
    similarity = rng.random(len(number))
    groups = choose(number, similarity, images + 3)  # three pictures have nobody
    shown = [i for group in groups.values() for i, _ in group]
    scores = [s for group in groups.values() for _, s in group]
    assert len(set(shown)) == len(shown) == min(images, 12 if images >= 12 else 3 * max(1, images // 3))
    assert max(shown) < images
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(similarity.reshape(-1, 2).mean(axis=1).max())
    if images > 1:
        assert scores[-1] == pytest.approx(similarity.reshape(-1, 2).mean(axis=1).min())


def test_a_picture_says_who_was_found_and_who_is_more(plain, tmp_path: Path) -> None:
    annotations, found = plain(images=1, each=2)
    first = found["1.jpg"]
    joints = np.concatenate([first.joints2d[:1], first.joints2d[:1] + 3000, first.joints2d[:1] + 3000])
    found["1.jpg"] = poses(joints, [0.9, 0.6, 0.1])
    people = gather(annotations, found)
    cv2.imwrite(str(tmp_path / "1.jpg"), np.full((640, 640, 3), 90, np.uint8))
    picture = draw(annotations, found, people, tmp_path, 0, 0.5)
    assert (picture.people, picture.found, picture.extra) == (2, 1, 1)
    assert picture.truth != picture.prediction


def test_truth_is_drawn_with_its_states_and_without_unlabelled_joints(plain) -> None:
    annotations, found = plain(images=1, each=1)
    annotations.people[0].visible[0, 4] = False
    people = gather(annotations, found)
    drawn = truth_poses(people, people.image == 0, found["1.jpg"])
    assert drawn.skeleton.joints == COCO17.joints
    assert np.isnan(drawn.joints2d[0]).any(axis=1).tolist() == [j == 4 for j in range(17)]
    assert drawn.joint_states[0, :2].tolist() == [JointState.VISIBLE, JointState.HIDDEN]
