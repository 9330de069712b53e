import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.core.camera import ASSUMED_FOV_DEGREES, Camera, looking_along


@given(st.floats(10, 150), st.integers(2, 4000), st.integers(2, 4000))
def test_the_field_of_view_spans_the_longer_side(fov, width, height):
    camera = Camera.from_fov(width, height, fov)
    half = np.tan(np.radians(fov) / 2)
    edge = [half, 0, 1.0] if width >= height else [0, half, 1.0]
    wanted = [width, height / 2] if width >= height else [width / 2, height]
    np.testing.assert_allclose(camera.project(np.array(edge)), wanted, rtol=1e-6)
    assert not camera.assumed


def test_an_assumed_field_of_view_says_so():
    assert Camera.from_fov(640, 480).assumed
    assert Camera.from_fov(640, 480).fx == Camera.from_fov(640, 480, ASSUMED_FOV_DEGREES).fx


def test_moves_of_the_picture_move_the_projection_alike():
    camera = Camera.from_fov(640, 480, 60)
    points = np.random.default_rng(0).normal(size=(20, 3)) + np.array([0, 0, 5])
    plain = camera.project(points)
    np.testing.assert_allclose(camera.scaled(320, 120).project(points), plain * [0.5, 0.25])
    np.testing.assert_allclose(camera.cropped(10, 20, 100, 100).project(points), plain - [10, 20])
    mirrored = camera.flipped().project(points * [-1, 1, 1])
    np.testing.assert_allclose(mirrored, np.stack([640 - plain[:, 0], plain[:, 1]], 1))


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(Camera.from_fov(10, 10).project(np.array([[0.0, 0, -1], [0, 0, 0]]))).all()


def test_dict_round_trip_and_bad_field_of_view():
    camera = Camera.from_fov(64, 48)
    assert Camera.from_dict(camera.to_dict()) == camera
    with pytest.raises(ValueError, match="between 0 and 180"):
        Camera.from_fov(64, 48, 180)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_a_camera_looks_along_its_direction_turned_the_shortest_way(seed, length):
    directions = np.random.default_rng(seed).normal(size=(20, 3))
    directions[:, 2] = np.abs(directions[:, 2])
    turns = looking_along(length * directions)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    shortest = np.cross([0, 0, 1], unit)  # the axis; its length is the sine of the angle
    sine = np.linalg.norm(shortest, axis=1, keepdims=True)
    wanted = Rotation.from_rotvec(shortest / sine * np.arctan2(sine, unit[:, 2:])).as_matrix()
    np.testing.assert_allclose(turns, wanted, atol=1e-9)


def test_straight_ahead_and_unknown_directions_turn_nothing():
    turns = looking_along(np.array([[0, 0, 3.0], [np.nan, 0, 1], [np.nan] * 3]))
    np.testing.assert_array_equal(turns, np.broadcast_to(np.eye(3), (3, 3, 3)))
    assert looking_along(np.zeros((0, 3))).shape == (0, 3, 3)
