import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.pose3d import mpjpe
from anchorpose.synthesis.lifting import ARMS, LEGS, PoseLifter, exchange, fit
from anchorpose.synthesis.views import ViewOptions, see
from tests.synthesis.bodies import walking

VIEWS = ViewOptions(views=60, roll=0.1, turned=0.0)


@pytest.fixture(scope="module")
def lifter():
    return PoseLifter(walking(40), VIEWS, seed=3)


def photographed(poses, rng, noise=0.0):
    """Poses (n, 13, 3) from random sides: camera axes, and pixels of a scaled orthographic camera."""
    angles = np.stack([rng.uniform(0, 2 * np.pi, len(poses)), rng.uniform(0, 0.3, len(poses)),
                       np.zeros(len(poses))], 1).astype(np.float32)  # fmt: skip
    seen = see(poses, angles)
    pixels = seen[..., :2] * 130 + [320, 200] + rng.normal(size=(*poses.shape[:2], 2)) * noise * 130
    return seen, pixels.astype(np.float32)


def test_the_paper_s_match_is_the_library_s_pose_in_that_view(lifter):
    rows = np.array([7, 2500, 4700])  # the last two are of mirrored poses
    seen = lifter.seen(rows)
    lifted = lifter.lift(seen[..., :2] * 90 + [50, 60], neighbours=1, follow=0)
    np.testing.assert_allclose(lifted.joints3d, seen, atol=1e-5)
    assert lifted.error.max() < 1e-3
    assert lifted.pose.tolist() == [0, 1, 38]
    assert lifted.mirrored.tolist() == [False, True, True]
    np.testing.assert_allclose(lifted.joints3d[1], see(walking(40)[1:2, LCR13.flip] * np.float32([-1, 1, 1]),
                                                       lifted.angles[1:2])[0], atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("missing", [(), ("left_wrist", "right_ankle"), ("left_ankle", "right_ankle", "left_knee")])
def test_unseen_steps_are_lifted_closely_and_hidden_joints_completed(lifter, missing):
    rng = np.random.default_rng(1)
    seen, pixels = photographed(walking(61)[10:40], rng, noise=0.01)
    hidden = LCR13.indices(*missing)
    labels = pixels.copy()
    labels[:, hidden] = np.nan
    lifted = lifter.lift(labels)
    # Never-seen phases and views: within 6 cm, where the mean pose of the answers is far off.
    assert mpjpe(lifted.joints3d, seen).mean() < 60
    assert mpjpe(np.broadcast_to(seen.mean(0), seen.shape), seen).mean() > 120
    known = np.setdiff1d(np.arange(13), hidden)
    np.testing.assert_array_equal(lifted.joints2d[:, known], labels[:, known])
    assert np.isfinite(lifted.joints2d).all()
    assert np.linalg.norm(lifted.joints2d - pixels, axis=-1)[:, hidden].mean() < 130 * 0.12 if hidden else True
    np.testing.assert_allclose(body_centre(lifted.joints3d), 0, atol=1e-6)


def test_averaging_and_following_the_labels_help_with_noisy_labels(lifter):
    seen, pixels = photographed(walking(61)[10:50], np.random.default_rng(2), noise=0.03)
    errors = [mpjpe(lifter.lift(pixels, k, f).joints3d, seen).mean() for k, f in ((1, 0.0), (20, 0.0))]
    assert errors[1] < errors[0]
    plain, full = (lifter.lift(pixels, 1, f) for f in (0.0, 1.0))
    scale = fit(plain.joints3d[..., :2], pixels)[0]
    moved = full.joints3d[..., :2] * scale[:, None, None]
    np.testing.assert_allclose(moved - moved[:, :1], pixels - pixels[:, :1], atol=0.05)
    np.testing.assert_allclose(full.joints3d[..., 2], plain.joints3d[..., 2], atol=1e-6)


def test_facing_and_facing_away_are_told_apart(lifter):
    pose = walking(40)[:1]
    for yaw in (0.0, np.pi):
        seen = see(pose, np.array([[yaw, 0.1, 0]], np.float32))
        left, right = LCR13.indices("left_shoulder", "right_shoulder")
        got = lifter.lift(seen[..., :2] * 100).joints3d[0]
        assert np.sign(got[left, 0] - got[right, 0]) == np.sign(seen[0, left, 0] - seen[0, right, 0])
        knees = LCR13.indices("left_knee", "right_knee")
        assert np.abs(got[knees, 2] - seen[0, knees, 2]).max() < 0.15


def test_the_error_grows_with_what_the_library_lacks(lifter):
    seen, pixels = photographed(walking(61)[20:21], np.random.default_rng(4))
    odd = pixels.copy()
    odd[0, LCR13.index("left_wrist")] += [60, -150]
    assert lifter.lift(odd).error[0] > 3 * lifter.lift(pixels).error[0]
    assert seen.shape == (1, 13, 3)


def test_the_fit_recovers_scale_and_shift():
    shape = np.random.default_rng(5).normal(size=(6, 13, 2)).astype(np.float32)
    points = shape * 37 + [5, -8]
    points[:, 4] = np.nan
    scale, shift, error = fit(shape, points)
    np.testing.assert_allclose(scale, 37, rtol=1e-4)
    np.testing.assert_allclose(shift, [[5, -8]] * 6, atol=1e-3)
    np.testing.assert_allclose(error, 0, atol=1e-4)


def test_same_seed_same_answer(lifter):
    _, pixels = photographed(walking(61)[10:14], np.random.default_rng(6), noise=0.02)
    again = PoseLifter(walking(40), VIEWS, seed=3)
    np.testing.assert_array_equal(lifter.lift(pixels).joints3d, again.lift(pixels).joints3d)


@pytest.mark.parametrize("poses", [np.zeros((0, 13, 3)), np.zeros((2, 14, 3)), np.full((2, 13, 3), np.nan)])
def test_unusable_libraries_are_refused(poses):
    with pytest.raises(InputError, match="wanted"):
        PoseLifter(poses.astype(np.float32), VIEWS)


@pytest.mark.parametrize("part", [ARMS, LEGS], ids=["arms", "legs"])
def test_arms_that_contradict_legs_are_found(lifter, part):
    _, pixels = photographed(walking(61)[::2], np.random.default_rng(8), noise=0.01)
    wrong = exchange(pixels, part)
    np.testing.assert_array_equal(exchange(wrong, part), pixels)
    assert (wrong != pixels).any(-1).sum(1).tolist() == [6] * len(pixels)
    found, fine = lifter.swapped(wrong)[0], lifter.swapped(pixels)[0]
    assert found.mean() > 0.6  # from the side both fit
    assert fine.mean() < 0.04


def test_a_person_exchanged_as_a_whole_is_the_mirrored_one_who_faces_away(lifter):
    """Nothing in the labels tells: neither is flagged, and at eye level both fit alike."""
    angles = np.stack([np.linspace(0, 6, 20), np.zeros(20), np.zeros(20)], 1).astype(np.float32)
    pixels = (see(walking(61)[:20], angles)[..., :2] * 130 + 200).astype(np.float32)
    assert not lifter.swapped(pixels[:, LCR13.flip])[0].any()
    one, other = (lifter.lift(p, 1, 0.0).error for p in (pixels, pixels[:, LCR13.flip]))
    assert abs(one.mean() - other.mean()) < 0.3 * one.mean()


def test_arms_alone_contradict_nothing(lifter):
    _, pixels = photographed(walking(61)[::6], np.random.default_rng(9), noise=0.01)
    pixels[:, LCR13.indices(*(f"{side}_{joint}" for side in ("left", "right") for joint in LEGS))] = np.nan
    assert not lifter.swapped(exchange(pixels, ARMS))[0].any()
