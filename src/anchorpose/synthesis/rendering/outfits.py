"""What somebody wears, drawn at random: colours of skin and hair, cut and cloth of each garment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# sRGB 0..255, from the Monk skin tone scale (Ellis Monk, 2019)
_SKIN = np.array([
    [246, 237, 228], [243, 231, 219], [247, 234, 208], [234, 218, 186], [215, 189, 150], [160, 126, 86],
    [130, 92, 67], [96, 65, 52], [58, 49, 42], [41, 36, 32],
], np.float32)  # fmt: skip
_HAIR = np.array([[22, 18, 16], [44, 30, 22], [78, 52, 34], [120, 82, 48], [178, 140, 88], [132, 62, 34]], np.float32)
_GREY_HAIR = np.array([[140, 138, 136], [200, 198, 194], [90, 88, 86]], np.float32)
# what most clothes are: black, white, greys, navy, denim, khaki, brown
_COMMON_CLOTH = np.array([
    [24, 24, 26], [235, 235, 232], [120, 122, 124], [60, 62, 66], [28, 36, 62], [58, 80, 118], [96, 118, 150],
    [150, 134, 104], [92, 70, 52], [196, 188, 170], [150, 36, 40], [44, 66, 48],
], np.float32)  # fmt: skip


@dataclass(frozen=True)
class Cloth:
    """Colours and pattern of one garment.

    Args:
        colour, second: (3,) sRGB 0..255.
        pattern: 'plain', 'texture' (a picture's own colours), 'tinted' (its light and dark in the two colours) or
            'stripes'.
        texture: number of the picture in the folder of textures, any number.
        repeat: how often the picture is repeated over the body.
        shine: 0 matt .. 1 leather.
    """

    colour: Floats
    second: Floats
    pattern: str
    texture: int
    repeat: float
    shine: float


@dataclass(frozen=True)
class Outfit:
    """Limits are in the coordinates of `Chart`; a garment that is not worn has limits that cover nothing.

    Args:
        skin, hair_colour: (3,) sRGB 0..255.
        sleeve: the top ends here along the arm. hem: and here on the torso. neckline: metres from the neck's middle.
        waist, trousers: the bottom reaches from this height to here along the leg.
        shoes: they begin here along the leg.
        skirt: length of a skirt, dress or coat below the waist, in leg coordinates; 0 wears none.
        dress: the skirt has the top's cloth.
        looseness: (2,) top and bottom, metres between cloth and skin.
        hair: thickness in metres, 0 bald. long_hair: metres that it falls below the ears, 0 short.
        hat: the hair's place is covered by a hat (its cloth is `hat_cloth`). beard: 0..1.
    """

    skin: Floats
    hair_colour: Floats
    top: Cloth
    bottom: Cloth
    shoe: Cloth
    hat_cloth: Cloth
    sleeve: float
    hem: float
    neckline: float
    waist: float
    trousers: float
    shoes: float
    skirt: float
    dress: bool
    looseness: tuple[float, float]
    hair: float
    long_hair: float
    hat: bool
    beard: float


def draw_outfit(rng: np.random.Generator, age: float, gender: float) -> Outfit:
    """Somebody's clothes.

    Args:
        rng: of all choices.
        age: years; grey hair comes with it, beards need 18.
        gender: 0 male .. 1 female, shifts how likely skirts, long hair and beards are.
    """
    skin = _between_rows(_SKIN, rng)
    sleeve = float(
        rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.4, 0.95), rng.uniform(1.7, 2.0)], p=[0.15, 0.4, 0.45])
    )
    trousers = float(
        rng.choice([rng.uniform(0.25, 0.5), rng.uniform(0.7, 1.15), rng.uniform(1.85, 2.1)], p=[0.1, 0.25, 0.65])
    )
    skirted = rng.random() < 0.03 + 0.4 * (gender > 0.5)
    tucked = rng.random() < 0.35
    bottom = draw_cloth(rng)
    return Outfit(
        skin=skin, hair_colour=_hair_colour(rng, age), top=draw_cloth(rng), bottom=bottom,
        shoe=draw_cloth(rng, patterned=0.1), hat_cloth=draw_cloth(rng, patterned=0.2),
        sleeve=sleeve, hem=float(rng.uniform(0.12, 0.22) if tucked else rng.uniform(-0.25, 0.1)),
        neckline=float(rng.uniform(0.07, 0.13)), waist=float(rng.uniform(0.15, 0.3)),
        trousers=trousers if not skirted else float(rng.choice([0.3, 2.05])),
        shoes=float(rng.choice([3.1, 2.1, 1.9, 1.5], p=[0.07, 0.5, 0.33, 0.1])),
        skirt=float(rng.uniform(0.4, 1.7)) if skirted else 0.0, dress=bool(rng.random() < 0.5),
        looseness=(float(rng.gamma(2.0, 0.006)), float(rng.gamma(2.0, 0.005))),
        hair=0.0 if rng.random() < 0.12 * (gender < 0.5) * (age > 25) else float(rng.uniform(0.006, 0.03)),
        long_hair=float(rng.uniform(0.08, 0.4)) if rng.random() < 0.08 + 0.6 * (gender > 0.5) else 0.0,
        hat=bool(rng.random() < 0.1),
        beard=float(rng.uniform(0.3, 0.9)) if gender < 0.5 and age > 18 and rng.random() < 0.35 else 0.0,
    )  # fmt: skip


def draw_cloth(rng: np.random.Generator, patterned: float = 0.45) -> Cloth:
    """A random cloth; `patterned` is the share that is not plain."""
    pattern = rng.choice(
        ["plain", "texture", "tinted", "stripes"], p=[1 - patterned, *(patterned * np.array([0.4, 0.35, 0.25]))]
    )
    return Cloth(_cloth_colour(rng), _cloth_colour(rng), str(pattern), int(rng.integers(1 << 30)),
                 float(rng.uniform(2, 9)), float(rng.beta(1, 6)))  # fmt: skip


def _between_rows(colours: Floats, rng: np.random.Generator) -> Floats:
    place = (len(colours) - 1) * rng.beta(1.0, 1.25)
    low = int(place)
    mixed = colours[low] + (colours[low + 1] - colours[low]) * (place - low)
    return np.asarray(np.clip(mixed * rng.uniform(0.92, 1.05, 3), 0, 255), np.float32)


def _hair_colour(rng: np.random.Generator, age: float) -> Floats:
    grey = rng.random() < np.clip((age - 40) / 40, 0, 0.9)
    colours = _GREY_HAIR if grey else _HAIR
    return np.asarray(np.clip(colours[rng.integers(len(colours))] * rng.uniform(0.8, 1.2), 0, 255), np.float32)


def _cloth_colour(rng: np.random.Generator) -> Floats:
    if rng.random() < 0.6:
        colour = _COMMON_CLOTH[rng.integers(len(_COMMON_CLOTH))] * rng.uniform(0.8, 1.2, 3)
    else:
        bright, grey = rng.uniform(50, 230), rng.beta(2.5, 1.5)
        colour = bright * (grey + (1 - grey) * rng.dirichlet([0.6, 0.6, 0.6]) * 2)
    return np.asarray(np.clip(colour, 8, 248), np.float32)
