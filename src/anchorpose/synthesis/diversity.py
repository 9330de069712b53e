"""How diverse a set of 3D poses is: spread, clusters, joint angles, and what the bodies do."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from anchorpose.core.skeleton import LCR13

Floats = NDArray[np.float32]
POSTURES = ("standing", "bent over", "sitting or squatting", "lying or level", "upside down")
CLUSTERS = 20
_SAMPLE = 20_000
_PERCENTILES = (5, 50, 95)
_SIDEWAYS = 0.3
_DOWN = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Diversity:
    """Figures on n poses; distances are mean joint distances in metres with the yaw removed.

    Args:
        poses: n.
        clips: clips that they come from.
        nearest: mean distance of a pose to the one nearest to it.
        spread: mean distance to the mean pose.
        clusters: effective number of 20 K-means clusters: exp of the entropy of their shares, 1 to 20.
        angles: name -> 5th, 50th and 95th percentile, degrees; both sides together. Elbow and knee: 0 is straight.
            Hip and shoulder: 0 is the limb along the torso downwards. Torso: 0 is upright.
        postures: name of `POSTURES` -> share, together 1.
    """

    poses: int
    clips: int
    nearest: float
    spread: float
    clusters: float
    angles: Mapping[str, tuple[float, float, float]]
    postures: Mapping[str, float]

    def lines(self) -> list[str]:
        """The figures as plain text."""
        low, middle, high = _PERCENTILES
        return [
            f"poses                {self.poses} from {self.clips} clips",
            f"nearest neighbour    {self.nearest * 1000:.0f} mm on average (mean joint distance, yaw removed)",
            f"spread               {self.spread * 1000:.0f} mm from the mean pose",
            f"effective clusters   {self.clusters:.1f} of {CLUSTERS}",
            *(
                f"{name:<20} {a:.0f}, {b:.0f}, {c:.0f} degrees ({low}th, {middle}th, {high}th percentile)"
                for name, (a, b, c) in self.angles.items()
            ),
            *(f"{name:<20} {share * 100:.1f} %" for name, share in self.postures.items()),
        ]


def without_yaw(poses: Floats) -> Floats:
    """(n, 13, 3) poses turned about the vertical so that all face the same way (towards -z, right hand at -x).

    The heading is that of the line from left to right through hips and shoulders; where that is near the vertical
    (lying on a side), that of the chest.
    """
    lateral, _, forward = _torso_axes(poses)
    sideways = np.hypot(lateral[:, 0], lateral[:, 2]) > _SIDEWAYS
    # the right hand belongs at -x and the chest at -z: a quarter turn between the two
    across = np.where(sideways[:, None], lateral, np.stack([forward[:, 2], forward[:, 1], -forward[:, 0]], 1))
    yaw = np.arctan2(across[:, 2], -across[:, 0])
    c, s = np.cos(yaw), np.sin(yaw)
    x, z = poses[..., 0], poses[..., 2]
    out = np.array(poses, dtype=np.float32)
    out[..., 0], out[..., 2] = c[:, None] * x - s[:, None] * z, s[:, None] * x + c[:, None] * z
    return out


def measure_diversity(poses: Floats, source_index: NDArray[np.int32], seed: int = 0) -> Diversity:
    """Figures on a set of poses; large sets are sampled for the neighbours and the clusters.

    Args:
        poses: (n, 13, 3) metres relative to the body centre, y down; n at least 1.
        source_index: (n,) each pose's clip.
        seed: of the sample and the K-means.
    """
    rng = np.random.default_rng(seed)
    still = without_yaw(poses)
    sample = still[rng.permutation(len(still))[:_SAMPLE]]
    spread = np.linalg.norm(still - still.mean(0), axis=-1).mean()
    shares = _postures(poses)
    return Diversity(
        len(poses), len(np.unique(source_index)), _nearest(still, rng), float(spread), _clusters(sample, rng),
        joint_angles(poses), {name: float((shares == i).mean()) for i, name in enumerate(POSTURES)},
    )  # fmt: skip


def joint_angles(poses: Floats) -> dict[str, tuple[float, float, float]]:
    """Percentiles of joint angles, degrees; see `Diversity`."""
    _, up, _ = _torso_axes(poses)
    found = {}
    for name, ends in {"elbow": ("shoulder", "elbow", "wrist"), "knee": ("hip", "knee", "ankle")}.items():
        a, b, c = (_both(poses, joint) for joint in ends)
        found[name] = _angle(b - a, c - b)
    for name, end in {"shoulder": "elbow", "hip": "knee"}.items():
        found[name] = _angle(_both(poses, end) - _both(poses, name), np.concatenate([-up, -up]))
    found["torso tilt"] = _angle(up, np.broadcast_to(-_DOWN, up.shape))
    tables = {name: np.percentile(angles, _PERCENTILES) for name, angles in found.items()}
    return {name: (float(a), float(b), float(c)) for name, (a, b, c) in tables.items()}


def _postures(poses: Floats) -> NDArray[np.intp]:
    """(n,) index into `POSTURES`: the torso's tilt from upright, then where knees and ankles are.

    Above 120 degrees: upside down. Above 60: bent over if the ankles are well under the hips and the thighs hang, else
    lying or level (crawling, hanging, leaning far). Below 60: sitting or squatting if the thighs are raised, else
    standing. Where the ground is, nobody knows.
    """
    _, up, _ = _torso_axes(poses)
    tilt = _angle(up, np.broadcast_to(-_DOWN, up.shape))
    hip, knee, ankle = (_both(poses, name).reshape(2, -1, 3) for name in ("hip", "knee", "ankle"))
    thigh, leg = (np.linalg.norm(end - hip, axis=-1).mean(0) for end in (knee, ankle))
    under = (ankle - hip)[..., 1].mean(0) > 0.6 * leg
    folded = (knee - hip)[..., 1].mean(0) < 0.5 * thigh
    conditions = [tilt > 120, (tilt > 60) & under & ~folded, tilt > 60, folded]
    found = np.select(conditions, [POSTURES.index(n) for n in ("upside down", "bent over", "lying or level")] + [2], 0)
    return np.asarray(found, dtype=np.intp)


def _torso_axes(poses: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(n, 3) unit vectors from left to right, from hips to shoulders, and out of the chest."""
    p = poses.astype(np.float64)
    left, right = (p[:, LCR13.indices(f"{side}_hip", f"{side}_shoulder")].sum(1) for side in ("left", "right"))
    shoulders, hips = (p[:, LCR13.indices(f"left_{end}", f"right_{end}")].mean(1) for end in ("shoulder", "hip"))
    lateral, up = _unit(right - left), _unit(shoulders - hips)
    return lateral, up, _unit(np.cross(up, lateral))  # y is down: up x right is forward


