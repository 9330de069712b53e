"""Things that stand in front of people: boxes, posts and hanging pieces, as textured meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.synthesis.rendering.outfits import Cloth, draw_cloth

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Thing:
    """A textured mesh with flat or round sides: v vertices, f triangles.

    Args:
        vertices: (v, 3) metres. normals: (v, 3) unit. faces: (f, 3). texture: (v, 2). cloth: its colours.
    """

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture: NDArray[np.float32]
    cloth: Cloth


def make_thing(rng: np.random.Generator) -> Thing:
    """A random thing that stands on the ground at the origin, y down: a box, a post or a blob."""
    kind = rng.choice(["box", "post", "blob"], p=[0.45, 0.25, 0.3])
    cloth = draw_cloth(rng, patterned=0.8)
    if kind == "box":
        size = np.array([rng.uniform(0.25, 1.3), rng.uniform(0.3, 1.25), rng.uniform(0.25, 0.7)])
        thing = _box(size, cloth)
    elif kind == "post":
        thing = _turned(np.full(2, rng.uniform(0.03, 0.14)), np.array([0, rng.uniform(1.2, 3.2)]), cloth)
    else:  # a bush, a bin, a vase: a profile turned around
        height = rng.uniform(0.4, 1.3)
        bulges = np.interp(np.linspace(0, 3, 16), np.arange(4), rng.uniform(0.15, 0.45, 4))
        closed = np.sqrt(np.clip(1 - np.linspace(0.0, 1, 16) ** 6, 1e-3, 1))
        thing = _turned(bulges * closed, np.linspace(0, height, 16), cloth)
    turn = Rotation.from_euler("Y", rng.uniform(0, 2 * np.pi)).as_matrix().astype(np.float32)
    return Thing(thing.vertices @ turn.T, thing.normals @ turn.T, thing.faces, thing.texture, thing.cloth)


def _box(size: Floats, cloth: Cloth) -> Thing:
    """Corners are not shared between sides, so that edges are sharp."""
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    vertices, normals = [], []
    for axis in range(3):
        for sign in (-1, 1):
            side = np.insert(corner, axis, sign, axis=1)
            vertices.append(side)
            normals.append(np.eye(3, dtype=np.float32)[axis] * sign * np.ones((4, 1), np.float32))
    points = (np.concatenate(vertices) * size / 2 - [0, size[1] / 2, 0]).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(6)[:, None, None]
    texture = np.tile((corner + 1) / 8, (6, 1)).astype(np.float32)
    return Thing(points, np.concatenate(normals), faces.reshape(-1, 3).astype(np.int32), texture, cloth)


def _turned(radii: Floats, heights: Floats, cloth: Cloth) -> Thing:
    """A profile (radius at each height above the ground) turned about the vertical."""
    angles = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack([np.sin(angles), np.zeros(25), np.cos(angles)], axis=1)
    vertices = radii[:, None, None] * ring - heights[:, None, None] * np.array([0, 1, 0])
    number = np.arange(len(radii) * 25).reshape(len(radii), 25)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], 2).reshape(-1, 3), np.stack([b, d, c], 2).reshape(-1, 3)])
    texture = np.stack(np.meshgrid(angles / 20, heights / 4), 2).reshape(-1, 2)
    # the side leans with the profile; up is negative y
    slope = np.gradient(radii, heights)[:, None, None]
    normals = (ring + slope * np.array([0, 1, 0])).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Thing(vertices.reshape(-1, 3).astype(np.float32), normals.astype(np.float32), faces.astype(np.int32),
                 texture.astype(np.float32), cloth)  # fmt: skip
