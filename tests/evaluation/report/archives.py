"""Archives with 3D and predictions that are off, lack people and have people too many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import H36M32, LCR13, LSP14, MUPOTS17
from anchorpose.evaluation.protocols import Table
from anchorpose.evaluation.protocols3d import ACTIVITIES, evaluate_3dhp, evaluate_3dpw, evaluate_h36m, evaluate_mupots
from anchorpose.evaluation.truth3d import Truth3D
from tests.evaluation.people3d import found, nobody, picture

PROTOCOLS = ("h36m-p1", "h36m-p2", "h36m-p3", "mupots", "3dhp", "3dpw")
Case = tuple[list[Truth3D], dict[str, Poses]]


def archive(protocol: str, pictures: int = 24, noise: float = 0.08, seed: int = 0, everybody: bool = False) -> Case:
    """Pictures, some people hidden in part; some people are not found unless `everybody`, and some are found twice.

    Args:
        noise: metres of the joints of the worst person.
    """
    rng = np.random.default_rng(seed)
    many = protocol in ("mupots", "3dpw")
    skeleton = H36M32 if protocol.startswith("h36m") else LSP14 if protocol == "3dpw" else MUPOTS17
    truths, predictions = [], {}
    for i in range(pictures):
        fields: dict[str, Any] = {
            "sequence": f"TS{1 + i % 3}",
            "frame": i // 3,
            "activity": ACTIVITIES[i % 4] if protocol == "3dhp" else ("Walking", "Eating")[i % 2],
        }
        truth = picture(f"TS{1 + i % 3}/{i}.jpg", skeleton, 1 + i % 3 if many else 1, seed + i, **fields)
        truth.joints3d[:] += rng.normal(0, 0.05, truth.joints3d.shape)
        if protocol == "mupots":
            truth.states[rng.random(truth.states.shape) < 0.3] = JointState.HIDDEN
        truths.append(truth)
        predictions[truth.file_name] = _guess(rng, truth, noise, everybody)
    return truths, predictions


def _guess(rng: np.random.Generator, truth: Truth3D, noise: float, everybody: bool) -> Poses:
    keep = np.flatnonzero(everybody | (rng.random(len(truth)) > 0.2))
    if not len(keep):
        return nobody(LCR13)
    chosen = np.concatenate([keep, keep[:1]])  # the first of them twice
    level = rng.uniform(0, noise, len(chosen))
    joints = truth.joints3d[chosen] + rng.normal(0, 1, truth.joints3d[chosen].shape) * level[:, None, None]
    pixels = truth.joints2d[chosen] + rng.normal(0, 4, truth.joints2d[chosen].shape)
    poses = found(joints, truth.skeleton, pixels, rng.random(len(chosen))).to_skeleton(LCR13)
    poses = replace(poses, joint_scores=rng.random(poses.joint_scores.shape).astype(np.float32))
    return poses[np.argsort(-poses.scores)]


def figures(protocol: str, truths: list[Truth3D], predictions: dict[str, Poses], rescale: bool = False) -> Table:
    """What the command prints."""
    if protocol == "mupots":
        return evaluate_mupots(truths, predictions)
    if protocol == "3dhp":
        return evaluate_3dhp(truths, predictions, rescale)
    if protocol == "3dpw":
        return evaluate_3dpw(truths, predictions)
    return evaluate_h36m(truths, predictions, protocol.removeprefix("h36m-"))  # type: ignore[arg-type]
