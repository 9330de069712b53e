"""Segments, rotations and forward kinematics, beside a plain re-statement joint by joint."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.bones import bone_lengths, repose
from anchorpose.motion.posebert.kinematics import (
    COUNT,
    MIRRORED,
    SEGMENTS,
    body_size,
    from_6d,
    lengths_of,
    measured_lengths,
    to_6d,
    to_joints,
    to_rotations,
    with_lengths,
)
from tests.motion.people import STANDING

from .graphs import LENGTHS, rigid


def slow_joints(rotations, lengths):
    """One pose, walked bone by bone: the hips and shoulders are the ends of two lines through pelvis and neck."""
    tips = {f"{s.start}>{s.end}": lengths[i] * rotations[i] @ np.array([1.0, 0, 0]) for i, s in enumerate(SEGMENTS)}
    place = {"left_hip": tips["pelvis>left_hip"], "right_hip": -tips["pelvis>left_hip"]}
    neck = tips["pelvis>neck"]
    place["left_shoulder"] = neck + tips["neck>left_shoulder"]
    place["right_shoulder"] = neck - tips["neck>left_shoulder"]
    place["head_top"] = neck + tips["neck>head_top"]
    for side in ("left", "right"):
        for a, b, c in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            place[f"{side}_{b}"] = place[f"{side}_{a}"] + tips[f"{side}_{a}>{side}_{b}"]
            place[f"{side}_{c}"] = place[f"{side}_{b}"] + tips[f"{side}_{b}>{side}_{c}"]
    joints = np.stack([place[name] for name in LCR13.joints])
    torso = [place[f"{side}_{j}"] for side in ("left", "right") for j in ("hip", "shoulder")]
    return joints - np.mean(torso, axis=0)


def test_forward_kinematics_is_the_walk_along_the_bones():
    rng = np.random.default_rng(0)
    rotations = Rotation.random(5 * COUNT, random_state=0).as_matrix().reshape(5, COUNT, 3, 3)
    lengths = rng.uniform(0.1, 0.5, (5, COUNT))
    found = to_joints(rotations, lengths)
    np.testing.assert_allclose(found, [slow_joints(r, n) for r, n in zip(rotations, lengths, strict=True)], atol=1e-12)
    np.testing.assert_allclose(body_centre(found), 0, atol=1e-12)
    np.testing.assert_allclose(measured_lengths(found), lengths, atol=1e-12)


def test_every_joint_is_reached_and_sides_mirror():
    ends = {s.end for s in SEGMENTS} | {"right_hip", "right_shoulder"}
    assert ends == set(LCR13.joints) | {"neck"}
    assert all(s.parent <= row for row, s in enumerate(SEGMENTS)), "parents come first"
    for row, segment in enumerate(SEGMENTS):
        if row >= 4:
            other = SEGMENTS[MIRRORED[row]]
            assert segment.end.split("_", 1)[1] == other.end.split("_", 1)[1]
            assert segment.end != other.end
    poses = rigid(20)
    mirrored = poses[:, LCR13.flip] * [-1, 1, 1]
    np.testing.assert_allclose(measured_lengths(mirrored), measured_lengths(poses)[:, MIRRORED], atol=1e-12)


def test_poses_whose_halves_are_alike_come_back_from_their_rotations():
    for poses in (rigid(30, seed=1), STANDING[None]):
        turns = to_rotations(poses)
        unit = np.broadcast_to(np.eye(3), turns.shape)
        np.testing.assert_allclose(turns @ np.swapaxes(turns, -1, -2), unit, atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-9)
        back = to_joints(turns, measured_lengths(poses))
        np.testing.assert_allclose(back, poses - body_centre(poses)[:, None], atol=1e-9)


def test_other_lengths_are_those_of_the_rotations_and_change_nothing_else():
    rng = np.random.default_rng(4)
    poses = rng.normal(0, 0.4, (20, 13, 3))
    found = with_lengths(poses, LENGTHS)
    np.testing.assert_allclose(found, to_joints(to_rotations(poses), LENGTHS), atol=1e-9)
    np.testing.assert_allclose(measured_lengths(found), np.broadcast_to(LENGTHS, (20, 12)), atol=1e-9)
    np.testing.assert_allclose(with_lengths(rigid(9), LENGTHS), rigid(9), atol=1e-9)
    poses[3, 12] = np.nan
    assert np.isnan(with_lengths(poses, LENGTHS)[3]).any()


def test_rotations_turn_with_the_body():
    """A turned person has the same rotations, turned: the twist too depends on the pose alone."""
    poses = rigid(10, seed=2)
    turn = Rotation.random(random_state=3).as_matrix()
    np.testing.assert_allclose(to_rotations(poses @ turn.T), turn @ to_rotations(poses), atol=1e-9)


def test_size_does_not_matter_to_rotations():
    poses = rigid(4, seed=4)
    np.testing.assert_allclose(to_rotations(3 * poses), to_rotations(poses), atol=1e-12)


@pytest.mark.parametrize("joint", ["right_wrist", "left_hip", "head_top"])
def test_a_pose_that_lacks_a_joint_has_no_rotations(joint):
    poses = rigid(3)
    poses[1, LCR13.index(joint)] = np.nan
    np.testing.assert_array_equal(np.isfinite(to_rotations(poses)).all((1, 2, 3)), [True, False, True])
    assert np.isnan(to_rotations(poses)[1]).all()


def test_bones_of_no_length_and_straight_limbs():
    collapsed = np.zeros((1, 13, 3))
    assert np.isnan(to_rotations(collapsed)).all()
    plank = STANDING.copy()  # arms straight up: the hint of the twist is along the bone
    for side in ("left", "right"):
        shoulder = plank[LCR13.index(f"{side}_shoulder")]
        plank[LCR13.index(f"{side}_elbow")] = shoulder - [0, 0.3, 0]
        plank[LCR13.index(f"{side}_wrist")] = shoulder - [0, 0.6, 0]
    turns = to_rotations(plank)
    assert np.isfinite(turns).all()
    np.testing.assert_allclose(to_joints(turns, measured_lengths(plank)), plank - body_centre(plank), atol=1e-9)


def test_6d_round_trip_and_any_6d_is_a_rotation():
    turns = Rotation.random(50, random_state=5).as_matrix()
    np.testing.assert_allclose(from_6d(to_6d(turns)), turns, atol=1e-12)
    noisy = np.random.default_rng(0).normal(size=(200, 6))
    made = from_6d(noisy)
    np.testing.assert_allclose(np.swapaxes(made, -1, -2) @ made, np.broadcast_to(np.eye(3), made.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(made), 1, atol=1e-9)
    np.testing.assert_allclose(made[..., 0], noisy[:, :3] / np.linalg.norm(noisy[:, :3], axis=1, keepdims=True))
    assert np.isnan(from_6d(np.zeros(6))).all()
    assert np.isfinite(from_6d(np.array([1.0, 0, 0, 2, 0, 0]))).all(), "parallel vectors still make a rotation"


def test_lengths_are_those_of_the_rooms_other_functions():
    poses = rigid(12, seed=6)
    bones = bone_lengths(poses, np.ones(poses.shape[:2]))
    np.testing.assert_allclose(lengths_of(bones), LENGTHS, atol=1e-9)
    np.testing.assert_allclose(to_joints(to_rotations(poses), lengths_of(bones)), repose(poses, bones), atol=1e-9)
    assert body_size(LENGTHS) == pytest.approx(0.5 + 0.3 + 0.42 + 0.41)
