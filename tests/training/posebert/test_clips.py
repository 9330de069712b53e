"""Clips in time, and windows of them."""

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.posebert.codec import RATE
from anchorpose.motion.posebert.kinematics import MIRRORED, measured_lengths
from tests.motion.posebert.graphs import rigid

pytest.importorskip("torch")

from anchorpose.synthesis.rendering.assets import in_split
from anchorpose.training.posebert.clips import Clips, draw_windows, read_clips, resampled, whole_runs
from tests.synthesis.test_bvh import person_bvh


@pytest.mark.parametrize("fps", [30, 24, 60, 120, 11])
def test_resampling_keeps_the_pace(fps):
    """A joint that moves by a metre a second does so at any rate."""
    poses = np.arange(40)[:, None, None] / fps * np.ones((13, 3))
    found = resampled(poses, 1 / fps)
    np.testing.assert_allclose(found[:, 0, 0], np.arange(len(found)) / RATE, atol=1e-9)
    assert 39 / fps - 1 / RATE < (len(found) - 1) / RATE <= 39 / fps + 1e-6


def test_runs_have_no_missing_joint():
    poses = rigid(100)
    poses[30, 4], poses[50] = np.nan, 0.0
    assert [len(r) for r in whole_runs(poses)] == [30, 19, 49]
    poses[60:] = np.nan
    assert [len(r) for r in whole_runs(poses)] == [30, 19]
    assert whole_runs(np.full((40, 13, 3), np.nan)) == []


def test_windows_have_one_body_and_stay_in_their_clip():
    clips = Clips.of([rigid(100, 1), rigid(20, 2), rigid(400, 3)])
    windows = draw_windows(clips, 60, 64, np.random.default_rng(0))
    lengths = measured_lengths(windows.joints3d)
    # a pose between two frames is a little shorter than both
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:, :1], lengths.shape), rtol=3e-3)
    np.testing.assert_allclose(lengths, lengths[..., MIRRORED], rtol=3e-3)
    assert lengths[:, 0].std(0).min() > 0.005, "bodies differ"
    np.testing.assert_allclose(body_centre(windows.joints3d), 0, atol=1e-9)
    assert 0 < (~windows.inside).mean() < 0.3, "short clips do not fill their windows"
    assert windows.inside.any(1).all()
    for poses, inside in zip(windows.joints3d, windows.inside, strict=True):
        assert (np.diff(np.flatnonzero(inside)) == 1).all()
        steps = np.linalg.norm(np.diff(poses, axis=0), axis=-1).max(1)
        assert steps.max() < 0.2, "no jump into another clip"


def test_windows_are_of_both_sides_and_seen_from_all_around():
    arms = rigid(200, 1)
    windows = draw_windows(Clips.of([arms]), 200, 8, np.random.default_rng(1))
    across = windows.joints3d[:, 0, LCR13.index("left_hip")] - windows.joints3d[:, 0, LCR13.index("right_hip")]
    angle = np.arctan2(across[:, 2], across[:, 0])
    assert np.histogram(angle, 8, (-np.pi, np.pi))[0].min() > 10
    handed = np.linalg.det(windows.joints3d[:, 0][:, LCR13.indices("left_knee", "right_wrist", "head_top")])
    assert 60 < (handed > 0).sum() < 140, "half of them mirrored"


def test_the_same_seed_gives_the_same_windows():
    clips = Clips.of([rigid(100)])
    a, b, c = (draw_windows(clips, 3, 16, np.random.default_rng(s)).joints3d for s in (5, 5, 6))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_folders_are_read_and_what_is_no_motion_is_left_out(tmp_path):
    for i in range(6, 12):
        person_bvh(tmp_path / f"{i}.bvh", 40, np.random.default_rng(i), turn=3.0)
    assert [in_split(f"{i}.bvh", "test") for i in range(6, 12)] == [False, False, False, True, False, False]
    (tmp_path / "bad.bvh").write_text("HIERARCHY\nnothing\n")
    everything, train, test = (read_clips([tmp_path], split) for split in ("all", "train", "test"))
    assert (len(everything), len(train), len(test)) == (6, 5, 1)
    assert len(everything.poses) == 6 * 39  # of 40, a little closer than 1 / 30 s
    (tmp_path / "none").mkdir()
    person_bvh(tmp_path / "none" / "short.bvh", 5, np.random.default_rng(0))
    with pytest.raises(InputError, match="found no clip of 16 whole poses"):
        read_clips([tmp_path / "none"], "all")
