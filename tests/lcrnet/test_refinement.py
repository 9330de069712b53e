from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.poses import body_centre
from anchorpose.lcrnet.integration import IntegrationOptions, Proposals, integrate, outside
from anchorpose.lcrnet.refinement import Refined, confident_errors, joint_confidence

from .test_integration import HEIGHT, LOWER, WIDTH, K, crowd, seeds


def second(seeds, joints2d, quality, seed=0):
    rng = np.random.default_rng(seed)
    n = len(seeds)
    return Refined(np.array(seeds, np.int64), np.asarray(joints2d, np.float32),
                   rng.normal(0, 0.4, (n, 13, 3)).astype(np.float32), rng.random((n, 13)).astype(np.float32),
                   np.full((n, 13), 3.0, np.float32), np.array(quality, np.float32))  # fmt: skip


@pytest.fixture
def apart():
    """Three people far from each other, two proposals each, and their seeds."""
    rng = np.random.default_rng(0)
    body2d, body3d = rng.normal(0, 20, (13, 2)), rng.normal(0, 0.4, (13, 3))
    body3d -= body_centre(body3d)
    at = np.repeat([[100, 100], [300, 200], [500, 300]], 2, axis=0)[:, None]
    scores = np.array([0.9, 0.5, 0.8, 0.4, 0.7, 0.3], np.float32)
    return Proposals(np.zeros((6, 4), np.float32), scores, np.zeros(6, np.int64), (body2d + at).astype(np.float32),
                     np.stack([body3d] * 6).astype(np.float32), np.full((6, 13), 0.5, np.float32))  # fmt: skip


def test_people_take_the_second_passs_pose_and_score(apart):
    moved = apart.joints2d[[4, 0, 2]] + 1.5
    refined = second([4, 0, 2], moved, [0.2, 0.6, 0.9])
    people = integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(), refined)
    assert people.scores.tolist() == pytest.approx([0.9, 0.6, 0.2])
    np.testing.assert_allclose(people.joints2d, moved[[2, 1, 0]])
    np.testing.assert_allclose(body_centre(people.joints3d), 0, atol=1e-6)
    bones = np.diff(refined.joints3d[[2, 1, 0]], axis=1)
    np.testing.assert_allclose(np.diff(people.joints3d, axis=1), bones, atol=1e-6)
    np.testing.assert_allclose(people.visibility, refined.visibility[[2, 1, 0]])
    inside = (people.joints2d >= people.boxes[:, None, :2]) & (people.joints2d <= people.boxes[:, None, 2:])
    assert inside.all()


def test_the_order_of_the_proposals_does_not_matter(apart):
    """Seeds are positions in what was given, not in what the integration sorted."""
    shuffle = np.array([3, 5, 0, 2, 4, 1])
    where = {int(old): new for new, old in enumerate(shuffle)}
    moved = apart.joints2d[[0, 2, 4]] + 2
    given = second([where[0], where[2], where[4]], moved, [0.5, 0.6, 0.7])
    people = integrate(apart[shuffle], K, WIDTH, HEIGHT, IntegrationOptions(), given)
    np.testing.assert_allclose(people.joints2d, moved[::-1])


def test_people_not_looked_at_or_unlikely_are_left_out(apart):
    refined = second([0, 2], apart.joints2d[[0, 2]], [0.5, 0.1])
    assert len(integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(), refined)) == 2
    assert len(integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(min_quality=0.3), refined)) == 1
    nobody = second([], np.zeros((0, 13, 2)), [])
    assert len(integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(), nobody)) == 0


@given(seeds, st.integers(0, 40), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_the_least_quality_leaves_out_nobody_else(seed, count, least):
    """Who cannot reach it is not averaged at all, which must change nothing for the others."""
    proposals = crowd(seed, count)
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(rng.random(count) < 0.7)
    refined = second(
        chosen, proposals.joints2d[chosen] + rng.normal(0, 2, (len(chosen), 13, 2)), rng.random(len(chosen))
    )
    options = IntegrationOptions(min_person_score=0.1, same_person=0.8)
    everybody = integrate(proposals, K, WIDTH, HEIGHT, options, refined)
    some = integrate(proposals, K, WIDTH, HEIGHT, replace(options, min_quality=least), refined)
    good = everybody.scores >= least
    np.testing.assert_array_equal(some.scores, everybody.scores[good])
    np.testing.assert_array_equal(some.joints2d, everybody.joints2d[good])
    assert [len(h) for h in some.hypotheses] == [len(h) for h, g in zip(everybody.hypotheses, good, strict=True) if g]


def test_two_groups_that_become_one_person_are_shown_once(apart):
    onto = np.stack([apart.joints2d[0], apart.joints2d[0] + 0.5, apart.joints2d[4]])
    refined = second([0, 2, 4], onto, [0.5, 0.8, 0.7])
    both = integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(), refined)
    once = integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(same_person=0.8), refined)
    assert (len(both), len(once)) == (3, 2)
    np.testing.assert_allclose(once.joints2d, onto[[1, 2]])
    assert len(once.hypotheses) == len(once.errors) == 2


