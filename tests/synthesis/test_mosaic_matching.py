"""D_j against a slow re-statement of the paper's formula, and which photographs are chosen."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.samples import Person, Sample
from anchorpose.synthesis.mosaic.matching import (
    CONNECTED,
    J,
    MatchLimits,
    PhotoIndex,
    Query,
    as_points,
    choose_rows,
    farthest_connected,
    joint_distances,
    local_weights,
    match_photographs,
    similarity_of,
)
from tests.synthesis.photographs import random_pose

FREE = MatchLimits(enlargement=1e6, reduction=0, rotation=4, depth=0, switch=0, variety=0)
PIXELS = 100.0


def query_of(pose):
    return Query(as_points((pose[:, :2] * PIXELS).astype(np.float32)), pose[:, 2], PIXELS)


def index_of(joints2d, depths=None):
    samples = []
    for i, joints in enumerate(joints2d):
        joints3d = np.full((13, 3), np.nan, np.float32)
        if depths is not None:
            joints3d[:, 2] = depths[i]
        person = Person(np.array([0, 0, 1, 1], np.float32), joints.astype(np.float32), joints3d=joints3d)
        samples.append(Sample(Path(f"{i}.png"), (person,)))
    return PhotoIndex.of(samples)


def slow_distance(p, q, j):
    """The formula, joint by joint, with 2 x 2 matrices; q has all joints."""
    i = max(CONNECTED[j], key=lambda k: np.hypot(*(p[k] - p[j])))
    old, new = q[i] - q[j], p[i] - p[j]
    scale = np.hypot(*new) / np.hypot(*old)
    angle = np.arctan2(new[1], new[0]) - np.arctan2(old[1], old[0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = [turn @ (point - q[j]) + p[j] for point in q]

    def weights(pose):
        inverse = [0 if k == j else 1 / np.hypot(*(pose[k] - pose[j])) for k in range(13)]
        return [w / sum(inverse) for w in inverse]

    return sum(
        (wp + wq) * np.hypot(*(p[k] - moved[k])) for k, (wp, wq) in enumerate(zip(weights(p), weights(q), strict=True))
    )


def test_connections_are_the_bones_and_the_neck():
    names = {LCR13.joints[j]: {LCR13.joints[i] for i in CONNECTED[j]} for j in range(J)}
    assert names["left_elbow"] == {"left_wrist", "left_shoulder"}
    assert names["head_top"] == {"left_shoulder", "right_shoulder"}
    assert names["right_shoulder"] == {"right_elbow", "right_hip", "head_top"}


@pytest.mark.parametrize("joint", range(13))
def test_distances_are_the_papers(joint):
    rng = np.random.default_rng(joint)
    poses = [random_pose(rng) for _ in range(4)]
    photographs = np.stack([p[:, :2] * rng.uniform(30, 90) + rng.uniform(0, 90, 2) for p in poses[1:]])
    query = query_of(poses[0])
    rows, found = joint_distances(query, index_of(photographs), joint, FREE)
    mirrored = photographs[:, LCR13.flip] * [-1, 1]
    wanted = [slow_distance(poses[0][:, :2], q, joint) for q in (*photographs, *mirrored)]
    assert rows.tolist() == list(range(6))
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_a_missing_joint_leaves_the_others_and_costs_its_share():
    rng = np.random.default_rng(0)
    pose, other = random_pose(rng), random_pose(rng)
    whole = other[:, :2] * 50
    part = whole.copy()
    lost = LCR13.index("left_ankle")
    part[lost] = np.nan
    joint = LCR13.index("left_wrist")
    _, found = joint_distances(query_of(pose), index_of([part]), joint, FREE)
    p, q = pose[:, :2].astype(np.float64), whole
    wp, wq = (local_weights(as_points(x.astype(np.float32)))[joint].astype(np.float64) for x in (p, q))
    moved = as_points(q.astype(np.float32))
    turn, shift = similarity_of(as_points(p.astype(np.float32)), moved, joint)
    error = np.abs(turn * moved + shift - as_points(p.astype(np.float32)))
    keep = np.arange(13) != lost
    share = wp[keep].sum()
    by_query, by_photograph = ((w * error)[keep].sum() / w[keep].sum() for w in (wp, wq))
    assert found[0] == pytest.approx((by_query + by_photograph) * (2 - share), rel=1e-3)
    assert share < 1


def test_weights_sum_to_one_and_fall_with_distance():
    points = as_points(np.stack([random_pose(np.random.default_rng(i))[:, :2] for i in range(3)]))
    weights = local_weights(points)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    distance = np.abs(points[0] - points[0, 4])
    order = np.argsort(distance)[1:]
    assert (np.diff(weights[0, 4, order]) <= 0).all()
    assert weights[0, 4, 4] == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.5, 1.9), st.floats(-0.7, 0.7), st.booleans())
def test_a_moved_copy_of_the_pose_is_found_and_moved_back(seed, scale, angle, mirrored):
    rng = np.random.default_rng(seed)
    pose = random_pose(rng)
    points = as_points((pose[:, :2] * PIXELS).astype(np.float32)) * np.exp(1j * angle) / scale + 7 - 3j
    copy = np.stack([points.real, points.imag], -1)
    if mirrored:
        copy = copy[LCR13.flip] * [-1, 1]
    others = [random_pose(rng)[:, :2] * 60 for _ in range(5)]
    index = index_of([*others, copy])
    matches = match_photographs(query_of(pose), index, rng, MatchLimits(depth=0, variety=0))
    assert set(matches.rows.tolist()) == {5 + len(index) // 2 * mirrored}
    assert index.is_mirrored(int(matches.rows[0])) == mirrored
    assert index.file(int(matches.rows[0])).name == "5.png"
    np.testing.assert_allclose(matches.distances, 0, atol=1e-3)
    np.testing.assert_allclose(np.abs(matches.turns), scale, rtol=1e-3)
    np.testing.assert_allclose(matches.moved, np.tile(query_of(pose).points, (13, 1)), atol=0.05)


def test_similarity_meets_both_joints():
    rng = np.random.default_rng(3)
    query, photograph = (as_points(random_pose(rng)[:, :2]) for _ in range(2))
    for j in range(J):
        turn, shift = similarity_of(query, photograph, j)
        i = farthest_connected(query, j)
        np.testing.assert_allclose(turn * photograph[[j, i]] + shift, query[[j, i]], atol=1e-5)


@pytest.mark.parametrize(("scale", "angle"), [(2.2, 0.0), (0.3, 0.0), (1.0, 0.9)])
def test_photographs_outside_the_limits_are_not_used(scale, angle):
    pose = random_pose(np.random.default_rng(1))
    points = query_of(pose).points * np.exp(1j * angle) / scale
    index = index_of([np.stack([points.real, points.imag], -1)])
    found, _ = joint_distances(query_of(pose), index, 0, MatchLimits())
    assert 0 not in found
    lone = PhotoIndex(index.files, index.points[:1], index.weights[:1], index.depths[:1])
    assert match_photographs(query_of(pose), lone, np.random.default_rng(0)) is None


def test_depth_tells_a_limb_towards_the_camera_from_one_away():
    pose = random_pose(np.random.default_rng(2))
    pose[LCR13.index("left_wrist"), 2] = -0.4
    away = pose.copy()
    away[LCR13.index("left_wrist"), 2] = 0.4
    joints2d = pose[:, :2] * 80
    index = index_of([joints2d, joints2d], [away[:, 2], pose[:, 2]])
    elbow = LCR13.index("left_elbow")
    limits = MatchLimits(variety=0, switch=0)
    chosen = match_photographs(query_of(pose), index, np.random.default_rng(0), limits)
    assert chosen.rows[elbow] == 1
    assert match_photographs(query_of(away), index, np.random.default_rng(0), limits).rows[elbow] == 0


def test_without_switching_costs_each_joint_takes_its_best():
    costs = np.random.default_rng(0).random((13, 50)).astype(np.float32)
    assert choose_rows(costs, 0).tolist() == costs.argmin(1).tolist()


@pytest.mark.parametrize("switch", [0.05, 0.3])
def test_the_choice_is_the_best_of_all(switch):
    pairs = {frozenset(b) for b in LCR13.bones}
    neck = LCR13.indices("right_shoulder", "left_shoulder", "head_top")
    pairs |= {frozenset((neck[0], neck[1])), frozenset((neck[0], neck[2]))}
    every = np.array(list(itertools.product((0, 1), repeat=13)))
    switches = sum(every[:, a] != every[:, b] for a, b in map(tuple, pairs))
    for seed in range(5):
        costs = np.random.default_rng(seed).random((13, 2)).astype(np.float32)
        total = costs[range(13), every].sum(1) + switch * switches
        assert choose_rows(costs, switch).tolist() == every[total.argmin()].tolist()


def test_the_seed_varies_the_choice_and_repeats_it():
    rng = np.random.default_rng(0)
    index = index_of([random_pose(rng)[:, :2] * 80 for _ in range(200)])
    query = query_of(random_pose(rng))
    chosen = [tuple(match_photographs(query, index, np.random.default_rng(s)).rows) for s in (1, 1, 2, 3, 4)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_nobody_to_cut_is_an_input_error():
    joints2d = np.full((13, 2), np.nan)
    joints2d[:5] = 1
    with pytest.raises(InputError, match="found nobody with 9 labelled joints"):
        index_of([joints2d])
