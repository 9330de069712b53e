import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mocap.deepmimic import read_deepmimic
from anchorpose.synthesis.mocap.mapping import to_lcr13

STILL = [1, 0, 0, 0]


def frame(duration=0.03, height=0.9, root=STILL, chest=STILL, right_knee=0.0, left_elbow=0.0):
    right = [*STILL, right_knee, *STILL, *STILL, 0.0]
    left = [*STILL, 0.0, *STILL, *STILL, left_elbow]
    return [duration, 0, height, 0, *root, *chest, *STILL, *right, *left]


def write(path, frames, one_a_line=True):
    rows = (",\n" if one_a_line else ", ").join(json.dumps(row) for row in frames)
    path.write_text(f'{{\n"Loop": "wrap",\n"Frames":\n[\n{rows}\n]\n}}\n')
    return path


def test_the_humanoid_stands_upright_and_looks_along_x(tmp_path):
    motion = read_deepmimic(write(tmp_path / "a.txt", [frame()]))
    pose = dict(zip(LCR13.joints, to_lcr13(motion)[0], strict=True))
    assert pose["head_top"][1] < pose["left_shoulder"][1] < pose["left_hip"][1] < pose["left_ankle"][1]
    # x right, y down, z forward: who looks along x has the right hand towards the viewer
    assert pose["right_shoulder"][2] < 0 < pose["left_shoulder"][2]
    assert motion.positions[0, motion.index("left_ankle_end"), 0] > 0.1
    ground = motion.positions[0, motion.index("left_ankle"), 1]
    assert -0.12 < ground < 0  # the ankle is above the ground by its own height
    stature = pose["left_ankle"][1] - pose["head_top"][1]
    assert 1.5 < stature < 1.7


def test_knees_bend_backwards_and_elbows_forwards(tmp_path):
    motion = read_deepmimic(write(tmp_path / "a.txt", [frame(right_knee=-0.8, left_elbow=0.8)]))
    knee, ankle, elbow, wrist = (
        motion.positions[0, motion.index(n)] for n in ("right_knee", "right_ankle", "left_elbow", "left_wrist")
    )
    assert_allclose(ankle - knee, 0.40987 * np.array([-np.sin(0.8), np.cos(0.8), 0]), atol=1e-5)
    assert_allclose(wrist - elbow, 0.258947 * np.array([np.sin(0.8), np.cos(0.8), 0]), atol=1e-5)


def test_quaternions_are_w_first_and_of_any_sign_and_length(tmp_path):
    turn = Rotation.from_euler("y", 90, degrees=True)
    x, y, z, w = turn.as_quat()
    rows = [frame(root=[w, x, y, z]), frame(root=[-w, -x, -y, -z]), frame(root=[0.7 * v for v in (w, x, y, z)])]
    motion = read_deepmimic(write(tmp_path / "a.txt", rows))
    assert_allclose(motion.positions[1], motion.positions[0], atol=1e-6)
    assert_allclose(motion.positions[2], motion.positions[0], atol=1e-6)
    # a quarter turn to the left about the vertical: x goes to -z in the file, +z here
    toe = motion.positions[0, motion.index("left_ankle_end")] - motion.positions[0, motion.index("left_ankle")]
    assert_allclose(toe, [0, 0.0225, 0.1335], atol=1e-5)


def test_time_and_stride(tmp_path):
    path = write(tmp_path / "a.txt", [frame(0.04)] * 5 + [frame(0.0)])
    assert read_deepmimic(path).frame_time == pytest.approx(0.04)
    assert len(read_deepmimic(path, stride=4)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [rows[0], rows[1][:-1], rows[2]], "a.txt:6: found 43 numbers in frame 1, wanted 44"),
        (lambda rows: [*rows[:2], [float("nan")] * 44], "a.txt:7: found something else than numbers in frame 2"),
        (lambda rows: [*rows[:2], ["x"] * 44], "a.txt:7: found something else than numbers in frame 2"),
        (lambda rows: [rows[0], frame(chest=[0, 0, 0, 0])], "a.txt:6: found no rotation of chest in frame 1"),
        (lambda rows: [], "a.txt:1: found no 'Frames'"),
        (lambda rows: [rows[0], 3.0], r"a.txt:\d: found no list in frame 1"),
    ],
)
def test_broken_frames_are_named_with_the_line(tmp_path, change, message):
    path = write(tmp_path / "a.txt", change([frame()] * 3))
    with pytest.raises(InputError, match=message):
        read_deepmimic(path)


def test_truncated_files_are_named_with_the_line(tmp_path):
    path = write(tmp_path / "a.txt", [frame()] * 3)
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match=r"a\.txt:6: found no JSON"):
        read_deepmimic(path)
    path.write_text("[1, 2]")
    with pytest.raises(InputError, match="found no 'Frames'"):
        read_deepmimic(path)
