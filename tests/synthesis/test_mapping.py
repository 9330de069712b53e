from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mocap.bvh import read_bvh
from anchorpose.synthesis.mocap.files import find_motions, read_motion
from anchorpose.synthesis.mocap.mapping import HEAD_OVER_TORSO, MAPS, JointMap, to_lcr13
from anchorpose.synthesis.mocap.motion import Motion
from tests.synthesis.test_bvh import person_bvh

UPRIGHT = {"ankle": (0.09, 0.85), "knee": (0.09, 0.42), "hip": (0.09, 0.0), "wrist": (0.26, 0.02),
           "elbow": (0.22, -0.24), "shoulder": (0.18, -0.5)}  # fmt: skip


def standing():
    """{LCR13 joint: point} of an adult who faces us, the hips' middle at 0."""
    return {f"{side}_{limb}": (x * sign, y, 0.0)
            for side, sign in (("left", 1), ("right", -1)) for limb, (x, y) in UPRIGHT.items()}  # fmt: skip


def motion_of(chosen, frames=2):
    """The standing adult with a map's names; neck and skull on the line that goes up from the shoulders."""
    points = {chosen.joints[joint]: point for joint, point in standing().items()}
    points[chosen.joints["head_top"]] = (0.0, -0.66, 0.0)
    if chosen.neck:
        points[chosen.neck] = (0.0, -0.56, 0.0)
    names = tuple(points)
    positions = np.tile(np.array(list(points.values()), np.float32), (frames, 1, 1))
    return Motion(names, (-1,) * len(names), positions, 0.03)


@pytest.mark.parametrize("chosen", MAPS, ids=lambda m: m.name)
@pytest.mark.parametrize("prefix", ["", "mixamorig:", "Rig:"])
def test_every_naming_is_told_and_gives_the_same_person(chosen, prefix):
    motion = motion_of(chosen)
    motion = replace(motion, names=tuple(prefix + name for name in motion.names))
    pose = to_lcr13(motion)[0]
    points = standing()
    wanted = np.array([points[j] for j in LCR13.joints[:-1]])
    assert_allclose(pose[:-1], wanted - [0, -0.25, 0], atol=1e-6)
    head = -0.5 - 0.5 * HEAD_OVER_TORSO if chosen.neck else -0.66
    assert_allclose(pose[-1], [0, head + 0.25, 0], atol=1e-6)
    assert_allclose(body_centre(pose[None])[0], 0, atol=1e-6)


def test_the_head_top_keeps_its_distance_from_the_skull(tmp_path):
    motion = read_bvh(person_bvh(tmp_path / "p.bvh", 60, np.random.default_rng(0), turn=25))
    poses = to_lcr13(motion)
    hips = motion.positions[:, [motion.index(f"mixamorig:{s}UpLeg") for s in ("Left", "Right")]].mean(1)
    own_hips = poses[:, LCR13.indices("left_hip", "right_hip")].mean(1)
    end = motion.positions[:, motion.index("mixamorig:Head_end")] - hips + own_hips
    beyond = np.linalg.norm(poses[:, LCR13.index("head_top")] - end, axis=-1)
    assert beyond.max() - beyond.min() < 1e-5
    shoulders = poses[:, LCR13.indices("left_shoulder", "right_shoulder")].mean(1)
    above = np.linalg.norm(poses[:, LCR13.index("head_top")] - shoulders, axis=-1)
    torso = np.linalg.norm(shoulders - own_hips, axis=-1)
    assert np.median(above) / np.median(torso) == pytest.approx(HEAD_OVER_TORSO, abs=0.04)


def test_left_and_right_are_not_swapped(tmp_path):
    # the person of the file looks along z with y up, which is towards us (-z) here: right hand on our left
    pose = to_lcr13(read_bvh(person_bvh(tmp_path / "p.bvh", 1, np.random.default_rng(0), turn=0)))[0]
    right, left = LCR13.indices("right_wrist", "left_wrist")
    assert pose[right, 0] < -0.5 < 0.5 < pose[left, 0]
    assert pose[LCR13.index("head_top"), 1] < pose[right, 1] < pose[LCR13.index("right_ankle"), 1]


def test_an_end_of_no_length_is_not_taken_for_the_skull(tmp_path):
    path = person_bvh(tmp_path / "p.bvh", 3, np.random.default_rng(0), turn=0)
    with_end = to_lcr13(read_bvh(path))
    path.write_text(path.read_text().replace("OFFSET 0 5.0 0", "OFFSET 0 0 0"))
    assert np.isfinite(to_lcr13(read_bvh(path))).all()
    assert_allclose(to_lcr13(read_bvh(path))[:, -1], with_end[:, -1], atol=0.02)


def test_ones_own_mapping():
    motion = motion_of(MAPS[0])
    odd = replace(motion, names=tuple(f"j{i}" for i in range(13)))
    own = {joint: odd.names[motion.names.index(name)] for joint, name in MAPS[0].joints.items()}
    assert_allclose(to_lcr13(odd, own), to_lcr13(motion))
    assert_allclose(to_lcr13(odd, JointMap("mine", own)), to_lcr13(motion))
    with pytest.raises(InputError, match="found no left_knee in your mapping"):
        to_lcr13(odd, {k: v for k, v in own.items() if k != "left_knee"})
    with pytest.raises(InputError, match="lacks the joints knee of your mapping"):
        to_lcr13(odd, own | {"left_knee": "knee"})


def test_missing_joints_are_named():
    motion = motion_of(MAPS[2])
    keep = [i for i, name in enumerate(motion.names) if name not in ("foot_l", "neck")]
    less = Motion(tuple(motion.names[i] for i in keep), (-1,) * len(keep), motion.positions[:, keep], 0.03)
    with pytest.raises(InputError, match="lacks the joints foot_l, neck of Bandai-Namco, which comes closest"):
        to_lcr13(less)


def test_no_frame_is_no_pose():
    assert to_lcr13(motion_of(MAPS[3], frames=0)).shape == (0, 13, 3)


def test_files_are_found_and_read_by_extension(tmp_path):
    (tmp_path / "sub").mkdir()
    first = person_bvh(tmp_path / "sub" / "a.bvh", 2, np.random.default_rng(0))
    second = person_bvh(tmp_path / "b.BVH", 2, np.random.default_rng(0))
    (tmp_path / "README.txt").write_text("no motion")
    (tmp_path / "walk.txt").write_text('{"Loop": "wrap", "Frames": []}')
    assert find_motions([tmp_path]) == [second, first, tmp_path / "walk.txt"]
    assert find_motions([first, tmp_path / "sub", str(tmp_path / "**" / "*.bvh")]) == [first]
    assert len(read_motion(second)) == 2
    with pytest.raises(InputError, match="found no motion capture at"):
        find_motions([tmp_path / "nothing*"])
    with pytest.raises(InputError, match=r"found a\.fbx, wanted one of \.bvh"):
        read_motion(tmp_path / "a.fbx")
    with pytest.raises(InputError, match="found the stride 0"):
        read_motion(first, stride=0)
