import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.views import ViewOptions, mirror_poses, see, view_angles


def test_seeing_turns_and_never_mirrors_or_stretches():
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(50, 13, 3)).astype(np.float32)
    angles = view_angles(50, ViewOptions(views=1), rng)[:, 0]
    seen = see(poses, angles)
    np.testing.assert_allclose(seen @ np.swapaxes(seen, 1, 2), poses @ np.swapaxes(poses, 1, 2), atol=1e-4)
    triple = [np.linalg.det(p[:, :3]) for p in (poses, seen)]
    np.testing.assert_allclose(triple[0], triple[1], atol=1e-4)


def test_positive_pitch_looks_down_on_the_person():
    feet = np.array([[[0, 1, 0]]], np.float32)
    lower = see(feet, np.array([[0, 0.5, 0]], np.float32))[0, 0]
    # Seen from above, going down also goes away from the camera.
    np.testing.assert_allclose(lower, [0, np.cos(0.5), np.sin(0.5)], atol=1e-6)


def test_yaw_turns_about_the_vertical_and_roll_about_the_view_axis():
    point = np.array([[[0.3, 1, 0.4]]], np.float32)
    assert see(point, np.array([[1.2, 0, 0]], np.float32))[0, 0, 1] == pytest.approx(1)
    assert see(point, np.array([[0, 0, 1.2]], np.float32))[0, 0, 2] == pytest.approx(0.4)


def test_angles_stay_in_their_ranges_and_yaw_covers_the_circle():
    options = ViewOptions(views=16, pitch=(-0.1, 0.4), roll=0.2, turned=0.0)
    yaw, pitch, roll = np.moveaxis(view_angles(30, options, np.random.default_rng(1)), -1, 0)
    assert pitch.min() >= -0.1
    assert pitch.max() <= 0.4
    assert np.abs(roll).max() <= 0.2
    assert all(sorted(np.floor(row / (2 * np.pi / 16))) == list(range(16)) for row in yaw)


def test_half_of_the_views_may_be_upside_down():
    roll = view_angles(400, ViewOptions(views=10), np.random.default_rng(2))[..., 2]
    # Of the half that is turned, a roll within +-0.25 has the share 0.25 / pi.
    assert (np.abs(roll) <= 0.25).mean() == pytest.approx(0.5 + 0.5 * 0.25 / np.pi, abs=0.03)


def test_mirroring_swaps_sides_and_is_its_own_inverse():
    poses = np.random.default_rng(3).normal(size=(4, 13, 3)).astype(np.float32)
    once = mirror_poses(poses)
    np.testing.assert_array_equal(mirror_poses(once), poses)
    left, right = LCR13.indices("left_wrist", "right_wrist")
    np.testing.assert_array_equal(once[:, left], poses[:, right] * [-1, 1, 1])


@pytest.mark.parametrize("bad", [{"views": 0}, {"pitch": (0.5, 0.1)}, {"roll": -1.0}, {"turned": 1.5}])
def test_impossible_cameras_are_refused(bad):
    with pytest.raises(InputError, match="found"):
        ViewOptions(**bad)
