import numpy as np
import pytest
from numpy.testing import assert_allclose

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.asf_amc import find_skeleton, read_amc
from anchorpose.synthesis.mocap.files import read_motion
from tests.synthesis.test_bvh import slow_positions

# joint: (parent, direction, length, axis in degrees, dof); lengths as CMU's, so that a leg is 0.85 m
BONES = {
    "lhipjoint": ("root", (1, -1, 0), 2, (0, 0, 0), ""),
    "lfemur": ("lhipjoint", (0.34202, -0.939693, 0), 7, (0, 0, 20), "rx ry rz"),
    "ltibia": ("lfemur", (0.34202, -0.939693, 0), 7.5, (0, 0, 20), "rx"),
    "lfoot": ("ltibia", (0, 0, 1), 2, (-90, 0, 20), "rx rz"),
    "lowerback": ("root", (0, 1, 0), 9, (0, 0, 0), "rx ry rz"),
    "rhumerus": ("lowerback", (-1, 0, 0), 11, (180, 30, 90), "rz ry rx"),
}
ROWS = [{"root": "1 17 2 10 20 -30", "lfemur": "30 -10 5", "ltibia": "45", "lfoot": "-5 8", "lowerback": "10 20 30",
         "rhumerus": "70 -20 15"},
        {"root": "0 17 0 0 0 0", "lfemur": "0 0 0", "ltibia": "0", "lfoot": "0 0", "lowerback": "0 0 0",
         "rhumerus": "0 0 0"}]  # fmt: skip


def asf_text():
    text = ":version 1.10\n:units\n  mass 1.0\n  length 0.45\n  angle deg\n:documentation\n  written by hand\n"
    text += ":root\n  order TX TY TZ RX RY RZ\n  axis XYZ\n  position 0 0 0\n  orientation 0 0 0\n:bonedata\n"
    for i, (name, (_, direction, length, axis, dof)) in enumerate(BONES.items()):
        text += f"  begin\n    id {i + 1}\n    name {name}\n    direction {' '.join(map(str, direction))}\n"
        text += f"    length {length}\n    axis {' '.join(map(str, axis))} XYZ\n"
        text += f"    dof {dof}\n    limits (-90 90)\n" if dof else ""
        text += "  end\n"
    text += ":hierarchy\n  begin\n    root lhipjoint lowerback\n"
    text += "    lhipjoint lfemur\n    lfemur ltibia\n    ltibia lfoot\n    lowerback rhumerus\n  end\n"
    return text


def amc_text():
    frames = [f"{i + 1}\n" + "".join(f"{k} {v}\n" for k, v in row.items()) for i, row in enumerate(ROWS)]
    return "# made by hand\n:FULLY-SPECIFIED\n:DEGREES\n" + "".join(frames)


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "07.asf").write_text(asf_text())
    (tmp_path / "07_01.amc").write_text(amc_text())
    return tmp_path / "07_01.amc"


def about(axis, degrees):
    """(3, 3) by the BVH tests' slow matrices."""
    _, turns = slow_positions({"a": (None, (0, 0, 0), [f"{axis}rotation"])}, [degrees])
    return turns["a"]


def fixed_axes(order, degrees):
    turn = np.eye(3)
    for axis, angle in zip(order, degrees, strict=True):
        turn = about(axis.upper(), angle) @ turn
    return turn


def slow_ends(row):
    """{bone: its end} in the file's units, bone by bone as the Acclaim format is described."""
    values = {k: [float(w) for w in v.split()] for k, v in row.items()}
    turns, ends = {"root": fixed_axes("xyz", values["root"][3:])}, {"root": np.array(values["root"][:3])}
    for name, (parent, direction, length, axis, dof) in BONES.items():
        c = fixed_axes("xyz", axis)
        m = fixed_axes([d[1] for d in dof.split()], values[name]) if dof else np.eye(3)
        turns[name] = turns[parent] @ c @ m @ np.linalg.inv(c)
        ends[name] = ends[parent] + turns[name] @ np.array(direction) / np.linalg.norm(direction) * length
    return ends


def test_each_bone_ends_where_the_format_says(clip):
    motion = read_amc(clip)
    assert motion.scale == pytest.approx(0.0254 / 0.45)
    assert motion.frame_time == pytest.approx(1 / 120)
    for t, row in enumerate(ROWS):
        ends = {k: v * motion.scale * [1, -1, -1] for k, v in slow_ends(row).items()}
        assert_allclose(motion.positions[t, motion.index("root")], ends["root"], atol=1e-5)
        # a joint bears the name of the bone that starts there
        for joint, bone in (("lfemur", "lhipjoint"), ("ltibia", "lfemur"), ("lfoot", "ltibia"),
                            ("lfoot_end", "lfoot"), ("rhumerus", "lowerback"),
                            ("rhumerus_end", "rhumerus")):  # fmt: skip
            assert_allclose(motion.positions[t, motion.index(joint)], ends[bone], atol=1e-5)


