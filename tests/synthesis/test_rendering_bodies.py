"""Posing in numpy: rigid motions, files, and Anny's own skinning as the reference."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.bodies import BodyPool, pose_bones, skin_vertices
from anchorpose.synthesis.rendering.chart import Chart, Part, part_of_bone

from .tiny_body import tiny_pool

POOL = tiny_pool()


def test_without_rotation_the_body_rests():
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (len(POOL.bones), 3, 3))
    posed = skin_vertices(POOL.vertices[1], POOL.skin, pose_bones(POOL.heads[1], POOL.parents, still))
    np.testing.assert_allclose(posed, POOL.vertices[1], atol=1e-6)


def test_one_rotation_for_all_bones_turns_the_body_about_its_root():
    turn = Rotation.from_euler("xyz", [20, -50, 70], degrees=True).as_matrix().astype(np.float32)
    motions = pose_bones(POOL.heads[0], POOL.parents, np.broadcast_to(turn, (len(POOL.bones), 3, 3)))
    root = POOL.heads[0, 0]
    np.testing.assert_allclose(skin_vertices(POOL.vertices[0], POOL.skin, motions),
                               (POOL.vertices[0] - root) @ turn.T + root, atol=1e-5)  # fmt: skip


def test_a_bone_takes_its_children_along_and_nothing_else():
    bent = np.broadcast_to(np.eye(3, dtype=np.float32), (len(POOL.bones), 3, 3)).copy()
    quarter = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    for name in ("lowerleg01.L", "lowerleg02.L", "foot.L"):
        bent[POOL.bone(name)] = quarter
    posed = POOL.joint_weights @ skin_vertices(
        POOL.vertices[0], POOL.skin, pose_bones(POOL.heads[0], POOL.parents, bent)
    )
    rest = POOL.rest_joints(0)
    moved = np.linalg.norm(posed - rest, axis=1) > 1e-4
    assert [LCR13.joints[j] for j in np.flatnonzero(moved)] == ["left_ankle"]
    knee, ankle = LCR13.indices("left_knee", "left_ankle")
    assert np.linalg.norm(posed[ankle] - posed[knee]) == pytest.approx(
        np.linalg.norm(rest[ankle] - rest[knee]), abs=1e-5
    )


def test_a_pool_survives_its_file(tmp_path):
    POOL.save(tmp_path / "bodies.npz")
    back = BodyPool.load(tmp_path / "bodies.npz")
    np.testing.assert_array_equal(back.vertices, POOL.vertices)
    assert list(back.bones) == list(POOL.bones)
    assert len(back) == 2


def test_a_kept_pool_is_not_built_again(tmp_path):
    POOL.save(tmp_path / "bodies-2-5.npz")
    np.testing.assert_array_equal(BodyPool.load_or_build(2, 5, tmp_path).heads, POOL.heads)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", None])
def test_a_broken_file_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "bodies.npz"
    if content is None:
        np.savez(path, vertices=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bodies\.npz is no pool of bodies") as caught:
        BodyPool.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_bone_names_those_there_are():
    with pytest.raises(KeyError, match="no bone 'tail'"):
        POOL.bone("tail")


def test_bones_belong_to_the_part_they_move():
    assert part_of_bone("finger3-2.L") == Part.LEFT_HAND
    assert part_of_bone("toe1-1.R") == Part.RIGHT_FOOT
    assert part_of_bone("neck02") == Part.HEAD
    assert part_of_bone("clavicle.R") == Part.TORSO


def test_the_chart_runs_along_the_limbs():
    chart = Chart.of(POOL)
    for name, along, low, high in (("upperarm01.L", chart.arm, 0, 1), ("lowerarm02.R", chart.arm, 1, 2),
                                   ("wrist.L", chart.arm, 2, 3), ("upperleg01.R", chart.leg, 0, 1),
                                   ("lowerleg01.L", chart.leg, 1, 2), ("foot.R", chart.leg, 2, 3)):  # fmt: skip
        own = POOL.bone_indices[:, 0] == POOL.bone(name)
        assert (along[own] >= low).all()
        assert (along[own] <= high).all()
    torso = chart.parts == Part.TORSO
    assert (chart.arm[torso] <= 0).all()
    assert (chart.leg[torso] <= 0).all()


@pytest.mark.slow
def test_posing_is_annys_own():
    torch, anny = pytest.importorskip("torch"), pytest.importorskip("anny")
    pool = BodyPool.build(2, seed=3)
    model = anny.Anny(local_changes="default", skinning_method="lbs").to(dtype=torch.float32)
    to_library = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
    turns = Rotation.random(model.bone_count, rng=np.random.default_rng(0)).as_rotvec() * 0.3
    pose = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)
    pose[0, :, :3, :3] = torch.as_tensor(Rotation.from_rotvec(turns).as_matrix(), dtype=torch.float32)
    output = model(pose_parameters=pose, phenotype_kwargs={k: torch.full((1,), 0.5) for k in model.phenotype_labels})
    world = (output["bone_poses"] @ torch.linalg.inv(output["rest_bone_poses"]))[0, :, :3, :3].numpy()
    rotations = np.einsum("ij,bjk,lk->bil", to_library, world, to_library)
    heads = output["rest_bone_heads"][0].numpy() @ to_library.T
    expected = output["vertices"][0].numpy() @ to_library.T
    posed = skin_vertices(pool.canonical, pool.skin, pose_bones(heads, pool.parents, rotations))
    root = output["bone_poses"][0, 0, :3, 3].numpy() @ to_library.T  # where Anny puts the root
    np.testing.assert_allclose(posed - heads[0] + root, expected, atol=2e-4)
    # the same seed gives the same people, another one others
    np.testing.assert_array_equal(BodyPool.build(2, seed=3).vertices, pool.vertices)
    assert np.abs(BodyPool.build(2, seed=4).vertices - pool.vertices).max() > 1e-3
    heights = np.ptp(pool.vertices[..., 1], axis=1)
    assert ((heights > 0.9) & (heights < 2.2)).all()
    np.testing.assert_allclose(pool.regressor.sum(1), 1, atol=1e-4)
