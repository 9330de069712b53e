"""Calibration by its properties and by plain re-statements."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.evaluation.calibration import reliability, risk_coverage

SCORES = st.lists(
    st.tuples(st.floats(0, 1) | st.just(math.nan), st.sampled_from([0.0, 1.0, 0.5, math.nan])), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.integers(1, 20))
def test_error_is_its_definition(pairs, bins):
    known = [(s, c) for s, c in pairs if not (math.isnan(s) or math.isnan(c))]
    edges, total = np.linspace(0, 1, bins + 1), 0.0
    for b in range(bins):
        inside = [(s, c) for s, c in known if edges[b] < s <= edges[b + 1] or (b == 0 and s == 0)]
        if inside:
            gap = abs(sum(c for _, c in inside) / len(inside) - sum(s for s, _ in inside) / len(inside))
            total += gap * len(inside) / len(known)
    found = reliability([s for s, _ in pairs], [c for _, c in pairs], bins)
    assert found.counts.sum() == len(known)
    if known:
        assert found.expected_error == pytest.approx(total, abs=1e-12)
        assert found.expected_error <= found.maximum_error + 1e-12 <= 1 + 2e-12
    else:
        assert math.isnan(found.expected_error)
        assert math.isnan(found.maximum_error)


def test_calibrated_scores_have_no_error():
    """Of 10 scores of k / 10, k are right."""
    scores = np.repeat(np.arange(11) / 10, 10)
    correct = np.concatenate([np.arange(10) < k for k in range(11)])
    assert reliability(scores, correct).expected_error == pytest.approx(0, abs=1e-12)
    # Chance alone leaves about sqrt(bins / n).
    scores = np.random.default_rng(0).random(100_000)
    drawn = np.random.default_rng(1).random(100_000) < scores
    assert reliability(scores, drawn).expected_error < 0.01
    # Claiming 0.2 more than is true costs just that.
    assert reliability(np.minimum(scores * 0.5 + 0.2, 1), np.random.default_rng(1).random(100_000) < scores * 0.5
                       ).expected_error == pytest.approx(0.2, abs=0.01)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(SCORES, st.randoms(use_true_random=False))
def test_order_and_shape_do_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    a, b = (np.array(p).reshape(-1, 2) for p in (pairs, shuffled))
    np.testing.assert_allclose(
        reliability(*a.T).expected_error, reliability(*b.T[..., None]).expected_error, atol=1e-12
    )
    np.testing.assert_allclose(risk_coverage(*a.T).risk, risk_coverage(*b.T[..., None]).risk, atol=1e-12)


def test_risk_is_its_definition():
    rng = np.random.default_rng(0)
    scores, losses = rng.random(50), rng.exponential(size=50)
    found = risk_coverage(scores, losses)
    for k in range(1, 51):
        surest = sorted(range(50), key=lambda i: -scores[i])[:k]
        assert found.coverage[k - 1] == k / 50
        assert found.risk[k - 1] == pytest.approx(np.mean(losses[surest]))
    assert found.area == pytest.approx(found.risk.mean())


def test_ties_are_the_mean_over_all_orders():
    rng = np.random.default_rng(0)
    scores, losses = np.array([3, 1, 1, 1, 0.0]), np.array([0, 5, 1, 0, 2.0])
    orders = [rng.permutation(5) for _ in range(4000)]
    mean = np.mean([risk_coverage(scores + 1e-6 * order, losses).risk for order in orders], axis=0)
    np.testing.assert_allclose(risk_coverage(scores, losses).risk, mean, atol=0.05)


def test_the_best_order_has_the_least_area():
    losses = np.random.default_rng(0).exponential(size=200)
    best, worst, blind = (risk_coverage(s, losses).area for s in (-losses, losses, np.zeros(200)))
    assert best < blind < worst
    assert blind == pytest.approx(losses.mean())
    assert risk_coverage(np.exp(-losses), losses).area == pytest.approx(best)  # only the order counts


def test_nothing_known():
    for scores in ([], [math.nan, 0.5]):
        losses = [math.nan] * len(scores)
        assert math.isnan(reliability(scores, losses).expected_error)
        assert math.isnan(risk_coverage(scores, losses).area)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="wanted the same"):
        reliability([0.1], [1, 0])
    with pytest.raises(InputError, match="scores from -3 to 2, wanted 0 to 1"):
        reliability([-3, 2], [1, 0])
    with pytest.raises(InputError, match="outcomes from 0 to 7"):
        reliability([0.3, 0.2], [7, 0])