def test_confidence_falls_with_the_expected_error(apart):
    refined = second([0, 2, 4], apart.joints2d[[0, 2, 4]], [0.5, 0.8, 0.7])
    people = integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(), refined)
    steps = [joint_confidence(replace(people, errors=people.errors * f)) for f in (1e-3, 1, 4, 1e4)]
    np.testing.assert_allclose(steps[0], people.visibility, atol=1e-6)
    assert all((a > b).all() for a, b in pairwise(steps))
    assert steps[-1].max() < 0.01
    assert joint_confidence(replace(people, errors=None)) is people.visibility


def test_errors_come_back_from_the_confidence(apart):
    """Of joints that can be seen for sure; a hidden joint's are larger than they were."""
    refined = second([0, 2, 4], apart.joints2d[[0, 2, 4]], [0.5, 0.8, 0.7])
    people = integrate(apart, K, WIDTH, HEIGHT, IntegrationOptions(), refined)
    errors = np.random.default_rng(0).uniform(2, 40, (3, 13)).astype(np.float32)
    people = replace(people, errors=errors, visibility=np.ones((3, 13), np.float32))
    np.testing.assert_allclose(confident_errors(joint_confidence(people), people.joints2d), errors, rtol=1e-3)
    hidden = joint_confidence(replace(people, visibility=np.full((3, 13), 0.5, np.float32)))
    assert (confident_errors(hidden, people.joints2d) > 1.01 * errors).all()
    assert np.isfinite(confident_errors(np.array([[0.0] * 6 + [1.0] * 7]), people.joints2d[:1])).all()


def test_errors_and_places_scale_with_the_picture():
    refined = second([0], np.ones((1, 13, 2)), [0.5]).scaled((2.0, 2.0))
    assert (refined.joints2d == 2).all()
    assert (refined.errors == 6).all()


def test_joints_outside_their_region_cost_score():
    proposals = crowd(4, m=20)
    low, high = proposals.joints2d.min(1) - 1, proposals.joints2d.max(1) + 1
    around = replace(proposals, boxes=np.concatenate([low, high], 1).astype(np.float32))
    assert (outside(around, K) == 0).all()
    # One joint a whole side to the right of its region.
    one = around.joints2d.copy()
    one[:, 12, 0] = around.boxes[:, 2] + (around.boxes[:, 2] - around.boxes[:, 0])
    np.testing.assert_allclose(outside(replace(around, joints2d=one), K),
                               np.where(proposals.labels < K, 1 / 13, 1 / 9), rtol=1e-4)  # fmt: skip
    # Knees and ankles of upper-body classes belong outside.
    legs = around.joints2d.copy()
    legs[:, LOWER, 1] += 1e3
    far = outside(replace(around, joints2d=legs), K)
    assert (far[proposals.labels >= K] == 0).all()
    assert (far[proposals.labels < K] > 0).all()


def test_the_penalty_reorders_people(apart):
    boxes = np.concatenate([apart.joints2d.min(1), apart.joints2d.max(1)], 1)
    boxes[:2] = [0, 0, 5, 5]  # the best person's regions miss the body
    regions = replace(apart, boxes=boxes.astype(np.float32))
    plain = integrate(regions, K, WIDTH, HEIGHT, IntegrationOptions())
    scored = integrate(regions, K, WIDTH, HEIGHT, IntegrationOptions(outside_penalty=1.0, min_score=1e-30,
                                                                     min_person_score=0.0))  # fmt: skip
    np.testing.assert_allclose(plain.joints2d[0].mean(0), apart.joints2d[0].mean(0), rtol=1e-5)
    np.testing.assert_allclose(scored.joints2d[0].mean(0), apart.joints2d[2].mean(0), rtol=1e-5)
    assert scored.scores[-1] < 1e-3
