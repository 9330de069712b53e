from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.angles import ANGLES, joint_angles
from anchorpose.core.skeleton import BLAZEPOSE33, COCO17, FLIC11, LCR13

UP = np.array([0.0, -1.0, 0.0])


def body(**bent: float) -> np.ndarray:
    """(13, 3) a person in anatomical position who faces away from the camera (forward is +z, right is +x, y down).

    `right_thigh=(flexion, outward)` and so on turn limbs; angles in degrees.
    """
    joints = {"head_top": np.array([0, -0.8, 0.0])}
    for side, x in (("right", 1.0), ("left", -1.0)):
        chain = (("shoulder", np.array([0.2 * x, -0.5, 0])), ("hip", np.array([0.12 * x, 0.0, 0])))
        for name, start in chain:
            upper, lower = (("elbow", "wrist"), ("knee", "ankle"))[name == "hip"]
            joints[f"{side}_{name}"] = start
            forward, outward, bend = (np.radians(bent.get(f"{side}_{name}_{k}", 0)) for k in ("forward", "out", "bend"))
            sign = 1 if name == "shoulder" else -1  # forearms bend forward, shins back
            for joint, angle, reach in ((upper, forward, 0.3), (lower, forward + sign * bend, 0.25)):
                along = [x * np.sin(outward), np.cos(outward) * np.cos(angle), np.cos(outward) * np.sin(angle)]
                start = start + reach * np.array(along)
                joints[f"{side}_{joint}"] = start
    return np.stack([joints[name] for name in LCR13.joints])


def turned_trunk(joints: np.ndarray, turn: Rotation) -> np.ndarray:
    """Everything above the hips turned about their middle."""
    upper = [i for i, name in enumerate(LCR13.joints) if not name.endswith(("hip", "knee", "ankle"))]
    joints = joints.copy()
    joints[upper] = turn.apply(joints[upper])
    return joints


def test_the_anatomical_position_is_zero() -> None:
    angles = joint_angles(body())
    assert tuple(angles) == ANGLES
    for name, value in angles.items():
        if name.endswith("shoulder_plane"):
            assert np.isnan(value)  # an arm that hangs is in no plane
        else:
            assert value == pytest.approx(0, abs=1e-9), name


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    ("bent", "wanted"),
    [
        ({"hip_bend": 70}, {"knee_flexion": 70}),
        ({"shoulder_bend": 110}, {"elbow_flexion": 110}),
        ({"hip_forward": 40}, {"hip_flexion": 40, "hip_adduction": 0}),
        ({"hip_forward": -15}, {"hip_flexion": -15}),
        ({"hip_out": 30}, {"hip_flexion": 0, "hip_adduction": -30}),
        ({"hip_forward": 50, "hip_out": 20}, {"hip_flexion": 50, "hip_adduction": -20}),
        ({"shoulder_forward": 90}, {"shoulder_elevation": 90, "shoulder_plane": 90}),
        ({"shoulder_out": 90}, {"shoulder_elevation": 90, "shoulder_plane": 0}),
        ({"shoulder_forward": -30}, {"shoulder_elevation": 30, "shoulder_plane": -90}),
        ({"shoulder_forward": 180}, {"shoulder_elevation": 180}),
    ],
)
def test_each_movement_moves_its_own_column(side, bent, wanted) -> None:
    angles = joint_angles(body(**{f"{side}_{name}": value for name, value in bent.items()}))
    other = "left" if side == "right" else "right"
    for name, value in wanted.items():
        assert angles[f"{side}_{name}"] == pytest.approx(value, abs=1e-6), name
        assert angles[f"{other}_{name}"] == pytest.approx(0, abs=1e-6, nan_ok=True) or name.endswith("plane")


