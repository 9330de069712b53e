"""What drawings share: the links of a body, its colours, and strokes that look the same at every size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import Skeleton

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

SIDES: dict[str, Colour] = {"left": (30, 126, 255), "right": (235, 152, 24), "middle": (205, 205, 210)}
"""BGR of a limb by its side: left orange, right blue (the colour-blind tell them apart too), cross lines grey."""
DARK: Colour = (38, 32, 28)
WHITE: Colour = (255, 255, 255)
PEOPLE: tuple[Colour, ...] = (
    (99, 214, 255), (150, 222, 111), (246, 150, 205), (120, 120, 250), (235, 225, 110), (80, 170, 230),
    (190, 130, 250), (160, 200, 160),
)  # fmt: skip
"""BGR of a person's joints, in the order of the people."""
_SUBPIXEL = 4


@dataclass(frozen=True)
class Link:
    """A line of the body: it runs between the means of two groups of joints."""

    start: tuple[int, ...]
    end: tuple[int, ...]
    side: str


@lru_cache(maxsize=32)
def links(skeleton: Skeleton) -> tuple[Link, ...]:
    """The bones, and the lines that join up a body whose skeleton has none there (shoulders, hips, head)."""
    found = []
    for parent, child in skeleton.bones:
        side = skeleton.side(child)
        found.append(Link((parent,), (child,), side if side != "middle" else skeleton.side(parent)))
    pairs = {part: tuple(i for i, j in enumerate(skeleton.joints) if j in (f"left_{part}", f"right_{part}"))
             for part in ("shoulder", "hip")}  # fmt: skip
    for part, middle in (("shoulder", "neck"), ("hip", "mid_hip")):
        if len(pairs[part]) == 2 and middle not in skeleton.joints:
            found.append(Link(pairs[part][:1], pairs[part][1:], "middle"))
    for head in ("head_top", "nose"):
        if head in skeleton.joints and "neck" not in skeleton.joints and len(pairs["shoulder"]) == 2:
            found.append(Link(pairs["shoulder"], (skeleton.index(head),), "middle"))
            break
    return tuple(found)


def person_colour(index: int) -> Colour:
    """BGR of a person's joints; for a tracked person give the track's number."""
    return PEOPLE[index % len(PEOPLE)]


def is_seen(states: NDArray[np.uint8], joints: tuple[int, ...]) -> bool:
    """Whether all these joints of one person are visible."""
    return all(states[j] == JointState.VISIBLE for j in joints)


def css(colour: Colour) -> str:
    """BGR as pages write it: #rrggbb."""
    return "#{2:02x}{1:02x}{0:02x}".format(*colour)


def lighter(colour: Colour, share: float) -> Colour:
    """`colour` moved towards white by `share` (0 to 1)."""
    b, g, r = (round(c + (255 - c) * share) for c in colour)
    return b, g, r


def _fixed(point: Point) -> tuple[int, int]:
    """Pixels from the corner of the first pixel -> OpenCV's fixed point, which counts from its centre."""
    x, y = (max(-1e6, min(1e6, c)) - 0.5 for c in point)
    return round(x * 2**_SUBPIXEL), round(y * 2**_SUBPIXEL)


def stroke(image: Image, a: Point, b: Point, colour: Colour, width: float) -> None:
    """Draw an anti-aliased line into `image`, `width` pixels thick."""
    cv2.line(image, _fixed(a), _fixed(b), colour, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL)


def dashes(image: Image, a: Point, b: Point, colour: Colour, width: float, dash: float) -> None:
    """Draw a dashed line into `image`; it starts and ends with a dash."""
    length = math.dist(a, b)
    count = min(200, max(1, round((length / max(dash, 1.0) - 1) / 2)))
    step = 1 / (2 * count + 1)
    for i in range(count + 1):
        ends = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for t in (2 * i * step, (2 * i + 1) * step)]
        stroke(image, ends[0], ends[1], colour, width)


def disc(image: Image, centre: Point, radius: float, colour: Colour) -> None:
    """Draw a filled, anti-aliased circle into `image`."""
    size = round(max(radius, 0.5) * 2**_SUBPIXEL)
    cv2.circle(image, _fixed(centre), size, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL)


def joint_dot(image: Image, centre: Point, radius: float, colour: Colour, inside: Colour | None = None) -> None:
    """A joint: a solid dot with a dark rim, or, when it cannot be seen, a thin ring filled with `inside`."""
    rim = max(0.7, radius * 0.32)
    disc(image, centre, radius + rim, DARK)
    disc(image, centre, radius, colour)
    if inside is not None:
        disc(image, centre, radius * 0.58, inside)


def text(image: Image, words: str, corner: Point, height: float, colour: Colour, backing: Colour | None = None) -> None:
    """Write `words` with their lower left corner at `corner`; capitals are `height` pixels high.

    `backing` fills a box behind them. The text is moved so that it stays inside the image.
    """
    scale = height / 21.0  # Hershey capitals are 21 px high at scale 1
    thick = max(1, round(height / 14))
    (wide, high), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    pad = round(height * 0.35)
    x = round(min(max(corner[0], pad), max(pad, image.shape[1] - wide - pad)))
    y = round(min(max(corner[1], high + pad), max(high + pad, image.shape[0] - pad)))
    if backing is not None:
        cv2.rectangle(image, (x - pad, y - high - pad), (x + wide + pad, y + pad), backing, cv2.FILLED)
    cv2.putText(image, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)


def text_width(words: str, height: float) -> int:
    """Pixels that `text` needs for `words`."""
    (wide, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, height / 21.0, max(1, round(height / 14)))
    return int(wide)
