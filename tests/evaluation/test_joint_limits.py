from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.core.skeleton import BODY25, COCO17, LCR13
from anchorpose.evaluation.joint_limits import HINGES, joint_limits


def standing(flexion: Sequence[float], arm: str = "down") -> np.ndarray:
    """(13, 3) a person who faces the camera, in its axes, with hinges bent by so many degrees.

    Shins bend back (away from the camera, z up), forearms to the front.
    """
    joints = np.zeros((13, 3))
    directions = {"down": [0, 1, 0], "up": [0, -1, 0], "front": [0, 0, -1]}

    def put(joint: str, at: np.ndarray) -> np.ndarray:
        joints[LCR13.index(joint)] = at
        return at

    put("head_top", np.array([0, -0.9, 0]))
    for hinge, angle in zip(HINGES, np.radians(flexion), strict=True):
        side, kind = hinge.split("_")
        x = -1.0 if side == "right" else 1.0  # the right side of somebody who faces the camera is at the left
        start, end, y = ("shoulder", "wrist", -0.5) if kind == "elbow" else ("hip", "ankle", 0.0)
        down = np.array([x, 0, 0] if (arm, kind) == ("side", "elbow") else
                        directions[arm if kind == "elbow" else "down"], float)  # fmt: skip
        front = {"down": [0, 0, -1], "up": [0, 0, 1], "front": [0, -1, 0], "side": [0, 0, -1]}
        ahead = np.array(front[arm if kind == "elbow" else "down"], float) * (1 if kind == "elbow" else -1)
        first = put(f"{side}_{start}", np.array([0.15 * x, y, 0]))
        middle = put(hinge, first + 0.4 * down)
        put(f"{side}_{end}", middle + 0.3 * (np.cos(angle) * down + np.sin(angle) * ahead))
    return joints


@pytest.mark.parametrize("arm", ["down", "up", "front"])
@settings(max_examples=15, deadline=None)
@given(degrees=st.tuples(*[st.integers(-80, 169)] * 4), seed=st.integers(0, 10**6), scale=st.floats(0.1, 1000))
def test_the_angle_that_was_put_in_comes_out(arm: str, degrees: tuple[int, ...], seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    angles = [d + 0.5 for d in degrees]  # neither straight, which has no direction, nor on a limit
    pose = scale * standing(angles, arm) @ Rotation.random(rng=rng).as_matrix().T + rng.normal(size=3)
    result = joint_limits(pose)
    np.testing.assert_allclose(result.flexion, angles, atol=1e-6)
    expected = [not low <= a <= high for a, (low, high) in
                zip(angles, [(-20, 160)] * 2 + [(-20, 165)] * 2, strict=True)]  # fmt: skip
    assert result.violated.tolist() == expected
    assert result.rate == pytest.approx(np.mean(expected))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_mirror_swaps_left_and_right_and_nothing_else(seed: int) -> None:
    poses = np.random.default_rng(seed).normal(size=(20, 13, 3))
    mirrored = (poses * [-1, 1, 1])[:, LCR13.flip]
    a, b = joint_limits(poses), joint_limits(mirrored)
    np.testing.assert_allclose(b.flexion, a.flexion[:, [1, 0, 3, 2]], atol=1e-9)
    assert 0 < a.rate < 1


def test_arms_held_out_sideways_are_not_judged() -> None:
    back = standing((-60, -60, 10, 10), "side")
    np.testing.assert_allclose(joint_limits(back).flexion, [60, 60, 10, 10])
    assert joint_limits(standing((170, -170, 10, 10), "side")).violated.tolist() == [True, True, False, False]


def test_other_ranges_other_skeletons_and_missing_joints() -> None:
    pose = standing((30, 30, -10, 90))
    assert joint_limits(pose, knee_range=(-5, 80)).violated.tolist() == [False, False, True, True]
    for skeleton in (COCO17, BODY25):
        other = np.full((len(skeleton), 3), np.nan)
        source = LCR13.map_to(skeleton)
        other[source >= 0] = pose[source[source >= 0]]
        np.testing.assert_allclose(joint_limits(other, skeleton).flexion, joint_limits(pose).flexion)
    pose[LCR13.index("right_wrist")] = np.nan
    pose[LCR13.index("left_knee")] = pose[LCR13.index("left_hip")]  # a thigh without length
    result = joint_limits(pose)
    assert np.isnan(result.flexion).tolist() == [True, False, False, True]
    assert not result.violated.any()
    pose[LCR13.index("left_hip")] = np.nan  # without hips no front: the sign is lost, the angle is not
    assert joint_limits(pose).flexion[2] == pytest.approx(10)
    nobody = joint_limits(np.zeros((0, 13, 3)))
    assert nobody.flexion.shape == (0, 4)
    assert math.isnan(nobody.rate)
