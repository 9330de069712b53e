"""Identities: lasting, never shared, independent of order, and the same after a restart."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.motion.tracker import Tracker, TrackerOptions

from .people import CAMERA, people_at

FPS = 25


def follow(frames, images=None, tracker=None, start=0):
    tracker = tracker or Tracker()
    return [tracker.update(p, None if images is None else images[i], (start + i) / FPS).track_ids
            for i, p in enumerate(frames)]  # fmt: skip


def crossing(frames=50, jitter=0.0, seed=0):
    """Two people who pass each other at 4 and 4.7 m, rows in random order; also who is in which row."""
    rng = np.random.default_rng(seed)
    moments, rows = [], []
    for x in np.linspace(-1.2, 1.2, frames):
        order = rng.permutation(2)
        places = np.array([[x, 0, 4.0], [-x, 0, 4.7]]) + rng.normal(0, jitter, (2, 3))
        moments.append(people_at(places[order]))
        rows.append(order)
    return moments, rows


def test_people_who_cross_keep_their_identity():
    moments, rows = crossing(jitter=0.02)
    ids = follow(moments)
    assert {tuple(i[np.argsort(order)]) for i, order in zip(ids, rows, strict=True)} == {
        tuple(ids[0][np.argsort(rows[0])])
    }


def test_the_order_of_people_changes_nothing():
    rng = np.random.default_rng(3)
    places = rng.uniform([-2, -0.2, 3], [2, 0.2, 6], (6, 3))
    moments = [people_at(places + rng.normal(0, 0.05, places.shape)) for _ in range(15)]
    orders = [rng.permutation(6) for _ in moments]
    plain = follow(moments)
    shuffled = follow([m[o] for m, o in zip(moments, orders, strict=True)])
    for a, b, order in zip(plain, shuffled, orders, strict=True):
        np.testing.assert_array_equal(a[order], b)


def test_identities_are_never_shared_under_chaos():
    rng = np.random.default_rng(4)
    seen_last, greatest = {}, 0
    tracker = Tracker()
    for i in range(80):
        poses = people_at(rng.uniform([-2, -0.3, 2], [2, 0.3, 6], (rng.integers(0, 7), 3)))
        if i % 3 == 0 and len(poses) > 1:  # two people in one place, one without joints
            poses.joints2d[1], poses.joints3d[1], poses.translation[1] = np.nan, np.nan, np.nan
        ids = tracker.update(poses, None, i / FPS).track_ids
        assert len(ids) == len(poses)
        assert len(set(ids.tolist())) == len(ids)
        for k in ids.tolist():
            assert i / FPS - seen_last.get(k, i / FPS) <= 2.0 + 1e-9
            assert k in seen_last or k > greatest
            seen_last[k] = i / FPS
        greatest = max([greatest, *ids.tolist()])


@pytest.mark.parametrize(("away", "same"), [(0.4, True), (1.6, True), (2.4, False)])
def test_who_is_hidden_is_known_again_within_two_seconds(away, same):
    tracker, ids = Tracker(), []
    for i in range(int(FPS * (away + 2))):
        hidden = 1.0 <= i / FPS < 1.0 + away
        places = [[1.5, 0, 3.5]] if hidden else [[1.5, 0, 3.5], [-1.0 + 0.2 * i / FPS, 0, 5.0]]
        ids.append(tracker.update(people_at(places), None, i / FPS).track_ids)
    assert (ids[-1][1] == ids[0][1]) == same
    assert {i[0] for i in ids} == {ids[0][0]}


def test_who_leaves_and_comes_back_over_the_same_border_is_known_again():
    def x(time):
        return 1.4 + 1.2 * time if time < 1.2 else 1.4 + 1.2 * (2.4 - time)

    tracker, ids = Tracker(), {}
    for i in range(int(2.4 * FPS)):
        poses = people_at([[x(i / FPS), 0, 4.0]])
        shown = poses[np.isin(poses.joint_states, 1).sum(1) >= 3]
        ids[i] = tracker.update(shown, None, i / FPS).track_ids.tolist()
    assert [] in ids.values()
    assert {k for v in ids.values() for k in v} == {ids[0][0]}


def test_unsure_people_only_go_on_with_tracks_that_are_theirs():
    """Begun by the sure, gone on by the unsure while seen, never taken from somebody surer, nor after a pause."""
    tracker = Tracker(TrackerOptions(new_score=0.5))

    def found(places, scores, frame):
        poses = replace(people_at(places), scores=np.array(scores, np.float32))
        after = tracker.update(poses, None, frame / FPS)
        return dict(zip(after.track_ids.tolist(), after.scores.astype(float).round(1).tolist(), strict=True))

    assert found([[-1, 0, 4], [1, 0, 4]], [0.9, 0.4], 0) == {1: 0.9}
    assert found([[1, 0, 4], [-1, 0, 4]], [0.4, 0.4], 1) == {1: 0.4}
    assert found([[-1, 0, 4], [-1.02, 0, 4.05]], [0.4, 0.9], 2) == {1: 0.9}
    for i in range(3, 3 + int(0.4 * FPS)):
        found([[1, 0, 4]], [0.9], i)
    assert found([[-1, 0, 4], [1, 0, 4]], [0.4, 0.9], i + 1) == {2: 0.9}
    assert found([[-1, 0, 4], [1, 0, 4]], [0.9, 0.9], i + 2) == {1: 0.9, 2: 0.9}


def picture(poses, colours):
    """Plain ground and people as thick sticks in their colour."""
    image = np.full((CAMERA.height, CAMERA.width, 3), 120, np.uint8)
    for joints, colour in zip(poses.joints2d, colours, strict=True):
        cv2.fillConvexPoly(image, cv2.convexHull(joints[[4, 5, 10, 11]].astype(np.int32)), colour)
        for a, b in poses.skeleton.bones:
            cv2.line(image, tuple(map(int, joints[a])), tuple(map(int, joints[b])), colour, 14)
    return image


def test_clothes_tell_two_people_apart_who_come_back_in_each_others_place():
    tracker, red, blue = Tracker(), (40, 40, 220), (220, 60, 40)
    places = [[-0.5, 0, 4.0], [0.5, 0, 4.0]]
    for i in range(10):
        first = tracker.update(people_at(places), picture(people_at(places), [red, blue]), i / FPS).track_ids
    away = people_at([[0, 0, 4]])[:0]
    for i in range(10, 30):
        tracker.update(away, picture(away, []), i / FPS)
    again = tracker.update(people_at(places), picture(people_at(places), [blue, red]), 30 / FPS).track_ids
    assert again.tolist() == first[::-1].tolist()


def test_flow_follows_a_jump_that_the_speed_does_not_foresee():
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (480, 640, 3), np.uint8), (0, 0), 6)
    ids = {}
    for side in (0, 256):
        tracker = Tracker(TrackerOptions(flow_side=side))
        for i, shift in enumerate([0, 0, 0, 44]):
            small = people_at([[0, 0, 12.0]])
            nan = np.float32(np.nan)
            poses = replace(small, joints2d=small.joints2d + np.float32([shift, 0]),
                            translation=small.translation * nan, joints3d=small.joints3d * nan)  # fmt: skip
            found = tracker.update(poses, np.roll(ground, shift, axis=1), i / FPS)
            ids.setdefault(side, []).append(int(found.track_ids[0]))
    assert len(set(ids[256])) == 1
    assert len(set(ids[0])) == 2


def test_restored_it_goes_on_exactly_the_same():
    moments, _ = crossing(40, jitter=0.05, seed=2)
    images = [picture(m, [(40, 40, 220), (220, 60, 40)]) for m in moments]
    whole, half = Tracker(), Tracker()
    expected = follow(moments, images, whole)
    follow(moments[:17], images[:17], half)
    again = Tracker.restore(json.loads(json.dumps(half.state(), allow_nan=False)))
    assert again.state() == half.state()
    for a, b in zip(follow(moments[17:], images[17:], again, 17), expected[17:], strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.state() == whole.state()


def test_a_new_tracker_can_be_saved_and_empty_frames_followed():
    tracker = Tracker.restore(json.loads(json.dumps(Tracker().state(), allow_nan=False)))
    assert tracker.update(Poses.empty(CAMERA), None, 0.0).track_ids.shape == (0,)
    assert tracker.update(people_at([[0, 0, 4]]), None, 0.1).track_ids.tolist() == [1]


def test_bad_input_is_refused():
    tracker = Tracker()
    tracker.update(people_at([[0, 0, 4]]), None, 1.0)
    with pytest.raises(InputError, match="wanted later times"):
        tracker.update(people_at([[0, 0, 4]]), None, 1.0)
    with pytest.raises(InputError, match="schema"):
        Tracker.restore({"schema": "other"})
    with pytest.raises(InputError, match="damaged"):
        Tracker.restore({**tracker.state(), "tracks": [{"id": 1}]})
    with pytest.raises(InputError, match="doubt"):
        TrackerOptions(doubt=3.0)
