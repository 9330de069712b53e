"""glTF, read back by pygltflib (and trimesh), moved by a plain player, and checked by Khronos' validator."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.poses import Poses
from anchorpose.io.exports.axes import to_axes
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.gltf import write_gltf
from anchorpose.io.exports.rig import NAMES
from tests.io.exports.clips import CAMERA, stand, walk
from tests.io.exports.test_rig import ALL_BONES, ALL_JOINTS

pygltflib = pytest.importorskip("pygltflib", reason="needs the PyPI package pygltflib")


def values(gltf, index: int) -> np.ndarray:
    accessor = gltf.accessors[index]
    view = gltf.bufferViews[accessor.bufferView]
    kind, width = (np.uint16 if accessor.componentType == 5123 else np.float32), {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
    raw = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    return np.frombuffer(raw, kind).reshape(accessor.count, width[accessor.type])


def play(gltf, key: int) -> dict[str, np.ndarray]:
    """World matrices (4, 4) of all nodes by name, with the animation at one of its keys, by the specification."""
    local = [{"translation": n.translation, "rotation": n.rotation, "scale": n.scale} for n in gltf.nodes]
    for channel in gltf.animations[0].channels:
        sampler = gltf.animations[0].samplers[channel.sampler]
        local[channel.target.node][channel.target.path] = values(gltf, sampler.output)[key]
    world: dict[str, np.ndarray] = {}

    def walk_down(index: int, above: np.ndarray) -> None:
        own, parts = np.eye(4), local[index]
        turn = Rotation.from_quat(parts["rotation"]).as_matrix() if parts["rotation"] is not None else np.eye(3)
        own[:3, :3] = turn * (parts["scale"] if parts["scale"] is not None else [1, 1, 1])
        own[:3, 3] = parts["translation"] if parts["translation"] is not None else 0
        world[gltf.nodes[index].name] = above @ own
        for child in gltf.nodes[index].children or []:
            walk_down(child, above @ own)

    for root in gltf.scenes[0].nodes:
        walk_down(root, np.eye(4))
    return world


def test_a_player_finds_the_joints_at_every_key(tmp_path) -> None:
    clip = walk()
    write_gltf(tmp_path / "a.glb", clip)
    gltf = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    times = values(gltf, gltf.animations[0].samplers[0].input).ravel()
    np.testing.assert_allclose(times, clip.times - clip.times[0], atol=1e-6)
    for person in clip.people:
        wanted = to_axes(person.in_camera(), "y")[:, ALL_JOINTS]
        for key in np.flatnonzero(person.present)[::4]:
            world = play(gltf, int(key))
            found = [world[f"{person.id}/{NAMES[b]}"][:3, 3] for b in ALL_BONES]
            np.testing.assert_allclose(found, wanted[key], atol=1e-3)


def test_bones_reach_from_joint_to_joint_and_the_absent_vanish(tmp_path) -> None:
    write_gltf(tmp_path / "a.glb", walk())
    gltf = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    world = play(gltf, 8)
    for parent, child in (("LeftUpLeg", "LeftLeg"), ("RightArm", "RightForeArm"), ("Head", "HeadTop_End")):
        bone = world[f"2/{child} bone"]
        np.testing.assert_allclose(bone[:3, 3], world[f"2/{parent}"][:3, 3], atol=1e-5)
        np.testing.assert_allclose((bone @ [0, 1, 0, 1])[:3], world[f"2/{child}"][:3, 3], atol=1e-5)
    assert np.linalg.det(play(gltf, 0)["person 7"][:3, :3]) == 0
    assert np.linalg.det(world["person 7"][:3, :3]) == pytest.approx(1)


def test_normals_point_out_and_faces_turn_with_them(tmp_path) -> None:
    write_gltf(tmp_path / "a.glb", stand())
    gltf = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    for mesh in gltf.meshes:
        (primitive,) = mesh.primitives
        points, normals = (values(gltf, getattr(primitive.attributes, n)) for n in ("POSITION", "NORMAL"))
        corners = points[values(gltf, primitive.indices).reshape(-1, 3)]
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        inside = [0, 0.3 if mesh.name.startswith("bone") else 0, 0]
        assert ((faces * (corners.mean(1) - inside)).sum(-1) > 0).all(), mesh.name
        assert (np.einsum("fj,fj->f", faces, normals[values(gltf, primitive.indices).reshape(-1, 3)[:, 0]]) > 0).all()


def test_trimesh_sees_people_of_human_size_upright(tmp_path) -> None:
    trimesh = pytest.importorskip("trimesh", reason="needs trimesh")
    clip = stand()
    write_gltf(tmp_path / "a.glb", clip)
    scene = trimesh.load(tmp_path / "a.glb")
    assert set(NAMES) <= {n.split("/")[-1] for n in scene.graph.nodes}
    assert len(scene.geometry) > 3
    world = play(pygltflib.GLTF2().load(str(tmp_path / "a.glb")), 0)
    rise = world["1/HeadTop_End"][:3, 3] - world["1/LeftFoot"][:3, 3]
    assert rise.argmax() == 1
    assert 1.6 < rise[1] < 1.9


def test_uneven_times_are_kept(tmp_path) -> None:
    clip = walk()
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, len(clip)))
    write_gltf(tmp_path / "a.glb", replace(clip, times=times))
    gltf = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    np.testing.assert_allclose(values(gltf, gltf.animations[0].samplers[0].input).ravel(), times - times[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["walk", "nobody", "one frame"])
def test_khronos_validator_finds_nothing(tmp_path, kind) -> None:
    node = shutil.which("node")
    script = "const v=require('gltf-validator');const f=require('fs');v.validateBytes(new Uint8Array(f.readFileSync("\
        "process.argv[1]))).then(r=>console.log(JSON.stringify(r.issues)))"  # fmt: skip
    path = tmp_path / "a.glb"
    clips = {"walk": walk(), "nobody": Clip.from_frames([(0, 0.0, Poses.empty(CAMERA))]), "one frame": walk(1)}
    write_gltf(path, clips[kind])
    if node is None:
        pytest.skip("needs node")
    ran = subprocess.run([node, "-e", script, str(path)], capture_output=True, text=True, check=False)
    if "Cannot find module" in ran.stderr:
        pytest.skip("needs the npm package gltf-validator (NODE_PATH)")
    issues = json.loads(ran.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
