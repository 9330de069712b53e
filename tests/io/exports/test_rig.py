"""BVH and the rig below it, read back by the library's own reader and by the `bvh` package."""

from __future__ import annotations

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import COCO17, LCR13
from anchorpose.io.exports.axes import to_axes
from anchorpose.io.exports.bvh import write_bvh
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.rig import NAMES, Rig, fit_rig
from anchorpose.synthesis.mocap.bvh import read_bvh
from anchorpose.synthesis.mocap.mapping import to_lcr13
from tests.io.exports.clips import poses, walk, walk_frames, without

OF = {"Foot": "ankle", "Leg": "knee", "UpLeg": "hip", "Hand": "wrist", "ForeArm": "elbow", "Arm": "shoulder"}
BONES = [NAMES.index(f"{s.title()}{b}") for s in ("right", "left") for b in OF]
JOINTS = LCR13.indices(*(f"{s}_{j}" for s in ("right", "left") for j in OF.values()))
ALL_BONES, ALL_JOINTS = [*BONES, NAMES.index("HeadTop_End")], [*JOINTS, LCR13.index("head_top")]


def tumbling(seed: int, count: int = 40) -> Clip:
    """A body of constant bones in every pose: all directions of the tree are random."""
    rng = np.random.default_rng(seed)
    rig = fit_rig(walk(2), 2)
    from scipy.spatial.transform import Rotation

    turns = Rotation.random(count * len(NAMES), rng=rng).as_matrix().reshape(count, len(NAMES), 3, 3)
    body = Rig(rig.offsets * rng.uniform(0.8, 1.2), rng.normal(0, 1, (count, 3)), turns).joints()
    joints = np.empty((count, 13, 3))
    joints[:, ALL_JOINTS] = body[:, ALL_BONES] * [1, -1, -1]
    frames = [(k, k / 30, poses(j[None] - [0, 0, 9.0], np.array([[0, 0, 9.0]]), [2])) for k, j in enumerate(joints)]
    return Clip.from_frames(frames)


@pytest.mark.parametrize("clip", [walk(), *(tumbling(seed) for seed in range(3))])
def test_bones_of_constant_length_come_back_to_a_millimetre(clip, tmp_path) -> None:
    wanted = clip.person(2).in_camera()
    rig = fit_rig(clip, 2)
    np.testing.assert_allclose(rig.joints()[:, ALL_BONES], to_axes(wanted, "y")[:, ALL_JOINTS], atol=1e-3)
    write_bvh(tmp_path / "a.bvh", clip, 2)
    motion = read_bvh(tmp_path / "a.bvh", scale=0.01)
    assert motion.frame_time == pytest.approx(1 / clip.fps)
    order = [motion.index(NAMES[b]) for b in ALL_BONES]
    np.testing.assert_allclose(motion.positions[:, order], wanted[:, ALL_JOINTS], atol=1e-3)


def test_our_mapping_knows_the_names_and_the_unit(tmp_path) -> None:
    clip = walk()
    write_bvh(tmp_path / "a.bvh", clip, 2)
    motion = read_bvh(tmp_path / "a.bvh")
    assert motion.unit.startswith("centimetre")
    np.testing.assert_allclose(to_lcr13(motion), clip.person(2).joints3d, atol=1e-3)


def test_the_bvh_package_reads_the_same_tree_and_numbers(tmp_path) -> None:
    bvh = pytest.importorskip("bvh", reason="needs the PyPI package bvh")
    clip = walk()
    write_bvh(tmp_path / "a.bvh", clip, 2)
    read = bvh.Bvh((tmp_path / "a.bvh").read_text())
    assert read.nframes == len(clip)
    assert read.frame_time == pytest.approx(1 / 25)
    assert tuple(read.get_joints_names()) == NAMES
    assert read.joint_parent("LeftForeArm").name == "LeftArm"
    place = read.frames_joint_channels("Hips", ["Xposition", "Yposition", "Zposition"])
    rig = fit_rig(clip, 2)
    np.testing.assert_allclose(place, rig.root * 100, atol=1e-4)
    from scipy.spatial.transform import Rotation

    turned = read.frames_joint_channels("LeftLeg", ["Zrotation", "Xrotation", "Yrotation"])
    matrices = Rotation.from_euler("ZXY", turned, degrees=True).as_matrix()
    np.testing.assert_allclose(matrices, rig.turns[:, NAMES.index("LeftLeg")], atol=1e-5)