def _both(poses: Floats, name: str) -> NDArray[np.float64]:
    """(2n, 3) the left joints, then the right ones."""
    left, right = LCR13.indices(f"left_{name}", f"right_{name}")
    return np.concatenate([poses[:, left], poses[:, right]]).astype(np.float64)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) degrees between vectors."""
    return np.asarray(np.degrees(np.arccos(np.clip((_unit(a) * _unit(b)).sum(-1), -1, 1))))


def _nearest(still: Floats, rng: np.random.Generator, queries: int = 500, candidates: int = 30) -> float:
    """Mean distance to the nearest other pose, sought among those that are nearest in the root mean square."""
    if len(still) < 2:
        return 0.0
    asked = rng.permutation(len(still))[:queries]
    flat = still.reshape(len(still), -1)
    _, found = cKDTree(flat).query(flat[asked], k=min(candidates + 1, len(still)))
    apart = np.linalg.norm(still[found] - still[asked][:, None], axis=-1).mean(-1)
    apart[found == asked[:, None]] = np.inf
    return float(apart.min(1).mean())


def _clusters(sample: Floats, rng: np.random.Generator) -> float:
    count = min(CLUSTERS, len(sample))
    if count < 2:
        return 1.0
    flat = sample.reshape(len(sample), -1).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster is what low diversity looks like
        _, labels = kmeans2(flat, flat[rng.permutation(len(flat))[:count]], iter=20, minit="matrix")
    shares = np.bincount(labels, minlength=count) / len(labels)
    return float(np.exp(-(shares * np.log(np.maximum(shares, 1e-12))).sum()))
