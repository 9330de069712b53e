"""Pinhole camera in the library's frame: x right, y down, z forward, metres; pixels from the top-left corner."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ASSUMED_FOV_DEGREES = 60.0
"""Field of view along the longer image side where the camera is unknown (a phone's main camera has 60 to 75)."""


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics in pixels.

    Args:
        fx, fy: focal lengths.
        cx, cy: principal point, from the top-left corner of the top-left pixel.
        width, height: image size.
        assumed: True when the field of view was assumed rather than given.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    assumed: bool = False

    @classmethod
    def from_fov(cls, width: int, height: int, fov_degrees: float | None = None) -> Camera:
        """Camera with square pixels and a centred principal point.

        Args:
            width, height: image size in pixels.
            fov_degrees: field of view along the longer side; None assumes `ASSUMED_FOV_DEGREES`.
        """
        fov = ASSUMED_FOV_DEGREES if fov_degrees is None else fov_degrees
        if not 0 < fov < 180:
            raise ValueError(f"the field of view must be between 0 and 180 degrees, found {fov}")
        focal = max(width, height) / (2 * math.tan(math.radians(fov) / 2))
        return cls(focal, focal, width / 2, height / 2, width, height, assumed=fov_degrees is None)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """(..., 3) metres in the camera frame -> (..., 2) pixels; NaN for points at or behind the camera."""
        z = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(z > 0, points[..., :2] / z, np.nan)
        return np.asarray(plane * [self.fx, self.fy] + [self.cx, self.cy])

    def scaled(self, width: int, height: int) -> Camera:
        """The same camera for the picture resized to `width` x `height`."""
        sx, sy = width / self.width, height / self.height
        return replace(self, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy,
                       width=width, height=height)  # fmt: skip

    def cropped(self, x: float, y: float, width: int, height: int) -> Camera:
        """The same camera for the picture cut at `x, y` to `width` x `height`."""
        return replace(self, cx=self.cx - x, cy=self.cy - y, width=width, height=height)

    def flipped(self) -> Camera:
        """The same camera for the mirrored picture."""
        return replace(self, cx=self.width - self.cx)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {"fx": self.fx, "fy": self.fy, "cx": self.cx, "cy": self.cy, "width": self.width,
                "height": self.height, "assumed": self.assumed}  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Camera:
        """Inverse of `to_dict`."""
        return cls(**data)


def looking_along(directions: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, 3) directions in the camera frame -> (n, 3, 3) rotations from the axes of a camera that looks along each of
    them, turned there the shortest way, to those of the camera. Directions of NaN turn nothing.

    Args:
        directions: of any length, not straight backwards.
    """
    known = np.isfinite(directions).all(1, keepdims=True)
    given = np.where(known, directions, [0.0, 0.0, 1.0]).astype(np.float64)
    x, y, z = (given / np.linalg.norm(given, axis=1, keepdims=True)).T
    across = -x * y / (1 + z)
    rows = ((1 - x * x / (1 + z), across, x), (across, 1 - y * y / (1 + z), y), (-x, -y, z))
    return np.moveaxis(np.array(rows), 2, 0)
