"""glTF 2.0 as one binary file (.glb): each person an animated tree of nodes with bones of octahedra."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.io.exports.clip import Clip, PersonClip
from anchorpose.io.exports.rig import NAMES, PARENTS, Rig, fit_rig
from anchorpose.io.figure import PEOPLE, SIDES, Colour
from anchorpose.io.files import atomic_write

_FLOAT, _USHORT = 5126, 5123
_KINDS = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
_BONE_METRES, _JOINT_METRES = 0.035, 0.04
_LEAVES = [j for j in range(len(NAMES)) if j not in PARENTS]


@dataclass
class _File:
    """The parts of a glTF file while it grows."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    meshes: list[dict[str, Any]] = field(default_factory=list)
    materials: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    channels: list[dict[str, Any]] = field(default_factory=list)
    samplers: list[dict[str, Any]] = field(default_factory=list)

    def accessor(self, values: NDArray[Any], bounds: bool = False, target: int | None = None) -> int:
        """Store float32 (n,), (n, 3), (n, 4) or uint16 (n,) values; returns their accessor."""
        self.data += bytes(-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        self.views.append(view | ({"target": target} if target else {}))
        self.data += values.tobytes()
        entry: dict[str, Any] = {
            "bufferView": len(self.views) - 1, "componentType": _USHORT if values.dtype == np.uint16 else _FLOAT,
            "count": len(values), "type": _KINDS[values.shape[1] if values.ndim > 1 else 1],
        }  # fmt: skip
        if bounds:
            flat = values.reshape(len(values), -1)
            entry |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def node(self, **entry: Any) -> int:
        self.nodes.append(entry)
        return len(self.nodes) - 1

    def animate(self, node: int, path: str, times: int, values: NDArray[np.float32], how: str = "LINEAR") -> None:
        self.samplers.append({"input": times, "interpolation": how, "output": self.accessor(values)})
        target = {"node": node, "path": path}
        self.channels.append({"sampler": len(self.samplers) - 1, "target": target})


def write_gltf(path: Path, clip: Clip) -> None:
    """All people in metres, y up, x the camera's right, z towards the camera; the camera is at the origin.

    Each person is a node `person ID` with the rigid body of `rig.fit_rig` below it: named joints with rotations over
    the clip's own times (which may be uneven), the hips with translations. Where a person is not in the picture the
    node's scale is 0. Bones are orange on the person's left and blue on the right, joints have the person's colour.

    Raises:
        InputError: a skeleton that lacks joints of LCR13, or the file cannot be written.
    """
    file = _File()
    bones = {side: _mesh(file, f"bone {side}", colour, *_octahedron()) for side, colour in SIDES.items()}
    balls = [_mesh(file, f"joint {i}", colour, *_ball()) for i, colour in enumerate(PEOPLE)]
    times = file.accessor((clip.times - clip.times[0]).astype(np.float32), bounds=True)
    roots = [_person(file, p, fit_rig(clip, p.id), times, bones, balls[p.id % len(balls)]) for p in clip.people]
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "anchorpose"}, "scene": 0,
        "scenes": [{"name": "people"} | ({"nodes": roots} if roots else {})], "meshes": file.meshes,
        "materials": file.materials, "accessors": file.accessors, "bufferViews": file.views,
        "buffers": [{"byteLength": len(file.data)}],
    }  # fmt: skip
    if roots:
        document["nodes"] = file.nodes
        document["animations"] = [{"name": "motion", "channels": file.channels, "samplers": file.samplers}]
    atomic_write(path, _binary(document, bytes(file.data)))


def _binary(document: dict[str, Any], data: bytes) -> bytes:
    words = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 4)
    data += bytes(-len(data) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(words) + 8 + len(data))
    return b"".join([header, struct.pack("<I4s", len(words), b"JSON"), words, struct.pack("<I4s", len(data), b"BIN\0"),
                     data])  # fmt: skip


