"""From the camera frame (x right, y down, z forward) to the axes of other programs; every writer turns here."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Up = Literal["y", "z"]
_TURNS: dict[Up, NDArray[np.float64]] = {
    "y": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}


def to_axes(points: NDArray[np.floating], up: Up, scale: float = 1.0) -> NDArray[np.float64]:
    """Camera frame to right-handed axes with another vertical; x stays the camera's right.

    Args:
        points: (..., 3) metres, x right, y down, z forward.
        up: "y" gives x right, y up, z towards the camera (glTF, BVH, OpenSim); "z" gives x right, y forward, z up
            (motion capture laboratories).
        scale: units of the result a metre.

    Returns:
        (..., 3); NaN stays NaN. The vertical is the camera's: it is gravity's where the camera is level
        (`Clip.moved` makes it so with a floor plane).
    """
    return np.asarray(points.astype(np.float64) @ _TURNS[up].T * scale)


def from_axes(points: NDArray[np.floating], up: Up, scale: float = 1.0) -> NDArray[np.float64]:
    """Inverse of `to_axes`."""
    return np.asarray(points.astype(np.float64) / scale @ _TURNS[up])
