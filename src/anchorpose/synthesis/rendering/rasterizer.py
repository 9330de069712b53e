"""A z-buffer rasteriser of warp kernels (CPU or CUDA): triangles in, for each pixel the triangle seen and its depth.

It knows nothing of bodies. A pixel is sampled at its centre, (column + 0.5, row + 0.5) in pixels from the top-left
corner. Triangles show both sides. Depth is interpolated perspective-correctly (1/z is linear in the image).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError

Floats = NDArray[np.float32]
NEAR = 0.1
"""Triangles with a corner nearer than this, metres, are left out (they would have to be cut)."""


@dataclass(frozen=True)
class Fragments:
    """What each pixel shows: h x w pixels, -1 and infinity where there is nothing."""

    triangles: NDArray[np.int32]  # (h, w) index of the triangle
    depth: Floats  # (h, w) metres along the camera's axis
    weights: Floats  # (h, w, 3) barycentric weights of its corners, perspective-correct; 0 where there is nothing

    def interpolate(self, faces: NDArray[np.int32], values: Floats, seen: NDArray[np.bool_]) -> Floats:
        """Corner values at the pixels of the mask `seen`: (f, 3) corners, (v, c) values -> (pixels, c)."""
        corners = faces[self.triangles[seen]]
        weights = self.weights[seen]
        mixed = sum(values[corners[:, k]] * weights[:, k, None] for k in range(3))
        return np.asarray(mixed, np.float32)


def rasterize(vertices: Floats, faces: NDArray[np.int32], camera: Camera, device: str = "cpu") -> Fragments:
    """Draw a mesh.

    Args:
        vertices: (v, 3) metres in the camera frame.
        faces: (f, 3) corners of the triangles.
        camera: intrinsics; its width and height are the picture's.
        device: "cpu", or a CUDA device as `choose_device` names it; buffers live there, the picture comes back once.

    Raises:
        InputError: warp is not installed.
    """
    safe = np.maximum(vertices[:, 2], NEAR)
    screen = np.empty((len(vertices), 3), np.float32)
    screen[:, 0] = vertices[:, 0] / safe * camera.fx + camera.cx
    screen[:, 1] = vertices[:, 1] / safe * camera.fy + camera.cy
    screen[:, 2] = np.where(vertices[:, 2] < NEAR, -1, 1 / safe)
    return rasterize_screen(screen, faces, camera.width, camera.height, device)


def rasterize_screen(
    screen: Floats, faces: NDArray[np.int32], width: int, height: int, device: str = "cpu"
) -> Fragments:  # fmt: skip
    """Draw triangles given in the picture: (v, 3) of x pixels, y pixels, 1 / depth (not positive: left out)."""
    warp, nearest, resolve = _kernels()
    if not len(faces):
        empty = np.full((height, width), -1, np.int32)
        return Fragments(empty, np.full((height, width), np.inf, np.float32), np.zeros((height, width, 3), np.float32))
    with warp.ScopedDevice(device):
        points = warp.array(np.ascontiguousarray(screen, np.float32), dtype=warp.vec3)
        corners = warp.array(np.ascontiguousarray(faces, np.int32).ravel(), dtype=warp.int32)
        # the larger 1 / depth is nearer; 0 is the background
        keys = warp.zeros(height * width, dtype=warp.uint64)
        warp.launch(nearest, dim=len(faces), inputs=[points, corners, keys, width, height])
        triangles = warp.empty(height * width, dtype=warp.int32)
        depth = warp.empty(height * width, dtype=warp.float32)
        weights = warp.empty(height * width, dtype=warp.vec3)
        warp.launch(resolve, dim=height * width, inputs=[points, corners, keys, width, triangles, depth, weights])
    shape = (height, width)
    return Fragments(triangles.numpy().reshape(shape), depth.numpy().reshape(shape), weights.numpy().reshape(*shape, 3))


def choose_device(name: str) -> str:
    """The device that draws: warp's name of it ("cpu", "cuda:0"), which torch knows too.

    Args:
        name: "cpu", a CUDA device as warp calls it, or "auto": the first CUDA device that warp reports, else the CPU.

    Raises:
        InputError: there is no such device here, or warp is not installed.
    """
    warp, _, _ = _kernels()
    gpus = [str(device.alias) for device in warp.get_cuda_devices()]
    known = {"auto": (*gpus, "cpu")[0], "cpu": "cpu"} | {gpu: gpu for gpu in gpus}
    if name not in known:
        raise InputError(f"found the device {name!r}, wanted one of {', '.join(known)}; warp reports "
                         f"{len(gpus)} CUDA devices here")  # fmt: skip
    return known[name]


@cache
def _kernels() -> tuple[Any, Any, Any]:
    """warp with the two kernels; it starts (and compiles once, kept in its cache) at the first picture."""
    try:
        import warp
    except ImportError:
        raise InputError("found no warp, wanted it to draw people; pip install 'anchorpose[synthesis]'") from None
    warp.config.log_level = warp.LOG_ERROR  # it announces itself on stdout otherwise
    from anchorpose.synthesis.rendering import kernels

    return warp, kernels.nearest_triangles, kernels.resolve_pixels
