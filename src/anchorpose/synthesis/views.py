"""Virtual cameras around motion capture (LCR-Net section 4.2): each pose seen from many random viewpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ViewOptions:
    """Where the virtual cameras of a pose stand.

    Args:
        views: cameras a pose and mirror image; the paper's synthesis work uses 200.
        pitch: radians, lowest and highest; positive looks down on the person.
        roll: radians; the camera is turned about its axis by up to this, to both sides ...
        turned: ... but for this share of the views, whose roll is anything: people upside down (gymnasts) are rare in
            motion capture, and a turned picture of an upright one has their shape.
        mirror: add the mirror image of every pose.
    """

    views: int = 200
    pitch: tuple[float, float] = (-0.35, 0.7)
    roll: float = 0.25
    turned: float = 0.5
    mirror: bool = True

    def __post_init__(self) -> None:
        if self.views < 1:
            raise InputError(f"found {self.views} views a pose, wanted at least 1; give 200 for the full setting")
        if self.pitch[0] > self.pitch[1] or self.roll < 0:
            raise InputError(f"found pitch {self.pitch} and roll {self.roll}, wanted lowest <= highest and roll >= 0; "
                             "give radians")  # fmt: skip
        if not 0 <= self.turned <= 1:
            raise InputError(f"found a share of turned views of {self.turned}, wanted 0 to 1; 0.5 turns half of them")


def mirror_poses(joints3d: Floats) -> Floats:
    """(..., 13, 3) -> the mirror images: sides swap, x is negated."""
    return np.asarray(joints3d[..., LCR13.flip, :] * np.array([-1, 1, 1], np.float32))


def view_angles(poses: int, options: ViewOptions, rng: np.random.Generator) -> Floats:
    """Angles of all cameras: (poses, views, 3) radians, `yaw, pitch, roll`.

    The yaws of one pose are spread evenly over the circle with a random offset each (stratified), so that no side of
    it is left out; pitch is uniform, roll uniform within its two ranges.
    """
    shape = (poses, options.views)
    yaw = 2 * np.pi * (np.arange(options.views) + rng.random(shape)) / options.views
    pitch = rng.uniform(*options.pitch, shape)
    most = np.where(rng.random(shape) < options.turned, np.pi, options.roll)
    return np.stack([yaw, pitch, most * rng.uniform(-1, 1, shape)], axis=-1).astype(np.float32)


def turns(angles: Floats) -> Floats:
    """(..., 3) radians, `yaw, pitch, roll` as from `view_angles` -> (..., 3, 3) into the cameras' axes."""
    flat = angles[..., ::-1].reshape(-1, 3).astype(np.float64)
    matrices = Rotation.from_euler("ZXY", flat).as_matrix().astype(np.float32)
    return np.asarray(matrices.reshape(*angles.shape, 3))


def see(joints3d: Floats, angles: Floats) -> Floats:
    """Poses in the axes of cameras that look at them.

    Args:
        joints3d: (n, J, 3) metres, library axes (y down).
        angles: (n, 3) radians, `yaw, pitch, roll` as from `view_angles`.

    Returns:
        (n, J, 3) metres, camera axes; dropping z projects orthographically.
    """
    return np.asarray(joints3d @ np.swapaxes(turns(angles), 1, 2))