def test_rest_is_upright_with_the_left_arm_at_positive_x() -> None:
    rest = Rig(fit_rig(walk(), 2).offsets, np.zeros((1, 3)), np.tile(np.eye(3), (1, len(NAMES), 1, 1))).joints()[0]
    at = dict(zip(NAMES, rest, strict=True))
    assert at["HeadTop_End"][1] > at["Chest"][1] > 0 > at["LeftLeg"][1] > at["LeftFoot"][1]
    assert at["LeftHand"][0] > at["LeftForeArm"][0] > at["LeftArm"][0] > 0 > at["RightHand"][0]


def test_a_gap_turns_evenly_and_ends_are_held() -> None:
    clip = walk()
    whole = fit_rig(clip, 2)
    elbow = NAMES.index("LeftForeArm")
    gap = fit_rig(without(clip, 2, slice(10, 13), "left_wrist"), 2)
    known = np.r_[0:10, 13:24]
    np.testing.assert_allclose(gap.turns[known, elbow], whole.turns[known, elbow], atol=1e-6)
    steps = gap.turns[9:13, elbow].swapaxes(-1, -2) @ gap.turns[10:14, elbow]
    angles = np.arccos((np.trace(steps, axis1=1, axis2=2) - 1) / 2)
    np.testing.assert_allclose(angles, angles[0], atol=1e-6)
    assert angles[0] > 0.01
    standing = fit_rig(clip, 7)  # there from frame 5 to 15 only
    np.testing.assert_array_equal(standing.turns[0], standing.turns[5])
    np.testing.assert_array_equal(standing.root[20], standing.root[14])


def test_nothing_known_is_a_usual_body_at_rest() -> None:
    rig = fit_rig(without(walk(), 2, slice(None)), 2)
    assert np.isfinite(rig.joints()).all()
    height = np.ptp(rig.joints()[0][:, 1])
    assert 1.5 < height < 1.9


def test_a_bone_never_seen_takes_the_other_sides_length() -> None:
    rig = fit_rig(without(walk(), 2, slice(None), "left_wrist"), 2)
    left, right = (rig.offsets[NAMES.index(f"{s}Hand")] for s in ("Left", "Right"))
    np.testing.assert_allclose(left, -right)


def test_angles_run_on_without_jumps(tmp_path) -> None:
    """Somebody who spins twice: neighbouring values of the root's channels never jump by a turn."""
    body = walk(1).person(2).joints3d
    frames = []
    for k, a in enumerate(np.linspace(0, 4 * np.pi, 60)):
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        frames.append((k, k / 30, poses(body @ turn.T, np.array([[0, 0, 4.0]]), [2])))
    write_bvh(tmp_path / "a.bvh", Clip.from_frames(frames), 2)
    rows = np.loadtxt((tmp_path / "a.bvh").read_text().split("Frame Time:")[1].splitlines()[1:])
    assert np.abs(np.diff(rows[:, 3:6], axis=0)).max() < 45
    assert np.ptp(rows[:, 5]) > 700


def test_other_skeletons_are_refused_with_the_missing_joint(tmp_path) -> None:
    clip = Clip.from_frames([(i, t, p.to_skeleton(COCO17)) for i, t, p in walk_frames(2)])
    with pytest.raises(InputError, match="found no head_top in COCO17"):
        write_bvh(tmp_path / "a.bvh", clip, 2)
    assert not list(tmp_path.iterdir())
