from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import mirrored
from anchorpose.datasets.samples import Person
from anchorpose.datasets.transforms import (
    Augmentation,
    View,
    augment,
    draw_view,
    facing,
    keep_inside,
    move_people,
    random_similarity,
    recolour,
    show,
    to_centres,
    transform_person,
)
from anchorpose.lcrnet.placement import in_camera_axes


def person_at(points):
    joints = np.full((13, 2), np.nan, np.float32)
    joints[: len(points)] = points
    low, high = np.nanmin(joints, 0), np.nanmax(joints, 0)
    joints3d = np.random.default_rng(0).normal(size=(13, 3)).astype(np.float32)
    return Person(np.concatenate([low, high]).astype(np.float32), joints, np.ones(13, np.int8), joints3d)


@pytest.mark.parametrize("seed", range(12))
def test_pixels_and_joints_move_together(seed):
    """A bright dot at a joint is still at the joint after flip, rotation, scale and shift."""
    rng = np.random.default_rng(seed)
    image = np.zeros((180, 240, 3), np.uint8)
    points = [(60.0, 50.0), (150.0, 60.0), (120.0, 130.0), (70.0, 120.0)]
    joint = int(rng.integers(4))
    x, y = points[joint]
    cv2.circle(image, (int(x), int(y)), 4, (255, 255, 255), -1)
    options = Augmentation(size=256, scale=(0.7, 1.0), colour=0.0, occluder=0.0)
    picture, people = augment(image, (person_at(points),), options, rng)
    bright = np.argwhere(picture[:, :, 0] > 128)
    assert len(bright)
    centre = bright.mean(0)[::-1] + 0.5
    # After a mirror the dot belongs to the joint of the other side.
    distances = np.linalg.norm(people[0].joints2d - centre, axis=1)
    assert np.nanargmin(distances) in (joint, LCR13.flip[joint])
    assert np.nanmin(distances) < 1.5


@pytest.mark.parametrize("seed", range(6))
def test_3d_turns_with_the_picture(seed):
    """Under scaled orthography the 2D joints stay the projection of the 3D joints."""
    rng = np.random.default_rng(seed)
    joints3d = rng.normal(size=(13, 3)).astype(np.float32)
    joints2d = (joints3d[:, :2] * 40 + [120, 90]).astype(np.float32)
    person = Person(np.array([0, 0, 240, 180], np.float32), joints2d, np.ones(13, np.int8), joints3d)
    matrix, angle = random_similarity(240, 180, Augmentation(), rng)
    moved = transform_person(person, matrix, angle)
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    shift = moved.joints2d - moved.joints3d[:, :2] * 40 * scale
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-2)
    np.testing.assert_allclose(moved.joints3d[:, 2], joints3d[:, 2], atol=1e-6)


def test_the_map_for_opencv_keeps_pixel_corners():
    """Doubling maps the corner (0, 0) onto itself, and the centre of the first pixel to (1, 1)."""
    doubled = to_centres(np.array([[2.0, 0, 0], [0, 2, 0]]))
    np.testing.assert_allclose(doubled[:, 2], [0.5, 0.5])


def test_the_same_seed_gives_the_same_picture():
    image = np.random.default_rng(0).integers(0, 255, (100, 120, 3), np.uint8)
    person = person_at([(20, 30), (60, 70), (50, 20), (30, 60)])
    a, b = (augment(image, (person,), Augmentation(size=128), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a[1][0].joints2d, b[1][0].joints2d)


def test_outside_joints_are_hidden_and_lost_people_ignored():
    inside = keep_inside(person_at([(10, 10), (50, 50), (20, 70), (110, 20)]), 100)
    assert inside.visible[3] == 0
    assert inside.visible[0] == 1
    assert inside.joints2d[3, 0] == 110  # kept: regression reaches beyond the border
    lost = keep_inside(person_at([(90, 90), (300, 300), (200, 250), (280, 120)]), 100)
    assert not lost.labelled.any()
    assert lost.box.max() <= 100


@pytest.mark.parametrize("seed", range(4))
def test_joints_under_an_occluder_become_hidden(seed):
    image = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    grid = person_at([(x, y) for x in (20, 45, 70, 95) for y in (30, 60, 90)])
    drawn = draw_view(128, 128, Augmentation(size=128, occluder=1.0), np.random.default_rng(seed))
    plain = View(False, np.eye(2, 3), 0.0, (), 1.0, 1.0, 1.0)
    assert len(drawn.occluders) == 2
    changed = (show(image, replace(plain, occluders=drawn.occluders), 128) != show(image, plain, 128)).any(2)
    after = move_people((grid,), replace(plain, occluders=drawn.occluders), 128, 128)[0]
    for (x, y), visible in zip(grid.joints2d[:12].astype(int), after.visible[:12], strict=True):
        assert (visible == 0) == changed[y, x]


def test_colours_of_strength_1_change_nothing():
    image = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    plain = View(False, np.eye(2, 3), 0.0, (), 1.0, 1.0, 1.0)
    assert np.abs(recolour(image, plain).astype(int) - image).max() <= 1
    brighter = recolour(image, replace(plain, offset=1.1)).astype(int)
    assert 8 < (brighter - image)[image < 200].mean() < 11


def somebody_at(place, camera):
    person = person_at([(0.0, 0.0), (60.0, 150.0)])
    centre = np.broadcast_to(camera.project(np.array(place)), (13, 2)).astype(np.float32)
    return replace(person, joints2d=centre, centre3d=np.array(place, np.float32))


def test_what_is_learnt_is_what_placement_turns_back():
    camera = Camera.from_fov(640, 480)
    person = somebody_at([1.5, -0.4, 3.0], camera)
    learnt = facing(person)
    assert np.abs(learnt.joints3d - person.joints3d).max() > 0.1
    back = in_camera_axes(learnt.joints2d[None], learnt.joints3d[None], camera)[0]
    np.testing.assert_allclose(back, person.joints3d, atol=1e-5)
    np.testing.assert_array_equal(facing(learnt).joints3d, learnt.joints3d)  # once is enough


def test_nobody_is_turned_whose_place_is_unknown():
    person = person_at([(10.0, 10.0), (20.0, 40.0)])
    np.testing.assert_array_equal(facing(person).joints3d, person.joints3d)


def test_mirrored_people_face_the_mirrored_way():
    person = somebody_at([1.5, -0.4, 3.0], Camera.from_fov(640, 480))
    one, other = facing(mirrored(person, 640)), mirrored(facing(person), 640)
    np.testing.assert_allclose(one.joints3d, other.joints3d, atol=1e-6)


def test_views_hold_people_as_seen_straight_on():
    person = somebody_at([1.5, -0.4, 3.0], Camera.from_fov(640, 480))
    still = View(False, np.eye(2, 3), 0.0, (), 1.0, 1.0, 1.0)
    [moved] = move_people((person,), still, 640, 640)
    np.testing.assert_allclose(moved.joints3d, facing(person).joints3d, atol=1e-6)
