"""The common sample: one photograph with its people as LCR13 joints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import LCR13

Floats = NDArray[np.float32]
J = len(LCR13)
UNKNOWN = -1


def _missing(dimensions: int) -> Floats:
    return np.full((J, dimensions), np.nan, dtype=np.float32)


@dataclass(frozen=True)
class Person:
    """One person of a photograph.

    Args:
        box: (4,) annotated box x1, y1, x2, y2 in pixels.
        joints2d: (13, 2) pixels, NaN where unlabelled; may lie outside the image.
        visible: (13,) 1 can be seen, 0 hidden or outside, -1 unknown.
        joints3d: (13, 3) metres, camera axes, relative to the body centre; NaN where unknown.
    """

    box: Floats
    joints2d: Floats = field(default_factory=lambda: _missing(2))
    visible: NDArray[np.int8] = field(default_factory=lambda: np.full(J, UNKNOWN, dtype=np.int8))
    joints3d: Floats = field(default_factory=lambda: _missing(3))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(13,) joints with a 2D label."""
        return ~np.isnan(self.joints2d[:, 0])


@dataclass(frozen=True)
class Sample:
    """A photograph and its people.

    Args:
        image: path of the picture.
        people: those with a box; people without joints are ignored in the losses.
        exhaustive: True when everything outside the boxes is known to be background. False where only one
            person of the photograph was labelled: then the rest is unknown.
    """

    image: Path
    people: tuple[Person, ...]
    exhaustive: bool = True

    def with_people(self, people: list[Person]) -> Sample:
        """The same photograph with other people."""
        return replace(self, people=tuple(people))
