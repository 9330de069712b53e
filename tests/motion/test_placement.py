"""Placed tracks: one body, a smooth way, known heights."""

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import COCO17
from anchorpose.motion.bones import body_height, bone_lengths
from anchorpose.motion.placement import PlacementOptions, place_tracks, smooth_way
from anchorpose.motion.tracks import Tracks

from .people import CAMERA, STANDING, people_at
from .test_floor import step_walk


def walk(noise=0.0, seed=0, count=60):
    """Tracks of one walk at uneven times, and its true way."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.05, count))
    way = np.column_stack([times - 1, 0.1 + 0 * times, 4 + 0.5 * times])
    frames = []
    for time, place in zip(times, way, strict=True):
        pose = STANDING * (1 + rng.normal(0, noise)) + rng.normal(0, noise, STANDING.shape)
        poses = replace(people_at([place], pose), track_ids=np.array([1]))
        true = people_at([place])
        frames.append((time, replace(poses, joints2d=true.joints2d + rng.normal(0, 30 * noise, true.joints2d.shape)
                                     .astype(np.float32))))  # fmt: skip
    return Tracks.from_frames(frames), way


def test_exact_tracks_stay_where_they_are():
    tracks, way = walk()
    placed = place_tracks(tracks, PlacementOptions(window=0.1)).tracks
    np.testing.assert_allclose(placed[1].translation, way, atol=0.01)
    np.testing.assert_allclose(placed[1].joints3d, tracks[1].joints3d, atol=0.002)


def test_noise_gets_less_and_bones_are_constant():
    tracks, way = walk(0.04)
    placed = place_tracks(tracks).tracks[1]
    single = place_tracks(tracks, PlacementOptions(window=0)).tracks[1]
    raw, smooth = (np.sqrt(((p.translation - way) ** 2).sum(1).mean()) for p in (single, placed))
    assert smooth < 0.7 * raw
    lengths = np.linalg.norm(placed.joints3d[:, 8] - placed.joints3d[:, 6], axis=1)
    assert np.ptp(lengths) < 1e-5
    assert np.ptp(np.linalg.norm(tracks[1].joints3d[:, 8] - tracks[1].joints3d[:, 6], axis=1)) > 0.02


def test_a_known_height_scales_body_and_distance_and_keeps_the_picture():
    tracks, _ = walk()
    plain, tall = (place_tracks(tracks, o) for o in (PlacementOptions(), PlacementOptions({1: 2.0})))
    scale = 2.0 / plain.heights[1]
    assert tall.heights[1] == pytest.approx(2.0)
    assert body_height(bone_lengths(tall.tracks[1].joints3d)) == pytest.approx(2.0, abs=1e-4)
    np.testing.assert_allclose(tall.tracks[1].translation, scale * plain.tracks[1].translation, rtol=0.003)
    pixels = [CAMERA.project(p.tracks[1].joints3d + p.tracks[1].translation[:, None]) for p in (plain, tall)]
    np.testing.assert_allclose(*pixels, atol=1.0)


def crowd(sizes):
    """Tracks of people who walk beside each other 1.5 m below the camera, each taken for `sizes` of what they are."""
    joints, times, _ = step_walk(6)
    frames = []
    for row, time in enumerate(times):
        there = np.stack([joints[row] + [0, 0, k] for k in range(len(sizes))])
        centre = body_centre(there)
        here = replace(people_at(centre), joints2d=CAMERA.project(there).astype(np.float32),
                       joints3d=((there - centre[:, None]) * np.reshape(sizes, (-1, 1, 1))).astype(np.float32),
                       track_ids=np.arange(1, len(sizes) + 1))  # fmt: skip
        frames.append((time, here))
    return Tracks.from_frames(frames), joints


def test_whoever_is_taken_for_too_large_becomes_smaller_on_the_floor_of_others():
    tracks, joints = crowd((1.0, 1.0, 1.5))
    placed = place_tracks(tracks)
    alone = place_tracks(tracks, PlacementOptions(feet=False))
    assert alone.heights[3] == pytest.approx(1.5 * alone.heights[1], rel=0.01)
    assert placed.heights[3] == pytest.approx(placed.heights[1], rel=0.05)
    for number in (1, 2, 3):
        track = placed.tracks[number]
        off = (track.joints3d + track.translation[:, None] - joints - [0, 0, number - 1])[15:-15]
        assert np.abs(np.median(off, axis=0)).max() < 0.2  # legs of these walks are not quite rigid
        pixels = CAMERA.project(track.joints3d + track.translation[:, None])
        assert np.median(np.abs(pixels - tracks[number].joints2d)) < 2


def test_one_known_height_tells_those_of_all():
    """Everybody was taken to be a fifth too small."""
    tracks, _ = crowd((0.8, 0.8, 0.8))
    small = place_tracks(tracks)
    true = small.heights[1] / 0.8
    placed = place_tracks(tracks, PlacementOptions({2: true}))
    assert placed.heights[2] == pytest.approx(true)
    assert [placed.heights[k] / true for k in (1, 3)] == pytest.approx([1, 1], rel=0.05)
    assert placed.floor is not None
    assert small.floor is not None
    assert placed.floor.offset == pytest.approx(1.5, abs=0.08)
    assert small.floor.offset == pytest.approx(1.2, abs=0.08)


def test_a_smooth_way_is_robust_passes_straight_lines_and_keeps_nan():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.06, 1300))  # more than one block
    depth = np.exp(0.8 + 0.02 * times)
    line = np.column_stack([(0.1 + 0.01 * times) * depth, -0.05 * depth, depth])
    line[40:44] = np.nan
    np.testing.assert_allclose(smooth_way(line, times, np.ones(1300), 0.2), line, rtol=1e-6)
    wrong = line.copy()
    wrong[100] *= 3
    wrong[700] *= 0.2
    noisy = wrong * (1 + rng.normal(0, 0.01, (1300, 1)))
    result = smooth_way(noisy, times, np.ones(1300), 0.3)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(line))
    away = np.linalg.norm(result - line, axis=1) / depth
    assert np.nanmax(away) < 0.03
    assert np.isfinite(smooth_way(line[:2], times[:2], np.ones(2), 0.3)).all()


def test_a_person_never_seen_whole_is_left_alone_and_bad_input_refused():
    tracks, _ = walk()
    person = tracks[1]
    person.joints3d[:, [0, 1]] = np.nan
    placed = place_tracks(tracks)
    assert placed.heights == {}
    np.testing.assert_array_equal(placed.tracks[1].joints3d, person.joints3d)
    with pytest.raises(InputError, match="heights of"):
        place_tracks(tracks, PlacementOptions({7: 1.8}))
    with pytest.raises(InputError, match="LCR13"):
        place_tracks(replace(tracks, skeleton=COCO17))
    with pytest.raises(InputError, match="heights of 0"):
        PlacementOptions({1: 180.0})
