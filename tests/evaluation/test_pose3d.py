from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from anchorpose.evaluation.pose3d import absolute_mpjpe, average, mpjpe, n_mpjpe, pa_mpjpe, root_error


def test_mpjpe_equals_a_slow_restatement(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 3, 4, 13, 3))
    a[0, 0, :5], b[1, 2, 5], a[2, 3] = np.nan, np.nan, np.nan
    result = mpjpe(a, b)
    assert result.shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        errors = [1000 * math.dist(p, q) for p, q in zip(a[i, j], b[i, j], strict=True)
                  if not np.isnan([p, q]).any()]  # fmt: skip
        assert result[i, j] == pytest.approx(np.mean(errors) if errors else math.nan, nan_ok=True)


def test_a_shift_of_a_centimetre_is_ten_millimetres(rng: np.random.Generator) -> None:
    pose = rng.normal(size=(13, 3)).astype(np.float32)
    assert mpjpe(pose, pose + np.array([0.01, 0, 0])) == pytest.approx(10, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_pa_mpjpe_equals_scipy(seed: int) -> None:
    """scipy normalises both to unit size and may mirror, so the comparison is for pairs that need no mirror."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(13, 3))
    pred = 0.3 * (truth + rng.normal(0, 0.1, truth.shape)) @ Rotation.random(rng=rng).as_matrix() + 5
    standard, fitted, _ = procrustes(truth, pred)
    size = np.linalg.norm(truth - truth.mean(0))
    expected = 1000 * size * np.linalg.norm(standard - fitted, axis=1).mean()
    assert pa_mpjpe(pred, truth) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10))
def test_pa_mpjpe_ignores_rotation_scale_and_shift_but_not_a_mirror(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth, noise = rng.normal(size=(2, 5, 13, 3))
    pred = truth + 0.1 * noise
    moved = scale * pred @ Rotation.random(rng=rng).as_matrix().T + rng.normal(size=3)
    np.testing.assert_allclose(pa_mpjpe(moved, truth), pa_mpjpe(pred, truth), rtol=1e-6)
    assert (pa_mpjpe(truth * [-1, 1, 1], truth) > 50).all()
    assert (pa_mpjpe(pred, truth) <= mpjpe(pred, truth) * 1.05).all()


def test_pa_mpjpe_aligns_the_joints_that_both_have(rng: np.random.Generator) -> None:
    truth = rng.normal(size=(4, 13, 3))
    pred = truth + rng.normal(0, 0.1, truth.shape)
    pred[1, :4], truth[2, 9], pred[3, 2:] = np.nan, np.nan, np.nan
    result = pa_mpjpe(pred, truth)
    assert result[1] == pytest.approx(pa_mpjpe(pred[1, 4:], truth[1, 4:]))
    kept = np.arange(13) != 9
    assert result[2] == pytest.approx(pa_mpjpe(pred[2, kept], truth[2, kept]))
    assert math.isnan(result[3])  # two joints do not fix a rotation


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_pa_mpjpe_equals_scipys_rotation(seed: int) -> None:
    """scipy's `align_vectors` (Kabsch) has no mirror and no scale, so the best scale is found beside it."""
    rng = np.random.default_rng(seed)
    truth, noise = rng.normal(size=(2, 13, 3))
    pred = 2 * (truth + 0.5 * noise) @ Rotation.random(rng=rng).as_matrix() + 5
    p, t = pred - pred.mean(0), truth - truth.mean(0)
    turned = p @ Rotation.align_vectors(t, p)[0].as_matrix().T
    fitted = turned * (turned * t).sum() / (p**2).sum()
    assert pa_mpjpe(pred, truth) == pytest.approx(1000 * np.linalg.norm(fitted - t, axis=1).mean(), rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10))
def test_n_mpjpe_equals_a_search_for_the_scale_and_ignores_it(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth, noise = rng.normal(size=(2, 13, 3))
    pred = 0.7 * truth + 0.2 * noise
    pred[3], truth[5] = np.nan, np.nan
    best = minimize_scalar(lambda s: np.nansum((s * pred - truth) ** 2)).x
    result = n_mpjpe(pred, truth)
    assert result == pytest.approx(mpjpe(best * pred, truth), rel=1e-5)
    assert n_mpjpe(scale * pred, truth) == pytest.approx(result)
    turn = Rotation.random(rng=rng).as_matrix()
    assert n_mpjpe(pred @ turn, truth @ turn) == pytest.approx(result)
    assert n_mpjpe(pred + 1, truth) != pytest.approx(result)  # the origin is fixed


def test_n_mpjpe_of_nothing_and_of_a_point(rng: np.random.Generator) -> None:
    truth = rng.normal(size=(3, 13, 3))
    pred = np.stack([np.zeros((13, 3)), np.full((13, 3), np.nan), truth[2] * 3])
    result = n_mpjpe(pred, truth)
    assert result[0] == pytest.approx(mpjpe(pred[0], truth[0]))
    assert math.isnan(result[1])
    assert result[2] == pytest.approx(0, abs=1e-6)


def test_absolute_errors(rng: np.random.Generator) -> None:
    pred, truth = rng.normal(size=(2, 4, 13, 3))
    pred_root, truth_root = rng.normal(size=(2, 4, 3))
    pred_root[3] = np.nan
    result = absolute_mpjpe(pred, pred_root, truth, truth_root)
    total, along = root_error(pred_root, truth_root)
    for i in range(3):
        placed = pred[i] + pred_root[i], truth[i] + truth_root[i]
        by_hand = np.mean([math.dist(a, b) for a, b in zip(*placed, strict=True)])
        assert result[i] == pytest.approx(1000 * by_hand)
        assert total[i] == pytest.approx(1000 * math.dist(pred_root[i], truth_root[i]))
        np.testing.assert_allclose(along[i], 1000 * np.abs(pred_root[i] - truth_root[i]))
    assert math.isnan(result[3])
    assert math.isnan(total[3])
    np.testing.assert_allclose(absolute_mpjpe(truth, pred_root, truth, truth_root), total)


def test_no_poses_give_no_errors() -> None:
    empty = np.zeros((0, 13, 3))
    assert mpjpe(empty, empty).shape == pa_mpjpe(empty, empty).shape == (0,)
    assert math.isnan(average(mpjpe(empty, empty)))
    assert average(np.array([np.nan, 2.0, 4.0])) == 3
