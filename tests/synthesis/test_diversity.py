import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.diversity import POSTURES, joint_angles, measure_diversity, without_yaw
from tests.synthesis.test_library import adult, crowd


def turned(pose, axis, degrees):
    return (pose @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix().T).astype(np.float32)


def legs(pose, thigh, shank):
    """The adult's legs turned about x; positive degrees swing them towards us (-z), where the adult looks."""
    out = pose.copy()
    for side in ("left", "right"):
        hip, knee, ankle = LCR13.indices(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        out[knee] = out[hip] + turned(pose[knee] - pose[hip], "x", -thigh)
        out[ankle] = out[knee] + turned(pose[ankle] - pose[knee], "x", -shank)
    return out


PEOPLE = {
    "standing": legs(adult(), 20, -10),
    "sitting or squatting": legs(adult(), 85, 5),
    "bent over": legs(turned(adult(), "x", 80), 80, 80),
    "lying or level": turned(adult(), "x", 90),
    "upside down": turned(adult(), "x", 170),
}


@pytest.mark.parametrize("name", POSTURES)
def test_postures(name):
    people = np.stack([turned(PEOPLE[name], "y", angle) for angle in (0, 75, 200)])
    shares = measure_diversity(people, np.zeros(3, np.int32)).postures
    assert shares == {posture: float(posture == name) for posture in POSTURES}


def test_yaw_is_removed_and_nothing_else():
    poses = crowd(50, 0.1)
    still = without_yaw(poses)
    left, right = (LCR13.indices(f"{s}_hip", f"{s}_shoulder") for s in ("left", "right"))
    across = still[:, right].sum(1) - still[:, left].sum(1)
    assert (across[:, 0] < 0).all()
    assert_allclose(across[:, 2], 0, atol=1e-5)
    assert_allclose(still[..., 1], poses[..., 1])
    assert_allclose(np.linalg.norm(still, axis=-1), np.linalg.norm(poses, axis=-1), atol=1e-5)
    assert_allclose(without_yaw(still), still, atol=1e-5)
    # who faces us stays so
    assert_allclose(without_yaw(adult()[None])[0], adult(), atol=1e-5)


def test_who_lies_on_the_side_is_turned_by_the_chest():
    lying = turned(turned(adult(), "z", 90), "y", 130)
    reference = without_yaw(turned(adult(), "z", 90)[None])
    assert_allclose(without_yaw(lying[None]), reference, atol=1e-5)


def test_joint_angles_by_hand():
    angles = joint_angles(legs(turned(adult(), "x", 0), 90, 0)[None])
    assert_allclose(angles["knee"], 90, atol=0.1)
    assert_allclose(angles["hip"], 90, atol=0.1)
    assert_allclose(angles["torso tilt"], 0, atol=0.1)
    assert angles["elbow"][0] < 10
    assert angles["shoulder"][0] < 15
    assert_allclose(joint_angles(PEOPLE["lying or level"][None])["torso tilt"], 90, atol=0.1)


def test_more_diverse_poses_have_larger_figures():
    index = np.zeros(400, np.int32)
    narrow, wide = (measure_diversity(crowd(400, spread), index) for spread in (0.01, 0.1))
    assert narrow.spread < wide.spread
    assert narrow.nearest < wide.nearest
    one_pose = np.tile(adult(), (390, 1, 1))
    lopsided = measure_diversity(np.concatenate([one_pose, crowd(10, 0.1)]), index)
    assert 1 <= lopsided.clusters < wide.clusters <= 20


def test_nearest_is_that_of_all_pairs():
    poses = crowd(40, 0.05)
    still = without_yaw(poses)
    pairs = np.linalg.norm(still[:, None] - still[None], axis=-1).mean(-1)
    np.fill_diagonal(pairs, np.inf)
    found = measure_diversity(poses, np.zeros(40, np.int32))
    assert found.nearest == pytest.approx(pairs.min(1).mean(), rel=1e-4)
    assert found == measure_diversity(poses, np.zeros(40, np.int32))


def test_one_pose_is_a_report_too():
    found = measure_diversity(adult()[None], np.zeros(1, np.int32))
    assert (found.poses, found.clips, found.nearest, found.spread, found.clusters) == (1, 1, 0, 0, 1)


def test_the_lines_say_what_was_measured():
    found = measure_diversity(crowd(30), np.arange(30, dtype=np.int32) % 4)
    lines = found.lines()
    assert lines[0] == "poses                30 from 4 clips"
    assert any(line.startswith("knee ") and "degrees" in line for line in lines)
    assert sum(line.split()[-1] == "%" for line in lines) == len(POSTURES)
    assert sum(float(line.split()[-2]) for line in lines[-len(POSTURES) :]) == pytest.approx(100, abs=0.3)
