"""Gaps: only inside, only short ones, and marked."""

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.motion.gaps import fill_gaps, interpolate
from anchorpose.motion.tracks import Tracks

from .people import people_at


def test_straight_motion_is_restored_at_uneven_times():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.05, 60))
    truth = times[:, None, None] * rng.normal(size=(4, 3)) + rng.normal(size=(4, 3))
    holes = rng.random(truth.shape) < 0.4
    holes[[0, -1]] = False
    filled, marks = interpolate(np.where(holes, np.nan, truth), times, 10.0)
    np.testing.assert_allclose(filled, truth, atol=1e-12)
    np.testing.assert_array_equal(marks, holes)


def test_length_and_ends_are_respected():
    times = np.arange(12.0)
    values = np.array([np.nan, 1, np.nan, 3, np.nan, np.nan, np.nan, 7, 8, np.nan, 10, np.nan])
    filled, marks = interpolate(values, times, 2.0)
    np.testing.assert_array_equal(filled, [np.nan, 1, 2, 3, np.nan, np.nan, np.nan, 7, 8, 9, 10, np.nan])
    assert marks.sum() == 2
    assert np.isnan(values[2]), "the argument is untouched"
    np.testing.assert_array_equal(interpolate(values, times, 4.0)[0][1:11], np.arange(1.0, 11))
    with pytest.raises(InputError, match="longest gap"):
        interpolate(values, times, -1.0)


def test_a_track_gets_rows_where_the_person_was_missed():
    frames = []
    for i in range(30):
        gone = i in (5, 6) or 12 <= i < 22
        ids = np.array([1]) if gone or i > 27 else np.array([1, 2])
        poses = people_at([[-1, 0, 4.0], [0.1 * i, 0, 5.0]][: len(ids)])
        frames.append((i / 10, replace(poses, track_ids=ids)))
    tracks = Tracks.from_frames(frames)
    filled = fill_gaps(tracks, 0.5)
    assert len(filled[1]) == 30
    assert not filled[1].filled.any()
    np.testing.assert_allclose(filled[2].times, [t / 10 for t in range(28) if not 12 <= t < 22])
    np.testing.assert_allclose(filled[2].times[filled[2].filled], [0.5, 0.6])
    np.testing.assert_allclose(filled[2].translation[:, 0], filled[2].times, atol=1e-6)
    assert (filled[2].states[filled[2].filled] == JointState.HIDDEN).all()
    assert np.isfinite(filled[2].joints2d).all()
    assert (filled[2].scores[filled[2].filled] > 0).all()
    assert len(fill_gaps(tracks, 0.0)[2]) == len(tracks[2])