def test_at_rest_every_rotation_is_the_identity(clip):
    motion = read_amc(clip)
    assert_allclose(motion.rotations[1], np.tile(np.eye(3), (len(motion.names), 1, 1)), atol=1e-6)
    for j, parent in enumerate(motion.parents):
        if parent >= 0:
            wanted = motion.positions[:, parent] + motion.rotations[:, parent] @ motion.offsets[j]
            assert_allclose(motion.positions[:, j], wanted, atol=1e-5)


def test_radians_are_the_same_motion(clip, tmp_path):
    rows = []
    for line in amc_text().replace(":DEGREES", ":RADIANS").splitlines():
        name, *values = line.split()
        if name in BONES or name == "root":
            kept = values[:3] if name == "root" else []
            values = kept + [repr(float(np.radians(float(v)))) for v in values[len(kept) :]]
        rows.append(" ".join([name, *values]))
    (tmp_path / "07_02.amc").write_text("\n".join(rows))
    assert_allclose(read_amc(tmp_path / "07_02.amc").positions, read_amc(clip).positions, atol=1e-5)


def test_stride_and_scale(clip):
    motion = read_amc(clip, stride=2, scale=1.0, frame_time=0.01)
    assert len(motion) == 1
    assert motion.frame_time == pytest.approx(0.02)
    assert_allclose(motion.positions[0, 0], [1, -17, -2], atol=1e-5)


def test_the_skeleton_is_found_beside_the_clip(clip, tmp_path):
    assert find_skeleton(clip).name == "07.asf"
    (tmp_path / "08.asf").write_text(asf_text())
    assert find_skeleton(clip).name == "07.asf"
    (tmp_path / "walk.amc").write_text(amc_text())
    with pytest.raises(InputError, match=r"found no skeleton for .*walk\.amc"):
        read_amc(tmp_path / "walk.amc")
    assert len(read_amc(tmp_path / "walk.amc", skeleton=tmp_path / "08.asf")) == 2
    (tmp_path / "08.asf").unlink()
    assert find_skeleton(tmp_path / "walk.amc").name == "07.asf"  # the only one


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ltibia 45\n", "ltibia 45 1\n", r"07_01.amc:7: found 2 channel values, wanted 1 for ltibia"),
        ("ltibia 45\n", "ltibia nan\n", r"07_01.amc:7: found 'nan', wanted a number"),
        ("ltibia 45\n", "ltibia x\n", r"07_01.amc:7: found 'x', wanted a number"),
        ("ltibia 45\n", "elbow 45\n", r"07_01.amc:7: found the unknown or fixed bone 'elbow'"),
        ("ltibia 45\n", "", r"07_01.amc:10: found frame 1 without ltibia"),
        ("ltibia 45\n", "ltibia 45\nltibia 45\n", r"07_01.amc:8: found 1 channel values, wanted 1 for ltibia, once"),
        ("rhumerus 0 0 0\n", "", r"07_01.amc:16: found frame 2 without rhumerus, wanted every moving bone; fetch"),
        (amc_text(), ":DEGREES\n", r"07_01.amc:1: found no frame"),
    ],
)
def test_broken_clips_are_named_with_the_line(clip, old, new, message):
    assert old in amc_text()
    clip.write_text(amc_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_amc(clip)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length 0.45", "length 0", "07.asf:4: found length 0"),
        ("length 7.5", "length seven", r"07.asf:\d+: found 'seven'"),
        ("    name lfemur\n", "", r"07.asf:\d+: found a bone without a name"),
        ("name lfemur", "name lfoot", r"07.asf:\d+: found a second bone lfoot"),
        ("direction 0 1 0", "direction 0 1", r"07.asf:\d+: found 2 numbers, wanted 3"),
        ("axis 0 0 20 XYZ", "axis 0 0 20 XYY", r"07.asf:\d+: found the axis order 'XYY'"),
        ("dof rx rz", "dof rx qz", r"07.asf:\d+: found the channels rx qz"),
        ("lfemur ltibia\n", "lfemur shin\n", r"07.asf:\d+: found the unknown bone 'shin'"),
        ("    lfemur ltibia\n", "", r"07.asf:\d+: found ltibia not joined to the root"),
        ("    lfemur ltibia\n", "    lfemur ltibia\n    lowerback ltibia\n", "found a second parent for 'ltibia'"),
        (asf_text(), "", "07.asf:1: found no bones"),
        (asf_text()[asf_text().index("dof rz ry rx") :], "", r"07.asf:\d+: found a bone without 'end'"),
    ],
)
def test_broken_skeletons_are_named_with_the_line(clip, tmp_path, old, new, message):
    assert old in asf_text()
    (tmp_path / "07.asf").write_text(asf_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_amc(clip)


def test_the_frame_time_of_a_clip_can_be_given_by_extension_too(clip, tmp_path):
    assert read_motion(clip).frame_time == pytest.approx(1 / 120)
    assert read_motion(clip, stride=2, frame_time=0.04).frame_time == pytest.approx(0.08)
    assert_allclose(read_motion(clip, frame_time=0.04).positions, read_motion(clip).positions)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match=r"found the frame time .* wanted seconds"):
            read_motion(clip, frame_time=wrong)
