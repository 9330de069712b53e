"""Augmentation: one random affine map moves pixels, boxes, 2D and 3D together; then colour and occluders.

The map is a similarity (scale, in-plane rotation, shift, mirror), so under scaled orthography the 3D pose of the new
picture is the old one turned about the optical axis and mirrored in x.
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
    people_now = list(people)
    if rng.random() < options.flip:
        people_now = [mirrored(p, image.shape[1]) for p in people_now]
        image = np.ascontiguousarray(image[:, ::-1])
    matrix, angle = random_similarity(image.shape[1], image.shape[0], options, rng)
    size = (options.size, options.size)
    moved = np.asarray(cv2.warpAffine(image, to_centres(matrix), size, flags=cv2.INTER_LINEAR), np.uint8)
    people_now = [transform_person(p, matrix, angle) for p in people_now]
    people_now = [keep_inside(p, options.size) for p in people_now]
    people_now = [p for p in people_now if boxes.area(boxes.clip(p.box, options.size, options.size)) > 0]
    for _ in range(2):
        if rng.random() < options.occluder:
            people_now = occlude(moved, people_now, rng)
    return jitter_colour(moved, options.colour, rng), people_now


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


def occlude(image: Image, people: list[Person], rng: np.random.Generator) -> list[Person]:
    """Copy a rectangle over another place of the picture, in place; joints under it become hidden."""
    size = image.shape[0]
    w, h = rng.integers(size // 16, size // 4, 2)
    (sx, dx), (sy, dy) = rng.integers(0, size - w, 2), rng.integers(0, size - h, 2)
    patch = image[sy : sy + h, sx : sx + w].copy()
    image[dy : dy + h, dx : dx + w] = patch[::-1]
    result = []
    for person in people:
        x, y = person.joints2d.T
        with np.errstate(invalid="ignore"):
            under = (x >= dx) & (x < dx + w) & (y >= dy) & (y < dy + h)
        result.append(replace(person, visible=np.where(under, 0, person.visible).astype(np.int8)))
    return result


def jitter_colour(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Random brightness, contrast and saturation of a BGR picture."""
    gain, offset, saturation = 1 + strength * rng.uniform(-1, 1, 3)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
    return np.asarray(cv2.convertScaleAbs(mixed, alpha=gain, beta=(offset - 1) * 96), dtype=np.uint8)
