"""Augmentation: one random affine map moves pixels, boxes, 2D and 3D together; then occluders and colour.

The map is a similarity (scale, in-plane rotation, shift, mirror), so under scaled orthography the 3D pose of the new
picture is the old one turned about the optical axis and mirrored in x.

What is done to a photograph is drawn first (`View`), so that the same can be done to its pixels elsewhere
(`anchorpose.datasets.decoded`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.datasets.coco import mirrored
from anchorpose.datasets.samples import Person

Image = NDArray[np.uint8]
OCCLUDERS = 2
BRIGHTNESS = 96
"""Grey levels that an offset of 1 adds."""
_MIN_INSIDE = 0.3


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random choices.

    Args:
        size: side of the square training picture, pixels (a multiple of 32).
        scale: longer side of the photograph over `size`, drawn log-uniformly.
        enlarge: no photograph is enlarged by more; small ones get 0.8 to `enlarge` of their own size instead.
        rotation: standard deviation of the in-plane rotation, degrees (cut at twice that).
        flip: probability of the mirror.
        colour: strength of brightness, contrast and saturation changes.
        occluder: probability of each of two rectangles copied from elsewhere in the picture.
    """

    size: int = 384
    scale: tuple[float, float] = (0.8, 2.0)
    rotation: float = 15.0
    flip: float = 0.5
    colour: float = 0.3
    occluder: float = 0.25
    enlarge: float = 1.6


