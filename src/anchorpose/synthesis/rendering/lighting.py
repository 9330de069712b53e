"""Light: a key light with a shadow map, and a sky whose occlusion is sampled from a few more directions.

Shadows fall on people, on each other and on the ground, where they make feet stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.synthesis.rendering.materials import GAMMA
from anchorpose.synthesis.rendering.rasterizer import rasterize_screen

Floats = NDArray[np.float32]
_BIAS = 0.02  # metres that a surface may lie behind the shadow map's before it is in shadow
_SKY_SAMPLES = 4
_MARGIN = 0.1


@dataclass(frozen=True)
class Light:
    """The light of a scene, camera axes.

    Args:
        direction: (3,) unit, towards the key light. key: (3,) linear red green blue.
        sky, ground: (3,) linear colours from above and below. up: (3,) unit, away from the ground.
    """

    direction: Floats
    key: Floats
    sky: Floats
    ground: Floats
    up: Floats


@dataclass(frozen=True)
class ShadowMap:
    """What a far light sees: orthographic depth over a square.

    Args:
        axes: (3, 3) rows across, down and along the light's rays. origin: (3,) metres, the near corner.
        size: metres of the square's side and depth. depth: (s, s) metres along the rays, infinity where nothing is.
    """

    axes: Floats
    origin: Floats
    size: float
    depth: Floats

    @classmethod
    def of(
        cls, vertices: Floats, faces: NDArray[np.int32], direction: Floats, resolution: int, device: str = "cpu"
    ) -> ShadowMap:  # fmt: skip
        """Draw the mesh from a light in this direction; `device` as in `rasterize`."""
        along = -direction / np.linalg.norm(direction)
        across = np.cross(along, [1, 0, 0] if abs(along[0]) < 0.9 else [0, 1, 0])
        across /= np.linalg.norm(across)
        axes = np.stack([across, np.cross(along, across), along]).astype(np.float32)
        seen = vertices @ axes.T
        origin = seen.min(0) - _MARGIN
        size = float((seen.max(0) - origin).max() + _MARGIN)
        screen = (seen - origin) / size
        # the rasteriser keeps the largest third coordinate: 2 - depth is linear and positive
        placed = np.column_stack([screen[:, :2] * resolution, 2 - screen[:, 2]])
        nearest = 2 - 1 / rasterize_screen(placed, faces, resolution, resolution, device).depth
        depth = np.where(nearest < 2, nearest * size, np.inf).astype(np.float32)
        return cls(axes, origin, size, depth)

    def lit(self, points: Floats, bias: float = _BIAS) -> Floats:
        """(p, 3) metres -> (p,) share of the light that arrives, over 2 x 2 samples of the map."""
        seen = points @ self.axes.T - self.origin
        resolution = self.depth.shape[0]
        pixel = seen[:, :2] / self.size * resolution - 0.5
        low = np.floor(pixel).astype(np.int32)
        share = (pixel - low).astype(np.float32)
        result = np.zeros(len(points), np.float32)
        for dy in (0, 1):
            for dx in (0, 1):
                column, row = low[:, 0] + dx, low[:, 1] + dy
                inside = (column >= 0) & (row >= 0) & (column < resolution) & (row < resolution)
                front = self.depth[np.where(inside, row, 0), np.where(inside, column, 0)]
                open_ = ~inside | (front > seen[:, 2] - bias)
                weight = (share[:, 0] if dx else 1 - share[:, 0]) * (share[:, 1] if dy else 1 - share[:, 1])
                result += open_ * weight
        return result


def draw_light(background: NDArray[np.uint8], up: Floats, rng: np.random.Generator) -> Light:
    """A light that could be the photograph's: its colours from the picture's upper and lower half.

    Args:
        background: (h, w, 3) uint8 BGR.
        up: (3,) unit, camera axes.
        rng: where the key light stands and how hard it is.
    """
    linear = (cv2.resize(background, (32, 32), interpolation=cv2.INTER_AREA)[..., ::-1] / np.float32(255)) ** GAMMA
    upper, lower, mean = linear[:16].mean((0, 1)), linear[16:].mean((0, 1)), float(linear.mean())
    # colours are only half the picture's: a blue wall does not make blue people
    sky, ground = (0.5 * colour / max(float(colour.mean()), 1e-3) + 0.5 for colour in (upper, lower))
    turn, rise = rng.uniform(0, 2 * np.pi), np.arcsin(rng.uniform(0.25, 0.95))
    side = np.cross(up, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    direction = np.cos(rise) * (np.cos(turn) * side + np.sin(turn) * np.cross(side, up)) + np.sin(rise) * up
    hardness = rng.beta(1.3, 1.6)
    exposure = np.clip(2.4 * mean, 0.45, 1.1) * rng.uniform(0.8, 1.4)
    warmth = 1 + rng.uniform(-0.12, 0.15) * np.array([1, 0, -1])
    key, soft = 2.0 * exposure * hardness * warmth, exposure * (1.25 - 0.8 * hardness)
    parts = (direction, key, soft * sky, 0.45 * soft * ground, up)
    return Light(*(np.asarray(part, np.float32) for part in parts))


@dataclass(frozen=True)
class Shadows:
    """Shadow maps of the key light and of the sky's samples."""

    light: Light
    key: ShadowMap
    sky: tuple[ShadowMap, ...]

    @classmethod
    def of(
        cls, vertices: Floats, faces: NDArray[np.int32], light: Light, rng: np.random.Generator, device: str = "cpu"
    ) -> Shadows:  # fmt: skip
        """Draw the maps; `rng` chooses where the sky is sampled, `device` as in `rasterize`."""
        directions = rng.normal(size=(_SKY_SAMPLES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        directions += light.up * (1.15 - np.minimum(directions @ light.up, 0)[:, None])
        sky = tuple(ShadowMap.of(vertices, faces, d.astype(np.float32), 192, device) for d in directions)
        return cls(light, ShadowMap.of(vertices, faces, light.direction, 640, device), sky)

    def sky_share(self, points: Floats) -> Floats:
        """(p,) share of the sky that (p, 3) points see."""
        return np.asarray(np.mean([m.lit(points, 0.03) for m in self.sky], axis=0), np.float32)

    def shade(self, points: Floats, normals: Floats, albedo: Floats, shine: Floats) -> Floats:
        """Light that reaches the camera: (p, 3) points and normals, (p, 3) albedo, (p,) shine -> (p, 3) linear."""
        light = self.light
        view = -points / np.linalg.norm(points, axis=1, keepdims=True)
        # sheets are seen from both sides
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        normals = np.where((normals * view).sum(1, keepdims=True) < -0.2, -normals, normals)
        open_sky = 0.35 + 0.65 * self.sky_share(points)
        above = 0.5 + 0.5 * normals @ light.up
        ambient = (light.ground + (light.sky - light.ground) * above[:, None]) * open_sky[:, None]
        facing = np.clip(normals @ light.direction, 0, 1) * self.key.lit(points + normals * 0.015)
        half = view + light.direction
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
        gloss = shine * 0.35 * facing * np.clip((normals * half).sum(1), 0, 1) ** 24
        return np.asarray(albedo * (ambient + light.key * facing[:, None]) + light.key * gloss[:, None], np.float32)

    def on_ground(self, points: Floats) -> Floats:
        """(p, 3) points of the ground -> (p,) how much of their light is left, 1 without any shadow."""
        light = self.light
        key = float(light.key.mean()) * max(float(light.direction @ light.up), 0)
        sky = float(light.sky.mean())
        left = key * self.key.lit(points) + sky * self.sky_share(points)
        return np.asarray(left / (key + sky), np.float32)
