"""The noise model: its moments, and that fitting what it made gives it back."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.tracks import PersonTrack
from anchorpose.training.posebert.clips import Clips, draw_windows
from anchorpose.training.posebert.lcrnet_lite import LCRNET_LITE
from anchorpose.training.posebert.noise import ARMS, GROUP_OF, GROUPS, LEGS, body_axes, expected, outward, spoil
from anchorpose.training.posebert.noise_fit import fit_noise
from anchorpose.training.posebert.pairs import Pair
from tests.motion.people import STANDING
from tests.motion.posebert.graphs import rigid

from .noises import NOISE, PERFECT

TORSO = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")


def moving(people, frames, rng):
    """(people, frames, 13, 3) of somebody upright whose limbs swing, seen from all around."""
    start, speed = rng.uniform(0, 2 * np.pi, (people, 1, 13, 3)), rng.uniform(0.2, 0.4, (people, 1, 13, 3))
    phase = start + np.arange(frames)[None, :, None, None] * speed
    swing = np.where(np.isin(np.arange(13), TORSO), 0.01, 0.15)
    poses = STANDING + swing[:, None] * np.sin(phase)
    angle = rng.uniform(-np.pi, np.pi, people)
    turn = np.zeros((people, 3, 3))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2], turn[:, 2, 0] = np.sin(angle), -np.sin(angle)
    turn[:, 1, 1] = 1
    poses = np.einsum("bij,btnj->btni", turn, poses)
    return poses - body_centre(poses)[..., None, :]


def pairs_of(truth, spoilt, rate):
    pairs = []
    for i, poses in enumerate(truth):
        times = np.arange(len(poses)) / rate
        kept = spoilt.found[i]
        t = int(kept.sum())
        states = np.where(spoilt.seen[i][kept], JointState.VISIBLE, JointState.HIDDEN).astype(np.uint8)
        zeros = np.zeros
        track = PersonTrack(i, times[kept], zeros((t, 13, 2), np.float32), spoilt.joints3d[i][kept].astype(np.float32),
                            zeros((t, 3), np.float32), np.ones(t, np.float32), zeros((t, 13), np.float32), states,
                            zeros(t, bool))  # fmt: skip
        pairs.append(Pair(times, poses.astype(np.float32), zeros((len(poses), 3), np.float32), track))
    return pairs


def test_a_perfect_detector_changes_nothing():
    truth = moving(4, 20, np.random.default_rng(0))
    spoilt = spoil(truth, PERFECT, 30.0, np.random.default_rng(1))
    np.testing.assert_allclose(spoilt.joints3d, truth, atol=1e-12)
    assert spoilt.seen.all()
    assert spoilt.found.all()


def test_each_error_alone_has_its_size():
    rng = np.random.default_rng(0)
    truth = moving(400, 40, rng)
    jitter = replace(PERFECT, joints=(((0.0,) * 3,) * 7, ((0.0,) * 3,) * 7, ((0.01, 0.02, 0.03),) * 7))
    moved = spoil(truth, jitter, 30.0, rng).joints3d - truth
    free = [j for j in range(13) if j not in TORSO]
    # the body centre takes a share of the torso's jitter with it
    wanted = np.sqrt(1.25) * np.array([0.01, 0.02, 0.03])
    np.testing.assert_allclose(moved[:, :, free].std((0, 1, 2)), wanted, rtol=0.02)
    size = spoil(truth, replace(PERFECT, size=np.log(0.8)), 30.0, rng).joints3d
    np.testing.assert_allclose(size, 0.8 * truth, atol=1e-12)
    missing = ~spoil(truth, replace(PERFECT, missing=(0.2, 0.2)), 30.0, rng).found
    assert missing.mean() == pytest.approx(0.2, abs=0.02)
    begins = (missing[:, 1:] & ~missing[:, :-1]).sum()
    assert missing[:, 1:].sum() / begins == pytest.approx(6.0, rel=0.1), "frames of a spell"
    swapped = spoil(truth, replace(PERFECT, swaps=(0.0, 0.3)), 30.0, rng).joints3d
    np.testing.assert_allclose(swapped[:, :, ARMS], truth[:, :, ARMS], atol=1e-12)
    as_is, other = (np.isclose(swapped[:, :, LEGS], truth[:, :, rows]).all((2, 3)) for rows in (LEGS, LCR13.flip[LEGS]))
    assert (as_is ^ other).all()
    assert other.mean() == pytest.approx(0.3, abs=0.02)


def test_gain_draws_limbs_towards_their_mean_in_the_axes_of_the_body():
    truth = moving(30, 40, np.random.default_rng(2))
    gain, offset = np.ones((7, 3)), np.zeros((7, 3))
    wrist = GROUPS.index("wrist")
    gain[wrist], offset[wrist] = (1.0, 1.0, 0.25), (0.1, 0.0, 0.05)
    found = expected(truth, gain, offset)
    rows = wrist == GROUP_OF
    np.testing.assert_allclose(found[:, :, ~rows], truth[:, :, ~rows], atol=1e-12)
    before, after = outward(truth, truth)[:, :, rows], outward(found, truth)[:, :, rows]
    np.testing.assert_allclose(after, before * [1, 1, 0.25] + [0.1, 0, 0.05], atol=1e-12)


def test_body_axes_are_left_down_and_forward():
    axes = body_axes(STANDING)  # faces the camera: forward is -z, their left is +x
    np.testing.assert_allclose(axes, np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1]]).T, atol=1e-9)
    turned = body_axes(rigid(50))
    unit = np.broadcast_to(np.eye(3), turned.shape)
    np.testing.assert_allclose(np.swapaxes(turned, -1, -2) @ turned, unit, atol=1e-9)


def test_mirrored_people_are_spoilt_alike():
    truth = moving(6, 10, np.random.default_rng(3))
    mirrored = truth[:, :, LCR13.flip] * [-1, 1, 1]
    gain, offset = np.asarray(NOISE.gain), np.asarray(NOISE.offset)
    there = expected(mirrored, gain, offset)
    np.testing.assert_allclose(there[:, :, LCR13.flip] * [-1, 1, 1], expected(truth, gain, offset), atol=1e-9)


def test_fitting_what_the_model_made_gives_the_model_back():
    rng = np.random.default_rng(4)
    truth = moving(60, 200, rng)
    noise = replace(NOISE, turns=((0.02, 0.15, 0.02), (0.01, 0.1, 0.01), (0.01, 0.05, 0.01)), burst=0.3)
    fitted = fit_noise(pairs_of(truth, spoil(truth, noise, 15.0, rng), 15.0), 15.0)
    free = [GROUPS.index(g) for g in ("ankle", "knee", "wrist", "elbow")]
    # only their product can be seen: a small person, or one who is drawn towards the middle
    (gain, joints), (wanted_gain, wanted) = ((np.exp(n.size) * np.asarray(n.gain)[free],
                                              np.exp(n.size) * np.asarray(n.joints)[:, free])
                                             for n in (fitted, noise))  # fmt: skip
    np.testing.assert_allclose(gain, wanted_gain, atol=0.13)
    # the body centre moves with half the torso's errors
    np.testing.assert_allclose(np.sqrt((joints**2).sum(0)), np.sqrt(1.25 * (wanted**2).sum(0)), rtol=0.25)
    np.testing.assert_allclose(np.asarray(fitted.turns)[:, 1], np.asarray(noise.turns)[:, 1], rtol=0.4, atol=0.01)
    assert fitted.missing[0] == pytest.approx(noise.missing[0], abs=0.03)
    assert fitted.missing[1] == pytest.approx(noise.missing[1], rel=0.2)
    assert fitted.unseen[0] == pytest.approx(noise.unseen[0], abs=0.02)
    assert fitted.memory in (0.2, 0.3, 0.45)


def test_too_little_to_fit_is_said():
    truth = moving(2, 20, np.random.default_rng(0))
    with pytest.raises(InputError, match="found 40 poses in 2 tracks, wanted 100"):
        fit_noise(pairs_of(truth, spoil(truth, PERFECT, 15.0, np.random.default_rng(0)), 15.0), 15.0)


def test_the_shipped_numbers_make_poses_of_people():
    truth = draw_windows(Clips.of([rigid(300)]), 20, 64, np.random.default_rng(0)).joints3d
    spoilt = spoil(truth, LCRNET_LITE, 30.0, np.random.default_rng(0))
    assert np.isfinite(spoilt.joints3d).all()
    np.testing.assert_allclose(body_centre(spoilt.joints3d), 0, atol=1e-9)
    error = np.linalg.norm(spoilt.joints3d - truth, axis=-1)
    assert 0.02 < error.mean() < 0.4
