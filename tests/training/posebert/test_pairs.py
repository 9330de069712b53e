"""People who were found, beside the true people whom they fit."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("warp")

from anchorpose.core.poses import JointState
from anchorpose.synthesis.rendering.placement import Viewpoint
from anchorpose.synthesis.sequences import SequenceFrame
from anchorpose.training.posebert.pairs import pair_sequence
from tests.motion.people import CAMERA, people_at

VIEW = Viewpoint(CAMERA, 1.5, np.eye(3))
NOTHING = np.zeros((1, 1, 3), np.uint8)


def sequence(count, away=()):
    """Two people who cross; person 1 is out of the picture's truth in the frames `away`."""
    frames = []
    for i in range(count):
        x = -1.2 + 2.4 * i / count
        poses = replace(people_at([[x, 0, 4.0], [-x, 0, 5.5]]), track_ids=np.array([7, 3]))
        frames.append(SequenceFrame(NOTHING, poses[[0]] if i in away else poses, i / 10, VIEW))
    return frames


def test_everybody_is_paired_with_who_they_are_also_where_they_cross():
    frames = sequence(40)
    rng = np.random.default_rng(0)
    people = []
    for frame in frames:
        shaken = replace(frame.poses, joints2d=frame.poses.joints2d + rng.normal(0, 1, (2, 13, 2)).astype(np.float32),
                         track_ids=None)  # fmt: skip
        people.append(shaken[rng.permutation(2)])
    tracks, pairs = pair_sequence(frames, people)
    assert [p.id for p in tracks.people] == [3, 7]
    for pair in pairs:
        row = 0 if pair.track.id == 7 else 1
        assert pair.found.all()
        np.testing.assert_array_equal(pair.truth, np.stack([f.poses.joints3d[row] for f in frames]))
        np.testing.assert_array_equal(pair.place, np.stack([f.poses.translation[row] for f in frames]))
        wanted = np.stack([f.poses.joints2d[row] for f in frames])
        # at the crossing one of two people who stand behind each other may be taken for the other
        assert (np.abs(pair.track.joints2d - wanted).max((1, 2)) < 8).mean() > 0.9


def test_missed_frames_stay_in_the_truth_and_strangers_are_nobody():
    frames = sequence(30)
    people = [f.poses[[0]] if 10 <= i < 15 else f.poses for i, f in enumerate(frames)]
    people[3] = people_at([[0, -3, 9.0]])
    _, pairs = pair_sequence(frames, people)
    missed = {p.track.id: np.flatnonzero(~p.found).tolist() for p in pairs}
    assert missed == {3: [3, 10, 11, 12, 13, 14], 7: [3]}
    assert all(len(p.truth) == len(p.times) == 30 for p in pairs)


@pytest.mark.parametrize(("gone", "numbers"), [(range(12, 30), [3, 7]), (range(12, 36), [3, 7, 103])])
def test_who_was_away_for_long_is_somebody_new(gone, numbers):
    frames = sequence(60, gone)
    tracks, _ = pair_sequence(frames, [f.poses for f in frames])
    assert [p.id for p in tracks.people] == numbers


def test_people_of_whom_little_can_be_seen_are_not_asked_for():
    frames = sequence(20)
    states = np.where(np.arange(13) < 2, JointState.VISIBLE, JointState.HIDDEN).astype(np.uint8)[None].repeat(2, 0)
    hidden = [replace(f, poses=replace(f.poses, joint_states=states)) for f in frames]
    tracks, pairs = pair_sequence(hidden, [f.poses for f in frames])
    assert tracks.people == ()
    assert pairs == ()
