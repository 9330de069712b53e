import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.bvh import read_bvh

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 20 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333
0 100 0 0 0 0 0 0 0
0 100 0 90 0 0 90 0 0
"""

# joint: (parent, offset in centimetres); y up, looking along z, so the left is at +x
PERSON = {
    "Hips": (None, (0, 95, 0)), "Spine": ("Hips", (0, 12, 0)), "Spine1": ("Spine", (0, 15, 0)),
    "Neck": ("Spine1", (0, 25, 0)), "Head": ("Neck", (0, 8, 1)),
    **{f"{s}{name}": (parent if parent in ("Hips", "Spine1") else f"{s}{parent}", (x * sign, y, z))
       for s, sign in (("Left", 1), ("Right", -1))
       for name, parent, x, y, z in (("Shoulder", "Spine1", 4, 20, 0), ("Arm", "Shoulder", 14, 1, 0),
                                     ("ForeArm", "Arm", 28, 0, 0), ("Hand", "ForeArm", 25, 0, 0),
                                     ("UpLeg", "Hips", 9, -4, 0), ("Leg", "UpLeg", 0, -42, 0),
                                     ("Foot", "Leg", 0, -42, 0), ("ToeBase", "Foot", 0, -7, 14))},
}  # fmt: skip


def person_bvh(path, frames, rng, turn=60.0, prefix="mixamorig:", unit=1.0):
    """Write a person in Mixamo's names who moves the joints by up to `turn` degrees."""
    depth = 0
    lines = ["HIERARCHY"]

    def write(name):
        nonlocal depth
        parent, offset = PERSON[name]
        pad = "  " * depth
        channels = "6 Xposition Yposition Zposition" if parent is None else "3"
        lines.extend([f"{pad}{'JOINT' if parent else 'ROOT'} {prefix}{name}", pad + "{",
                      f"{pad}  OFFSET " + " ".join(str(v * unit) for v in offset),
                      f"{pad}  CHANNELS {channels} Yrotation Xrotation Zrotation"])  # fmt: skip
        depth += 1
        order.append(name)
        children = [n for n, (p, _) in PERSON.items() if p == name]
        for child in children:
            write(child)
        if not children:
            lines.extend([f"{pad}  End Site", pad + "  {", f"{pad}    OFFSET 0 {5 * unit} 0", pad + "  }"])
        depth -= 1
        lines.append(pad + "}")

    order = []
    write("Hips")
    values = rng.uniform(-turn, turn, (frames, 3 * len(order)))
    root = np.tile([0, 95 * unit, 0], (frames, 1))
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.033333"]
    lines += [" ".join(f"{v:.4f}" for v in row) for row in np.concatenate([root, values], 1)]
    path.write_text("\n".join(lines) + "\n")
    return path


