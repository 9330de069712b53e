"""Colours of a figure's pixels: skin, face, hair and cloth, as linear light reflected (albedo)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anchorpose.synthesis.rendering.clothing import bottom_cover, hair_cover, shoe_cover, top_cover
from anchorpose.synthesis.rendering.figures import Figure, Surface
from anchorpose.synthesis.rendering.outfits import Cloth

Floats = NDArray[np.float32]
Textures = Callable[[int], NDArray[np.uint8]]
"""Number -> a square picture, (s, s, 3) uint8 BGR."""
GAMMA = 2.2
_EYE_APART = 0.029  # metres from the middle of the face to an eye, on the average body
_WHITE_OF_EYE = np.array([225, 222, 218], np.float32)
_IRIS = np.array([48, 34, 26], np.float32)


def albedo(figure: Figure, triangles: NDArray[np.int32], weights: Floats, textures: Textures) -> tuple[Floats, Floats]:
    """What the figure reflects at p places of its surface.

    Args:
        figure: whose.
        triangles: (p,) of its own triangles. weights: (p, 3) barycentric.
        textures: pictures of cloth.

    Returns:
        (p, 3) linear red green blue 0..1, and (p,) shine 0..1.
    """
    corners = figure.faces[triangles]
    chart = np.asarray(sum(figure.chart[corners[:, k]] * weights[:, k, None] for k in range(3)))
    texture = np.asarray((figure.texture[triangles] * weights[..., None]).sum(1))
    surfaces = figure.surfaces[triangles]
    colours, shine = _body(figure, chart, texture, textures)
    outfit = figure.outfit
    skirt, hair = surfaces == Surface.SKIRT, surfaces == Surface.HAIR
    if skirt.any():
        cloth = outfit.top if outfit.dress else outfit.bottom
        colours[skirt], shine[skirt] = (
            cloth_colours(cloth, texture[skirt] * 0.5, texture[skirt, 1], textures),
            cloth.shine,
        )
    if hair.any():
        colours[hair], shine[hair] = _strands(outfit.hair_colour, texture[hair, 0] * 60), 0.3
    return np.asarray((np.clip(colours, 2, 252) / 255) ** GAMMA, np.float32), shine


def cloth_colours(cloth: Cloth, texture: Floats, along: Floats, textures: Textures) -> Floats:
    """(p, 3) sRGB 0..255 of a cloth at (p, 2) texture coordinates; `along` (p,) runs across the stripes."""
    if cloth.pattern == "stripes":
        second = np.sin(along * cloth.repeat * 12) > 0.3
        return np.where(second[:, None], cloth.second, cloth.colour)
    picture = textures(cloth.texture)
    side = np.array([picture.shape[1], picture.shape[0]])
    column, row = (np.mod(texture * cloth.repeat, 1) * side).astype(int).clip(0, side - 1).T
    sampled = picture[row, column, ::-1].astype(np.float32)
    grey = sampled.mean(1, keepdims=True)
    if cloth.pattern == "texture":
        return sampled
    if cloth.pattern == "tinted":
        spread = np.clip((grey - grey.mean()) / (2.5 * grey.std() + 1e-6) + 0.5, 0, 1)
        return np.asarray(cloth.colour * (1 - spread) + cloth.second * spread)
    return np.asarray(cloth.colour * (1 + 0.12 * np.clip((grey - grey.mean()) / 60, -1, 1)))


def _body(figure: Figure, chart: Floats, texture: Floats, textures: Textures) -> tuple[Floats, Floats]:
    """Layers over the skin, each covering those before it."""
    arm, leg, height, head = chart[:, 0], chart[:, 1], chart[:, 2], chart[:, 3]
    place, lips, eyes = chart[:, 4:7], chart[:, 7], chart[:, 8]
    outfit = figure.outfit
    colours = _face(figure, place, head, lips, eyes)
    shine = np.full(len(chart), 0.15, np.float32)
    hair = hair_cover(place, head)
    if outfit.hat:
        hair_colours = cloth_colours(outfit.hat_cloth, texture * 2, texture[:, 1], textures)
    else:
        hair_colours = _strands(outfit.hair_colour, texture[:, 0] * 400)
    bottom = cloth_colours(outfit.bottom, texture, leg, textures)
    top = cloth_colours(outfit.top, texture, np.where(arm > 0, arm * 0.6, height), textures)
    layers = (
        (hair if outfit.hair > 0 or outfit.hat else np.zeros_like(hair), hair_colours, 0.3),
        (bottom_cover(outfit, arm, leg, height), bottom, outfit.bottom.shine),
        (shoe_cover(outfit, leg), cloth_colours(outfit.shoe, texture, leg * 4, textures), 0.4),
        (top_cover(outfit, arm, height, head, place), top, outfit.top.shine),
    )
    for covered, layer, gloss in layers:
        colours += (layer - colours) * covered[:, None]
        shine += (gloss - shine) * covered
    return colours, shine


def _face(figure: Figure, place: Floats, head: Floats, lips: Floats, eyes: Floats) -> Floats:
    """Skin with lips, eyes, brows and a beard."""
    outfit = figure.outfit
    colours = np.repeat(outfit.skin[None], len(place), 0)
    beside, down, back = np.abs(place[:, 0]) - _EYE_APART, place[:, 1], place[:, 2]
    red = outfit.skin * [0.78, 0.52, 0.52]
    colours += (red - colours) * (0.7 * np.clip(lips * 2 - 0.6, 0, 1))[:, None]
    beard = np.clip((down - 0.045) / 0.015, 0, 1) * np.clip((0.06 - back) / 0.02, 0, 1) * (head > 0.8) * (lips < 0.3)
    colours += (outfit.hair_colour - colours) * (beard * outfit.beard)[:, None]
    brow = (np.abs(beside) < 0.017) & (np.abs(down + 0.022 - 4 * beside**2) < 0.004) & (back < 0.02)
    colours[brow] = 0.3 * colours[brow] + 0.7 * outfit.hair_colour
    ball = eyes > 0.5
    iris = ball & (np.hypot(beside, down) < 0.0065) & (back < 0)
    colours[ball] = _WHITE_OF_EYE
    colours[iris] = _IRIS
    return np.asarray(colours, np.float32)


def _strands(colour: Floats, along: Floats) -> Floats:
    """Hair varies from strand to strand."""
    return np.asarray(colour * (1 + 0.18 * np.sin(along) * np.sin(along * 2.7 + 1))[:, None], np.float32)
