from __future__ import annotations

from dataclasses import replace

import numpy as np

from anchorpose.app.overlay import drawn_frames
from anchorpose.app.video import Frame
from anchorpose.core.camera import Camera
from anchorpose.io.figure import person_colour
from tests.motion.people import CAMERA, people_at

GREY = np.full((480, 640, 3), 90, np.uint8)


def walkers(count: int, camera: Camera = CAMERA, image: np.ndarray = GREY) -> list[Frame]:
    """Person 4 walks to the right, person 8 stands."""
    frames = []
    for k in range(count):
        poses = people_at([[-1 + 0.1 * k, 0.1, 4], [1.2, 0.1, 5]], camera=camera)
        frames.append(Frame(k, k / 25, image, replace(poses, track_ids=np.array([4, 8]))))
    return frames


def count_of(picture: np.ndarray, identity: int) -> int:
    """Pixels near a person's colour."""
    return int((np.abs(picture.astype(int) - person_colour(identity)).max(-1) < 25).sum())


def test_everybody_has_a_colour_a_number_and_a_trail() -> None:
    frames = walkers(12)
    drawn = list(drawn_frames(frames))
    assert [frame for frame, _ in drawn] == frames
    assert all(picture.shape == GREY.shape for _, picture in drawn)
    last = drawn[-1][1]
    assert min(count_of(last, 4), count_of(last, 8)) > 100
    path = CAMERA.project(np.array([[-1 + 0.1 * k, 0.1, 4] for k in range(12)]))
    behind = path[8].astype(int)  # where the body centre was, and nobody is any more
    near = last[behind[1] - 3 : behind[1] + 4, behind[0] - 3 : behind[0] + 4].astype(int)
    assert np.abs(near - 90).max() > 40
    assert (frames[0].image == 90).all()  # the frame itself is not drawn on


def test_only_the_people_asked_for_are_drawn() -> None:
    only = [picture for _, picture in drawn_frames(walkers(6), (8,))]
    both = [picture for _, picture in drawn_frames(walkers(6))]
    assert count_of(only[-1], 4) < 0.05 * count_of(both[-1], 4)
    assert count_of(only[-1], 8) > 0.9 * count_of(both[-1], 8)
    for picture in (p for _, p in drawn_frames(walkers(3), (99,))):
        assert (picture == 90).all()


def test_the_panel_stands_beside_the_picture_from_one_place() -> None:
    plain = [picture for _, picture in drawn_frames(walkers(8))]
    wide = [picture for _, picture in drawn_frames(walkers(8), (), True)]
    for a, b in zip(plain, wide, strict=True):
        assert b.shape == (480, 640 + 480, 3)
        assert np.array_equal(a, b[:, :640])
    panels = [picture[:, 640:].astype(int) for picture in wide]
    moved = np.abs(panels[-1] - panels[0]).max(-1) > 40
    assert moved.any()
    assert moved.mean() < 0.1  # the floor stays where it is
    assert count_of(panels[0], 8) > 30
    hidden = [picture[:, 640:] for _, picture in drawn_frames(walkers(8), (4,), True)]
    assert count_of(hidden[0], 8) < 10


def test_the_panel_follows_a_picture_that_changes_its_size() -> None:
    small = Camera.from_fov(160, 120)
    frames = [*walkers(2), *walkers(2, small, np.full((120, 160, 3), 90, np.uint8))]
    shapes = [picture.shape for _, picture in drawn_frames(frames, (), True)]
    assert shapes == [(480, 1120, 3)] * 2 + [(120, 280, 3)] * 2


def test_small_people_have_their_number() -> None:
    """In a small video who is who matters as much: the number stays when the score has no room."""
    far = replace(people_at([[-2, -2, 12]]), track_ids=np.array([4]))
    image = np.full((480, 640, 3), 90, np.uint8)
    named = next(drawn_frames([Frame(0, 0.0, image[:240, :320], far)]))[1]
    nameless = next(drawn_frames([Frame(0, 0.0, image[:240, :320], replace(far, track_ids=None))]))[1]
    top = far.joints2d[0, :, 1].min()
    above = slice(max(0, int(top) - 16), int(top) - 4)
    assert (named[above] != 90).sum() > 30
    assert (nameless[above] == 90).all()
