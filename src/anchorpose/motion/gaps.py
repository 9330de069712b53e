"""Gaps inside one track, filled up to a stated length and marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.motion.tracks import PersonTrack, Tracks, missing_rows

Floats = NDArray[np.floating]


def interpolate(values: Floats, times: Floats, longest: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Fill runs of NaN linearly in time where both ends are known.

    Args:
        values: (t, ...) each column on its own.
        times: (t,) seconds, rising.
        longest: seconds from the last known to the next known value; longer gaps stay as they are.

    Returns:
        (t, ...) values and, of the same shape, what was filled. Nothing is filled before the first or after the last.

    Raises:
        InputError: a negative length.
    """
    if not longest >= 0:
        raise InputError(f"found a longest gap of {longest} s, wanted 0 or more")
    columns = values.reshape(len(values), -1).astype(values.dtype, copy=True)
    filled = np.zeros(columns.shape, bool)
    known = np.isfinite(columns)
    for pattern in np.unique(known, axis=1).T:
        at = np.flatnonzero(pattern)
        if len(at) < 2 or len(at) == len(pattern):
            continue
        own = (known == pattern[:, None]).all(0)
        after = np.clip(np.searchsorted(at, np.arange(len(times))), 1, len(at) - 1)
        left, right = at[after - 1], at[after]
        span = times[right] - times[left]
        rows = ~pattern & (np.arange(len(times)) > left) & (np.arange(len(times)) < right) & (span <= longest)
        share = ((times - times[left]) / span)[rows, None]
        block = columns[:, own]
        block[rows] = block[left[rows]] * (1 - share) + block[right[rows]] * share
        columns[:, own] = block
        filled[np.ix_(rows, own)] = True
    return columns.reshape(values.shape), filled.reshape(values.shape)


def fill_gaps(tracks: Tracks, longest: float) -> Tracks:
    """Fill frames in which somebody was missed, and single missing joints, by linear interpolation.

    Only between two frames of one track that are at most `longest` seconds apart. Filled rows are marked in `filled`;
    filled joints are HIDDEN with score 0. The score of a filled row is the smaller one of its two ends.

    Raises:
        InputError: a negative length.
    """
    return replace(tracks, people=tuple(_filled(p, tracks.times, longest) for p in tracks.people))


def _filled(track: PersonTrack, times: NDArray[np.float64], longest: float) -> PersonTrack:
    inside = times[(times >= track.times[0]) & (times <= track.times[-1])]
    wide = missing_rows(track, inside)
    found = np.isin(wide.times, track.times)
    joints2d, new = interpolate(wide.joints2d, wide.times, longest)
    joints3d, _ = interpolate(wide.joints3d, wide.times, longest)
    translation, _ = interpolate(wide.translation, wide.times, longest)
    at = np.flatnonzero(found)
    after = np.searchsorted(at, np.arange(len(wide))).clip(0, len(at) - 1)
    lower = np.minimum(wide.scores[at[np.maximum(after - 1, 0)]], wide.scores[at[after]])
    rows = found | (wide.times[at[after]] - wide.times[at[np.maximum(after - 1, 0)]] <= longest)
    states = np.where(new.any(-1), JointState.HIDDEN, wide.states).astype(np.uint8)
    return replace(wide, joints2d=joints2d, joints3d=joints3d, translation=translation, states=states,
                   scores=np.where(found, wide.scores, lower))[rows]  # fmt: skip
