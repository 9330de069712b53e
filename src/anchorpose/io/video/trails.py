"""Short trails behind tracked people."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import Poses, body_centre
from anchorpose.io.figure import DARK, Image, Point, person_colour, stroke
from anchorpose.io.overlay import line_width


class Trails:
    """Remembers where each track's body centre was, and draws it; the older, the thinner.

    Args:
        seconds: length of a trail.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._points: dict[int, deque[tuple[float, NDArray[np.floating]]]] = {}

    def update(self, poses: Poses, time: float) -> None:
        """Takes the people of a frame at `time` seconds; people without a track number leave no trail."""
        if poses.track_ids is not None:
            centres = body_centre(poses.joints2d, poses.skeleton)
            for identity, centre in zip(poses.track_ids.tolist(), centres, strict=True):
                if np.isfinite(centre).all():
                    self._points.setdefault(identity, deque()).append((time, centre))
        for points in self._points.values():
            while points and points[0][0] < time - self._seconds:
                points.popleft()
        self._points = {identity: points for identity, points in self._points.items() if points}

    def draw(self, image: Image, time: float) -> Image:
        """A copy of (h, w, 3) uint8 BGR `image` with the trails at `time` seconds."""
        drawn = image.copy()
        longer = max(image.shape[:2])
        width = line_width(longer / 3, longer)
        for identity, points in self._points.items():
            pieces = [(_point(a), _point(b), max(1.0, width * (1 - (time - when) / self._seconds)))
                      for (_, a), (when, b) in pairwise(points)]  # fmt: skip
            for colour, rim in ((DARK, 2.0), (person_colour(identity), 0.0)):
                for a, b, wide in pieces:
                    stroke(drawn, a, b, colour, wide + rim)
        return np.asarray(cv2.addWeighted(drawn, 0.75, image, 0.25, 0), np.uint8)


def _point(pixels: NDArray[np.floating]) -> Point:
    return float(pixels[0]), float(pixels[1])
