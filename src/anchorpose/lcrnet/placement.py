"""Absolute position: the 3D shift that best reprojects each person (LCR-Net, caption of figure 7). Numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera, looking_along
from anchorpose.core.poses import body_centre

Array = NDArray[np.floating[Any]]

MIN_DEPTH = 0.1
"""Metres; no joint is placed closer to the camera's plane."""
MIN_SPREAD = 1.0
"""Pixels; joints that spread less (root mean square) say nothing about depth."""
STEPS = 8
OFF_3D = 0.03
"""Metres that x and y of a pose count as off in `along_rays`: of 0.001 to 0.08, on the rendered test, MPJPE is least at
0.03 and PA-MPJPE at 0.02."""


def place(joints2d: Array, joints3d: Array, camera: Camera, weights: Array | None = None) -> NDArray[np.float32]:
    """Translations that put relative 3D poses in front of the camera.

    Least squares on the reprojection error with the full pinhole camera: a closed-form linear solution, then damped
    Gauss-Newton steps on the error in pixels. Where the linear solution is degenerate or puts the person behind the
    camera, scaled orthography decides (depth = f * size in metres / size in pixels).

    Args:
        joints2d: (n, J, 2) pixels; joints with NaN do not count.
        joints3d: (n, J, 3) metres, camera axes (x right, y down, z forward), relative to the body centre.
        camera: intrinsics in the same pixels.
        weights: (n, J) importance of each joint, None for 1 each; NaN and negative ones count as 0.

    Returns:
        (n, 3) metres in the camera frame; every joint with a known depth ends at least `MIN_DEPTH` in front of the
        camera (to float32 precision). NaN where fewer than two joints are usable.
    """
    w = _weights(joints2d, joints3d, weights)
    usable = w > 0
    points = np.where(usable[..., None], joints3d, 0.0).astype(np.float64)
    pixels = np.where(usable[..., None], joints2d - _centre(camera), 0.0).astype(np.float64)
    rays = pixels / _focal(camera)
    known = np.isfinite(joints3d[..., 2])
    nearest = -np.where(known, joints3d[..., 2], np.inf).min(axis=-1, initial=np.inf) + MIN_DEPTH
    placeable = usable.sum(-1) >= 2

    depth, trusted = _depth(points, pixels, rays, w, camera)
    depth = np.maximum(depth, np.where(placeable, nearest, 0.0))
    start = _beside(points, rays, w, depth)
    refined = _refine(start, points, pixels, w, camera, np.where(placeable, nearest, 0.0))
    chosen = np.where(trusted[:, None], refined, start)
    return np.where(placeable[:, None], chosen, np.nan).astype(np.float32)


def in_camera_axes(joints2d: Array, joints3d: Array, camera: Camera) -> NDArray[np.float32]:
    """3D poses in the axes of the camera, of poses as a camera that looks straight at each person would see them.

    The network sees people cut out of the picture, and a cut-out does not tell where in the picture it was: somebody at
    the side, who faces the camera's plane, looks turned. So the network speaks of the ray through the person, and
    whoever knows the camera turns its poses into the camera's axes. The papers of LCR-Net leave this out.

    Args:
        joints2d: (n, 13, 2) pixels, of LCR13; the ray goes through the body centre.
        joints3d: (n, 13, 3) metres, relative to the body centre, z along the ray.
        camera: intrinsics in the same pixels.

    Returns:
        (n, 13, 3) metres, relative to the body centre, camera axes; as they were where the ray is not known.
    """
    rays = (body_centre(joints2d) - _centre(camera)) / _focal(camera)
    turns = looking_along(np.concatenate([rays, np.ones((len(rays), 1))], axis=1))
    return np.asarray(joints3d @ np.swapaxes(turns, 1, 2), np.float32)


