"""Where the camera stands and where people stand before it: on one ground, apart from each other, in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.synthesis.rendering.figures import Figure

Floats = NDArray[np.floating]
PITCH_DEGREES = (-15.0, 25.0)
_APART = 0.06  # metres between two people's surfaces at least
_SAMPLED = 37  # every so many vertices stand for the surface in the test of distances
_TRIES = 40
_SMALLEST = 0.1  # of the image height: people are not made smaller


@dataclass(frozen=True)
class Viewpoint:
    """A camera over the ground. World: y down, the ground is y = 0, the camera above the origin.

    Args:
        camera: intrinsics.
        height: metres above the ground.
        rotation: (3, 3) world -> camera axes.
    """

    camera: Camera
    height: float
    rotation: Floats

    @property
    def up(self) -> NDArray[np.float32]:
        """(3,) unit, away from the ground, camera axes."""
        return np.asarray(-self.rotation[:, 1], np.float32)

    def to_camera(self, points: Floats) -> Floats:
        """(..., 3) world metres -> camera metres."""
        return np.asarray((points + np.array([0, self.height, 0])) @ self.rotation.T)

    def ground(self) -> NDArray[np.float32]:
        """(h, w, 3) metres in the camera frame: where each pixel's ray meets the ground; NaN above the horizon."""
        columns, rows = np.meshgrid(np.arange(self.camera.width) + 0.5, np.arange(self.camera.height) + 0.5)
        rays = np.stack([(columns - self.camera.cx) / self.camera.fx, (rows - self.camera.cy) / self.camera.fy,
                         np.ones_like(rows)], axis=2)  # fmt: skip
        falling = rays @ self.rotation[:, 1]
        with np.errstate(divide="ignore"):
            reach = np.where(falling > 1e-3, self.height / falling, np.nan)
        return np.asarray(rays * reach[..., None], np.float32)


def draw_viewpoint(camera: Camera, distance: float, rng: np.random.Generator) -> Viewpoint:
    """A camera at a person's height or above that looks at somebody `distance` metres away."""
    height = rng.uniform(0.5, 2.4)
    target = rng.uniform(0.5, 1.3)
    pitch = np.clip(np.degrees(np.arctan2(height - target, distance)) + rng.normal(0, 4), *PITCH_DEGREES)
    # looking down by `pitch` turns the world up by it
    turn = Rotation.from_euler("ZX", [rng.normal(0, 2.0), pitch], degrees=True)
    return Viewpoint(camera, float(height), turn.as_matrix())


def place(
    figure: Figure, view: Viewpoint, others: list[Figure], distance: tuple[float, float], truncated: bool,
    rng: np.random.Generator,
) -> Figure | None:  # fmt: skip
    """Put a figure onto the ground before the camera.

    Args:
        figure: in world axes, anywhere.
        view: the camera.
        others: figures in the camera frame that already stand there.
        distance: from, to; metres.
        truncated: it may reach over the border, with four joints at least in the picture; otherwise eleven.
        rng: of the place.

    Returns:
        the figure in the camera frame, None when no free place was found.
    """
    lift = float(rng.choice([0.0, rng.uniform(0.02, 0.4)], p=[0.93, 0.07]))
    foot = np.array([0, -figure.vertices[:, 1].max() - lift, 0]) - figure.joints[[4, 5]].mean(0) * [1, 0, 1]
    crowd = cKDTree(np.concatenate([f.vertices[::_SAMPLED] for f in others])) if others else None
    camera = view.camera
    for _ in range(_TRIES):
        away = np.exp(rng.uniform(*np.log(distance)))
        column = rng.uniform(*((0.0, 1.0) if truncated else (0.1, 0.9))) * camera.width
        where = foot + np.array([(column - camera.cx) / camera.fx * away, 0, away])
        placed = figure.moved(view.rotation, view.to_camera(where))
        if _fits(placed, camera, 4 if truncated else 11) and (
            crowd is None or crowd.query(placed.vertices[::_SAMPLED])[0].min() > _APART
        ):
            return placed
    return None


def _fits(figure: Figure, camera: Camera, inside: int) -> bool:
    if figure.vertices[:, 2].min() < 0.3:
        return False
    joints = camera.project(figure.joints)
    within = ((joints >= 0) & (joints < [camera.width, camera.height])).all(1)
    box = boxes.clip(boxes.around(joints), camera.width, camera.height)
    return bool(within.sum() >= inside and box[3] - box[1] >= _SMALLEST * camera.height)