@dataclass(frozen=True)
class Occluder:
    """A rectangle of a picture that is copied, upside down, over another place of it; pixels."""

    x: int
    y: int
    to_x: int
    to_y: int
    width: int
    height: int

    def covers(self, joints2d: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(j,) which of (j, 2) joints are under the copy."""
        x, y = joints2d.T
        with np.errstate(invalid="ignore"):
            right, below = self.to_x + self.width, self.to_y + self.height
            return np.asarray((x >= self.to_x) & (x < right) & (y >= self.to_y) & (y < below))


@dataclass(frozen=True)
class View:
    """What is done to a photograph.

    Args:
        mirror: it is mirrored first. matrix: (2, 3) map from the (mirrored) photograph to the picture, pixel corners.
        angle: rotation in `matrix`, radians. occluders: in turn. gain, offset, saturation: of its colours; 1 leaves
            them as they are.
    """

    mirror: bool
    matrix: NDArray[np.float64]
    angle: float
    occluders: tuple[Occluder, ...]
    gain: float
    offset: float
    saturation: float


def draw_view(width: int, height: int, options: Augmentation, rng: np.random.Generator) -> View:
    """A random view of a photograph of that size."""
    mirror = bool(rng.random() < options.flip)
    matrix, angle = random_similarity(width, height, options, rng)
    occluders = tuple(_draw_occluder(options.size, rng) for _ in range(OCCLUDERS) if rng.random() < options.occluder)
    gain, offset, saturation = (1 + options.colour * rng.uniform(-1, 1, 3)).tolist()
    return View(mirror, matrix, angle, occluders, gain, offset, saturation)


def _draw_occluder(size: int, rng: np.random.Generator) -> Occluder:
    w, h = rng.integers(size // 16, size // 4, 2)
    (sx, dx), (sy, dy) = rng.integers(0, size - w, 2), rng.integers(0, size - h, 2)
    return Occluder(*(int(v) for v in (sx, sy, dx, dy, w, h)))


def augment(
    image: Image, people: tuple[Person, ...], options: Augmentation, rng: np.random.Generator
) -> tuple[Image, list[Person]]:
    """A random view of a photograph.

    Args:
        image: (h, w, 3) BGR.
        people: its people.
        options: ranges.
        rng: source of every random choice.

    Returns:
        the (size, size, 3) picture and its people; those mostly outside keep a box only, so that they are ignored.
    """
    view = draw_view(image.shape[1], image.shape[0], options, rng)
    return show(image, view, options.size), move_people(people, view, image.shape[1], options.size)


def shrunk(image: Image, side: int) -> Image:
    """(h, w, 3) with the longer side made `side` pixels long where it is longer."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def show(image: Image, view: View, size: int) -> Image:
    """The (size, size, 3) picture of a (h, w, 3) BGR photograph."""
    if view.mirror:
        image = np.ascontiguousarray(image[:, ::-1])
    picture = cv2.warpAffine(image, to_centres(view.matrix), (size, size), flags=cv2.INTER_LINEAR)
    for o in view.occluders:
        patch = picture[o.y : o.y + o.height, o.x : o.x + o.width].copy()
        picture[o.to_y : o.to_y + o.height, o.to_x : o.to_x + o.width] = patch[::-1]
    return recolour(np.asarray(picture, np.uint8), view)


def move_people(people: tuple[Person, ...], view: View, width: int, size: int) -> list[Person]:
    """The people of a photograph of that width as they are in the picture, in 3D as whoever looks straight at each."""
    moved = [facing(p) for p in people]
    moved = [mirrored(p, width) for p in moved] if view.mirror else moved
    moved = [keep_inside(transform_person(p, view.matrix, view.angle), size) for p in moved]
    moved = [p for p in moved if boxes.area(boxes.clip(p.box, size, size)) > 0]
    for occluder in view.occluders:
        moved = [replace(p, visible=np.where(occluder.covers(p.joints2d), 0, p.visible).astype(np.int8)) for p in moved]
    return moved


def facing(person: Person) -> Person:
    """The person with `Person.facing3d` as 3D; from where they were seen is then no matter any more."""
    return replace(person, joints3d=person.facing3d, centre3d=np.full(3, np.nan, np.float32))


def random_similarity(
    width: int, height: int, options: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """A (2, 3) map from photograph to picture (pixel-corner coordinates), and its rotation in radians."""
    scale = np.exp(rng.uniform(*np.log(options.scale))) * options.size / max(width, height)
    if scale > options.enlarge:
        scale = np.exp(rng.uniform(np.log(0.8), np.log(options.enlarge)))
    angle = np.radians(np.clip(rng.normal(0, options.rotation), -2 * options.rotation, 2 * options.rotation))
    if rng.random() < 0.4:
        angle = 0.0
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # A photograph smaller than the picture lands anywhere inside it; a larger one is cut anywhere.
    slack = options.size - scale * np.array([width, height])
    centre = options.size / 2 + (rng.random(2) - 0.5) * np.abs(slack)
    shift = centre - linear @ np.array([width / 2, height / 2])
    return np.concatenate([linear, shift[:, None]], axis=1), float(angle)


def to_centres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map for OpenCV, which puts the origin at the centre of the top-left pixel."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return moved


def transform_person(person: Person, matrix: NDArray[np.float64], angle: float) -> Person:
    """The person under a similarity; 3D turns by `angle` radians about the optical axis."""
    x1, y1, x2, y2 = person.box
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) @ matrix[:, :2].T + matrix[:, 2]
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return replace(
        person,
        box=boxes.around(corners.astype(np.float32)),
        joints2d=(person.joints2d @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32),
        joints3d=(person.joints3d @ turn.T).astype(np.float32),
    )


def keep_inside(person: Person, size: int) -> Person:
    """Joints outside the picture cannot be seen; a person mostly outside keeps its box but no joints."""
    x, y = person.joints2d.T
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    cut = boxes.clip(person.box, size, size)
    share = boxes.area(cut) / max(float(boxes.area(person.box)), 1e-6)
    if share < _MIN_INSIDE or inside.sum() < 3:
        return Person(box=cut)
    return replace(person, visible=np.where(person.labelled & ~inside, 0, person.visible).astype(np.int8))


def recolour(image: Image, view: View) -> Image:
    """The view's brightness, contrast and saturation of a BGR picture."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(image, view.saturation, grey, 1 - view.saturation, 0)
    return np.asarray(cv2.convertScaleAbs(mixed, alpha=view.gain, beta=(view.offset - 1) * BRIGHTNESS), dtype=np.uint8)
