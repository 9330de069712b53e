"""Photographs put together around a pose (Rogez and Schmid, NIPS 2016, section 3.2).

1. Each photograph j is moved by its similarity. Its probability at joint k is exp(-d_E(p_k, q'_k)^2 / sigma^2) (so 1
   at j) and 0 at the border of the picture; between them it is interpolated over the Delaunay triangulation of
   joints and border points. The argmax over the photographs gives the index map.
2. Pose-aware blend: M[u, v] = sum_j w_j[u, v] I'_j[u, v], w_j = share of j in the index map inside the square R_{u,v},
   whose side grows with the distance of u, v from the pose: sharp on the body, soft in the background.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from anchorpose.core.skeleton import LCR13

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
_BORDER_PROBABILITY = 1e-4
_SUBPIXEL_BITS = 4
_TINY_SHARE = 1e-6
_FREE_REACH = 1.3


def border_points(width: int, height: int) -> Floats:
    """(8, 2) corners and middles of the sides."""
    x, y = float(width), float(height)
    points = [(0, 0), (x / 2, 0), (x, 0), (x, y / 2), (x, y), (x / 2, y), (0, y), (0, y / 2)]
    return np.array(points, dtype=np.float32)


def vertex_probabilities(errors: Floats, joints2d: Floats, border: Floats, sigma: float) -> Floats:
    """How well photograph j fits at each vertex of the triangulation.

    Args:
        errors: (s, 13) pixels between the pose's joints and the photograph's moved ones; NaN counts as unfit.
        joints2d: (13, 2) the pose, of which photograph j was chosen for joint j (s = 13).
        border: (b, 2) border points.
        sigma: pixels.

    Returns:
        (s, 13 + b). At the border the paper's value is 0; here a ten-thousandth at most, more for the nearer joint,
        so that regions between border points alone have a well-defined argmax.
    """
    fit = np.nan_to_num(np.exp(-((errors / sigma) ** 2)))
    reach = np.linalg.norm(border[None] - joints2d[:, None], axis=-1)
    return np.concatenate([fit, _BORDER_PROBABILITY / (1 + reach)], axis=1).astype(np.float32)


def probability_maps(vertices: Floats, probabilities: Floats, width: int, height: int) -> Floats:
    """Barycentric interpolation over the Delaunay triangles.

    Args:
        vertices: (v, 2) pixels, spanning the picture.
        probabilities: (s, v).

    Returns:
        (h, w, s) at the pixels' centres.
    """
    mesh = Delaunay(vertices.astype(np.float64))
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    triangle = triangle_map(mesh, vertices, width, height)
    # inside a triangle each map is a plane: value = c0 + cx x + cy y
    corners = vertices[mesh.simplices].astype(np.float64)
    system = np.concatenate([np.ones((len(corners), 3, 1)), corners], axis=2)
    planes = np.linalg.solve(system, probabilities.T[mesh.simplices].astype(np.float64)).astype(np.float32)
    gathered = planes[triangle]
    maps = gathered[..., 0, :] + x[..., None] * gathered[..., 1, :] + y[..., None] * gathered[..., 2, :]
    return np.asarray(maps)


def triangle_map(mesh: Delaunay, vertices: Floats, width: int, height: int) -> NDArray[np.intp]:
    """(h, w) triangle of each pixel's centre."""
    y, x = np.mgrid[:height, :width] + 0.5
    found = mesh.find_simplex(np.stack([x, y], axis=-1))
    return np.asarray(np.maximum(found, 0))


def pose_distance(joints2d: Floats, width: int, height: int) -> Floats:
    """(h, w) pixels to the nearest limb, or to the torso or the head's axis, 0 on them; parts with NaN left out."""
    free = np.full((height, width), 255, dtype=np.uint8)
    _draw_body(free, joints2d, 0, thickness=1)
    return np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), dtype=np.float32)


