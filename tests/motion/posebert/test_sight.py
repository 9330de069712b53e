"""Poses go back to where the person was seen, by as much as is sure, and smoothly."""

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.motion.posebert.kinematics import measured_lengths
from anchorpose.motion.posebert.sight import Sight, towards_sight

from .graphs import LENGTHS, rigid

CAMERA = Camera.from_fov(1280, 720, 60.0)
PLACE = np.array([0.3, -0.2, 4.0])
SURE, UNSURE = 0.999, 1e-3


def sight(truth, score=SURE, off=0.0):
    """Where (t, 13, 3) poses are seen at 30 frames a second; `off` pixels are added."""
    joints2d = CAMERA.project(truth + PLACE) + off
    shape = np.shape(truth)[:2]
    return Sight(np.arange(len(truth)) / 30, joints2d, np.broadcast_to(PLACE, (len(truth), 3)), np.full(shape, score))


def error(poses, truth):
    """Mean distance from the rays, metres; the depth is not for 2D to say."""
    return np.linalg.norm((poses - truth)[..., :2], axis=-1).mean()


def wrong(truth, seed=0):
    """Segments of the right lengths that point elsewhere, by as much in every frame."""
    rng = np.random.default_rng(seed)
    bent = truth + 0.08 * rng.normal(size=(1, 13, 3))
    return towards_sight(bent, np.arange(len(truth)) / 30, sight(bent), CAMERA, LENGTHS)


def test_poses_that_agree_with_what_is_seen_stay():
    truth = rigid(50, swing=0.2)
    seen = sight(truth)
    np.testing.assert_allclose(towards_sight(truth, seen.times, seen, CAMERA, LENGTHS), truth, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_poses_come_nearer_to_sure_joints_and_keep_their_bones(seed):
    truth = rigid(50, seed, swing=0.05)
    said, seen = wrong(truth, seed), sight(truth)
    found = towards_sight(said, seen.times, seen, CAMERA, LENGTHS)
    assert error(found, truth) < 0.5 * error(said, truth)
    np.testing.assert_allclose(measured_lengths(found), np.broadcast_to(LENGTHS, (50, 12)), atol=1e-5)


def test_unsure_joints_and_people_without_a_place_stay():
    truth = rigid(30)
    said = wrong(truth)
    for seen in (sight(truth, UNSURE), replace(sight(truth), translation=np.full((30, 3), np.nan))):
        found = towards_sight(said, seen.times, seen, CAMERA, LENGTHS)
        np.testing.assert_allclose(found, said, atol=1e-3)


def test_jitter_of_2d_is_not_taken_over():
    """Frame by frame 12 pixels would shake joints by 7 cm."""
    truth = rigid(200, swing=0.05)
    noise = np.random.default_rng(1).normal(0, 12, (200, 13, 2))
    seen = sight(truth, off=noise)
    found = towards_sight(truth, seen.times, seen, CAMERA, LENGTHS)
    shaking = np.abs(np.diff(noise, 2, axis=0)).mean() * PLACE[2] / CAMERA.fx
    assert np.abs(np.diff(found - truth, 2, axis=0)).mean() < 0.1 * shaking


def test_frames_between_are_moved_by_what_is_between():
    truth = rigid(60, swing=0.05)
    said, whole = wrong(truth), sight(truth)
    kept = np.r_[0:20, 30:60]
    seen = Sight(*(getattr(whole, name)[kept] for name in ("times", "joints2d", "translation", "joint_scores")))
    found = towards_sight(said, whole.times, seen, CAMERA, LENGTHS)
    assert error(found[20:30], truth[20:30]) < 0.6 * error(said[20:30], truth[20:30])


def test_unknown_poses_stay_unknown_and_unseen_ones_as_they_are():
    truth = rigid(10)
    nobody = Sight(np.zeros(0), np.zeros((0, 13, 2)), np.zeros((0, 3)), np.zeros((0, 13)))
    np.testing.assert_allclose(towards_sight(truth, np.arange(10.0), nobody, CAMERA, LENGTHS), truth, atol=1e-6)
    seen, said = sight(truth), truth.copy()
    said[9] = np.nan
    some = Sight(seen.times[:9], seen.joints2d[:9], seen.translation[:9], seen.joint_scores[:9])
    found = towards_sight(said, seen.times, some, CAMERA, LENGTHS)
    assert np.isnan(found[9]).all()
    np.testing.assert_allclose(found[:9], truth[:9], atol=1e-5)
