from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.video3d import acceleration_error, bone_lengths


def test_acceleration_error_equals_a_slow_restatement(rng: np.random.Generator) -> None:
    pred, truth = rng.normal(size=(2, 8, 13, 3))
    pred[2, 4], truth[6] = np.nan, np.nan
    result = acceleration_error(pred, truth)
    assert result.shape == (6,)
    for t in range(1, 7):
        lengths = []
        for j in range(13):
            a, b = (x[t - 1, j] - 2 * x[t, j] + x[t + 1, j] for x in (pred, truth))
            if not np.isnan(a + b).any():
                lengths.append(1000 * math.dist(a, b))
        assert result[t - 1] == pytest.approx(np.mean(lengths) if lengths else math.nan, nan_ok=True)
    assert np.isnan(result).tolist() == [False] * 4 + [True] * 2  # frames 5 to 7 hang on frame 6, which is not known


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_acceleration_error_ignores_drift_and_turning_both(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pred, truth = rng.normal(size=(2, 9, 13, 3))
    drift = rng.normal(size=3) + np.arange(9)[:, None, None] * rng.normal(size=(13, 3))
    base = acceleration_error(pred, truth)
    np.testing.assert_allclose(acceleration_error(pred + drift, truth), base)
    turn = Rotation.random(rng=rng).as_matrix()
    np.testing.assert_allclose(acceleration_error(pred @ turn, truth @ turn), base)
    np.testing.assert_allclose(acceleration_error(pred, truth, 50), base / 1000 * 2500)
    assert acceleration_error(truth + drift, truth) == pytest.approx(0, abs=1e-9)


def test_acceleration_in_metres_per_second_squared() -> None:
    """A fall of 9.81 m/s2, at any frame rate."""
    for rate in (25, 50, 120):
        seconds = np.arange(10) / rate
        fall = np.zeros((10, 1, 3))
        fall[:, 0, 1] = 9.81 / 2 * seconds**2
        np.testing.assert_allclose(acceleration_error(fall, np.zeros_like(fall), rate), 9.81)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_have_no_acceleration(frames: int) -> None:
    clip = np.zeros((frames, 13, 3))
    assert acceleration_error(clip, clip).shape == (0,)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_rigid_body_keeps_its_bones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(13, 3))
    clip = np.stack([pose @ Rotation.random(rng=rng).as_matrix() + rng.normal(size=3) for _ in range(6)])
    result = bone_lengths(clip, LCR13)
    assert result.relative == pytest.approx(0, abs=1e-9)
    lengths = [1000 * math.dist(pose[a], pose[b]) for a, b in LCR13.bones]
    np.testing.assert_allclose(result.mean, lengths)
    breathing = clip * np.array([0.9, 1.1] * 3)[:, None, None]
    assert bone_lengths(breathing, LCR13).relative == pytest.approx(0.1)


def test_bone_lengths_equal_a_slow_restatement(rng: np.random.Generator) -> None:
    clip = rng.normal(size=(7, 13, 3))
    clip[rng.random((7, 13)) < 0.2] = np.nan
    clip[:, LCR13.index("left_wrist")] = np.nan
    clip[1:, LCR13.index("right_ankle")] = np.nan
    result = bone_lengths(clip, LCR13)
    for bone, (a, b) in enumerate(LCR13.bones):
        lengths = [1000 * math.dist(f[a], f[b]) for f in clip if not np.isnan(f[[a, b]]).any()]
        assert result.mean[bone] == pytest.approx(np.mean(lengths) if lengths else math.nan, nan_ok=True)
        spread = np.std(lengths) if len(lengths) > 1 else math.nan
        assert result.deviation[bone] == pytest.approx(spread, nan_ok=True)
    assert math.isfinite(result.relative)
    assert math.isnan(bone_lengths(clip[:0], LCR13).relative)