def _draw_body(picture: NDArray[np.uint8], joints2d: Floats, value: int, thickness: int) -> None:
    """Limbs and the head's axis as lines, the torso filled; parts with NaN left out."""
    torso = joints2d[LCR13.indices("right_shoulder", "left_shoulder", "left_hip", "right_hip")]
    if np.isfinite(torso).all():
        cv2.fillConvexPoly(picture, cv2.convexHull(_fixed_point(torso)), value, shift=_SUBPIXEL_BITS)
    bones = np.stack([*(joints2d[list(bone)] for bone in LCR13.bones),
                      np.stack([joints2d[LCR13.index("head_top")], torso[:2].mean(0)])])  # fmt: skip
    for a, b in _fixed_point(bones[np.isfinite(bones).all((1, 2))]).tolist():
        cv2.line(picture, a, b, value, thickness, shift=_SUBPIXEL_BITS)


def _fixed_point(points: Floats) -> NDArray[np.int32]:
    """Pixels -> OpenCV's fixed-point numbers, which count from pixel centres; far points are pulled in."""
    return np.round((np.clip(points, -1e4, 1e4) - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def window_shares(index_map: NDArray[np.uint8], count: int, radius: NDArray[np.intp]) -> Floats:
    """Histogram of the index map inside each pixel's square, cut at the picture's border.

    Args:
        index_map: (h, w) photograph of each pixel.
        count: s, photographs.
        radius: (h, w) half side: the square reaches from u - radius to u + radius.

    Returns:
        (h, w, s) of sum 1, less where values of `count` and above (no photograph) are in the square.
    """
    height, width = index_map.shape
    one_hot = np.zeros((height + 1, width + 1, count), dtype=np.int32)
    one_hot[1:, 1:] = index_map[..., None] == np.arange(count)
    rows, columns = np.mgrid[:height, :width]
    integral = one_hot.cumsum(0, out=one_hot).cumsum(1, out=one_hot).reshape(-1, count)
    top, bottom = np.maximum(rows - radius, 0), np.minimum(rows + radius + 1, height)
    left, right = np.maximum(columns - radius, 0), np.minimum(columns + radius + 1, width)
    stride = width + 1
    counts = integral[bottom * stride + right] - integral[top * stride + right]
    counts += integral[top * stride + left] - integral[bottom * stride + left]
    area = ((bottom - top) * (right - left)).astype(np.float32)
    return np.asarray(counts / area[..., None], dtype=np.float32)


def stray_body(moved: Floats, distance: Floats, reach: float) -> NDArray[np.bool_]:
    """Where a moved photograph shows parts of its own person that the pose does not have there.

    Such parts would become limbs and heads without a label, so these pixels are left to other photographs. Not in
    the paper.

    Args:
        moved: (13, 2) the photograph's joints in the mosaic; NaN where unlabelled.
        distance: (h, w) pixels to the pose (`pose_distance`).
        reach: pixels from a limb's axis to its outline and a little beyond.
    """
    own = np.zeros(distance.shape, dtype=np.uint8)
    _draw_body(own, moved, 1, thickness=max(1, round(2 * reach)))
    return np.asarray((own > 0) & (distance > _FREE_REACH * reach))


def blend(layers: list[Image], cover: Floats, shares: Floats, background: Image) -> Image:
    """Weighted sum of the layers where they cover a pixel, over a background.

    Args:
        layers: s pictures (h, w, 3).
        cover: (h, w, s) 0 to 1: how far a layer may be seen. Where the layers that shares ask for do not cover a
            pixel, those that do take their place.
        shares: (h, w, s) of sum 1 or less.
        background: (h, w, 3), seen as far as no layer covers the pixel.
    """
    weights = (shares + _TINY_SHARE) * cover
    most = cover.max(-1)
    weights *= (most / np.maximum(weights.sum(-1), 1e-12))[..., None]
    total = background * (1 - most)[..., None]
    for number, layer in enumerate(layers):
        total += layer * weights[..., number, None]
    return np.asarray(np.clip(np.rint(total), 0, 255), dtype=np.uint8)