@pytest.mark.parametrize(
    ("axis", "column"),
    # y is down and the body faces +z: bending forward turns about its left (-x)
    [([-1, 0, 0], "trunk_flexion"), ([0, 0, 1], "trunk_lateral"), ([0, -1, 0], "trunk_rotation")],
)
@pytest.mark.parametrize("degrees", [25.0, -40.0])
def test_the_trunk(axis, column, degrees) -> None:
    joints = turned_trunk(body(), Rotation.from_rotvec(np.radians(degrees) * np.array(axis)))
    angles = joint_angles(joints)
    for name in ("trunk_flexion", "trunk_lateral", "trunk_rotation"):
        assert angles[name] == pytest.approx(degrees if name == column else 0, abs=1e-6), name
    # where the head went says the same without any frame
    moved = joints[LCR13.index("head_top")] - body()[LCR13.index("head_top")]
    if column != "trunk_rotation":
        assert np.sign(moved[2 if column == "trunk_flexion" else 0]) == np.sign(degrees)
    else:  # to the left: the right shoulder comes forward
        assert np.sign(joints[LCR13.index("right_shoulder"), 2]) == np.sign(degrees)


def random_poses(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(50, 13, 3))


@pytest.mark.parametrize("seed", range(3))
def test_rigid_motions_and_scale_change_nothing(seed) -> None:
    joints = random_poses(seed)
    turn = Rotation.random(rng=seed).as_matrix()
    before = joint_angles(joints)
    after = joint_angles(joints @ turn.T * 3.7 + [5, -2, 1], up=turn @ UP)
    for name in ANGLES:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)


def test_a_mirror_swaps_the_sides() -> None:
    joints = random_poses(4)
    mirrored = (joints * [-1, 1, 1])[:, LCR13.flip]
    before, after = joint_angles(joints), joint_angles(mirrored)
    for name in ANGLES:
        if name.startswith("right_"):
            np.testing.assert_allclose(after[name.replace("right_", "left_")], before[name], atol=1e-6, err_msg=name)
    for name, sign in (("trunk_flexion", 1), ("trunk_lateral", -1), ("trunk_rotation", -1)):
        np.testing.assert_allclose(after[name], sign * before[name], atol=1e-6, err_msg=name)


def test_hinges_are_the_angles_of_three_points() -> None:
    joints = random_poses(5)
    hip, knee, ankle = (joints[:, LCR13.index(f"left_{name}")] for name in ("hip", "knee", "ankle"))
    a, b = hip - knee, ankle - knee
    inner = np.degrees(np.arccos((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)))
    np.testing.assert_allclose(joint_angles(joints)["left_knee_flexion"], 180 - inner, atol=1e-5)


def test_what_is_missing_or_undefined_is_nan() -> None:
    joints = body(right_hip_bend=30)
    joints[LCR13.index("right_ankle")] = np.nan
    angles = joint_angles(joints)
    assert np.isnan(angles["right_knee_flexion"])
    assert angles["left_knee_flexion"] == pytest.approx(0)
    assert angles["right_hip_flexion"] == pytest.approx(0)
    assert np.isnan(joint_angles(body(right_hip_out=88))["right_hip_flexion"])
    on_the_side = body() @ Rotation.from_euler("z", 90, degrees=True).as_matrix().T
    assert np.isnan(joint_angles(on_the_side)["trunk_flexion"])
    collapsed = joint_angles(np.zeros((13, 3)))
    assert all(np.isnan(v) for v in collapsed.values())


def test_other_skeletons_by_name() -> None:
    joints = body(left_hip_bend=45)
    for skeleton in (COCO17, BLAZEPOSE33):
        placed = np.full((len(skeleton), 3), np.nan)
        source = LCR13.map_to(skeleton)
        placed[source >= 0] = joints[source[source >= 0]]
        assert joint_angles(placed, skeleton)["left_knee_flexion"] == pytest.approx(45)
    with pytest.raises(KeyError, match=r"knee|ankle"):
        joint_angles(np.zeros((11, 3)), FLIC11)
