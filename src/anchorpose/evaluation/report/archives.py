"""The people of the archives with 3D as `Bodies`, by the rules of `evaluation.protocols3d`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.alignment import align
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13, LSP14, MUPOTS17, Skeleton
from anchorpose.evaluation import mupots
from anchorpose.evaluation.pck import box_size
from anchorpose.evaluation.protocols3d import HIPS, TORSO
from anchorpose.evaluation.report.bodies import Bodies, columns, stacked
from anchorpose.evaluation.report.people import Integers, alike
from anchorpose.evaluation.truth3d import Truth3D, centred, common_joints, predictions_of

Array = NDArray[np.floating]
Protocol = Literal["h36m-p1", "h36m-p2", "h36m-p3", "mupots", "3dhp", "3dpw"]
_TOOLKIT = ("mupots", "3dhp")
_FEWEST_JOINTS = 3


def gather_archive(
    protocol: Protocol, truths: Sequence[Truth3D], predictions: Mapping[str, Poses], rescale: bool
) -> Bodies:
    """Everybody of an archive beside their prediction, centred and treated as the protocol does.

    Of Human3.6M and MPI-INF-3DHP the best-scoring prediction is taken, of MuPoTS-3D and 3DPW the one that fits in 2D.
    `h36m-p3` aligns each prediction with the truth (rotation, scale and shift).

    Args:
        protocol: whose rules.
        truths: its pictures, see the protocol's `evaluate_...`.
        predictions: file name -> people.
        rescale: give predicted bones the true lengths; only MuPoTS-3D's and MPI-INF-3DHP's toolkits do.

    Raises:
        InputError: see the protocol's `evaluate_...`.
    """
    poses = predictions_of(truths, predictions)
    names, middle = _joints(protocol, poses)
    pairs = enumerate(zip(truths, poses, strict=True))
    bodies = Bodies(names, **stacked([_picture(protocol, number, truth, own, names) for number, (truth, own) in pairs]))
    exact, found = (centred(joints, names, middle) for joints in (bodies.exact, bodies.found))
    if rescale and protocol in _TOOLKIT:
        found = mupots.rescale_bones(found, exact)
    if protocol == "h36m-p3":
        found = _aligned(found, exact)
    bodies = replace(bodies, exact=exact, found=found)
    if protocol == "mupots":
        bodies = replace(bodies, groups=_videos(truths)[bodies.image])
    return _only(bodies, mupots.COUNTED_JOINTS) if protocol in _TOOLKIT else bodies


def _joints(protocol: Protocol, poses: Sequence[Poses]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The joints to compare, and those whose middle poses are centred on."""
    if protocol in _TOOLKIT:
        common_joints(MUPOTS17.joints, poses, HIPS)
        return MUPOTS17.joints, ("pelvis",)
    if protocol == "3dpw":
        return tuple(common_joints(LSP14.joints, poses, HIPS)), HIPS
    return tuple(common_joints(LCR13.joints, poses, TORSO)), TORSO


def _picture(protocol: Protocol, number: int, truth: Truth3D, poses: Poses,
             names: tuple[str, ...]) -> dict[str, NDArray[Any]]:  # fmt: skip
    wanted = Skeleton("counted", names)
    own = poses.to_skeleton(wanted)
    if protocol in _TOOLKIT:
        exact = mupots.to_mupots17(truth.joints3d, truth.skeleton)
        own = replace(own, joints3d=mupots.to_mupots17(poses.joints3d, poses.skeleton).astype(np.float32))
    else:
        exact = truth.joints(names)
    source = truth.skeleton.map_to(wanted)
    states = np.where(source >= 0, truth.states[:, source], JointState.MISSING).astype(np.uint8)
    row = columns(number, exact, own, _taken(protocol, truth, poses))
    return row | {"states": states, "size": box_size(truth.as_keypoints().boxes)}


def _taken(protocol: Protocol, truth: Truth3D, poses: Poses) -> Integers:
    """(n,) the prediction of each annotated person, or -1."""
    if protocol == "mupots":
        joints, guess = (mupots.to_mupots17(p.joints2d, p.skeleton) for p in (truth, poses))
        return mupots.match_people(guess, joints)
    if protocol == "3dpw":
        guess = poses.to_skeleton(truth.skeleton).joints2d.astype(np.float64)
        return alike(guess, truth.as_keypoints(), truth.skeleton.sigmas)
    best = int(np.nan_to_num(poses.scores, nan=-np.inf).argmax()) if len(poses) else -1
    return np.full(len(truth), best, dtype=np.intp)


def _videos(truths: Sequence[Truth3D]) -> Integers:
    """(pictures,) numbers of their videos."""
    _, numbers = np.unique([truth.sequence or "" for truth in truths], return_inverse=True)
    return np.asarray(numbers, dtype=np.intp)


def _aligned(found: Array, exact: Array) -> Array:
    """(p, J, 3) predictions moved onto the truth as in `pose3d.pa_mpjpe`; NaN with fewer than three joints."""
    present = ~np.isnan(found + exact).any(axis=-1)
    result = np.full(found.shape, np.nan)
    for pattern in np.unique(present, axis=0):
        if pattern.sum() >= _FEWEST_JOINTS:
            rows = np.ix_((present == pattern).all(axis=1), pattern)
            result[rows] = align(found[rows], exact[rows])
    return result


def _only(bodies: Bodies, chosen: Sequence[int]) -> Bodies:
    """Some of the joints."""
    kept = list(chosen)
    return replace(bodies, joints=tuple(bodies.joints[j] for j in kept), exact=bodies.exact[:, kept],
                   found=bodies.found[:, kept], states=bodies.states[:, kept],
                   joint_scores=bodies.joint_scores[:, kept])  # fmt: skip
