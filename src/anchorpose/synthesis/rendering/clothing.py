"""Loose cloth and hair as geometry: body vertices pushed outwards, and separate skirts and long hair.

All of it is made in the rest pose and moves with the bones. The joints are those of the naked body, so clothes never
move a label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.bodies import BodyPool
from anchorpose.synthesis.rendering.chart import Chart, Part
from anchorpose.synthesis.rendering.outfits import Outfit

Floats = NDArray[np.float32]
_SECTORS, _RINGS = 40, 14
_SHOE_SOLE = 0.01
_TOE_ROUNDS = 25


@dataclass(frozen=True)
class Sheet:
    """A surface of its own over the body: a skirt or long hair.

    Args:
        vertices: (v, 3) metres, rest pose. faces: (f, 3). skin: (v, b) bone weights. parts: (v,) of `Part`.
        texture: (v, 2) coordinates on the cloth.
    """

    vertices: Floats
    faces: NDArray[np.int32]
    skin: sparse.csr_array
    parts: NDArray[np.uint8]
    texture: Floats


def cover(edge: float, value: Floats, width: float) -> Floats:
    """1 where `value` is below `edge`, 0 above it, over a border of this width."""
    return np.asarray(np.clip((edge - value) / width + 0.5, 0, 1), np.float32)


def top_cover(outfit: Outfit, arm: Floats, height: Floats, head: Floats, place: Floats) -> Floats:
    """(...) 0..1 how far the top covers places given in the chart's coordinates; `place` (..., 3)."""
    # the neck's base is about 0.17 m below the eyes and 0.09 m behind them
    across, down, back = place[..., 0], place[..., 1] - 0.19, place[..., 2] - 0.10
    neck = np.sqrt(across**2 + back**2 + 0.3 * np.minimum(down, 0) ** 2 + 0.5 * np.maximum(down, 0) ** 2)
    torso = cover(-outfit.hem, -height, 0.02) * cover(-outfit.neckline, -neck, 0.006) * cover(0.6, head, 0.1)
    return np.asarray(np.where(arm > 0, cover(outfit.sleeve, arm, 0.03) * cover(0.6, head, 0.1), torso), np.float32)


def bottom_cover(outfit: Outfit, arm: Floats, leg: Floats, height: Floats) -> Floats:
    """(...) 0..1 how far trousers or shorts cover."""
    below_waist = cover(outfit.waist, height, 0.02) * (arm <= 0)
    return np.asarray(np.where(leg > 0, cover(outfit.trousers, leg, 0.03), below_waist), np.float32)


def shoe_cover(outfit: Outfit, leg: Floats) -> Floats:
    """(...) 0..1 how far shoes cover."""
    return cover(-outfit.shoes, -leg, 0.05)


def hair_cover(place: Floats, head: Floats) -> Floats:
    """(...) 0..1 where hair grows: above a line that runs from the forehead over the ears to the nape."""
    across, down, back = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    # behind the ears the line falls to the nape; at the temples it lies a little behind the forehead's
    line = np.interp(back, [-0.02, 0.02, 0.06, 0.10, 0.13, 0.2], [-0.062, -0.055, -0.03, 0.01, 0.07, 0.10])
    return np.asarray(np.clip((line - down - 0.1 * np.maximum(across - 0.055, 0)) / 0.008 + 0.5, 0, 1) * (head > 0.5))


def displacement(outfit: Outfit, chart: Chart, rng: np.random.Generator) -> Floats:
    """(v,) metres that each body vertex is pushed outwards by cloth, shoes and hair, with folds."""
    top = top_cover(outfit, chart.arm, chart.height, chart.head, chart.place)
    bottom = bottom_cover(outfit, chart.arm, chart.leg, chart.height)
    shoes = shoe_cover(outfit, chart.leg)
    hair = hair_cover(chart.place, chart.head) * (0.012 if outfit.hat else outfit.hair)
    # cloth hangs away from the body towards its hem and cuffs
    lower = np.clip(1 - chart.height, 0, 1) * (chart.arm <= 0)
    hang_top = 0.4 + 0.9 * np.maximum(lower, np.clip(np.mod(chart.arm, 1), 0, 1) * (chart.arm > 0))
    hang_bottom = 0.5 + 0.5 * np.clip(chart.leg, 0, 2)
    loose_top, loose_bottom = outfit.looseness
    cloth_top = top * (0.004 + loose_top * hang_top * folds(chart.place, rng))
    cloth_bottom = bottom * (0.003 + loose_bottom * hang_bottom * folds(chart.place, rng))
    # the top lies over the trousers
    cloth = np.maximum(cloth_bottom, np.where(top > 0.5, np.maximum(cloth_top, cloth_bottom + 0.003), 0))
    bumps = 0.7 + 0.6 * folds(chart.place, rng, 60.0)
    return np.asarray(np.maximum.reduce([cloth, shoes * _SHOE_SOLE, hair * bumps]), np.float32)


