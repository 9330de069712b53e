from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.poses import Poses
from anchorpose.io.exports.clip import Clip
from anchorpose.io.figure import person_colour
from anchorpose.io.viewer.panel import Trails, camera_room, clip_room, first_room, panel
from tests.io.exports.clips import CAMERA, poses, walk
from tests.io.people import standing

SIZE = (320, 240)


def where(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(m, 2) x, y of the pixels of this colour."""
    return np.argwhere((np.abs(image.astype(int) - colour) <= 4).all(-1))[:, ::-1]


def test_everybody_is_inside_and_the_view_stands_still() -> None:
    clip = walk()
    room = clip_room(clip, SIZE)
    for k in (0, 10, 23):
        image = panel(clip.frame(k), SIZE, room)
        assert image.shape == (240, 320, 3)
        for person in clip.people:
            if person.present[k]:
                flat = room.view.project(person.in_camera()[k].astype(float))[:, :2]
                assert ((flat > 0) & (flat < SIZE)).all()
                assert len(where(image, person_colour(person.id))) > 20
    still = [panel(replace(clip.frame(0), scores=clip.frame(0).scores * s), SIZE, room) for s in (1, 0.5)]
    np.testing.assert_array_equal(*still)


def test_a_person_who_walks_away_is_seen_smaller_or_elsewhere_in_the_same_view() -> None:
    body = standing()[None]
    room = camera_room(CAMERA, SIZE)
    near, far = (panel(poses(body, np.array([[0.0, 0, z]]), [3]), SIZE, room) for z in (2.0, 5.0))
    assert np.abs(where(near, person_colour(3)).mean(0) - where(far, person_colour(3)).mean(0)).max() > 15


@pytest.mark.parametrize(("below", "away"), [(0.2, 3.0), (1.4, 4.0), (3.5, 9.0)])
def test_the_first_people_stand_on_the_floor_of_a_stream(below, away) -> None:
    body = standing()
    lowest = float(np.nanmax(body[:, 1]))
    shown = poses(body[None], np.array([[0.0, below - lowest, away]]), [3])
    room = first_room(shown, SIZE)
    assert room.ground == pytest.approx(below, abs=1e-5)
    flat = room.view.project(shown.joints3d_camera[0].astype(float))[:, :2]
    assert ((flat > 0) & (flat < SIZE)).all()
    assert len(where(panel(shown, SIZE, room), person_colour(3))) > 8
    unplaced = np.full((1, 3), np.nan)
    both = poses(np.stack([body, body]), np.concatenate([shown.translation, unplaced]), [3, 4])
    np.testing.assert_array_equal(first_room(both, SIZE).corners, room.corners)
    nobody = poses(body[None], unplaced, [3])
    np.testing.assert_array_equal(first_room(nobody, SIZE).corners, camera_room(CAMERA, SIZE).corners)


def test_trails_follow_and_forget() -> None:
    trails = Trails(seconds=1.0)
    for k in range(40):
        trails.add(poses(standing()[None], np.array([[0.05 * k, 0, 4.0]]), [5]), k / 20)
    path = trails.paths()[5]
    np.testing.assert_allclose(path[:, 0], 0.05 * np.arange(19, 40), atol=1e-6)
    room = camera_room(CAMERA, SIZE)
    nobody = Poses.empty(CAMERA)
    drawn, bare = panel(nobody, SIZE, room, trails), panel(nobody, SIZE, room)
    assert (drawn != bare).any(-1).sum() > 20
    trails.add(nobody, 10.0)
    assert trails.paths() == {}
    np.testing.assert_array_equal(panel(nobody, SIZE, room, trails), bare)


def test_people_without_a_place_or_id_leave_no_trail() -> None:
    trails = Trails()
    person = poses(standing()[None], np.array([[0.0, 0, 4.0]]), [5])
    trails.add(replace(person, track_ids=None), 0.0)
    trails.add(replace(person, translation=person.translation * np.nan), 0.1)
    assert trails.paths() == {}


@pytest.mark.parametrize("yaw", [0.0, 90.0, -120.0])
def test_a_clip_of_nobody_has_the_cameras_room(yaw) -> None:
    clip = Clip.from_frames([(0, 0.0, Poses.empty(CAMERA))])
    room, wanted = clip_room(clip, SIZE, yaw=yaw), camera_room(CAMERA, SIZE, yaw=yaw)
    np.testing.assert_array_equal(room.corners, wanted.corners)
    flat = room.view.project(room.corners)[:, :2]
    assert ((flat > 0) & (flat < SIZE)).all()