def along_rays(
    joints2d: Array, joints3d: Array, translation: Array, camera: Camera, errors: Array
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """3D joints moved sideways towards the rays through their 2D joints, at the depth that they have.

    2D is found on heat maps, 3D is regressed: of two places beside the optical axis the mean, weighted by the inverse
    squares of their errors, is nearer than either. LCR-Net leaves the two apart; this is ours.

    Args:
        joints2d: (n, 13, 2) pixels. joints3d: (n, 13, 3) metres, relative to the body centre; of LCR13.
        translation: (n, 3) metres, of `place`. camera: intrinsics in the same pixels.
        errors: (n, 13) expected absolute error of the 2D coordinates, pixels.

    Returns:
        joints3d, again relative to the body centre, and translation, whose sum are the moved joints. What is not known
        in 2D, or has no translation, stays as it is.
    """
    moved = joints3d.astype(np.float64)
    moved[..., :2] += offsets_to_rays(joints2d, joints3d, translation, camera, errors)
    centre = body_centre(moved)
    return (moved - centre[:, None]).astype(np.float32), (translation + centre).astype(np.float32)


def offsets_to_rays(
    joints2d: Array, joints3d: Array, translation: Array, camera: Camera, errors: Array, off3d: float = OFF_3D
) -> NDArray[np.float64]:
    """(n, 13, 2) metres by which `along_rays`, whose arguments these are, moves joints; 0 where that is not known.

    `off3d`: metres that x and y of the poses count as off.
    """
    placed = joints3d.astype(np.float64) + translation[:, None]
    depth = placed[..., 2:]
    there = (joints2d - _centre(camera)) / _focal(camera) * depth
    off = errors[..., None] * depth / _focal(camera)
    share = off3d**2 / (off3d**2 + off**2)
    move = share * (there - placed[..., :2])
    return np.where(np.isfinite(move), move, 0.0)


def reprojection_error(
    joints2d: Array, joints3d: Array, translation: Array, camera: Camera, weights: Array | None = None
) -> NDArray[np.float32]:
    """Root mean square distance, in pixels, between 2D joints and the projection of the placed 3D joints.

    Args:
        joints2d, joints3d, camera, weights: as in `place`.
        translation: (n, 3) metres.

    Returns:
        (n,) pixels; NaN without a translation or a usable joint, or where a usable joint is not in front.
    """
    w = _weights(joints2d, joints3d, weights)
    projected = camera.project(joints3d + translation[:, None])
    squared = np.where(w > 0, ((projected - joints2d) ** 2).sum(-1), 0.0)
    total = w.sum(-1)
    mean = np.divide((w * squared).sum(-1), total, out=np.full(total.shape, np.nan), where=total > 0)
    return np.asarray(np.sqrt(mean), dtype=np.float32)


def _weights(joints2d: Array, joints3d: Array, weights: Array | None) -> Array:
    """(n, J) weights that sum to 1 for each person (or are all 0), 0 for unusable joints."""
    usable = np.isfinite(joints2d).all(-1) & np.isfinite(joints3d).all(-1)
    given = np.ones(usable.shape) if weights is None else np.nan_to_num(weights.astype(np.float64), posinf=0.0)
    w = np.where(usable, np.clip(given, 0, None), 0.0)
    total = w.sum(-1, keepdims=True)
    return np.asarray(np.divide(w, total, out=np.zeros_like(w), where=total > 0))


def _focal(camera: Camera) -> Array:
    return np.array([camera.fx, camera.fy])


def _centre(camera: Camera) -> Array:
    return np.array([camera.cx, camera.cy])


def _depth(points: Array, pixels: Array, rays: Array, w: Array, camera: Camera) -> tuple[Array, NDArray[np.bool_]]:
    """Depth of the shift, (n,) metres, and whether the pinhole camera gave it (else scaled orthography did).

    The pinhole equations `f (X + tx) = (u - cx) (Z + tz)`, one for each joint and axis, are linear in the shift.
    tx and ty have one coefficient everywhere, so the normal equations solve in closed form: centring removes tx
    and ty, and what is left is a regression with one unknown, tz. Centring also keeps the precision that a 3x3
    system loses for people far away.
    """
    spread = _centred(pixels, w)
    offset = _focal(camera) * _centred(points[..., :2] - rays * points[..., 2:], w)
    size2d = (w[..., None] * spread**2).sum((1, 2))
    pinhole = np.divide((w[..., None] * spread * offset).sum((1, 2)), size2d, out=np.zeros_like(size2d),
                        where=size2d >= MIN_SPREAD**2)  # fmt: skip
    middle = (w * points[..., 2]).sum(-1)
    trusted = (size2d >= MIN_SPREAD**2) & (pinhole + middle > MIN_DEPTH)

    size3d = (w[..., None] * (_focal(camera) * _centred(points[..., :2], w)) ** 2).sum((1, 2))
    orthographic = np.sqrt(size3d / np.maximum(size2d, MIN_SPREAD**2)) - middle
    return np.where(trusted, pinhole, orthographic), trusted


def _centred(values: Array, w: Array) -> Array:
    """(n, J, d) minus its weighted mean; the weights sum to 1."""
    return np.asarray(values - (w[..., None] * values).sum(1, keepdims=True))


def _beside(points: Array, rays: Array, w: Array, depth: Array) -> Array:
    """(n, 3) shift with the given depth whose tx and ty solve the linear system."""
    sideways = rays * (points[..., 2:] + depth[:, None, None]) - points[..., :2]
    return np.concatenate([(w[..., None] * sideways).sum(1), depth[:, None]], axis=-1)


def _refine(shift: Array, points: Array, pixels: Array, w: Array, camera: Camera, nearest: Array) -> Array:
    """Levenberg-Marquardt on the squared pixel error, all people at once; a step is kept only where it helps."""
    damping = np.full(len(shift), 1e-4)
    residual, jacobian = _residual(shift, points, pixels, camera)
    cost = (w[..., None] * residual**2).sum((1, 2))
    for _ in range(STEPS):
        weighted = w[..., None, None] * jacobian
        normal = np.einsum("njdk,njdl->nkl", weighted, jacobian)
        diagonal = np.einsum("nkk->nk", normal)
        # The trace keeps the system solvable for joints on one ray, which leave the depth open.
        extra = damping[:, None] * diagonal + 1e-12 * (diagonal.sum(-1, keepdims=True) + 1)
        gradient = np.einsum("njdk,njd->nk", weighted, residual)
        step = np.linalg.solve(normal + extra[:, :, None] * np.eye(3), gradient[..., None])[..., 0]
        moved = shift - step
        moved[:, 2] = np.maximum(moved[:, 2], nearest)
        new_residual, new_jacobian = _residual(moved, points, pixels, camera)
        new_cost = (w[..., None] * new_residual**2).sum((1, 2))
        better = new_cost < cost
        shift = np.where(better[:, None], moved, shift)
        residual = np.where(better[:, None, None], new_residual, residual)
        jacobian = np.where(better[:, None, None, None], new_jacobian, jacobian)
        cost = np.where(better, new_cost, cost)
        damping = np.where(better, damping * 0.1, damping * 10)
    return shift


def _residual(shift: Array, points: Array, pixels: Array, camera: Camera) -> tuple[Array, Array]:
    """Reprojection residual (n, J, 2), pixels, and its derivative by the shift (n, J, 2, 3).

    Unusable joints stand at the origin with weight 0; their depth is kept positive only to avoid a division by 0.
    """
    focal = _focal(camera)
    placed = points + shift[:, None]
    z = np.maximum(placed[..., 2:], MIN_DEPTH / 2)
    projected = focal * placed[..., :2] / z
    jacobian = np.zeros((*points.shape[:2], 2, 3))
    jacobian[..., 0, 0], jacobian[..., 1, 1] = focal[0] / z[..., 0], focal[1] / z[..., 0]
    jacobian[..., 2] = -projected / z
    return projected - pixels, jacobian