def shod(rest: Floats, outfit: Outfit, chart: Chart, faces: NDArray[np.int32]) -> Floats:
    """(v, 3) rest vertices with toes drawn into one toe cap where shoes are worn."""
    feet = np.flatnonzero(shoe_cover(outfit, np.where(chart.leg > 2, chart.leg, -1)) > 0.5)
    if not len(feet):
        return rest
    number = np.full(len(rest), -1)
    number[feet] = np.arange(len(feet))
    own = number[faces[(number[faces] >= 0).all(1)]]
    a, b = own.ravel(), np.roll(own, 1, axis=1).ravel()
    meets = sparse.coo_array((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(len(feet), len(feet))).tocsr()
    mean = sparse.dia_array((1 / np.maximum(meets.sum(1), 1)[None], [0]), shape=meets.shape) @ meets
    inside = np.clip(chart.leg[feet] - 2.1, 0, 0.2)[:, None] * 5  # the ankle keeps its shape
    smooth = rest[feet]
    for _ in range(_TOE_ROUNDS):
        smooth = smooth + inside * (mean @ smooth - smooth)
    result = rest.copy()
    result[feet] = smooth
    return result


def folds(place: Floats, rng: np.random.Generator, frequency: float = 30.0) -> Floats:
    """(v, 3) places -> (v,) smooth noise of about 0..2, mean 1: four plane waves, `frequency` in radians a metre."""
    waves = rng.normal(0, frequency, (3, 4))
    return np.asarray(1 + 0.5 * np.sin(place @ waves + rng.uniform(0, 2 * np.pi, 4)).sum(1).clip(-2, 2), np.float32)


def make_skirt(pool: BodyPool, chart: Chart, body: int, outfit: Outfit, rng: np.random.Generator) -> Sheet:
    """A skirt around hips and thighs: as wide as the body everywhere, wider below, and it moves with both thighs."""
    rest = pool.vertices[body]
    joints = pool.rest_joints(body)
    hip, knee, ankle = (joints[LCR13.indices(f"left_{j}", f"right_{j}"), 1].mean() for j in ("hip", "knee", "ankle"))
    shoulder = joints[LCR13.indices("left_shoulder", "right_shoulder"), 1].mean()
    top = hip + outfit.waist * (shoulder - hip)
    bottom = np.interp(outfit.skirt, [0, 1, 2], [hip, knee, ankle])
    heights = np.linspace(top, bottom, _RINGS)
    widths = _body_widths(rest[(chart.arm <= 0) & (chart.head < 0.5)], heights)
    flare = np.linspace(0, rng.uniform(0.0, 0.14), _RINGS)[:, None]
    waves = 1 + np.linspace(0, 0.06, _RINGS)[:, None] * np.sin(
        np.linspace(0, 2 * np.pi, _SECTORS) * rng.integers(5, 11)
    )
    radius = (np.maximum.accumulate(widths, axis=0) * 1.02 + 0.012 + flare) * waves
    angles = np.arange(_SECTORS) * (2 * np.pi / _SECTORS)
    vertices = np.stack([radius * np.sin(angles), np.broadcast_to(heights[:, None], radius.shape),
                         radius * -np.cos(angles)], axis=2)  # fmt: skip
    down = np.linspace(0, 1, _RINGS)[:, None] * (heights[-1] - heights[0])
    legs = np.clip(down / 0.3, 0, 1)
    left = np.clip(0.5 + 0.8 * np.sin(angles), 0, 1)[None] * np.ones_like(legs)
    bones = {"root": 1 - legs, "upperleg01.L": legs * left, "upperleg01.R": legs * (1 - left)}
    part = np.where(legs < 0.4, Part.TORSO, np.where(left > 0.5, Part.LEFT_THIGH, Part.RIGHT_THIGH))
    return _sheet(pool, vertices, bones, part, closed=True)


def make_long_hair(pool: BodyPool, body: int, outfit: Outfit, rng: np.random.Generator) -> Sheet:
    """Hair that falls from the back of the head over neck and back."""
    rest, heads = pool.vertices[body], pool.heads[body]
    eyes = 0.5 * (heads[pool.bone("eye.L")] + heads[pool.bone("eye.R")])
    skull = rest[(pool.skin[:, [pool.bone("head")]].toarray()[:, 0] > 0.9) & (rest[:, 1] < eyes[1] + 0.02)]
    centre = np.array([0, 0, 0.5 * (skull[:, 2].min() + skull[:, 2].max())])
    half = 0.5 * np.ptp(skull[:, 0]), 0.5 * np.ptp(skull[:, 2])
    reach = np.radians(rng.uniform(95, 125))
    angles = np.linspace(-reach, reach, _SECTORS)
    heights = np.linspace(eyes[1] - 0.06, eyes[1] + 0.05 + outfit.long_hair, _RINGS)
    down = np.linspace(0, 1, _RINGS)[:, None]
    out = outfit.hair + 0.004 + 0.02 * np.sin(down * np.pi / 2) * rng.uniform(0.2, 1.5)
    wave = 0.004 * np.sin(angles * rng.uniform(8, 16) + down * rng.uniform(0, 6)) * down
    sides, backs = (half[0] + out + wave) * np.sin(angles), (half[1] + out + wave) * np.cos(angles)
    # it must not fall into the neck's hollow, nor into the back
    vertices = np.stack([sides, np.broadcast_to(heights[:, None], sides.shape), centre[2] + backs + 0.01 * down], 2)
    falls = np.clip((heights[:, None] - eyes[1] - 0.08) / 0.2, 0, 1) * np.ones_like(sides)
    bones = {"head": 1 - falls, "neck01": falls * (1 - falls), "spine01": falls**2}
    return _sheet(pool, vertices, bones, np.full(sides.shape, Part.HEAD), closed=False)


def _body_widths(points: Floats, heights: Floats) -> Floats:
    """(rings, sectors) how far the body reaches from its axis in each direction, smoothed."""
    sector = np.round(np.arctan2(points[:, 0], -points[:, 2]) / (2 * np.pi) * _SECTORS).astype(int) % _SECTORS
    step = abs(float(heights[1] - heights[0]))
    reach = np.hypot(points[:, 0], points[:, 2])
    widths = np.zeros((len(heights), _SECTORS), np.float32)
    for ring, height in enumerate(heights):
        near = np.abs(points[:, 1] - height) < max(step, 0.03)
        np.maximum.at(widths[ring], sector[near], reach[near])
    # two legs leave gaps in front and behind, which cloth spans
    spanned = ndimage.maximum_filter(widths, (3, 5), mode=("nearest", "wrap"))
    return np.asarray(ndimage.gaussian_filter(spanned, (1, 2), mode=("nearest", "wrap")), np.float32)


def _sheet(
    pool: BodyPool, vertices: Floats, bones: dict[str, Floats], parts: NDArray[np.integer], closed: bool
) -> Sheet:
    """(rings, sectors, 3) vertices, bone -> (rings, sectors) weights that sum to 1 -> a sheet of quads cut in two."""
    rings, sectors = vertices.shape[:2]
    number = np.arange(rings * sectors).reshape(rings, sectors)
    right = np.roll(number, -1, axis=1) if closed else number[:, 1:]
    left = number if closed else number[:, :-1]
    a, b, c, d = left[:-1], right[:-1], left[1:], right[1:]
    faces = np.concatenate([np.stack([a, b, c], 2).reshape(-1, 3), np.stack([b, d, c], 2).reshape(-1, 3)])
    dense = np.zeros((rings * sectors, len(pool.bones)), np.float32)
    for bone, weight in bones.items():
        dense[:, pool.bone(bone)] = np.broadcast_to(weight, (rings, sectors)).ravel()
    u, v = np.meshgrid(np.linspace(0, 1, sectors), np.linspace(0, 0.7, rings))
    return Sheet(vertices.reshape(-1, 3).astype(np.float32), faces.astype(np.int32), sparse.csr_array(dense),
                 parts.ravel().astype(np.uint8), np.stack([u, v], 2).reshape(-1, 2).astype(np.float32))  # fmt: skip
