"""The numbers of `DetectorNoise` from people who were found on rendered sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from anchorpose.core.alignment import similarity
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.training.posebert.noise import ARMS, GROUP_OF, GROUPS, LEGS, DetectorNoise, expected, outward
from anchorpose.training.posebert.pairs import Pair

Floats = NDArray[np.floating]
_LAGS = (1, 2, 4, 8, 16)
_MEMORIES = (0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5)
_SWAPPED = 0.6
"""Exchanged sides count where they bring the limbs this much closer to the truth."""
_FEWEST = 100
_LEAST, _MOST_GAIN = 1e-9, 1.5


class _Errors(NamedTuple):
    """Errors of one person on all frames, NaN where not found: (t, 13, 3) shifts in camera axes with the true poses,
    (t, 3) turns, (t,) logarithms of size, (t, 13) seen, (t, 2) exchanged arms and legs."""

    shifts: Floats
    truth: Floats
    turns: Floats
    sizes: Floats
    seen: NDArray[np.bool_]
    swapped: NDArray[np.bool_]


def fit_noise(pairs: Sequence[Pair], rate: float) -> DetectorNoise:
    """Moments of the errors; the parts of each come from how far it moves within 1, 2, 4, 8 and 16 frames.

    Args:
        pairs: people beside the truth. rate: frames a second.

    Raises:
        InputError: fewer than 100 poses.
    """
    if sum(len(p.track) for p in pairs) < _FEWEST:
        raise InputError(f"found {sum(len(p.track) for p in pairs)} poses in {len(pairs)} tracks, wanted {_FEWEST} at "
                         "least; give more sequences")  # fmt: skip
    errors = [_errors(p) for p in pairs]
    gain, offset = _drawn(errors)
    left = [e.truth + e.shifts - expected(e.truth, gain, offset) for e in errors]
    size = float(np.nanmean(np.concatenate([e.sizes for e in errors])))
    seen_only = [np.where(e.seen[..., None], r, np.nan) for e, r in zip(errors, left, strict=True)]
    memory = _memory([r.reshape(len(r), -1) for r in seen_only], rate)
    joints = _parts([r.reshape(len(r), -1) for r in seen_only], memory * rate).reshape(3, len(LCR13), 3)
    grouped = np.stack([np.sqrt((joints[:, group == GROUP_OF] ** 2).mean(1)) for group in range(len(GROUPS))], axis=1)
    return DetectorNoise(
        gain=_tuples(gain), offset=_tuples(offset), size=round(size, 4),
        sizes=_tuples(_parts([e.sizes[:, None] - size for e in errors], memory * rate)[:, 0]),
        turns=_tuples(_parts([e.turns for e in errors], memory * rate)), joints=_tuples(grouped), memory=memory,
        burst=_burst(left), unseen=_unseen(errors, left, rate), missing=_spells([~p.found for p in pairs], rate),
        swaps=_tuples(np.concatenate([e.swapped[np.isfinite(e.sizes) | e.swapped.any(1)] for e in errors]).mean(0)),
        swap_seconds=_spells([column for e in errors for column in e.swapped.T], rate)[1],
    )  # fmt: skip


def _drawn(errors: Sequence[_Errors]) -> tuple[Floats, Floats]:
    """(7, 3) gain and offset: straight lines through found over true places, sides together."""
    true = np.concatenate([outward(e.truth, e.truth) for e in errors])
    found = np.concatenate([outward(e.truth + e.shifts, e.truth) for e in errors])
    whole = np.isfinite(found).all((1, 2))
    gain, offset = np.ones((len(GROUPS), 3)), np.zeros((len(GROUPS), 3))
    for group, axis in np.ndindex(gain.shape):
        x, y = (a[whole][:, group == GROUP_OF, axis].ravel() for a in (true, found))
        middle = 0.0 if (GROUPS[group], axis) == ("head_top", 0) else 1.0  # a head has no outward side
        apart = x - middle * x.mean()
        gain[group, axis] = np.clip((apart * y).sum() / max((apart**2).sum(), _LEAST), 0.0, _MOST_GAIN)
        offset[group, axis] = middle * (y.mean() - gain[group, axis] * x.mean())
    return gain, offset


def _errors(pair: Pair) -> _Errors:
    t = len(pair.times)
    found = np.full((t, len(LCR13), 3), np.nan)
    seen = np.zeros((t, len(LCR13)), bool)
    rows = np.searchsorted(pair.times, pair.track.times)
    found[rows], seen[rows] = pair.track.joints3d, pair.track.states == JointState.VISIBLE
    truth = pair.truth.astype(np.float64)
    swapped = np.stack([_exchanged(found, truth, limbs) for limbs in (ARMS, LEGS)], axis=1)
    whole = np.isfinite(found).all((1, 2)) & ~swapped.any(1)
    shifts, turns, sizes = np.full_like(found, np.nan), np.full((t, 3), np.nan), np.full(t, np.nan)
    scale, rotation, _ = similarity(truth[whole], found[whole])
    turns[whole], sizes[whole] = Rotation.from_matrix(rotation).as_rotvec(), np.log(scale)
    shifts[whole] = found[whole] @ rotation / scale[:, None, None] - truth[whole]
    return _Errors(shifts, truth, turns, sizes, seen, swapped)


def _exchanged(found: Floats, truth: Floats, limbs: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(t,) where the limbs fit the truth much better with their sides exchanged."""
    as_is, other = (np.linalg.norm(found[:, rows] - truth[:, limbs], axis=-1).mean(1)
                    for rows in (limbs, LCR13.flip[limbs]))  # fmt: skip
    return np.asarray(np.nan_to_num(other, nan=np.inf) < _SWAPPED * np.nan_to_num(as_is))