def slow_positions(tree, row):
    """Positions and rotations of a frame by joint, axis matrices written out; tree {name: (parent, offset, words)}."""
    points, turns, column = {}, {}, 0
    for name, (parent, offset, channels) in tree.items():
        own = dict(zip(channels, row[column : column + len(channels)], strict=True))
        column += len(channels)
        at = np.array([own.get(f"{a}position", o) for a, o in zip("XYZ", offset, strict=True)])
        turn = np.eye(3)
        for channel in channels:
            if channel.endswith("rotation"):
                c, s = np.cos(np.radians(own[channel])), np.sin(np.radians(own[channel]))
                turn = turn @ {"X": [[1, 0, 0], [0, c, -s], [0, s, c]], "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                               "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[channel[0]]  # fmt: skip
        points[name] = at if parent is None else points[parent] + turns[parent] @ at
        turns[name] = turn if parent is None else turns[parent] @ turn
    return points, turns


def test_forward_kinematics_by_hand(tmp_path):
    path = tmp_path / "a.bvh"
    path.write_text(BVH)
    motion = read_bvh(path)
    assert motion.names == ("Hips", "Arm", "Arm_end")
    assert motion.parents == (-1, 0, 1)
    # y up in the file is y down here; centimetres become metres.
    assert_allclose(motion.positions[0], [[0, -1, 0], [0.1, -1, 0], [0.1, -1.2, 0]], atol=1e-6)
    # Hips turned by 90 degrees about z: the arm points up, and its own turn sends the end downwards.
    assert_allclose(motion.positions[1], [[0, -1, 0], [0, -1.1, 0], [0, -0.9, 0]], atol=1e-6)
    assert motion.frame_time == pytest.approx(0.0333)
    halved = read_bvh(path, stride=2)
    assert len(halved) == 1
    assert halved.frame_time == pytest.approx(0.0666)


@pytest.mark.parametrize("seed", range(6))
def test_channels_in_any_order_and_on_any_joint(tmp_path, seed):
    rng = np.random.default_rng(seed)
    kinds = [f"{a}{k}" for a in "XYZ" for k in ("position", "rotation")]
    channels = [list(rng.permutation(kinds)[: rng.integers(0, 7)]) for _ in range(3)]
    channels[0] = list(rng.permutation(kinds))
    offsets = rng.uniform(-50, 50, (4, 3)).round(3)
    tree = {"a": (None, offsets[0], channels[0]), "b": ("a", offsets[1], channels[1]),
            "c": ("b", offsets[2], channels[2]), "c_end": ("c", offsets[3], [])}  # fmt: skip
    text = "HIERARCHY\n"
    for kind, name in (("ROOT", "a"), ("JOINT", "b"), ("JOINT", "c"), ("End", "c_end")):
        _, offset, own = tree[name]
        text += f"{kind} {'Site' if kind == 'End' else name}\n{{\nOFFSET {' '.join(map(str, offset))}\n"
        text += f"CHANNELS {len(own)} {' '.join(own)}\n" if kind != "End" else ""
    text += "}\n" * 4
    rows = rng.uniform(-180, 180, (5, sum(map(len, channels)))).round(4)
    text += f"MOTION\nFrames: 5\nFrame Time: 0.01\n{chr(10).join(' '.join(map(str, row)) for row in rows)}\n"
    (tmp_path / "a.bvh").write_text(text)
    motion = read_bvh(tmp_path / "a.bvh", scale=0.01)
    half_turn = np.diag([1, -1, -1])
    for t, row in enumerate(rows):
        points, turns = slow_positions(tree, row)
        for name, point in points.items():
            assert_allclose(motion.positions[t, motion.index(name)], half_turn @ point * 0.01, atol=2e-5)
            rotation = half_turn @ turns[name] @ half_turn
            assert_allclose(motion.rotations[t, motion.index(name)], rotation, atol=1e-5)


def test_rotations_and_offsets_give_the_positions(tmp_path):
    motion = read_bvh(person_bvh(tmp_path / "p.bvh", 20, np.random.default_rng(0)))
    for j, parent in enumerate(motion.parents):
        if parent >= 0:
            wanted = motion.positions[:, parent] + motion.rotations[:, parent] @ motion.offsets[j]
            assert_allclose(motion.positions[:, j], wanted, atol=1e-5)


@pytest.mark.parametrize(("unit", "name"), [(1, "centimetre"), (0.01, "metre"), (10, "millimetre"), (1 / 2.54, "inch"),
                                            (0.45 / 2.54, "inch / 0.45")])  # fmt: skip
def test_the_unit_is_told_from_the_size_of_the_skeleton(tmp_path, unit, name):
    rng = np.random.default_rng(1)
    reference = read_bvh(person_bvh(tmp_path / "a.bvh", 3, np.random.default_rng(1)), scale=0.01)
    motion = read_bvh(person_bvh(tmp_path / "b.bvh", 3, rng, unit=unit))
    assert motion.unit.startswith(f"{name} (")
    assert_allclose(motion.positions, reference.positions, atol=2e-4)


def test_z_up_files_stand_upright_too(tmp_path):
    path = tmp_path / "a.bvh"
    path.write_text(BVH.replace("0 100 0 0 0 0 0 0 0", "10 20 100 0 0 0 0 0 0"))
    motion = read_bvh(path, up="z")
    assert_allclose(motion.positions[0, 0], [0.1, -1.0, 0.2], atol=1e-6)
    with pytest.raises(InputError, match="wanted 'y' or 'z'"):
        read_bvh(path, up="x")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MOTION\n", "", r"a.bvh:\d+: found no MOTION section"),
        ("0 100 0 90 0 0 90 0 0\n", "1 2 3\n", "a.bvh:20: found 3 channel values, wanted 9"),
        ("0 100 0 90 0 0 90 0 0\n", "0 100 0 90 0 nan 90 0 0\n", "a.bvh:20: found 'nan', wanted a number"),
        ("0 100 0 90 0 0 90 0 0\n", "0 100 0 90 0 x9 90 0 0\n", "a.bvh:20: found 'x9', wanted a number"),
        ("0 100 0 90 0 0 90 0 0\n", "", "a.bvh:17: found 'Frames: 2' above 1 lines"),
        ("Frames: 2", "Frames: two", "a.bvh:17: found 'two'"),
        ("Frame Time: 0.0333\n", "", "a.bvh:18: found '0 100 0 0 0 0 0 0 0', wanted 'Frame Time:'"),
        ("0.0333", "0", "a.bvh:18: found a frame time of 0 s"),
        ("  }\n}\n", "  }\n", "a.bvh:14: found a hierarchy with 1 '{' left open"),
        ("  }\n}\n", "  }\n}\n}\n", "a.bvh:16: found '}' without its '{'"),
        ("  }\n}\n", "  }\n}\nROOT Other\n{\nOFFSET 0 0 0\n}\n", "a.bvh:16: found a second ROOT Other"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "a.bvh:8: found the end of the line"),
        ("OFFSET 10 0 0", "OFFSET 10 0 inf", "a.bvh:8: found 'inf', wanted a number"),
        ("CHANNELS 3 Z", "CHANNELS 3 W", "a.bvh:9: found channels Wrotation"),
        ("JOINT Arm", "JOINT Hips", "a.bvh:6: found a second joint Hips"),
        ("JOINT Arm", "BONE Arm", "a.bvh:6: found 'BONE'"),
        ("ROOT Hips\n{", "ROOT Hips\n", "a.bvh:4: found 'OFFSET', wanted '{'"),
    ],
)
def test_broken_files_are_named_with_the_line(tmp_path, old, new, message):
    path = tmp_path / "a.bvh"
    assert old in BVH
    path.write_text(BVH.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_bvh(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("length", range(0, len(BVH) - 20, 23))
def test_a_file_cut_anywhere_is_an_input_error(tmp_path, length):
    path = tmp_path / "a.bvh"
    path.write_text(BVH[:length])
    with pytest.raises(InputError, match=r"a\.bvh:\d+: found"):
        read_bvh(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_bvh(tmp_path / "none.bvh")


def test_long_files_are_read_fast(tmp_path):
    path = person_bvh(tmp_path / "long.bvh", 2_500, np.random.default_rng(0))
    start = time.process_time()
    assert len(read_bvh(path)) == 2_500
    assert time.process_time() - start < 1  # 0.15 s alone; other work on the machine slows it
