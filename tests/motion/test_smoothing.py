from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.smoothing import repair_outliers, smooth_tracks
from anchorpose.motion.tracks import PersonTrack, Tracks
from tests.motion.people import people_at
from tests.synthesis.bodies import walking

RATE, COUNT = 25.0, 75
WRIST = LCR13.index("left_wrist")
BODY = np.concatenate([walking(25)] * 3).astype(np.float64)
WAY = np.stack([np.linspace(-1, 1, COUNT), np.zeros(COUNT), np.linspace(5, 4, COUNT)], axis=1)


def walker(noise: float = 0.0, seed: int = 0) -> Tracks:
    """One stride a second, three seconds."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(COUNT):
        body = BODY[k] + rng.normal(0, noise, (13, 3))
        poses = people_at(WAY[k] + rng.normal(0, noise, 3), body - body_centre(body))
        frames.append((k / RATE, replace(poses, track_ids=np.array([4]))))
    return Tracks.from_frames(frames)


def changed(tracks: Tracks, **arrays: np.ndarray) -> Tracks:
    return replace(tracks, people=(replace(tracks.people[0], **arrays),))


def only(tracks: Tracks) -> PersonTrack:
    assert len(tracks.people) == 1
    return tracks.people[0]


def error(tracks: Tracks) -> float:
    """Millimetres."""
    return float(1000 * np.linalg.norm(only(tracks).joints3d - BODY, axis=-1).mean())


def jitter(tracks: Tracks) -> float:
    """Millimetres a frame squared, of what is not in the true motion."""
    away = only(tracks).joints3d - BODY
    return float(1000 * np.linalg.norm(np.diff(away, 2, axis=0), axis=-1).mean())


def test_somebody_who_walks_fast_has_no_outliers() -> None:
    clean = walker()
    assert error(repair_outliers(clean)) < 0.1
    noisy = walker(0.015)
    assert error(repair_outliers(noisy)) < 1.02 * error(noisy)


@pytest.mark.parametrize("rows", [[20], [20, 21], [3, 40, 70]])
def test_a_leap_is_repaired_and_nothing_else_moves(rows: list[int]) -> None:
    clean = walker()
    broken = clean.people[0].joints3d.copy()
    broken[rows, WRIST] += [0.5, -0.6, 0.2]
    repaired = only(repair_outliers(changed(clean, joints3d=broken)))
    away = np.linalg.norm(repaired.joints3d - BODY, axis=-1)
    assert away[rows, WRIST].max() < 0.06
    assert np.delete(away, WRIST, axis=1).max() < 1e-3
    assert len(repaired) == COUNT


def test_a_place_that_leaps_is_repaired() -> None:
    clean = walker()
    broken = clean.people[0].translation.copy()
    broken[30] *= 1.6
    away = np.linalg.norm(only(repair_outliers(changed(clean, translation=broken))).translation - WAY, axis=-1)
    assert away.max() < 0.02


@pytest.mark.parametrize("name", ["savgol", "butterworth", "one-euro"])
def test_filters_calm_without_harm(name) -> None:
    noisy = walker(0.02)
    smooth = smooth_tracks(noisy, name)
    assert jitter(smooth) < 0.5 * jitter(noisy)
    assert error(smooth) < error(noisy)
    track = only(smooth)
    assert np.abs(body_centre(track.joints3d)).max() < 1e-5
    assert np.array_equal(track.times, only(noisy).times)
    assert np.array_equal(track.states, only(noisy).states)


@pytest.mark.parametrize("name", ["savgol", "butterworth", "one-euro"])
def test_nothing_leaks_over_a_gap_and_missing_joints_stay_missing(name) -> None:
    noisy = walker(0.02)
    track = only(noisy)
    kept = np.r_[0:30, 55:COUNT]
    joints3d = track.joints3d.copy()
    joints3d[60, WRIST] = np.nan
    gapped = changed(noisy, **{f: getattr(track, f)[kept] for f in
                               ("times", "joints2d", "translation", "scores", "joint_scores", "states", "filled")},
                     joints3d=joints3d[kept])  # fmt: skip
    whole = only(smooth_tracks(gapped, name))
    before = Tracks(noisy.skeleton, noisy.camera, noisy.times[:30], (track[:30],))
    np.testing.assert_allclose(whole.joints3d[:30], only(smooth_tracks(before, name)).joints3d, atol=1e-6)
    missing = np.isnan(whole.joints3d).any(-1)
    assert np.argwhere(missing).tolist() == [[35, WRIST]]


def test_none_is_the_same_object_and_other_names_are_told() -> None:
    tracks = walker(0.01)
    assert smooth_tracks(tracks, "none") is tracks
    with pytest.raises(InputError, match="'kalman', wanted one of savgol"):
        smooth_tracks(tracks, "kalman")  # type: ignore[arg-type]


def test_near_and_far_people_are_smoothed_alike() -> None:
    """The One-Euro filter depends on units: a person twice as large in the picture moves twice as many pixels."""
    noisy = walker(0.02)
    track = only(noisy)
    large = changed(noisy, joints2d=track.joints2d * 2)
    once, twice = (only(smooth_tracks(t, "one-euro")).joints2d for t in (noisy, large))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-4)


def test_a_single_frame_passes() -> None:
    tracks = walker()
    one = Tracks(tracks.skeleton, tracks.camera, tracks.times[:1], (only(tracks)[:1],))
    for name in ("savgol", "butterworth", "one-euro"):
        np.testing.assert_allclose(only(smooth_tracks(repair_outliers(one), name)).joints3d, BODY[:1], atol=1e-6)
