"""Filters over time: One-Euro as frames arrive; Savitzky-Golay, Butterworth, median and Hampel for whole tracks.

The offline ones take (t, ...) values with their (t,) times. Each run of known values is filtered on its own, so NaN
stays NaN and nothing leaks over a gap. scipy's filters want even steps: where they vary by more than 1 %, a run is
resampled linearly to its median step, filtered and brought back to its own times. Straight motion passes unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from anchorpose.core.errors import InputError

Floats = NDArray[np.floating]
_EVEN = 0.01
REACH = 4
"""Standard deviations after which a Gaussian weight no longer counts."""
_BLOCK = 512
_HAMPEL_SCALE = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


class OneEuro:
    """The 1-euro filter (Casiez et al., CHI 2012), for any array and steps of any length.

    A low-pass filter whose cut-off grows with speed: still things do not jitter, fast ones do not lag.

    Args:
        min_cutoff: hertz at rest; less jitters less. beta: hertz per unit of speed; more lags less.
        speed_cutoff: hertz of the filter of the speed.
        longest_gap: seconds; a value that was missing for longer starts anew.
    """

    def __init__(
        self, min_cutoff: float = 1.0, beta: float = 0.5, speed_cutoff: float = 1.0, longest_gap: float = 0.5
    ) -> None:
        if not (min_cutoff > 0 and speed_cutoff > 0 and beta >= 0 and longest_gap > 0):
            raise InputError(f"found cut-offs {min_cutoff} and {speed_cutoff} Hz, beta {beta} and a gap of "
                             f"{longest_gap} s, wanted values above 0 (beta may be 0)")  # fmt: skip
        self.min_cutoff, self.beta = min_cutoff, beta
        self.speed_cutoff, self.longest_gap = speed_cutoff, longest_gap
        self._value: NDArray[np.float64] | None = None
        self._speed = self._seen = np.zeros(0)

    def __call__(self, values: Floats, time: float) -> NDArray[np.float64]:
        """The next values, filtered; NaN stays NaN.

        Args:
            values: of one shape in all calls. time: seconds, later than before.

        Raises:
            InputError: another shape, or time does not go on.
        """
        x = np.asarray(values, np.float64)
        if self._value is None:
            self._value, self._speed = x.copy(), np.zeros_like(x)
            self._seen = np.where(np.isfinite(x), time, -np.inf)
            return x.copy()
        if x.shape != self._value.shape:
            raise InputError(f"found values of shape {x.shape}, wanted {self._value.shape} as before; use a new filter")
        step = time - self._seen
        if not (step > 0).all():
            raise InputError(f"found values at {time} s, wanted a later time than before; give frames in order")
        known = np.isfinite(x)
        begins = known & ~(np.isfinite(self._value) & (step <= self.longest_gap))
        elapsed = np.where(np.isfinite(step), step, 1.0)
        speed = self._speed + _share(self.speed_cutoff, elapsed) * ((x - self._value) / elapsed - self._speed)
        share = _share(self.min_cutoff + self.beta * np.abs(speed), elapsed)
        value = np.where(begins, x, self._value + share * (x - self._value))
        self._value = np.where(known, value, self._value)
        self._speed = np.where(known, np.where(begins, 0.0, speed), self._speed)
        self._seen = np.where(known, time, self._seen)
        return np.where(known, value, np.nan)


def _share(cutoff: Floats | float, elapsed: Floats) -> Floats:
    turn = 2 * np.pi * cutoff * elapsed
    return np.asarray(turn / (turn + 1))


def savitzky_golay(values: Floats, times: Floats, window: float = 0.4, order: int = 2) -> Floats:
    """Local polynomials (scipy.signal.savgol_filter).

    Args:
        values: (t, ...). times: (t,) seconds, rising.
        window: seconds; the nearest odd number of frames above `order`. Shorter runs stay as they are.
        order: of the polynomials, 1 or more.

    Raises:
        InputError: a window or an order out of range, or times that do not rise.
    """
    if order < 1:
        raise InputError(f"found the order {order}, wanted 1 or more")
    _check(times, window)

    def smooth(run: Floats, step: float) -> Floats:
        length = max(_odd(window / step), order + 1 + order % 2)
        return run if len(run) < length else np.asarray(signal.savgol_filter(run, length, order, axis=0))

    return _by_run(values, times, smooth)


def butterworth(values: Floats, times: Floats, cutoff: float = 6.0, order: int = 4) -> Floats:
    """Low-pass forth and back, so without delay (scipy.signal.sosfiltfilt); usual in biomechanics.

    Each run's straight line is taken out before and put back after. Runs too short to filter stay as they are.

    Args:
        values: (t, ...). times: (t,) seconds, rising.
        cutoff: hertz; where it is not below half the frame rate, nothing is left to filter.
        order: of the filter in one direction.

    Raises:
        InputError: a cut-off or an order out of range, or times that do not rise.
    """
    if order < 1:
        raise InputError(f"found the order {order}, wanted 1 or more")
    _check(times, cutoff)

    def smooth(run: Floats, step: float) -> Floats:
        if cutoff * step >= 0.5:
            return run
        sections = signal.butter(order, cutoff, fs=1 / step, output="sos")
        if len(run) <= 3 * (2 * len(sections) + 1):
            return run
        bent = signal.detrend(run, axis=0)
        return np.asarray(run - bent + signal.sosfiltfilt(sections, bent, axis=0))

    return _by_run(values, times, smooth)


def median(values: Floats, times: Floats, window: float = 0.2) -> Floats:
    """Running median over `window` seconds (the nearest odd number of frames); ends see their last value repeated.

    Raises:
        InputError: a window of no length, or times that do not rise.
    """
    _check(times, window)

    def middle(run: Floats, step: float) -> Floats:
        return np.asarray(ndimage.median_filter(run, (_odd(window / step), 1), mode="nearest"))

    return _by_run(values, times, middle)


def hampel(values: Floats, times: Floats, window: float = 0.5, threshold: float = 3.0, floor: float = 1e-6) -> Floats:
    """Outliers become NaN, everything else stays as it is (Hampel's identifier).

    A value is an outlier where it differs from the running median by more than `threshold` standard deviations, those
    taken from the running median absolute deviation.

    Args:
        values: (t, ...). times: (t,) seconds, rising. window: seconds.
        threshold: standard deviations. floor: least standard deviation, in the unit of the values.

    Raises:
        InputError: a window or threshold that is not above 0, or times that do not rise.
    """
    _check(times, min(window, threshold))

    def clean(run: Floats, step: float) -> Floats:
        size = (_odd(window / step), 1)
        away = np.abs(run - ndimage.median_filter(run, size, mode="nearest"))
        spread = _HAMPEL_SCALE * ndimage.median_filter(away, size, mode="nearest")
        return np.where(away > threshold * np.maximum(spread, floor), np.nan, run)

    # each value is judged at its own time: resampling would smear an outlier over its neighbours
    return _by_run(values, times, clean, resample=False)


def local_mean(values: Floats, times: Floats, window: float) -> NDArray[np.float64]:
    """Means with Gaussian weights around each time; steps may be of any length.

    Args:
        values: (t, c) without NaN. times: (t,) seconds, rising. window: seconds, standard deviation of the weights.

    Returns:
        (t, c)
    """
    means = []
    for near, apart in neighbours(times, window):
        kernel = np.exp(-0.5 * (apart / window) ** 2)
        means.append(kernel @ values[near] / kernel.sum(1, keepdims=True))
    return np.concatenate(means)


def neighbours(times: Floats, window: float) -> Iterator[tuple[slice, Floats]]:
    """For sums with Gaussian weights over long tracks: blocks of `times`, in order.

    Yields:
        for each block of r times which n times lie within `REACH` windows of any of them, and how many seconds these
        are after each: (r, n).
    """
    for first in range(0, len(times), _BLOCK):
        here = times[first : first + _BLOCK]
        near = slice(*np.searchsorted(times, [here[0] - REACH * window, here[-1] + REACH * window]))
        yield near, times[near][None] - here[:, None]


def _by_run(values: Floats, times: Floats, work: Callable[[Floats, float], Floats], resample: bool = True) -> Floats:
    """Apply `work(run (r, c), seconds a frame)` to every run of known values; columns of one pattern go together."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    if len(columns) != len(times):
        raise InputError(f"found {len(columns)} values and {len(times)} times, wanted as many of each")
    known = np.isfinite(columns)
    for pattern in np.unique(known, axis=1).T:
        own = np.flatnonzero((known == pattern[:, None]).all(0))
        edges = np.flatnonzero(np.diff(np.concatenate([[0], pattern.astype(np.int8), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            if last - first >= 3:
                run = columns[first:last, own]
                columns[first:last, own] = _evenly(run, times[first:last], work, resample)
    return columns.reshape(values.shape).astype(values.dtype)


def _evenly(run: Floats, times: Floats, work: Callable[[Floats, float], Floats], resample: bool) -> Floats:
    steps = np.diff(times)
    step = float(np.median(steps))
    if not resample or np.abs(steps - step).max() <= _EVEN * step:
        return work(run, step)
    count = max(3, round((times[-1] - times[0]) / step) + 1)
    even = np.linspace(times[0], times[-1], count)
    there = np.stack([np.interp(even, times, column) for column in run.T], axis=1)
    smooth = work(there, float(even[1] - even[0]))
    return np.stack([np.interp(times, even, column) for column in smooth.T], axis=1)


def _odd(frames: float) -> int:
    return max(1, 2 * round((frames - 1) / 2) + 1)


def _check(times: Floats, size: float) -> None:
    if not size > 0 or not np.isfinite(size):
        raise InputError(f"found {size}, wanted a window, cut-off or threshold above 0")
    if not (np.diff(times) > 0).all():
        raise InputError("found times that do not rise, wanted those of frames in order; sort them")
