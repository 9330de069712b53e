import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.motion import Motion, assemble, choose_unit, forward_kinematics, to_library_axes


def random_tree(rng, joints, frames):
    parents = [-1] + [int(rng.integers(0, j)) for j in range(1, joints)]
    local = rng.normal(size=(frames, joints, 3))
    turns = [None if rng.random() < 0.2 else Rotation.random(frames, rng).as_matrix() for _ in range(joints)]
    return parents, local, turns


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 4))
def test_forward_kinematics_equals_the_product_of_4x4_matrices(seed, joints, frames):
    parents, local, turns = random_tree(np.random.default_rng(seed), joints, frames)
    positions, rotations = forward_kinematics(parents, local, turns, frames)
    for t in range(frames):
        whole = []
        for j, parent in enumerate(parents):
            own = np.eye(4)
            own[:3, :3] = np.eye(3) if turns[j] is None else turns[j][t]
            own[:3, 3] = local[t, j]
            whole.append(own if parent < 0 else whole[parent] @ own)
        assert_allclose(positions[t], [m[:3, 3] for m in whole], atol=1e-5)
        assert_allclose(rotations[t], [m[:3, :3] for m in whole], atol=1e-5)


def test_5000_frames_of_30_joints_take_no_time():
    parents, local, turns = random_tree(np.random.default_rng(0), 30, 5000)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        forward_kinematics(parents, local, turns, 5000)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.25  # 100,000 frames in 5 s; 0.02 s alone, and a loop over frames takes 1 s


@pytest.mark.parametrize("up", ["y", "z"])
def test_axes_turn_and_do_not_mirror(up):
    rng = np.random.default_rng(0)
    points, turns = rng.normal(size=(4, 5, 3)).astype(np.float32), Rotation.random(4, rng).as_matrix()
    moved, turned = to_library_axes(points, turns.astype(np.float32), up)
    basis, _ = to_library_axes(np.eye(3, dtype=np.float32), None, up)
    assert np.linalg.det(basis.T) == pytest.approx(1)
    assert_allclose(basis["xyz".index(up)], [0, -1, 0])  # up in the file is -y here
    # turning first and changing the axes afterwards is changing the axes first and turning then
    first, _ = to_library_axes(np.einsum("tij,tkj->tki", turns, points).astype(np.float32), None, up)
    assert_allclose(first, np.einsum("tij,tkj->tki", turned, moved), atol=1e-5)


def test_units_prefer_what_is_usual():
    # two arms of 0.9 from the root: hand to hand 1.8
    positions = np.array([[[0, 0, 0], [0.9, 0, 0], [-0.9, 0, 0]]], np.float32)
    parents = (-1, 0, 0)
    assert choose_unit(parents, positions, 1.0)[0] == 1.0
    assert choose_unit(parents, positions)[0] == 1.0
    assert choose_unit(parents, positions * 100)[0] == 0.01
    assert choose_unit(parents, positions * 60)[0] == 0.01  # a small child in centimetres, not a giant in inches
    assert choose_unit(parents, positions * 1000)[0] == 0.001
    assert choose_unit(parents, positions / 0.0254)[0] == 0.0254
    scale, words = choose_unit(parents, positions * 1e6)
    assert scale == 0.01
    assert "assumed" in words


def test_the_path_of_the_hips_does_not_count_for_the_size():
    positions = np.array([[[0, 0, 0], [500, 0, 0], [590, 0, 0], [410, 0, 0]]], np.float32)
    assert choose_unit((-1, 0, 1, 1), positions)[0] == 0.01


def test_mistakes_are_named():
    with pytest.raises(InputError, match="found the scale -1"):
        assemble(["a"], [-1], np.zeros((1, 3)), np.zeros((1, 3)), [None], 2, 0.1, -1, 1.0, "y")
    with pytest.raises(ValueError, match="wanted"):
        Motion(("a",), (-1,), np.zeros((2, 3, 3), np.float32), 0.1)
    with pytest.raises(ValueError, match="earlier joint"):
        Motion(("a", "b"), (1, -1), np.zeros((2, 2, 3), np.float32), 0.1)
    with pytest.raises(KeyError, match="no joint 'b'"):
        Motion(("a",), (-1,), np.zeros((2, 1, 3), np.float32), 0.1).index("b")
