"""Joint states: on maps made by hand, and with one body before another."""

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.chart import Chart, Part
from anchorpose.synthesis.rendering.drawing import Stage, draw_maps
from anchorpose.synthesis.rendering.figures import make_figure
from anchorpose.synthesis.rendering.objects import make_thing
from anchorpose.synthesis.rendering.visibility import OBJECT, allowed_parts, joint_visibility

from .tiny_body import tiny_pool

CAMERA = Camera.from_fov(200, 200, 60)
KNEE = LCR13.index("left_knee")


def state_of_knee(depth, part, owner, knee=(0.0, 0.0, 3.0)):
    """The left knee where every pixel shows the same."""
    joints = np.full((13, 3), [9.0, 0, 3])
    joints[KNEE] = knee
    shape = (200, 200)
    maps = (np.full(shape, depth, np.float32), np.full(shape, part, np.uint8), np.full(shape, owner, np.uint8))
    states, hidden_by = joint_visibility(joints, CAMERA, 1, *maps)
    return JointState(int(states[KNEE])), hidden_by[KNEE]


@pytest.mark.parametrize(
    ("depth", "part", "owner", "state", "by"),
    [
        (2.95, Part.LEFT_THIGH, 1, JointState.VISIBLE, None),  # its own skin
        (2.95, Part.LEFT_SHANK, 1, JointState.VISIBLE, None),
        (2.95, Part.RIGHT_SHANK, 1, JointState.HIDDEN, "self"),  # the other leg
        (2.60, Part.LEFT_THIGH, 1, JointState.HIDDEN, "self"),  # the thigh points at the camera
        (2.50, Part.TORSO, 2, JointState.HIDDEN, "person"),
        (3.50, Part.TORSO, 2, JointState.VISIBLE, None),  # somebody behind
        (2.00, Part.NONE, OBJECT, JointState.HIDDEN, "object"),
        (np.inf, Part.NONE, 0, JointState.VISIBLE, None),
    ],
)
def test_a_joint_is_seen_when_its_own_parts_are(depth, part, owner, state, by):
    assert state_of_knee(depth, part, owner) == (state, by)


@pytest.mark.parametrize("knee", [(9.0, 0, 3.0), (0, -9.0, 3.0), (0, 0, -1.0)])
def test_joints_off_the_picture_or_behind_the_camera_are_outside(knee):
    assert state_of_knee(2.95, Part.LEFT_THIGH, 1, knee) == (JointState.OUTSIDE, None)


def test_allowed_parts_are_the_joints_own_side():
    assert allowed_parts("right_elbow") == {Part.RIGHT_UPPER_ARM, Part.RIGHT_FOREARM}
    assert allowed_parts("left_hip") == {Part.LEFT_THIGH, Part.TORSO}
    assert allowed_parts("head_top") == {Part.HEAD}


@pytest.fixture(scope="module")
def man():
    pytest.importorskip("warp")
    pool = tiny_pool()
    return make_figure(pool, Chart.of(pool), 0, pool.rest_joints(0), np.random.default_rng(0))


def states_of(figures, number, things=()):
    maps = draw_maps(Stage.of(tuple(figures), tuple(things)), CAMERA)
    joints = figures[number - 1].joints
    return joint_visibility(joints, CAMERA, number, maps.depth, maps.parts, maps.owners)


def test_alone_and_facing_the_camera_every_joint_is_seen(man):
    states, hidden_by = states_of([man.moved(np.eye(3), np.array([0, 0, 3.0]))], 1)
    assert (states == JointState.VISIBLE).all()
    assert hidden_by == [None] * 13


def test_one_body_hides_another_behind_it_whichever_is_named_first(man):
    front, back = (man.moved(np.eye(3), np.array([0, 0, z])) for z in (3.0, 3.3))
    for figures, hidden, seen in (([front, back], 2, 1), ([back, front], 1, 2)):
        states, hidden_by = states_of(figures, hidden)
        torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
        assert (states[torso] == JointState.HIDDEN).all()
        assert {hidden_by[j] for j in torso} == {"person"}
        assert (states_of(figures, seen)[0] == JointState.VISIBLE).all()


def test_seen_from_the_side_the_far_arm_is_hidden_by_the_body(man):
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float)  # the left side turns to the camera
    states, hidden_by = states_of([man.moved(turn, np.array([0, 0, 3.0]))], 1)
    near, far = LCR13.indices("left_shoulder", "right_shoulder")
    assert states[near] == JointState.VISIBLE
    assert (states[far], hidden_by[far]) == (JointState.HIDDEN, "self")


def test_a_thing_in_front_hides_as_an_object(man):
    thing = make_thing(np.random.default_rng(3))
    size = np.ptp(thing.vertices, axis=0)
    wall = (thing.vertices - thing.vertices.mean(0)) / size * [3, 3, 0.1] + [0, 0, 2.0]
    flat = type(thing)(wall.astype(np.float32), thing.normals, thing.faces, thing.texture, thing.cloth)
    states, hidden_by = states_of([man.moved(np.eye(3), np.array([0, 0, 3.0]))], 1, [flat])
    hip = LCR13.index("left_hip")
    assert (states[hip], hidden_by[hip]) == (JointState.HIDDEN, "object")


def test_the_maps_show_every_part_of_the_body_where_it_is(man):
    figure = man.moved(np.eye(3), np.array([0, 0, 3.0]))
    maps = draw_maps(Stage.of((figure,), ()), CAMERA)
    middle = figure.joints[LCR13.indices("right_knee", "right_ankle")].mean(0)
    column, row = CAMERA.project(middle).astype(int)
    assert maps.parts[row, column] == Part.RIGHT_SHANK
    assert maps.depth[row, column] == pytest.approx(3.0, abs=0.12)
    np.testing.assert_array_equal(maps.owners > 0, np.isfinite(maps.depth))
    np.testing.assert_array_equal(maps.owners > 0, maps.parts > 0)
