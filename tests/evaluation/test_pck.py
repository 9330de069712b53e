from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.skeleton import LCR13, LSP14
from anchorpose.evaluation.keypoints import pck, torso_diameter
from anchorpose.evaluation.pck import LSP_LIMBS, box_size, head_size, pck_curve, pcp, pdj_curve


def people(seed: int, n: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, 14, 2) predictions with gaps, truth, (n, 14) labelled."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 50, (n, 14, 2))
    pred = truth + rng.normal(0, 15, truth.shape)
    pred[rng.random((n, 14)) < 0.1] = np.nan
    return pred, truth, rng.random((n, 14)) < 0.8


def slow_pcp(pred: np.ndarray, truth: np.ndarray, visible: np.ndarray, strict: bool, threshold: float) -> dict:
    rates = {}
    for name, ends in LSP_LIMBS.items():
        hits = []
        for p, t, v in zip(pred, truth, visible, strict=True):
            if not all(v[LSP14.index(j)] for end in ends for j in end):
                continue
            places = [[sum(x[LSP14.index(j)] for j in end) / len(end) for end in ends] for x in (p, t)]
            errors = [math.dist(a, b) for a, b in zip(*places, strict=True)]
            length = math.dist(*places[1])
            if length == 0:
                continue
            good = all(e <= threshold * length for e in errors) if strict else sum(errors) / 2 <= threshold * length
            hits.append(good)
        rates[name] = sum(hits) / len(hits) if hits else math.nan
    return rates


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 6), strict=st.booleans(), threshold=st.sampled_from([0.1, 0.5]))
def test_pcp_equals_a_slow_restatement(seed: int, n: int, strict: bool, threshold: float) -> None:
    pred, truth, visible = people(seed, n)
    truth[::3, 1] = truth[::3, 0]  # a limb without length
    result = pcp(pred, truth, visible, LSP14, strict=strict, threshold=threshold)
    expected = slow_pcp(pred, truth, visible, strict, threshold)
    assert list(result.per_limb) == list(expected)
    np.testing.assert_allclose(list(result.per_limb.values()), list(expected.values()))
    known = [rate for rate in expected.values() if not math.isnan(rate)]
    assert result.mean == pytest.approx(np.mean(known) if known else math.nan, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_strict_pcp_is_never_above_loose_pcp(seed: int) -> None:
    pred, truth, visible = people(seed)
    strict, loose = (pcp(pred, truth, visible, LSP14, strict=s).per_limb for s in (True, False))
    assert all(math.isnan(strict[limb]) or strict[limb] <= loose[limb] for limb in LSP_LIMBS)


def test_one_end_far_off_is_right_for_loose_pcp_only() -> None:
    knee, ankle = LSP14.indices("left_knee", "left_ankle")
    truth = np.zeros((1, 14, 2))
    truth[0, ankle] = 0, 100
    pred = truth.copy()
    pred[0, knee] = 80, 0
    visible = np.zeros((1, 14), bool)
    visible[0, [knee, ankle]] = True
    rates = [pcp(pred, truth, visible, LSP14, strict=strict).per_limb["left_lower_leg"] for strict in (True, False)]
    assert rates == [0, 1]


def test_limbs_that_a_skeleton_lacks_are_left_out(rng: np.random.Generator) -> None:
    truth = rng.normal(0, 50, (2, 13, 2))
    result = pcp(truth, truth, np.ones((2, 13), bool), LCR13)
    assert set(LSP_LIMBS) - set(result.per_limb) == {"head"}
    assert (result.mean, set(result.counts.values())) == (1, {2})


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10), shift=st.floats(-500, 500))
def test_curves_rise_and_do_not_depend_on_place_scale_and_order(seed: int, scale: float, shift: float) -> None:
    pred, truth, visible = people(seed)
    thresholds = np.linspace(0.005, 0.5, 9)
    base = pdj_curve(pred, truth, visible, LSP14, thresholds)
    moved = pdj_curve((pred * scale + shift)[::-1], (truth * scale + shift)[::-1], visible[::-1], LSP14, thresholds)
    np.testing.assert_allclose(moved.per_joint, base.per_joint)
    assert (np.diff(base.mean) >= 0).all() or np.isnan(base.mean).all()
    assert (np.nan_to_num(np.diff(base.per_joint, axis=0)) >= 0).all()
    one = pck(pred, truth, visible, torso_diameter(truth, visible, LSP14), float(thresholds[4]))
    assert base.mean[4] == pytest.approx(one.mean, nan_ok=True)
    np.testing.assert_array_equal(base.counts, one.counts)


def test_area_under_a_curve(rng: np.random.Generator) -> None:
    truth = rng.normal(0, 50, (4, 3, 2))
    visible, size = np.ones((4, 3), bool), np.full(4, 100.0)
    thresholds = np.linspace(0, 0.5, 51)
    assert pck_curve(truth, truth, visible, size, thresholds).auc == 1
    assert pck_curve(truth * np.nan, truth, visible, size, thresholds).auc == 0
    late = pck_curve(truth + np.array([25.001, 0]), truth, visible, size, thresholds)  # right from 0.26 on
    assert late.auc == pytest.approx((0.5 - 0.255) / 0.5)
    assert math.isnan(pck_curve(truth, truth, ~visible, size, thresholds).auc)


def test_sizes() -> None:
    boxes = np.array([[10, 20, 40, 60], [0, 0, 0, 0], [5, 5, 55, 17]], np.float32)
    assert box_size(boxes).tolist() == [40, 0, 50]
    np.testing.assert_allclose(head_size(boxes), [0.6 * 50, 0, 0.6 * math.hypot(50, 12)])
