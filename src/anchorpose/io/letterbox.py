"""A photograph as the network takes it: scaled to one longer side and padded to whole strides."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
STRIDE = 32
"""Input height and width are multiples of this."""
SMALLEST, LARGEST = 128, 4096
"""Limits of the input's height and width, for which the graph is exported."""
ENLARGE = 1.0
"""Small pictures are enlarged by no more. Enlarging costs PCK@0.2 on small photographs (LSPE: 0.48 at 1, 0.47 at 1.25,
0.40 at 2.5): people grow past the sizes that the trunk knows."""


def letterbox(image: Image, max_side: int) -> tuple[Image, tuple[float, float]]:
    """Scale so that the longer side is `max_side` (small pictures are not enlarged), and pad.

    Args:
        image: (h, w, 3) BGR.
        max_side: pixels of the longer side.

    Returns:
        RGB pixels, padded with 0 at the right and bottom to multiples of 32 (at least 128), and the factors along
        x and y from pixels of `image` to pixels of the result; they differ because sizes are whole numbers.
    """
    height, width = image.shape[:2]
    factor = min(max_side / max(height, width), ENLARGE)
    new_width, new_height = max(1, round(width * factor)), max(1, round(height * factor))
    rgb = cv2.cvtColor(_resize(image, new_width, new_height), cv2.COLOR_BGR2RGB)
    padded = np.zeros((_padded_side(new_height), _padded_side(new_width), 3), np.uint8)
    padded[:new_height, :new_width] = rgb
    return padded, (new_width / width, new_height / height)


def _padded_side(pixels: int) -> int:
    """The next multiple of the stride that the graph takes."""
    return max(SMALLEST, -(-pixels // STRIDE) * STRIDE)


def _resize(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    # INTER_AREA averages all pixels, so shrinking does not alias; for enlarging it would repeat pixels.
    way = cv2.INTER_AREA if width < image.shape[1] or height < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), dtype=np.uint8)
