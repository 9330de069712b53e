"""The blend against slow re-statements, pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mosaic.blending import (
    blend,
    border_points,
    pose_distance,
    probability_maps,
    stray_body,
    vertex_probabilities,
    window_shares,
)
from tests.synthesis.photographs import random_pose


def pose_at(seed, x=50, y=55, scale=45):
    return (random_pose(np.random.default_rng(seed))[:, :2] * scale + [x, y]).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 17), st.integers(1, 17), st.integers(1, 5))
def test_window_shares_are_the_histograms(seed, height, width, count):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, count + 1, (height, width)).astype(np.uint8)  # `count` stands for no photograph
    radius = rng.integers(0, 9, (height, width))
    shares = window_shares(labels, count, radius)
    for v in range(height):
        for u in range(width):
            r = radius[v, u]
            square = labels[max(v - r, 0) : v + r + 1, max(u - r, 0) : u + r + 1]
            wanted = [(square == s).mean() for s in range(count)]
            np.testing.assert_allclose(shares[v, u], wanted, atol=1e-6)


def test_probability_maps_interpolate_the_triangulation():
    rng = np.random.default_rng(0)
    vertices = np.concatenate([pose_at(0), border_points(100, 120)])
    values = rng.random((3, len(vertices))).astype(np.float32)
    maps = probability_maps(vertices, values, 100, 120)
    y, x = np.mgrid[:120, :100] + 0.5
    for s in range(3):
        wanted = LinearNDInterpolator(vertices, values[s])(x, y)
        np.testing.assert_allclose(maps[..., s], wanted, atol=1e-3)


def test_each_joint_belongs_to_a_photograph_that_fits_there():
    joints2d = pose_at(4)
    border = border_points(100, 120)
    errors = np.abs(np.random.default_rng(0).normal(0, 20, (13, 13))) + 3
    np.fill_diagonal(errors, 0)
    errors[2, 5] = np.nan
    values = vertex_probabilities(errors.astype(np.float32), joints2d, border, sigma=5)
    assert values.shape == (13, 21)
    np.testing.assert_array_equal(np.diag(values[:, :13]), 1)
    assert values[2, 5] == 0
    assert (values[:, 13:] < 1e-4).all()
    assert (values[:, 13:] > 0).all()
    maps = probability_maps(np.concatenate([joints2d, border]), values, 100, 120)
    for j, (x, y) in enumerate(joints2d.astype(int)):
        assert maps[y, x].argmax() == j


def test_pose_distance_is_to_the_nearest_limb():
    joints2d = pose_at(7)
    found = pose_distance(joints2d, 100, 120)
    y, x = np.mgrid[:120, :100] + 0.5
    points = np.stack([x, y], -1)
    neck = joints2d[LCR13.indices("left_shoulder", "right_shoulder")].mean(0)
    segments = [(joints2d[a], joints2d[b]) for a, b in LCR13.bones] + [(joints2d[12], neck)]
    nearest = np.full((120, 100), np.inf)
    for a, b in segments:
        along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - a - along[..., None] * (b - a), axis=-1))
    outside = found > 2  # inside the torso there is no distance
    assert np.abs(found - nearest)[outside].max() < 1.6
    for x, y in joints2d.astype(int):
        assert found[y, x] <= 1.5
    chest = joints2d[LCR13.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")].mean(0).astype(int)
    assert found[chest[1], chest[0]] == 0


def test_pose_distance_leaves_missing_joints_out():
    joints2d = pose_at(7)
    joints2d[LCR13.index("left_ankle")] = np.nan
    assert np.isfinite(pose_distance(joints2d, 100, 120)).all()


def test_a_limb_elsewhere_is_stray_and_the_same_pose_is_not():
    joints2d = pose_at(1)
    distance = pose_distance(joints2d, 100, 120)
    assert not stray_body(joints2d, distance, reach=4).any()
    moved = joints2d.copy()
    wrist = LCR13.index("left_wrist")
    moved[wrist] = [95, 10]
    stray = stray_body(moved, distance, reach=4)
    assert stray[10, 95]
    assert not stray[distance < 4].any()


def test_blend_follows_the_shares_where_all_layers_cover():
    rng = np.random.default_rng(0)
    layers = [rng.integers(0, 256, (8, 9, 3)).astype(np.uint8) for _ in range(3)]
    shares = rng.dirichlet(np.ones(3), (8, 9)).astype(np.float32)
    mixed = blend(layers, np.ones((8, 9, 3), np.float32), shares, np.zeros((8, 9, 3), np.uint8))
    wanted = sum(shares[..., s, None].astype(np.float64) * layers[s] for s in range(3))
    assert np.abs(mixed - wanted).max() <= 0.6


@pytest.mark.parametrize("cover", [0.0, 0.25, 1.0])
def test_the_background_shows_as_far_as_no_layer_covers(cover):
    layers = [np.full((4, 4, 3), 200, np.uint8), np.full((4, 4, 3), 90, np.uint8)]
    shares = np.zeros((4, 4, 2), np.float32)
    shares[..., 1] = 1  # asks for a layer that does not cover anything
    visible = np.zeros((4, 4, 2), np.float32)
    visible[..., 0] = cover
    mixed = blend(layers, visible, shares, np.full((4, 4, 3), 20, np.uint8))
    np.testing.assert_allclose(mixed, round(200 * cover + 20 * (1 - cover)), atol=1)
