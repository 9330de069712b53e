"""Retargeting: the posed body points where its source pose points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.bodies import pose_bones, skin_vertices
from anchorpose.synthesis.rendering.retarget import Looseness, bone_rotations, direction_errors

from .tiny_body import tiny_pool

POOL = tiny_pool()
REST = POOL.rest_joints(0)
STILL = Looseness(0, 0, 0, 0, 0, 0)


def posed(pose, body=0, loose=STILL, seed=0):
    rotations = bone_rotations(POOL, body, pose, np.random.default_rng(seed), loose)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-4)
    motions = pose_bones(POOL.heads[body], POOL.parents, rotations)
    return POOL.joint_weights @ skin_vertices(POOL.vertices[body], POOL.skin, motions)


def with_limbs(turns):
    """The rest pose with upper and lower limb bones turned by rotation vectors: (8, 3), 4 upper then 4 lower."""
    pose = REST.astype(np.float64).copy()
    chains = [(f"{s}_{a}", f"{s}_{b}", f"{s}_{c}") for s in ("left", "right")
              for a, b, c in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))]  # fmt: skip
    for (a, b, c), upper, lower in zip(chains, turns[:4], turns[4:], strict=True):
        i, j, k = LCR13.indices(a, b, c)
        pose[j] = pose[i] + Rotation.from_rotvec(upper).apply(REST[j] - REST[i])
        pose[k] = pose[j] + Rotation.from_rotvec(lower).apply(REST[k] - REST[j])
    return pose


def test_the_rest_pose_is_kept():
    np.testing.assert_allclose(direction_errors(posed(REST), REST), 0, atol=1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_limbs_point_where_the_pose_points(seed):
    rng = np.random.default_rng(seed)
    pose = with_limbs(rng.normal(0, 0.9, (8, 3)))
    pose = pose @ Rotation.random(rng=rng).as_matrix().T * rng.uniform(0.5, 2)
    errors = direction_errors(posed(pose), pose)
    limbs = [i for i, (_, child) in enumerate(LCR13.bones) if "hip" not in LCR13.joints[child]]
    assert errors[limbs].max() < 6.0  # clavicles move shoulders a little
    assert errors.mean() < 4.0


def test_a_child_takes_the_pose_of_a_grown_up():
    pose = with_limbs(np.random.default_rng(1).normal(0, 0.5, (8, 3)))
    assert direction_errors(posed(pose, body=1), pose).max() < 6.0


def test_a_turned_pose_turns_the_bones_with_it():
    pose = with_limbs(np.random.default_rng(2).normal(0, 0.6, (8, 3)))
    turn = Rotation.from_euler("Y", 130, degrees=True).as_matrix()
    first = bone_rotations(POOL, 0, pose, np.random.default_rng(0), STILL)
    second = bone_rotations(POOL, 0, pose @ turn.T, np.random.default_rng(0), STILL)
    np.testing.assert_allclose(np.einsum("ij,bjk->bik", turn, first), second, atol=1e-3)


def test_a_bent_knee_turns_the_thigh_so_that_it_bends_about_its_hinge():
    pose = REST.astype(np.float64).copy()
    knee, ankle = LCR13.indices("left_knee", "left_ankle")
    # the thigh hangs down and the shank points to the body's left: the knee's front must face right
    pose[ankle] = pose[knee] + np.array([0.4, 0, 0])
    rotation = bone_rotations(POOL, 0, pose, np.random.default_rng(0), STILL)[POOL.bone("upperleg01.L")]
    front = rotation @ np.array([0, 0, -1.0])
    np.testing.assert_allclose(front, [-1, 0, 0], atol=0.05)


def test_standing_feet_stay_flat():
    pose = with_limbs(np.array([[0, 0, 0]] * 8, float))
    for j in LCR13.indices("left_ankle", "left_knee", "left_hip", "right_ankle", "right_knee", "right_hip"):
        pose[j] = pose[j] + np.array([0, 0, 0.25]) * (pose[j, 1] - REST[4, 1])  # legs lean back by 14 degrees
    foot = bone_rotations(POOL, 0, pose, np.random.default_rng(0), STILL)[POOL.bone("foot.L")]
    np.testing.assert_allclose(foot @ np.array([0, 1.0, 0]), [0, 1, 0], atol=0.02)


def test_hands_and_gaze_vary_and_seeds_repeat():
    a, b, c = (bone_rotations(POOL, 0, REST, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a[POOL.bone("head")] - c[POOL.bone("head")]).max() > 0.01


def test_a_pose_with_a_missing_joint_is_refused():
    pose = REST.copy()
    pose[3] = np.nan
    with pytest.raises(ValueError, match="wanted all 13 joints"):
        bone_rotations(POOL, 0, pose, np.random.default_rng(0))
