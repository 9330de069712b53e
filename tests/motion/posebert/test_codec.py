"""Tokens and the even grid."""

import numpy as np
import pytest

from anchorpose.motion.posebert.codec import (
    RATE,
    SIXD,
    WIDTH,
    Grid,
    Observations,
    between_slots,
    decode,
    encode,
    on_grid,
    track_lengths,
)
from anchorpose.motion.posebert.kinematics import body_size, to_6d, to_rotations

from .graphs import LENGTHS, rigid


def observed(poses, step=1 / RATE):
    times = np.arange(len(poses)) * step
    return Observations(times, poses, np.ones(poses.shape[:2], bool), LENGTHS)


def test_poses_come_back_from_their_tokens():
    poses = rigid(20)
    tokens, known = encode(poses, np.ones((20, 13), bool), np.ones(20))
    assert tokens.shape == (20, WIDTH)
    assert known.all()
    sixd = tokens[:, -SIXD:].reshape(20, -1, 6)
    np.testing.assert_allclose(decode(sixd, np.broadcast_to(LENGTHS, (20, 12))), poses, atol=2e-6)


def test_tokens_do_not_know_the_size_of_a_person():
    poses = rigid(5)
    size, seen = body_size(LENGTHS), np.ones((5, 13), bool)
    small, large = (encode(s * poses, seen, np.full(5, s * size))[0] for s in (0.6, 1.7))
    np.testing.assert_allclose(small, large, atol=1e-6)


def test_a_pose_that_is_not_whole_is_not_known_and_holds_no_nan():
    poses = rigid(4)
    poses[1, 3] = np.nan
    poses[2] = 0.0
    tokens, known = encode(poses, np.ones((4, 13), bool), np.zeros(4))
    np.testing.assert_array_equal(known, [True, False, False, True])
    assert np.isfinite(tokens).all()
    assert not tokens[[1, 2]].any()


@pytest.mark.parametrize(
    ("fps", "slots"),
    [(30, 1), (29.97, 1), (25, 1), (24, 1), (21, 1), (20, 2), (15, 2), (10, 3), (1, 30), (60, 1 / 2), (120, 1 / 4)],
)
def test_frames_fall_on_slots(fps, slots):
    grid = Grid.of(2.0, 1 / fps)
    place = grid.place(2.0 + np.arange(50) / fps)
    np.testing.assert_allclose(place, np.arange(50) * slots, atol=1e-9)
    assert 2 / 3 - 1e-9 <= grid.step * RATE <= 3 / 2 + 1e-9


def test_poses_that_share_a_slot_are_averaged_and_empty_slots_are_unknown():
    poses = rigid(8)
    tokens, known = on_grid(observed(poses, 1 / 60), Grid.of(0.0, 1 / 60), 6)
    np.testing.assert_array_equal(known, [True] * 5 + [False])  # rint: 0, 0.5->0, 1, 1.5->2, ...
    rows = np.rint(np.arange(8) / 2)
    middle = np.stack([poses[rows == slot].mean(0) for slot in range(5)])
    np.testing.assert_allclose(tokens[:5, -SIXD:], to_6d(to_rotations(middle)).reshape(5, -1), atol=1e-6)
    _, slow = on_grid(observed(poses, 1 / 15), Grid.of(0.0, 1 / 15), 15)
    np.testing.assert_array_equal(slow, np.arange(15) % 2 == 0)


def test_what_lies_outside_the_grid_is_left_out():
    poses = rigid(10)
    whole, _ = on_grid(observed(poses), Grid(0.0, 1 / RATE), 10)
    part, known = on_grid(observed(poses), Grid(3 / RATE, 1 / RATE), 4)
    assert known.all()
    np.testing.assert_array_equal(part, whole[3:7])


def test_between_slots_is_linear_and_ends_stay():
    values = np.random.default_rng(0).normal(size=(5, 12, 6))
    np.testing.assert_allclose(between_slots(values, np.array([-1.0, 0.25, 4.0, 9.0])),
                               [values[0], 0.75 * values[0] + 0.25 * values[1], values[4], values[4]])  # fmt: skip
    np.testing.assert_array_equal(between_slots(values[:1], np.array([0.0, 2.0])), values[[0, 0]])


def test_lengths_are_those_of_the_frames_in_which_bones_are_seen():
    poses = rigid(31)
    seen = np.ones((31, 13), bool)
    wrong = poses.copy()
    wrong[:15] *= 1.4
    seen[:15] = False
    np.testing.assert_allclose(track_lengths(wrong, seen), LENGTHS, atol=1e-9)
