"""Four close-ups in one training picture: four times the people for the same arithmetic, and every mixture is new.

The mosaic augmentation of YOLOv4 (Bochkovskiy et al. 2020), with each quarter turned about one person. Sports
photographs have one labelled person in a fifth of their width; so cut, no part of the picture is wasted on the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.datasets.coco import mirrored
from anchorpose.datasets.samples import Person
from anchorpose.datasets.transforms import (
    Augmentation,
    Image,
    jitter_colour,
    keep_inside,
    occlude,
    to_centres,
    transform_person,
)

_FILL = (0.5, 1.05)
"""Longer side of the person's box over the side of its quarter: some people are cut by the border."""
_LEAST_JOINTS = 4


def four_close_ups(
    parts: Sequence[tuple[Image, tuple[Person, ...]]], options: Augmentation, rng: np.random.Generator
) -> tuple[Image, list[Person]]:
    """One picture of four photographs, each cut around one of its people.

    Args:
        parts: four photographs, (h, w, 3) BGR, with their people (pixels).
        options: ranges; `tile_rotation` is that of the quarters.
        rng: source of every random choice.

    Returns:
        the (size, size, 3) picture and its people; joints beyond the border of their quarter count as hidden.
    """
    half = options.size // 2
    picture = np.zeros((options.size, options.size, 3), np.uint8)
    together: list[Person] = []
    for number, (image, people) in enumerate(parts):
        left, top = half * (number % 2), half * (number // 2)
        quarter, found = _close_up(image, people, half, options, rng)
        picture[top : top + half, left : left + half] = quarter
        shift = np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
        together += [transform_person(person, shift, 0.0) for person in found]
    return picture, together


def _close_up(
    image: Image, people: tuple[Person, ...], side: int, options: Augmentation, rng: np.random.Generator
) -> tuple[Image, list[Person]]:
    """A (side, side, 3) view of a random person, or of a random place where nobody has joints."""
    found = list(people)
    if rng.random() < options.flip:
        found = [mirrored(p, image.shape[1]) for p in found]
        image = np.ascontiguousarray(image[:, ::-1])
    known = [p for p in found if p.labelled.sum() >= _LEAST_JOINTS]
    chosen = known[rng.integers(len(known))].box if known else np.array([0, 0, *image.shape[1::-1]], np.float32)
    matrix, angle = _about(chosen, side, options, rng)
    moved = np.asarray(cv2.warpAffine(image, to_centres(matrix), (side, side), flags=cv2.INTER_LINEAR), np.uint8)
    found = [keep_inside(transform_person(p, matrix, angle), side) for p in found]
    # Nobody may be looked for in the next quarter, which shows another photograph.
    found = [replace(p, box=boxes.clip(p.box, side, side)) for p in found]
    found = [p for p in found if boxes.area(p.box) > 0]
    if rng.random() < options.occluder:
        found = occlude(moved, found, rng)
    return jitter_colour(moved, options.colour, rng), found


def _about(
    box: NDArray[np.float32], side: int, options: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """A (2, 3) similarity that turns the box's surroundings into the quarter, and its angle in radians."""
    longer = max(float((box[2:] - box[:2]).max()), 1.0)
    scale = min(side * np.exp(rng.uniform(*np.log(_FILL))) / longer, options.enlarge)
    angle = np.radians(np.clip(rng.normal(0, options.tile_rotation), -180, 180))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slack = max(side - scale * longer, 0.15 * side)
    centre = side / 2 + (rng.random(2) - 0.5) * slack
    middle = (box[:2] + box[2:]).astype(np.float64) / 2
    return np.concatenate([linear, (centre - linear @ middle)[:, None]], axis=1), float(angle)
