"""Filters: scipy's figures on even steps, straight motion unchanged, NaN where it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from anchorpose.core.errors import InputError
from anchorpose.motion.filters import OneEuro, butterworth, hampel, local_mean, median, savitzky_golay

OFFLINE = [savitzky_golay, butterworth, median]
EVEN = np.arange(80) / 25


def noise(shape=(80, 3, 2), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_savitzky_golay_is_scipys():
    np.testing.assert_allclose(savitzky_golay(noise(), EVEN, 0.44, 3), signal.savgol_filter(noise(), 11, 3, axis=0))


def test_butterworth_is_scipys_around_the_straight_line():
    sections = signal.butter(4, 6.0, fs=25, output="sos")
    x = noise()
    bent = signal.detrend(x, axis=0)
    np.testing.assert_allclose(butterworth(x, EVEN, 6.0), x - bent + signal.sosfiltfilt(sections, bent, axis=0))


def test_median_is_the_plain_median_inside():
    x = noise((40, 2))
    expected = np.array([np.median(x[i - 2 : i + 3], axis=0) for i in range(2, 38)])
    np.testing.assert_allclose(median(x, EVEN[:40], 0.2)[2:38], expected)


@pytest.mark.parametrize("count", [1, 7, 1500])
def test_local_mean_is_the_weighted_mean_of_all(count):
    """Uneven steps; what lies beyond four windows weighs 3e-4 at most, of the middle."""
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, count))
    x = noise((count, 4))
    kernel = np.exp(-((times[:, None] - times[None]) ** 2) / (2 * 0.1**2))
    np.testing.assert_allclose(local_mean(x, times, 0.1), kernel @ x / kernel.sum(1, keepdims=True), atol=2e-3)


@pytest.mark.parametrize("work", OFFLINE)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(3, 60), even=st.booleans())
def test_straight_motion_passes_and_nan_stays(work, seed, count, even):
    rng = np.random.default_rng(seed)
    times = np.cumsum(np.full(count, 0.04) if even else rng.uniform(0.02, 0.06, count))
    line = times[:, None, None] * rng.normal(size=(3, 2)) + rng.normal(size=(3, 2))
    holes = rng.random(line.shape) < 0.1
    result = work(np.where(holes, np.nan, line), times)
    np.testing.assert_array_equal(np.isnan(result), holes)
    np.testing.assert_allclose(result[~holes], line[~holes], atol=1e-9)
    assert not np.isnan(line).any()


@pytest.mark.parametrize("work", [savitzky_golay, butterworth])
def test_noise_gets_less_at_uneven_times_without_delay(work):
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.02, 0.06, 300))
    truth = np.sin(2 * np.pi * 0.5 * times)
    result = work(truth + rng.normal(0, 0.1, 300), times)
    assert np.sqrt(np.mean((result - truth) ** 2)) < 0.07
    shifted = [np.mean((result - np.sin(2 * np.pi * 0.5 * (times - d))) ** 2) for d in (-0.06, 0.0, 0.06)]
    assert np.argmin(shifted) == 1


def test_nothing_leaks_over_a_gap():
    x = noise((60, 2))
    x[30] = np.nan
    changed = x.copy()
    changed[31:] += 100
    for work in (*OFFLINE, hampel):
        np.testing.assert_array_equal(work(x, EVEN[:60])[:30], work(changed, EVEN[:60])[:30])


def test_hampel_takes_out_the_outliers_and_nothing_else():
    x = np.sin(EVEN)[:, None] + noise((80, 1)) * 0.01
    wrong = [7, 33, 34, 70]
    x[wrong] += [[1.0], [-1.0], [0.8], [2.0]]
    result = hampel(x, EVEN, 0.5, 6.0, floor=0.02)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(result[:, 0])), wrong)
    assert (result[~np.isnan(result)] == x[~np.isnan(result)]).all()


def one_euro_plainly(x, times, cutoff, beta, speed_cutoff):
    """Casiez et al., as in their paper, one number after the other."""

    def alpha(f, dt):
        return 1 / (1 + 1 / (2 * np.pi * f * dt))

    out, speed = [x[0]], 0.0
    for i in range(1, len(x)):
        dt = times[i] - times[i - 1]
        speed += alpha(speed_cutoff, dt) * ((x[i] - out[-1]) / dt - speed)
        a = alpha(cutoff + beta * abs(speed), dt)
        out.append(a * x[i] + (1 - a) * out[-1])
    return out


def test_one_euro_is_the_papers_at_uneven_times():
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.uniform(0.02, 0.06, 50))
    x = rng.normal(size=(50, 2, 2))
    one = OneEuro(1.3, 0.4, 0.9)
    result = np.array([one(v, t) for v, t in zip(x, times, strict=True)])
    for j in np.ndindex(2, 2):
        np.testing.assert_allclose(
            result[(slice(None), *j)], one_euro_plainly(x[(slice(None), *j)], times, 1.3, 0.4, 0.9)
        )


def test_one_euro_skips_nan_and_begins_anew_after_a_long_gap():
    one = OneEuro(longest_gap=0.5)
    assert one(np.array([0.0, np.nan]), 0.0)[0] == 0
    assert one(np.array([np.nan, 5.0]), 0.1)[1] == 5
    after = one(np.array([1.0, 5.0]), 0.2)
    assert 0 < after[0] < 1
    assert one(np.array([9.0, 5.0]), 1.0)[0] == 9
    with pytest.raises(InputError, match="later time"):
        one(np.array([9.0, 5.0]), 1.0)
    with pytest.raises(InputError, match="shape"):
        one(np.zeros(3), 2.0)


def test_bad_options_are_refused():
    x = noise((10, 1))
    for call in (lambda: savitzky_golay(x, EVEN[:10], 0.0), lambda: savitzky_golay(x, EVEN[:10], order=0),
                 lambda: butterworth(x, EVEN[:10], -1), lambda: median(x, EVEN[9::-1]), lambda: OneEuro(0.0),
                 lambda: hampel(x, EVEN[:10], threshold=0), lambda: median(x, EVEN[:9])):  # fmt: skip
        with pytest.raises(InputError, match="wanted"):
            call()
