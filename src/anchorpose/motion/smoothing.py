"""Whole tracks made smooth: outliers repaired, then one of the offline filters; frames and states stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import Skeleton
from anchorpose.motion.filters import OneEuro, butterworth, hampel, savitzky_golay
from anchorpose.motion.gaps import interpolate
from anchorpose.motion.tracks import PersonTrack, Tracks, missing_rows

Floats = NDArray[np.floating]
FilterName = Literal["savgol", "butterworth", "one-euro", "none"]
_WINDOW = 0.3
"""Seconds; with longer ones the turning points of somebody who walks fast count as outliers."""
_FLOOR = 0.03
"""Metres; a standard deviation below this makes no outliers."""
_ONE_EURO_BETA = 10.0
"""Hertz per metre a second; with less it lags so far behind a walker's limbs that it is worse than no filter."""
_BODY = 1.7
"""Metres that the diagonal of a person's joints is taken for, to give pixels a size."""


def repair_outliers(tracks: Tracks) -> Tracks:
    """Joints and places that leap for a moment (Hampel, 0.3 s, three standard deviations) are interpolated.

    A joint counts as a whole. What has no neighbours on both sides within 0.3 s stays as it was.
    """
    return replace(tracks, people=tuple(_by_column(p, tracks, _repaired) for p in tracks.people))


def smooth_tracks(tracks: Tracks, name: FilterName) -> Tracks:
    """joints2d, joints3d and translation filtered over time, never over a gap.

    `one-euro` runs forwards only, as it would online. Pixels are given a size in metres by the median diagonal of the
    person's joints, so that its cut-off follows the same speeds for near and far people.

    Raises:
        InputError: another name.
    """
    if name not in get_args(FilterName):
        raise InputError(f"found the filter {name!r}, wanted one of {', '.join(get_args(FilterName))}")
    if name == "none":
        return tracks
    work = {"savgol": savitzky_golay, "butterworth": butterworth, "one-euro": _one_euro}[name]
    return replace(tracks, people=tuple(_by_column(p, tracks, work) for p in tracks.people))


def _by_column(track: PersonTrack, tracks: Tracks, work: Callable[[Floats, Floats], Floats]) -> PersonTrack:
    """`work` on (t, ...) metres with NaN in the frames of gaps."""
    times = tracks.times
    wide = missing_rows(track, times[(times >= track.times[0]) & (times <= track.times[-1])])
    rows = np.searchsorted(wide.times, track.times)
    scale = _pixels_a_metre(track.joints2d)
    joints2d = work(wide.joints2d.astype(np.float64) / scale, wide.times)[rows] * scale
    joints3d = work(wide.joints3d.astype(np.float64), wide.times)[rows]
    place = work(wide.translation.astype(np.float64), wide.times)[rows]
    joints3d, place = _centred(joints3d, place, tracks.skeleton)
    return replace(track, joints2d=joints2d.astype(np.float32), joints3d=joints3d.astype(np.float32),
                   translation=place.astype(np.float32))  # fmt: skip


def _centred(joints3d: Floats, place: Floats, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """Joints around the body centre again, which a filter that is not linear moves a little."""
    centre = body_centre(joints3d, skeleton)
    centre = np.where(np.isfinite(centre).all(1, keepdims=True), centre, 0)
    return joints3d - centre[:, None], place + centre


def _repaired(values: Floats, times: Floats) -> Floats:
    bad = np.isnan(hampel(values, times, _WINDOW, floor=_FLOOR)) & np.isfinite(values)
    holes = np.where(bad.any(-1, keepdims=True), np.nan, values)
    filled, _ = interpolate(holes, times, _WINDOW)
    # gaps are not for this function to fill, and an end has no neighbour to go by
    return np.where(np.isfinite(values) & np.isfinite(filled), filled, values)


def _one_euro(values: Floats, times: Floats) -> Floats:
    step = OneEuro(beta=_ONE_EURO_BETA)
    return np.stack([step(frame, float(time)) for frame, time in zip(values, times, strict=True)])


def _pixels_a_metre(joints2d: Floats) -> float:
    known = np.isfinite(joints2d).all(-1, keepdims=True)
    whole = np.where(known, joints2d, np.nan)[known.sum((1, 2)) >= 2]
    if not len(whole):
        return 1.0
    diagonal = np.hypot(*(np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1)).T)
    return max(float(np.median(diagonal)) / _BODY, 1e-3)
