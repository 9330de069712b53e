"""Placement recovers the translation of people whose projection is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from anchorpose.core.camera import Camera, looking_along
from anchorpose.core.poses import body_centre
from anchorpose.lcrnet.placement import MIN_DEPTH, OFF_3D, along_rays, in_camera_axes, place, reprojection_error

seeds = st.integers(0, 2**32 - 1)
CAMERA = Camera.from_fov(1280, 720)
NAN = float("nan")
AHEAD = np.array([0.0, 0.0, 4.0])


def bodies(rng: np.random.Generator, n: int) -> np.ndarray:
    joints3d = rng.normal(0, 0.35, (n, 13, 3))
    return np.asarray(joints3d - body_centre(joints3d)[:, None])


def scene(seed: int, n: int, camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relative 3D poses, their translations (all joints in front) and their projections."""
    rng = np.random.default_rng(seed)
    joints3d = bodies(rng, n)
    depth = rng.uniform(0.5, 20, n) - joints3d[..., 2].min(-1)
    translation = np.stack([rng.uniform(-0.8, 0.8, n) * depth, rng.uniform(-0.8, 0.8, n) * depth, depth], -1)
    return joints3d, translation, camera.project(joints3d + translation[:, None])


cameras = st.builds(
    Camera,
    fx=st.floats(300, 3000), fy=st.floats(300, 3000), cx=st.floats(-200, 2000), cy=st.floats(-200, 2000),
    width=st.just(1280), height=st.just(720),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(seeds, st.integers(1, 6), cameras)
def test_an_exact_projection_gives_the_exact_translation(seed: int, n: int, camera: Camera) -> None:
    joints3d, translation, joints2d = scene(seed, n, camera)
    found = place(joints2d, joints3d, camera)
    np.testing.assert_allclose(found, translation, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(reprojection_error(joints2d, joints3d, found, camera), 0, atol=1e-2)


@settings(max_examples=30, deadline=None)
@given(seeds, st.booleans(), st.sampled_from([0.02, 0.2]))
def test_noisy_projections_give_the_least_squares_optimum(seed: int, weighted: bool, noise: float) -> None:
    joints3d, translation, joints2d = scene(seed, 1)
    rng = np.random.default_rng(seed)
    joints2d = joints2d + rng.normal(0, noise * joints2d.std(1).mean(), joints2d.shape)
    weights = rng.uniform(0.1, 1, (1, 13)) if weighted else None

    def residual(shift: np.ndarray) -> np.ndarray:
        w = np.ones((13, 1)) if weights is None else weights[0][:, None]
        return np.asarray((np.sqrt(w) * (CAMERA.project(joints3d[0] + shift) - joints2d[0])).ravel())

    found = place(joints2d, joints3d, CAMERA, weights)
    nearest = -joints3d[0, :, 2].min() + MIN_DEPTH
    best = least_squares(residual, translation[0], bounds=([-np.inf, -np.inf, nearest], np.inf), xtol=1e-12, ftol=1e-12)
    assert (residual(found[0].astype(float)) ** 2).sum() <= (best.fun**2).sum() * (1 + 1e-4) + 1e-3


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_refinement_never_makes_the_linear_solution_worse(seed: int) -> None:
    joints3d, _, joints2d = scene(seed, 1)
    joints2d = joints2d + np.random.default_rng(seed).normal(0, joints2d.std(1).mean(), joints2d.shape)
    x, y, z = joints3d[0].T
    u, v = joints2d[0].T - np.array([[CAMERA.cx], [CAMERA.cy]])
    zero, f = np.zeros(13), np.full(13, CAMERA.fx)
    rows = np.concatenate([np.stack([f, zero, -u], -1), np.stack([zero, f, -v], -1)])
    linear = np.linalg.lstsq(rows, np.concatenate([u * z - f * x, v * z - f * y]))[0]
    linear[2] = max(linear[2], MIN_DEPTH - z.min())
    before = reprojection_error(joints2d, joints3d, linear[None], CAMERA)
    assert reprojection_error(joints2d, joints3d, place(joints2d, joints3d, CAMERA), CAMERA) <= before * 1.0001


def test_noise_of_a_few_pixels_moves_people_a_few_percent() -> None:
    joints3d, translation, joints2d = scene(0, 200)
    near = translation[:, 2] < 8
    noisy = joints2d + np.random.default_rng(1).normal(0, 2, joints2d.shape)
    error = np.abs(place(noisy, joints3d, CAMERA) - translation)[:, 2] / translation[:, 2]
    assert 0 < np.median(error[near]) < 0.02
    assert error[near].max() < 0.15


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(3, 12))
def test_missing_joints_do_not_count(seed: int, kept: int) -> None:
    joints3d, translation, joints2d = scene(seed, 2)
    gone = np.random.default_rng(seed).permutation(13)[kept:]
    joints2d[0, gone], joints3d[1, gone] = NAN, NAN
    np.testing.assert_allclose(place(joints2d, joints3d, CAMERA), translation, rtol=1e-4, atol=1e-4)


def test_joints_without_weight_do_not_count() -> None:
    joints3d, translation, joints2d = scene(4, 3)
    joints2d[:, :3] += 500
    weights = np.ones((3, 13))
    weights[:, 0], weights[:, 1], weights[:, 2] = 0, NAN, -1
    np.testing.assert_allclose(place(joints2d, joints3d, CAMERA, weights), translation, rtol=1e-5, atol=1e-5)
    assert np.abs(place(joints2d, joints3d, CAMERA) - translation).max() > 0.05


def test_the_scale_of_the_weights_does_not_matter() -> None:
    joints3d, _, joints2d = scene(6, 4)
    noise = np.random.default_rng(6).normal(0, 5, joints2d.shape)
    weights = np.random.default_rng(7).uniform(0.1, 1, (4, 13))
    found = [place(joints2d + noise, joints3d, CAMERA, weights * scale) for scale in (1, 1000)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


def test_people_do_not_influence_each_other() -> None:
    joints3d, _, joints2d = scene(8, 5)
    joints2d += np.random.default_rng(8).normal(0, 5, joints2d.shape)
    joints2d[2], joints2d[3, :, 0] = NAN, 100.0
    together = place(joints2d, joints3d, CAMERA)
    alone = np.concatenate([place(joints2d[i : i + 1], joints3d[i : i + 1], CAMERA) for i in range(5)])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(together).any(-1), [False, False, True, False, False])


@pytest.mark.parametrize("usable", [0, 1])
def test_fewer_than_two_joints_place_nobody(usable: int) -> None:
    joints3d, _, joints2d = scene(1, 1)
    joints2d[0, usable:] = NAN
    found = place(joints2d, joints3d, CAMERA)
    assert np.isnan(found).all()
    assert np.isnan(reprojection_error(joints2d, joints3d, found, CAMERA)).all()


def test_two_joints_place_somebody() -> None:
    joints3d, translation, joints2d = scene(1, 1)
    joints2d[0, 2:] = NAN
    np.testing.assert_allclose(place(joints2d, joints3d, CAMERA), translation, rtol=1e-4, atol=1e-4)


def test_nobody() -> None:
    assert place(np.zeros((0, 13, 2)), np.zeros((0, 13, 3)), CAMERA).shape == (0, 3)


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0, 300), st.sampled_from([1.0, 0.01, -1.0, 100.0]))
def test_every_joint_is_in_front_whatever_the_input(seed: int, spread: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    joints3d = bodies(rng, 4)
    projected = CAMERA.project(joints3d + AHEAD) - [CAMERA.cx, CAMERA.cy]
    joints2d = scale * projected + [CAMERA.cx, CAMERA.cy] + rng.normal(0, spread, (4, 13, 2))
    found = place(joints2d, joints3d, CAMERA)
    assert np.isfinite(found).all()
    assert ((joints3d + found[:, None])[..., 2] >= MIN_DEPTH - 1e-4).all()
    assert np.isfinite(reprojection_error(joints2d, joints3d, found, CAMERA)).all()


def test_a_joint_without_pixels_is_in_front_too() -> None:
    """The person reaches past the camera: joints behind it have no projection."""
    joints3d = bodies(np.random.default_rng(3), 1)
    joints3d[0, 0] = [0.1, 0.5, -1.0]
    translation = np.array([[0.1, 0.2, 0.95]])
    joints2d = CAMERA.project(joints3d + translation[:, None])
    assert 0 < np.isnan(joints2d[..., 0]).sum() < 8
    found = place(joints2d, joints3d, CAMERA)
    np.testing.assert_allclose(found[0, 2], -joints3d[..., 2].min() + MIN_DEPTH, atol=1e-3)
    np.testing.assert_allclose(found[0, :2], translation[0, :2], atol=0.3)


def test_all_joints_on_one_pixel_stand_far_away_on_its_ray() -> None:
    joints3d = bodies(np.random.default_rng(2), 1)
    found = place(np.full((1, 13, 2), [900.0, 100.0]), joints3d, CAMERA)
    size = np.sqrt(((joints3d[..., :2] - joints3d[..., :2].mean(1)) ** 2).sum(-1).mean())
    np.testing.assert_allclose(found[0, 2], CAMERA.fx * size - joints3d[..., 2].mean(), rtol=1e-4)
    centre = CAMERA.project(joints3d.mean(1) + found)
    np.testing.assert_allclose(centre, [[900.0, 100.0]], atol=1.0)


def test_a_mirrored_person_falls_back_to_scaled_orthography() -> None:
    """A picture upside down and mirrored is what a person behind the camera would look like."""
    joints3d = bodies(np.random.default_rng(9), 1)
    flat = joints3d * [1, 1, 0] + [0, 0, 0.5]
    upright = CAMERA.project(flat + AHEAD)
    found = place([CAMERA.width, CAMERA.height] - upright, flat, CAMERA)
    np.testing.assert_allclose(found[0, 2], 4.0, rtol=1e-5)
    spread = place([CAMERA.width, CAMERA.height] - CAMERA.project(joints3d + AHEAD), joints3d, CAMERA)
    assert 2 < spread[0, 2] < 8


def test_reprojection_error_is_a_weighted_root_mean_square() -> None:
    joints3d, translation, joints2d = scene(5, 2)
    off = joints2d.copy()
    off[:, 0, 0] += 13
    np.testing.assert_allclose(reprojection_error(off, joints3d, translation, CAMERA), 13 / 13**0.5, rtol=1e-5)
    weights = np.ones((2, 13))
    weights[:, 0] = 0
    np.testing.assert_allclose(reprojection_error(off, joints3d, translation, CAMERA, weights), 0, atol=1e-6)
    behind = reprojection_error(joints2d, joints3d, -translation, CAMERA)
    assert np.isnan(behind).all()


@settings(max_examples=40)
@given(seed=seeds, camera=cameras)
def test_3d_that_agrees_with_2d_stays(seed, camera):
    joints3d, translation, joints2d = scene(seed, 3, camera)
    errors = np.random.default_rng(seed).uniform(0, 50, (3, 13))
    moved, shift = along_rays(joints2d, joints3d, translation, camera, errors)
    np.testing.assert_allclose(moved, joints3d, atol=1e-4)
    np.testing.assert_allclose(shift, translation, atol=1e-4)


@settings(max_examples=40)
@given(seed=seeds, camera=cameras)
def test_joints_go_to_the_rays_of_sure_2d_and_keep_their_depth(seed, camera):
    """Sure joints are seen where 2D is, unsure ones stay; depths do not change, the body centre is where it says."""
    joints3d, translation, joints2d = scene(seed, 4, camera)
    rng = np.random.default_rng(seed)
    seen = joints2d + rng.normal(0, 20, joints2d.shape)
    errors = np.where(rng.random((4, 13)) < 0.5, 0.0, 1e9)
    moved, shift = along_rays(seen, joints3d, translation, camera, errors)
    placed, before = moved.astype(float) + shift[:, None], joints3d + translation[:, None]
    np.testing.assert_allclose(placed[..., 2], before[..., 2], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(camera.project(placed)[errors == 0], seen[errors == 0], rtol=1e-4, atol=0.2)
    np.testing.assert_allclose(placed[errors > 0], before[errors > 0], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(body_centre(moved), 0, atol=1e-4)


def test_the_mean_of_two_measurements_is_nearer_than_either():
    """Joints that 2D and 3D saw with independent noise of the size that each is said to have."""
    joints3d, translation, _ = scene(5, 400)
    rng, truth = np.random.default_rng(6), joints3d + translation[:, None]
    depth = truth[..., 2]
    off = OFF_3D * rng.uniform(0.2, 3, depth.shape)
    errors = off * CAMERA.fx / depth
    seen = CAMERA.project(truth) + errors[..., None] * rng.laplace(size=(*depth.shape, 2))
    guessed = joints3d.copy()
    guessed[..., :2] += OFF_3D * rng.laplace(size=(*depth.shape, 2))
    moved, shift = along_rays(seen, guessed, translation, CAMERA, errors)
    error = np.abs((moved + shift[:, None] - truth)[..., :2]).mean()
    alone3d = np.abs(guessed - joints3d)[..., :2].mean()
    alone2d = np.abs((seen - CAMERA.project(truth)) * depth[..., None] / CAMERA.fx).mean()
    assert error < 0.8 * min(alone3d, alone2d)


def test_unknown_joints_and_unplaced_people_stay():
    joints3d, translation, joints2d = scene(7, 2)
    joints2d[0, 3], translation[1] = NAN, NAN
    moved, shift = along_rays(joints2d + 30, joints3d, translation, CAMERA, np.zeros((2, 13)))
    placed = moved[0] + shift[0]
    np.testing.assert_allclose(placed[3], (joints3d + translation[:, None])[0, 3], atol=1e-4)
    np.testing.assert_allclose(moved[1], joints3d[1], atol=1e-5)
    assert np.isnan(shift[1]).all()


@settings(max_examples=40)
@given(seed=seeds, camera=cameras)
def test_poses_that_were_seen_straight_on_are_turned_into_the_cameras_axes(seed, camera):
    """A second camera at the same place looks straight at each person; what it sees is what both see."""
    rng = np.random.default_rng(seed)
    joints3d = bodies(rng, 4)
    places = rng.normal(size=(4, 3)) * [2.0, 1.0, 0.0] + [0, 0, 5.0]
    seen = joints3d @ looking_along(places)
    centres = np.broadcast_to(camera.project(places)[:, None], (4, 13, 2))
    np.testing.assert_allclose(in_camera_axes(centres, seen, camera), joints3d, atol=1e-5)


def test_somebody_who_faces_the_camera_at_its_right_is_turned_to_the_left_of_its_axis():
    """To face the camera they must look along the ray, which to the camera's axes is a turn."""
    toes = np.zeros((1, 13, 3))
    toes[0, 0] = [0, 0, -1]  # towards whoever looks
    right = np.broadcast_to([CAMERA.cx + CAMERA.fx, CAMERA.cy], (1, 13, 2))
    np.testing.assert_allclose(in_camera_axes(right, toes, CAMERA)[0, 0], [-(0.5**0.5), 0, -(0.5**0.5)], atol=1e-6)


def test_poses_of_unknown_rays_stay():
    joints3d, _, joints2d = scene(9, 2)
    joints2d[0] = NAN
    turned = in_camera_axes(joints2d, joints3d, CAMERA)
    np.testing.assert_allclose(turned[0], joints3d[0], atol=1e-6)
    assert np.abs(turned[1] - joints3d[1]).max() > 0.01
    assert in_camera_axes(joints2d[:0], joints3d[:0], CAMERA).shape == (0, 13, 3)
