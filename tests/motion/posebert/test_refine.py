"""Whole tracks: poses of one body, gaps filled, what was measured kept."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx")

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import COCO17
from anchorpose.motion.gaps import fill_gaps
from anchorpose.motion.posebert.kinematics import measured_lengths
from anchorpose.motion.posebert.model import PoseBert
from anchorpose.motion.posebert.refine import refine_tracks

from .graphs import LENGTHS, echo, rigid, tracks_of


@pytest.fixture
def model(tmp_path):
    return PoseBert(echo(tmp_path / "echo.onnx"))


@pytest.mark.parametrize("step", [1 / 30, 1 / 24, 1 / 15, 1 / 8, 0.1001])
def test_a_graph_that_changes_nothing_gives_rigid_people_back(model, step):
    tracks = tracks_of([rigid(40, 1), rigid(40, 2)], step)
    refined = refine_tracks(tracks, model)
    for before, after in zip(tracks.people, refined.people, strict=True):
        np.testing.assert_allclose(after.joints3d, before.joints3d, atol=1e-5)
        for name in ("times", "joints2d", "translation", "scores", "joint_scores", "states", "filled"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_another_camera_than_the_one_they_were_found_with(model):
    """Placed with the wrong camera people are at half their distance; poses that agree with the right one stay."""
    tracks = tracks_of([rigid(40)])
    camera = tracks.camera
    true = replace(tracks, camera=replace(camera, fx=2 * camera.fx, fy=2 * camera.fy))
    poses = tracks[1].joints3d
    joints2d = true.camera.project(poses + np.array([0.2, -0.1, 6.0])).astype(np.float32)
    stale = replace(true, people=(replace(tracks[1], joints2d=joints2d, translation=tracks[1].translation / 2),))
    np.testing.assert_allclose(refine_tracks(stale, model)[1].joints3d, poses, atol=2e-3)


def test_bones_keep_their_lengths(model):
    noisy = rigid(50) + np.random.default_rng(0).normal(0, 0.02, (50, 13, 3))
    track = refine_tracks(tracks_of([noisy]), model)[1]
    lengths = measured_lengths(track.joints3d)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-6)
    np.testing.assert_allclose(lengths[0], LENGTHS, rtol=0.05)


def test_gaps_get_poses_up_to_the_length_that_was_asked_for(model):
    poses = rigid(60)
    poses[20:26], poses[40:55] = np.nan, np.nan
    refined = refine_tracks(tracks_of([poses]), model, longest=0.4)[1]
    gone = (np.arange(60) >= 40) & (np.arange(60) < 55)
    np.testing.assert_allclose(refined.times, np.arange(60)[~gone] / 30)
    assert np.isfinite(refined.joints3d).all()
    np.testing.assert_array_equal(np.flatnonzero(refined.filled), np.arange(20, 26))
    linear = fill_gaps(tracks_of([poses]), 0.4)[1]
    np.testing.assert_array_equal(refined.joints2d, linear.joints2d)
    np.testing.assert_allclose(measured_lengths(refined.joints3d)[20:26], np.broadcast_to(LENGTHS, (6, 12)), atol=1e-5)


def test_rows_that_are_marked_filled_are_not_observations(model):
    """Their content must not matter, only that they are there."""
    poses = rigid(40)
    poses[10:16] = np.nan
    linear = fill_gaps(tracks_of([poses]), 1.0)
    other = linear[1].joints3d.copy()
    other[10:16] = rigid(6, 9)
    strange = replace(linear, people=(replace(linear[1], joints3d=other),))
    expected = refine_tracks(tracks_of([poses]), model)[1].joints3d
    for tracks in (linear, strange):
        np.testing.assert_array_equal(refine_tracks(tracks, model)[1].joints3d, expected)


def test_frames_without_a_joint_are_rewritten(model):
    tracks = tracks_of([rigid(40)])
    holes = tracks[1].joints3d.copy()
    holes[5, 2], holes[7] = np.nan, np.nan
    refined = refine_tracks(replace(tracks, people=(replace(tracks[1], joints3d=holes),)), model)[1]
    assert np.isfinite(refined.joints3d).all()
    kept = ~np.isin(np.arange(40), [5, 7])
    np.testing.assert_allclose(refined.joints3d[kept], holes[kept], atol=1e-5)


def test_whoever_has_no_body_stays(model):
    tracks = tracks_of([rigid(20), rigid(20, 3)])
    headless = tracks[2].joints3d.copy()
    headless[:, 12] = np.nan
    mixed = replace(tracks, people=(tracks[1], replace(tracks[2], joints3d=headless)))
    refined = refine_tracks(mixed, model)
    np.testing.assert_array_equal(refined[2].joints3d, headless)
    np.testing.assert_allclose(refined[1].joints3d, tracks[1].joints3d, atol=1e-5)


def test_tracks_of_one_frame_and_of_nobody(model):
    single = tracks_of([rigid(1)])
    np.testing.assert_allclose(refine_tracks(single, model)[1].joints3d, single[1].joints3d, atol=1e-5)
    assert refine_tracks(replace(single, people=()), model).people == ()


def test_people_do_not_influence_each_other(model):
    alone = refine_tracks(tracks_of([rigid(30, 1)]), model)[1]
    beside = refine_tracks(tracks_of([rigid(30, 1), 2 * rigid(30, 2)]), model)[1]
    np.testing.assert_array_equal(alone.joints3d, beside.joints3d)


def test_uneven_times_are_honoured(model):
    """A variable frame rate: the poses belong to their own times."""
    rng = np.random.default_rng(0)
    tracks = tracks_of([rigid(60, swing=0.1)])
    chosen = np.sort(rng.choice(60, 40, replace=False))
    some = replace(tracks, times=tracks.times[chosen], people=(tracks[1][chosen],))
    refined = refine_tracks(some, model, longest=1.0)[1]
    np.testing.assert_array_equal(refined.times, some.times)
    np.testing.assert_allclose(refined.joints3d, some[1].joints3d, atol=0.02)


def test_wrong_input_is_said_in_one_line(model):
    tracks = tracks_of([rigid(5)])
    with pytest.raises(InputError, match="COCO17, wanted LCR13"):
        refine_tracks(replace(tracks, skeleton=COCO17), model)
    with pytest.raises(InputError, match="longest gap"):
        refine_tracks(tracks, model, longest=-1.0)
