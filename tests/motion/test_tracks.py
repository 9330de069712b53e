"""Whole tracks: there and back, and edits that undo each other."""

from dataclasses import fields, replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.motion.tracks import Tracks

from .people import people_at


def video(presence, seed=0):
    """Frames at uneven times; `presence` says who is in which frame: (f, people) of bool."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.06, len(presence)))
    frames = []
    for time, row in zip(times, presence, strict=True):
        ids = np.flatnonzero(row) + 1
        poses = people_at(np.column_stack([ids - 2.0, 0 * ids, 4 + rng.random(len(ids))]))
        poses = replace(poses, scores=rng.random(len(ids)).astype(np.float32), track_ids=ids.astype(np.int64))
        frames.append((float(time), poses))
    return frames


PRESENCE = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]], bool)


def assert_same(a, b):
    assert [p.id for p in a.people] == [p.id for p in b.people]
    np.testing.assert_array_equal(a.times, b.times)
    for x, y in zip(a.people, b.people, strict=True):
        for f in fields(x):
            np.testing.assert_array_equal(getattr(x, f.name), getattr(y, f.name), err_msg=f.name)


def test_there_and_back():
    frames = video(PRESENCE)
    tracks = Tracks.from_frames(frames)
    assert [len(p) for p in tracks.people] == PRESENCE.sum(0).tolist()
    for (time, poses), (again, back) in zip(frames, tracks.frames(), strict=True):
        assert time == again
        order = np.argsort(-poses.scores, kind="stable")
        for name in ("track_ids", "scores", "joints2d", "joints3d", "translation", "joint_states", "joint_scores"):
            np.testing.assert_array_equal(getattr(poses, name)[order], getattr(back, name))
        np.testing.assert_allclose(poses.boxes[order], back.boxes, rtol=1e-6)
    assert_same(tracks, Tracks.from_frames(tracks.frames()))


def test_split_and_merge_undo_each_other_and_change_nothing_else():
    tracks = Tracks.from_frames(video(PRESENCE))
    whole = tracks[1]
    cut = tracks.split(1, float(whole.times[2]))
    assert [len(cut[1]), len(cut[4])] == [2, 2]
    assert_same(cut.merge(1, 4), tracks)
    assert len(tracks[1]) == 4, "the original is untouched"


def test_swap_twice_is_nothing():
    tracks = Tracks.from_frames(video(PRESENCE))
    time = float(tracks.times[3])
    swapped = tracks.swap(1, 3, time)
    np.testing.assert_array_equal(swapped[1].times[swapped[1].times >= time], tracks[3].times[tracks[3].times >= time])
    np.testing.assert_array_equal(swapped[3].joints2d[-1], tracks[1].joints2d[-1])
    assert_same(swapped.swap(1, 3, time), tracks)


def test_short_tracks_can_be_dropped():
    tracks = Tracks.from_frames(video(PRESENCE))
    assert [p.id for p in tracks.longer_than(3).people] == [1]


@pytest.mark.parametrize(("edit", "message"), [
    (lambda t: t.merge(1, 3), "both in 2 frames"), (lambda t: t.merge(1, 1), "twice"),
    (lambda t: t.merge(1, 9), "no track 9, wanted one of 1, 2, 3"),
    (lambda t: t.split(1, -1.0), "wanted a time inside"),
    (lambda t: t.split(1, 99.0), "wanted a time inside"), (lambda t: t.swap(1, 2, 99.0), "earlier time"),
    (lambda t: t.swap(2, 2, 0.1), "twice"),
])  # fmt: skip
def test_impossible_edits_are_refused(edit, message):
    with pytest.raises(InputError, match=message):
        edit(Tracks.from_frames(video(PRESENCE)))


def test_bad_frames_are_refused():
    frames = video(PRESENCE)
    with pytest.raises(InputError, match="no frame"):
        Tracks.from_frames([])
    with pytest.raises(InputError, match="wanted later times"):
        Tracks.from_frames([frames[1], frames[0]])
    with pytest.raises(InputError, match="without track_ids"):
        Tracks.from_frames([(0.0, replace(frames[0][1], track_ids=None))])
    with pytest.raises(InputError, match="identity twice"):
        Tracks.from_frames([(0.0, replace(frames[0][1], track_ids=np.array([1, 1])))])
