from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.evaluation.pck3d import AUC_MILLIMETRES, joint_errors, pck3d


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 5))
def test_equals_a_slow_restatement(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 6, 3))
    pred = truth + rng.normal(0, 0.08, truth.shape)
    pred[rng.random((n, 6)) < 0.2] = np.nan
    truth[rng.random((n, 6)) < 0.2] = np.nan
    errors = [[math.inf if np.isnan(pred[i, j]).any() else 1000 * math.dist(pred[i, j], truth[i, j])
               for i in range(n) if not np.isnan(truth[i, j]).any()] for j in range(6)]  # fmt: skip
    flat = [e for column in errors for e in column]
    result = pck3d(pred, truth)
    if not flat:
        assert math.isnan(result.pck)
        assert math.isnan(result.auc)
        return
    shares = [sum(e < limit for e in flat) / len(flat) for limit in range(0, 151, 5)]
    assert (len(shares), AUC_MILLIMETRES.tolist()) == (31, list(range(0, 151, 5)))
    assert result.pck == pytest.approx(shares[-1])
    assert result.auc == pytest.approx(np.mean(shares))
    np.testing.assert_allclose(result.curve, shares)
    np.testing.assert_allclose(result.per_joint, [sum(e < 150 for e in c) / len(c) if c else math.nan for c in errors])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_does_not_depend_on_rigid_motion_and_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(4, 13, 3))
    pred = truth + rng.normal(0, 0.07, truth.shape)
    turn, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3)
    base, moved = pck3d(pred, truth), pck3d((pred @ turn + shift)[::-1], (truth @ turn + shift)[::-1])
    assert (moved.pck, moved.auc) == pytest.approx((base.pck, base.auc))
    np.testing.assert_allclose(joint_errors(pred @ turn, truth @ turn), joint_errors(pred, truth))
    assert base.auc <= base.pck


def test_extremes(rng: np.random.Generator) -> None:
    truth = rng.normal(size=(2, 13, 3))
    perfect = pck3d(truth, truth)
    assert (perfect.pck, perfect.auc) == (1, pytest.approx(30 / 31))
    missing = pck3d(truth * np.nan, truth)
    assert (missing.pck, missing.auc) == (0, 0)
    edge = pck3d(np.full((1, 1, 3), [0.125, 0, 0]), np.zeros((1, 1, 3)), threshold=125)
    assert edge.pck == 0  # the limit is wrong
    with_leads = pck3d(np.stack([truth, truth * np.nan]), np.stack([truth, truth]))
    assert (with_leads.pck, with_leads.per_joint.shape) == (0.5, (13,))
