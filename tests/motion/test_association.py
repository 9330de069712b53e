"""Similarities between 0 and 1 that fall with distance and rise with the time out of sight."""

import itertools

import numpy as np

from anchorpose.core.skeleton import LCR13
from anchorpose.motion.association import assign, keypoint_similarity, place_similarity, pose_similarity

from .people import STANDING, people_at


def test_assignment_is_the_best_of_all_and_never_takes_a_forbidden_pair():
    rng = np.random.default_rng(0)
    for _ in range(20):
        score = np.where(rng.random((4, 3)) < 0.4, 0.0, rng.random((4, 3)))
        rows, columns = assign(score)
        best = max(sum(score[r, c] for c, r in enumerate(order)) for order in itertools.permutations(range(4), 3))
        assert abs(score[rows, columns].sum() - best) < 1e-12
        assert (score[rows, columns] > 0).all()
        assert len(set(rows)) == len(rows)


def test_similarities_fall_with_distance_and_forgive_with_time():
    away = np.array([[x, 0, 4.0] for x in (0, 0.2, 0.5, 1.0, 2.0)])
    people = people_at(away)
    for gap in (0.0, 1.0):
        points = keypoint_similarity(people.joints2d[:1], people.joints2d, np.array([gap]), LCR13)[0]
        place = place_similarity(people.translation[:1], people.translation, np.array([[gap]]))[0]
        poses = np.stack([STANDING * s for s in (1, 1.2, 1.5, 2, 3)])
        pose = pose_similarity(poses[:1], poses, np.array([[gap]]))[0]
        for value in (points, place, pose):
            assert value[0] == 1
            assert (np.diff(value) < 0).all()
            assert (value >= 0).all()
    short, long = (
        keypoint_similarity(people.joints2d[:1], people.joints2d, np.array([g]), LCR13)[0, 1:] for g in (0, 1)
    )
    assert (long > short).all()


def test_missing_joints_do_not_count_and_nothing_known_is_nan():
    people = people_at([[0, 0, 4.0], [0.2, 0, 4.0]])
    some = people.joints2d.copy()
    some[:, ::2] = np.nan
    gap = np.zeros(2)
    assert np.isfinite(keypoint_similarity(some, people.joints2d, gap, LCR13)).all()
    some[0] = np.nan
    assert np.isnan(keypoint_similarity(some, people.joints2d, gap, LCR13)[0]).all()
    nowhere = np.full((1, 3), np.nan)
    assert np.isnan(place_similarity(nowhere, people.translation, np.zeros((1, 1)))).all()
    assert np.isnan(pose_similarity(np.full((1, 13, 3), np.nan), people.joints3d, np.zeros((1, 1)))).all()
