"""Anchor-poses: K-means over torso-centred, oriented 3D poses (LCR-Net sections 3 and 4.2), numpy only to use.

Each anchor has a 3D pose and a 2D pose in box coordinates ([0, 1] over the box around all joints + 10 %). For
people cut at the waist each anchor comes a second time with the same 3D and its 2D moved and stretched so that the
upper body alone fills the box; those are the classes K..2K-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.skeleton import LCR13

Floats = NDArray[np.float32]
BOX_MARGIN = 0.1
LOWER_LIMBS = tuple(LCR13.indices("right_ankle", "left_ankle", "right_knee", "left_knee"))
UPPER_BODY = tuple(i for i in range(len(LCR13)) if i not in LOWER_LIMBS)


@dataclass(frozen=True)
class AnchorPoses:
    """K anchor-poses and their upper-body doubles.

    Args:
        joints3d: (K, 13, 3) metres, relative to the body centre, as seen straight on.
        joints2d: (2K, 13, 2) box coordinates; rows K.. are the upper-body classes.
    """

    joints3d: Floats
    joints2d: Floats

    def __len__(self) -> int:
        return len(self.joints3d)

    def nearest3d(self, joints3d: Floats) -> NDArray[np.intp]:
        """(n, 13, 3) -> (n,) anchor of least mean joint distance, NaN joints left out (section 3.1's D)."""
        distance = np.linalg.norm(joints3d[:, None] - self.joints3d[None], axis=-1)
        return np.asarray(np.nanmean(distance, axis=-1).argmin(axis=-1))

    def fit2d(self, joints2d: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
        """The anchor that fits labelled 2D joints best under scale and shift (scaled orthography).

        Args:
            joints2d: (n, 13, 2) pixels, NaN where unlabelled, at least two labelled.

        Returns:
            anchor (n,); its joints in the image (n, 13, 2); the error (n,) as a share of the fitted body's size.
        """
        weight = (~np.isnan(joints2d[..., 0])).astype(np.float32)[:, None, :, None]  # n 1 J 1
        count = weight.sum(2)
        q, a = np.nan_to_num(joints2d)[:, None], self.joints3d[None, ..., :2]
        mean_q, mean_a = (q * weight).sum(2) / count, (a * weight).sum(2) / count
        dq, da = (q - mean_q[:, :, None]) * weight, (a - mean_a[:, :, None]) * weight
        scale = np.clip((dq * da).sum((2, 3)) / np.maximum((da * da).sum((2, 3)), 1e-9), 1e-6, None)
        residual = ((dq - scale[..., None, None] * da) ** 2).sum((2, 3)) / count[..., 0]
        # Pixels over the labelled extent, so that a small fitted scale is not rewarded.
        best = residual.argmin(1)
        rows = np.arange(len(best))
        s = scale[rows, best][:, None, None]
        joints = (self.joints3d[best, :, :2] - mean_a[rows, best][:, None]) * s + mean_q[rows, 0][:, None]
        error = np.sqrt(residual[rows, best]) / np.maximum(s[:, 0, 0], 1e-6)
        return best, joints.astype(np.float32), error.astype(np.float32)


def build_anchors(poses3d: Floats, count: int, seed: int = 0, joints2d: Floats | None = None) -> AnchorPoses:
    """Cluster poses into K anchor-poses.

    Args:
        poses3d: (n, 13, 3) metres, relative to the body centre, as seen straight on (oriented, not rotation-free).
        count: K.
        seed: of the K-means start.
        joints2d: (n, 13, 2) the poses' own 2D in any pixel frame; None projects the 3D orthographically.

    Raises:
        ValueError: fewer poses than anchors, or NaN in the poses.
    """
    from sklearn.cluster import KMeans  # the [train] extra; inference reads anchors from the graph

    if len(poses3d) < count or not np.isfinite(poses3d).all():
        raise ValueError(f"found {len(poses3d)} poses, wanted at least {count} without NaN")
    means = KMeans(count, n_init=4, random_state=seed).fit(poses3d.reshape(len(poses3d), -1))
    projected = poses3d[..., :2] if joints2d is None else joints2d
    bounds = boxes.around(projected, BOX_MARGIN)
    full = np.stack([normalise(projected, bounds)[means.labels_ == k].mean(0) for k in range(count)])
    upper_box = boxes.around(full[:, UPPER_BODY], BOX_MARGIN)
    centres = means.cluster_centers_.reshape(count, len(LCR13), 3)
    doubled = np.concatenate([full, normalise(full, upper_box)])
    return AnchorPoses(centres.astype(np.float32), doubled.astype(np.float32))


def normalise(joints2d: Floats, box: Floats) -> Floats:
    """(..., J, 2) pixels -> box coordinates: 0 at `x1, y1`, 1 at `x2, y2` of the (..., 4) box."""
    size = np.maximum(box[..., 2:] - box[..., :2], 1e-6)
    return np.asarray((joints2d - box[..., None, :2]) / size[..., None, :], dtype=np.float32)


def denormalise(joints2d: Floats, box: Floats) -> Floats:
    """Inverse of `normalise`."""
    size = np.maximum(box[..., 2:] - box[..., :2], 1e-6)
    return np.asarray(joints2d * size[..., None, :] + box[..., None, :2], dtype=np.float32)


def random_views(poses3d: Floats, views: int, rng: np.random.Generator, max_pitch: float = 0.4) -> Floats:
    """Poses seen by cameras that turn around them: (n, 13, 3) -> (n * views, 13, 3).

    Args:
        poses3d: metres, y down.
        views: virtual cameras a pose; yaw is uniform, pitch within +-`max_pitch` radians.
        rng: source of the angles.
    """
    from scipy.spatial.transform import Rotation

    poses = np.repeat(poses3d, views, axis=0)
    angles = np.stack([rng.uniform(-max_pitch, max_pitch, len(poses)), rng.uniform(-np.pi, np.pi, len(poses))], 1)
    return np.einsum("nij,nkj->nki", Rotation.from_euler("XY", angles).as_matrix(), poses).astype(np.float32)