def _person(file: _File, person: PersonClip, rig: Rig, times: int, bones: dict[str, int], ball: int) -> int:
    first = len(file.nodes)
    for j, name in enumerate(NAMES):  # all joints first, so that their numbers follow from the rig's
        file.node(name=f"{person.id}/{name}", translation=rig.offsets[j].tolist(), children=[])
    for j, name in enumerate(NAMES):
        side = next((s for s in ("left", "right") if name.startswith(s.title())), "middle")
        inside = file.nodes[first + j]["children"]
        inside += [first + child for child, parent in enumerate(PARENTS) if parent == j]
        inside.append(file.node(name=f"{person.id}/{name} joint", mesh=ball, scale=[_JOINT_METRES / 2] * 3))
        if PARENTS[j] >= 0 and (long := float(np.linalg.norm(rig.offsets[j]))) > 0:
            turn = Rotation.align_vectors(rig.offsets[j] / long, [0.0, 1.0, 0.0])[0].as_quat()
            file.nodes[first + PARENTS[j]]["children"].append(
                file.node(name=f"{person.id}/{name} bone", mesh=bones[side], rotation=turn.tolist(),
                          scale=[_BONE_METRES / 2, long, _BONE_METRES / 2]))  # fmt: skip
        if j not in _LEAVES:
            file.animate(first + j, "rotation", times, _quaternions(rig.turns[:, j]))
    file.animate(first, "translation", times, rig.root.astype(np.float32))
    root = file.node(name=f"person {person.id}", children=[first])
    seen = np.repeat(person.present.astype(np.float32)[:, None], 3, axis=1)
    file.animate(root, "scale", times, seen, "STEP")
    return root


def _quaternions(turns: NDArray[np.float64]) -> NDArray[np.float32]:
    """(t, 3, 3) -> (t, 4) x, y, z, w; neighbours lie in one half, so that players turn the short way."""
    quaternions = Rotation.from_matrix(turns).as_quat()
    against = (quaternions[1:] * quaternions[:-1]).sum(-1) < 0
    signs = np.concatenate([[1.0], np.cumprod(np.where(against, -1.0, 1.0))])
    return np.asarray(quaternions * signs[:, None], np.float32)


def _mesh(
    file: _File, name: str, colour: Colour, points: NDArray[np.float64], normals: NDArray[np.float64],
    faces: NDArray[np.uint16],
) -> int:  # fmt: skip
    shade = np.array(colour[::-1]) / 255
    linear = np.where(shade <= 0.04045, shade / 12.92, ((shade + 0.055) / 1.055) ** 2.4)  # sRGB to linear
    paint = {"baseColorFactor": [*linear.round(5).tolist(), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}
    file.materials.append({"name": name, "pbrMetallicRoughness": paint})
    attributes = {"POSITION": file.accessor(points.astype(np.float32), bounds=True, target=34962),
                  "NORMAL": file.accessor(normals.astype(np.float32), target=34962)}  # fmt: skip
    triangles = file.accessor(faces.reshape(-1), target=34963)
    primitive = {"attributes": attributes, "indices": triangles, "material": len(file.materials) - 1}
    file.meshes.append({"name": name, "primitives": [primitive]})
    return len(file.meshes) - 1


def _octahedron() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint16]]:
    """A bone from (0, 0, 0) to (0, 1, 0), thickest at a fifth of it, with flat faces."""
    ring = [(1.0, 0.2, 0.0), (0.0, 0.2, -1.0), (-1.0, 0.2, 0.0), (0.0, 0.2, 1.0)]
    corners: list[tuple[float, float, float]] = []
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        corners += [a, b, (0.0, 1.0, 0.0), b, a, (0.0, 0.0, 0.0)]
    points = np.array(corners)
    sides = points.reshape(-1, 3, 3)
    normals = np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return points, np.repeat(normals, 3, axis=0), np.arange(len(points), dtype=np.uint16)


def _ball(rings: int = 6, around: int = 10) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint16]]:
    """A unit sphere of latitudes and longitudes."""
    down, turn = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, around + 1), indexing="ij")
    points = np.stack([np.sin(down) * np.sin(turn), np.cos(down), np.sin(down) * np.cos(turn)], axis=-1).reshape(-1, 3)
    faces = []
    for i in range(rings):
        for k in range(around):
            a, b = i * (around + 1) + k, (i + 1) * (around + 1) + k
            faces += ([[a, b, b + 1]] if i < rings - 1 else []) + ([[a, b + 1, a + 1]] if i else [])
    return points, points, np.array(faces, dtype=np.uint16)
