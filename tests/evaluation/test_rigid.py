import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.evaluation.pose3d import mpjpe, pa_mpjpe
from anchorpose.evaluation.rigid import rigid_mpjpe


def test_a_rigid_motion_costs_nothing_and_a_mirror_image_does(rng):
    truth = rng.normal(0, 0.4, (5, 13, 3))
    turns = Rotation.random(5, random_state=1).as_matrix()
    moved = truth @ np.swapaxes(turns, 1, 2) + rng.normal(0, 2, (5, 1, 3))
    np.testing.assert_allclose(rigid_mpjpe(moved, truth), 0, atol=1e-9)
    assert rigid_mpjpe(moved * [-1, 1, 1], truth).min() > 50


def test_the_rotation_is_scipys_and_missing_joints_are_left_out(rng):
    truth, pred = rng.normal(0, 0.4, (2, 40, 13, 3))
    pred[::2, 3], truth[::3, 7] = np.nan, np.nan
    for p, t, error in zip(pred, truth, rigid_mpjpe(pred, truth), strict=True):
        both = np.isfinite(p + t).all(1)
        a, b = p[both] - p[both].mean(0), t[both] - t[both].mean(0)
        assert error == pytest.approx(mpjpe(Rotation.align_vectors(b, a)[0].apply(a), b), rel=1e-6)


def test_the_size_is_kept(rng):
    truth = rng.normal(0, 0.4, (4, 13, 3))
    truth -= truth.mean(1, keepdims=True)
    np.testing.assert_allclose(rigid_mpjpe(1.5 * truth, truth), mpjpe(1.5 * truth, truth), rtol=1e-9)
    np.testing.assert_allclose(pa_mpjpe(1.5 * truth, truth), 0, atol=1e-9)


def test_two_joints_fix_no_rotation(rng):
    truth = rng.normal(0, 0.4, (2, 13, 3))
    pred = truth.copy()
    pred[0, 2:] = np.nan
    errors = rigid_mpjpe(pred, truth)
    assert np.isnan(errors[0])
    assert errors[1] == pytest.approx(0, abs=1e-9)
    assert rigid_mpjpe(np.zeros((0, 13, 3)), np.zeros((0, 13, 3))).shape == (0,)
