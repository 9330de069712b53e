"""Who is taken for whom, by the rules of the commands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import COCO17, LCR13, LSP14
from anchorpose.evaluation.keypoints import oks
from anchorpose.evaluation.report.bodies import gather3d
from anchorpose.evaluation.report.people import gather, most_overlapping, others_unlabelled, shared_skeleton
from anchorpose.evaluation.scenes import MIN_OKS
from tests.evaluation.fakes import poses


def test_everybody_who_counts_is_there_once(crowded) -> None:
    annotations, found = crowded()
    people = gather(annotations, found)
    wanted = [int((~t.ignore).sum()) for t in annotations.people]
    assert np.bincount(people.image, minlength=len(annotations)).tolist() == wanted
    for number, image in enumerate(annotations.images):
        own = people.image == number
        taken = people.taken[own]
        assert len(set(taken[taken >= 0])) == (taken >= 0).sum()  # nobody is taken twice
        joints = found[image.file_name].joints2d
        assert np.array_equal(people.found[own][taken >= 0], joints[taken[taken >= 0]])
    assert np.isnan(people.found[people.missed]).all()
    assert (people.similarity[people.missed] == 0).all()
    assert (people.similarity[~people.missed] >= MIN_OKS).all()


def test_similarity_is_oks_of_the_pair_and_no_better_pair_is_left(crowded) -> None:
    annotations, found = crowded(7)
    people = gather(annotations, found)
    for number, (image, truth) in enumerate(zip(annotations.images, annotations.people, strict=True)):
        own = people.image == number
        table = oks(found[image.file_name].joints2d.astype(np.float64), truth, COCO17.sigmas)[:, ~truth.ignore]
        taken, similarity = people.taken[own], people.similarity[own]
        assert similarity[taken >= 0] == pytest.approx(table[taken[taken >= 0], np.flatnonzero(taken >= 0)])
        reached = np.zeros(len(table))
        reached[taken[taken >= 0]] = similarity[taken >= 0]
        # A pair that resembles more than both have would have been taken first.
        assert not ((table > reached[:, None]) & (table > similarity) & (table >= MIN_OKS)).any()


def test_order_of_predictions_does_not_matter(crowded) -> None:
    annotations, found = crowded(2)
    base = gather(annotations, found)
    turned = gather(annotations, {name: p[::-1] for name, p in found.items()})
    assert np.array_equal(base.found, turned.found, equal_nan=True)


def test_lsp_is_measured_by_the_torso_and_others_by_the_box(plain) -> None:
    annotations, found = plain(LSP14, 3, 1)
    assert others_unlabelled(annotations)
    people = gather(annotations, {name: p.to_skeleton(LCR13) for name, p in found.items()})
    assert "neck" not in people.skeleton.joints
    assert len(people.skeleton) == 13
    a, b = LSP14.indices("left_shoulder", "right_hip")
    torso = [np.linalg.norm(t.joints[0, a] - t.joints[0, b]) for t in annotations.people]
    assert people.reference == pytest.approx(torso)
    annotations, found = plain(COCO17)
    sides = np.concatenate([t.boxes[:, 2:] - t.boxes[:, :2] for t in annotations.people])
    assert gather(annotations, found).reference == pytest.approx(sides.max(axis=1))


def test_overlap_takes_nobody_where_nothing_overlaps(plain) -> None:
    annotations, _ = plain(LSP14, 1, 1)
    truth = annotations.people[0]
    far, near = truth.joints[0] + 1000, truth.joints[0] + 10
    assert most_overlapping(np.stack([far, near, near + 10]), truth).tolist() == [1]
    assert most_overlapping(far[None], truth).tolist() == [-1]
    assert most_overlapping(np.zeros((0, 14, 2)), truth).tolist() == [-1]
    assert most_overlapping(near[None], replace(truth, ignore=~truth.ignore)).tolist() == [-1]


def test_right_is_within_the_threshold_and_never_where_nobody_was_found(crowded) -> None:
    annotations, found = crowded(4)
    people = gather(annotations, found)
    right = people.right(0.1)
    assert right.any()
    assert not right[people.missed].any()
    assert not right[~people.labelled].any()
    assert ((people.error <= 0.1) == right).mean() > 0.999  # but for rounding at the very limit
    assert (people.right(0.2) | ~right).all()


def test_shared_joints_keep_the_order_and_the_bones_between_them(plain) -> None:
    annotations, found = plain()
    shared = shared_skeleton(annotations, {name: p.to_skeleton(LCR13) for name, p in found.items()})
    assert shared.joints == COCO17.joints[5:]
    assert all({a, b} <= set(shared.joints) for a, b in shared.parents.items())
    annotations, found = plain(LCR13)  # a file only names the joints
    assert shared_skeleton(annotations, found).bones == LCR13.bones


def test_states_are_those_of_the_file(plain) -> None:
    annotations, found = plain(images=2)
    people = gather(annotations, found)
    assert (people.states[:, ::2] == JointState.VISIBLE).sum() + (people.states == JointState.HIDDEN).sum() == 4 * 17
    assert set(people.states[:, 1].tolist()) == {JointState.HIDDEN}
    unknown = replace(annotations, people=tuple(replace(t, states=None) for t in annotations.people))
    assert (gather(unknown, found).states == JointState.MISSING).all()


def test_people_with_3d_who_were_not_found_are_nan(plain) -> None:
    annotations, found = plain(LCR13, images=3, each=1, exact=True)
    found["2.jpg"] = poses(found["2.jpg"].joints2d + 5000, None, LCR13)
    bodies = gather3d(annotations, found)
    assert np.isnan(bodies.found).all(axis=(1, 2)).tolist() == [False, True, False]
    assert (bodies.exact == 0).all()
    annotations, found = plain(LCR13)
    assert gather3d(annotations, found).exact.shape == (0, 13, 3)
