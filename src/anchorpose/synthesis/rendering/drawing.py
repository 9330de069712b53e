"""From figures and things before a camera to maps (depth, parts, owners) and to colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.synthesis.rendering.chart import Part
from anchorpose.synthesis.rendering.figures import Figure
from anchorpose.synthesis.rendering.lighting import Shadows
from anchorpose.synthesis.rendering.materials import GAMMA, Textures, albedo, cloth_colours
from anchorpose.synthesis.rendering.objects import Thing
from anchorpose.synthesis.rendering.rasterizer import Fragments, rasterize
from anchorpose.synthesis.rendering.visibility import OBJECT

Floats = NDArray[np.float32]
SUPERSAMPLING = 2


@dataclass(frozen=True)
class Stage:
    """All meshes of a scene as one, camera frame; people first, then things."""

    figures: tuple[Figure, ...]
    things: tuple[Thing, ...]
    vertices: Floats  # (v, 3)
    normals: Floats  # (v, 3)
    faces: NDArray[np.int32]  # (f, 3)
    first: NDArray[np.int32]  # (people + things + 1,) first triangle of each mesh

    @classmethod
    def of(cls, figures: tuple[Figure, ...], things: tuple[Thing, ...]) -> Stage:
        """Join meshes that are in the camera frame."""
        meshes: tuple[Figure | Thing, ...] = (*figures, *things)
        begins = np.cumsum([0, *(len(m.vertices) for m in meshes)])
        faces = [m.faces + np.int32(b) for m, b in zip(meshes, begins[:-1], strict=True)]
        first = np.cumsum([0, *(len(m.faces) for m in meshes)])
        if not meshes:
            nothing = np.zeros((0, 3), np.float32)
            return cls((), (), nothing, nothing, np.zeros((0, 3), np.int32), first.astype(np.int32))
        vertices, normals = np.concatenate([m.vertices for m in meshes]), np.concatenate([m.normals for m in meshes])
        return cls(figures, things, vertices, normals, np.concatenate(faces), first.astype(np.int32))

    def mesh_of(self, triangles: NDArray[np.int32]) -> NDArray[np.int32]:
        """Number of the mesh that each triangle belongs to; -1 for none (triangle -1)."""
        return np.asarray(np.searchsorted(self.first, triangles, side="right") - 1, np.int32)


@dataclass(frozen=True)
class Maps:
    """What each pixel's centre shows.

    Args:
        depth: (h, w) metres, infinity for the background.
        parts: (h, w) of `Part`; 0 where no person is.
        owners: (h, w) 0 background, 1.. the person, `OBJECT`.
    """

    depth: Floats
    parts: NDArray[np.uint8]
    owners: NDArray[np.uint8]


def draw_maps(stage: Stage, camera: Camera, device: str = "cpu") -> Maps:
    """Depth, parts and owners at the pixels' centres; `device` as in `rasterize`."""
    seen = rasterize(stage.vertices, stage.faces, camera, device)
    mesh = stage.mesh_of(seen.triangles)
    owners = np.where(mesh < 0, 0, np.where(mesh < len(stage.figures), mesh + 1, OBJECT)).astype(np.uint8)
    parts = [f.parts for f in stage.figures] + [np.full(len(t.faces), Part.NONE, np.uint8) for t in stage.things]
    table = np.concatenate([*parts, np.zeros(1, np.uint8)])  # the last one is for triangle -1
    return Maps(seen.depth, table[seen.triangles], owners)


def draw_colours(
    stage: Stage, camera: Camera, background: NDArray[np.uint8], ground: Floats, shadows: Shadows, textures: Textures,
    device: str = "cpu",
) -> Floats:  # fmt: skip
    """The picture, anti-aliased.

    Args:
        stage, camera: what is drawn and from where.
        background: (h, w, 3) uint8 BGR.
        ground: (h, w, 3) metres, where each pixel's ray meets the ground; NaN where it does not.
        shadows: the light. textures: pictures of cloth. device: as in `rasterize`.

    Returns:
        (h, w, 3) sRGB 0..255, BGR.
    """
    fine = camera.scaled(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    seen = rasterize(stage.vertices, stage.faces, fine, device)
    mask = seen.triangles >= 0
    linear = _lit(stage, seen, mask, fine, shadows, textures)
    layer = np.zeros((fine.height, fine.width, 4), np.float32)
    layer[mask, :3] = np.clip(linear, 0, 1)[:, ::-1] ** np.float32(1 / GAMMA) * 255
    layer[mask, 3] = 1
    mixed = np.asarray(cv2.resize(layer, (camera.width, camera.height), interpolation=cv2.INTER_AREA))
    shaded = background * _ground_shadow(ground, shadows)[..., None] ** np.float32(1 / GAMMA)
    return np.asarray(mixed[..., :3] + shaded * (1 - mixed[..., 3:]), np.float32)


def _lit(
    stage: Stage, seen: Fragments, mask: NDArray[np.bool_], camera: Camera, shadows: Shadows, textures: Textures
) -> Floats:
    """(p, 3) linear colours of the p pixels in the mask."""
    triangles, weights, depth = seen.triangles[mask], seen.weights[mask], seen.depth[mask]
    rows, columns = np.nonzero(mask)
    points = np.stack([(columns + 0.5 - camera.cx) / camera.fx, (rows + 0.5 - camera.cy) / camera.fy,
                       np.ones_like(depth)], axis=1).astype(np.float32) * depth[:, None]  # fmt: skip
    normals = seen.interpolate(stage.faces, stage.normals, mask)
    colours, shine = np.zeros_like(points), np.zeros(len(points), np.float32)
    mesh = stage.mesh_of(triangles)
    items: tuple[Figure | Thing, ...] = (*stage.figures, *stage.things)
    for number, item in enumerate(items):
        own = mesh == number
        if own.any():
            local = triangles[own] - stage.first[number]
            colours[own], shine[own] = _surface(item, local, weights[own], textures)
    return shadows.shade(points, normals, colours, shine)


def _surface(
    item: Figure | Thing, triangles: NDArray[np.int32], weights: Floats, textures: Textures
) -> tuple[Floats, Floats]:
    if isinstance(item, Figure):
        return albedo(item, triangles, weights, textures)
    texture = (item.texture[item.faces[triangles]] * weights[..., None]).sum(1)
    colours = cloth_colours(item.cloth, texture, texture[:, 1], textures)
    linear = np.asarray((np.clip(colours, 2, 252) / 255) ** GAMMA, np.float32)
    return linear, np.full(len(triangles), item.cloth.shine, np.float32)


def _ground_shadow(ground: Floats, shadows: Shadows) -> Floats:
    """(h, w) share of light left on the ground; far away and above the horizon there is no shadow."""
    left = np.ones(ground.shape[:2], np.float32)
    near = np.isfinite(ground).all(-1) & (ground[..., 2] < 30)
    left[near] = shadows.on_ground(ground[near])
    # a photograph's ground is not flat: soft shadows forgive that
    return np.asarray(cv2.GaussianBlur(0.25 + 0.75 * left, (0, 0), 1.5), np.float32)