def _moved(series: Sequence[Floats]) -> Floats:
    """(lags, c) mean squares of how far each channel moves within each lag."""
    rows = []
    for lag in _LAGS:
        moves = np.concatenate([s[lag:] - s[:-lag] for s in series if len(s) > lag] or [np.zeros((0, 1))])
        rows.append(_mean(moves**2))
    return np.stack(rows)


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.asarray(np.divide(total, known.sum(0), out=np.zeros_like(total), where=known.sum(0) > 0))


def _design(memory: float) -> Floats:
    """(lags, 2) what a unit of slow and of jitter variance moves within each lag."""
    return np.array([[2 * (1 - np.exp(-lag / memory)), 2.0] for lag in _LAGS])


def _memory(series: Sequence[Floats], rate: float) -> float:
    moved = _moved(series)
    return min(_MEMORIES, key=lambda m: sum(_split(column, m * rate)[1] ** 2 for column in moved.T))


def _split(moved: Floats, memory: float) -> tuple[Floats, float]:
    """(2,) slow and jitter variance from the (lags,) mean squares of one channel, and the misfit; all lags weigh alike,
    or the far ones would say how much it moves from frame to frame."""
    share = 1 / np.maximum(moved, _LEAST)
    parts, misfit = nnls(_design(memory) * share[:, None], moved * share)
    return parts, float(misfit)


def _parts(series: Sequence[Floats], memory: float) -> Floats:
    """(3, c) bias, slow and jitter deviations of channels whose mean is 0; `memory` in frames."""
    moved, total = _moved(series), _mean(np.concatenate(series) ** 2)
    slow, jitter = np.array([_split(column, memory)[0] for column in moved.T]).T
    return np.sqrt(np.stack([np.maximum(total - slow - jitter, 0.0), slow, jitter]))


def _burst(series: Sequence[Floats]) -> float:
    size = np.concatenate([np.sqrt((np.diff(s, 2, axis=0) ** 2).mean((1, 2))) for s in series if len(s) > 2])
    logs = np.log(size[np.isfinite(size) & (size > 0)])
    return round(float(1.4826 * np.median(np.abs(logs - np.median(logs)))), 4)


def _unseen(errors: Sequence[_Errors], left: Sequence[Floats], rate: float) -> tuple[float, float, float]:
    """Share of hidden joints, seconds of a spell, and their second differences over those of joints that are seen."""
    hidden = [~e.seen[np.isfinite(e.sizes)] for e in errors]
    share, seconds = _spells([column for h in hidden for column in h.T], rate)
    bends = [np.linalg.norm(np.diff(r, 2, axis=0), axis=-1) for r in left if len(r) > 2]
    seen = [e.seen[1:-1] for e, r in zip(errors, left, strict=True) if len(r) > 2]
    every, which = np.concatenate(bends), np.concatenate(seen)
    medians = [float(np.median(every[np.isfinite(every) & w])) for w in (~which, which)]
    return share, seconds, round(max(1.0, medians[0] / medians[1]) if np.isfinite(medians).all() else 1.0, 3)


def _spells(columns: Sequence[NDArray[np.bool_]], rate: float) -> tuple[float, float]:
    """Share of True, and seconds of a run of True on average (one frame where there is none)."""
    frames = sum(int(c.sum()) for c in columns)
    runs = sum(int(c[0]) + int((c[1:] & ~c[:-1]).sum()) for c in columns if len(c))
    return round(frames / max(sum(len(c) for c in columns), 1), 4), round(max(frames / max(runs, 1), 1.0) / rate, 4)


def _tuples(values: Floats) -> tuple:  # type: ignore[type-arg]  # as deep as the array
    return tuple(_tuples(v) if np.ndim(v) else round(float(v), 4) for v in values)
