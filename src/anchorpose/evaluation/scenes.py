"""3D figures on photographs of several people whose 3D is exact, as `anchorpose synthesize render` makes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.keypoints import Truth, oks
from anchorpose.evaluation.pck3d import pck3d
from anchorpose.evaluation.pose3d import average, mpjpe, pa_mpjpe
from anchorpose.evaluation.protocols import Table, in_order, plain

Array = NDArray[np.floating]
MIN_OKS = 0.1
"""A prediction less similar to a person in 2D is of somebody else."""


def evaluate_scenes(annotations: Annotations, predictions: Mapping[str, Poses]) -> Table:
    """MPJPE, PA-MPJPE and 3DPCK over people, matched to predictions by 2D alone.

    Each annotated person takes, best similarity first, the free prediction with the greatest OKS of at least `MIN_OKS`
    over its labelled joints; predictions left over are not counted. Poses are relative to the body centre on both
    sides (LCR-Net section 5); a person's size is not given away. `3DPCK` is the share of joints within 150 mm; in
    `3DPCK_all` joints of people who were not found are wrong (as in MuPoTS-3D's two figures).

    Args:
        annotations: of `load_annotations`, with `joints3d`.
        predictions: image file name -> its people.

    Raises:
        InputError: nobody has 3D, or an image has no entry in `predictions`.
    """
    poses = in_order(annotations, predictions)
    pairs = [_matched(p, t, annotations.skeleton) for p, t in zip(poses, annotations.people, strict=True)]
    truth = np.concatenate([t for _, t in pairs])
    if not len(truth):
        raise InputError("the annotations hold nobody with 3D in their own joints; give synthesised scenes")
    found = np.concatenate([p for p, _ in pairs])
    missed = np.isnan(found).all(axis=(1, 2))
    return {
        "images": len(poses), "people": len(truth), "found": int((~missed).sum()),
        "MPJPE": plain(average(mpjpe(found, truth))), "PA-MPJPE": plain(average(pa_mpjpe(found, truth))),
        "3DPCK": plain(pck3d(found[~missed], truth[~missed]).pck), "3DPCK_all": plain(pck3d(found, truth).pck),
    }  # fmt: skip


def best_first(similarity: Array, least: float) -> NDArray[np.intp]:
    """Pairs of predictions and people, most similar first; nobody is taken twice.

    Args:
        similarity: (n, m) of n predictions with m people.
        least: similarity below which two are not paired; greater than 0.

    Returns:
        (m,) the prediction of each person, or -1.
    """
    left = np.array(similarity, dtype=np.float64)
    result = np.full(left.shape[1], -1, dtype=np.intp)
    while left.size and left.max() >= least:
        i, k = np.unravel_index(left.argmax(), left.shape)
        result[k] = i
        left[i], left[:, k] = 0.0, 0.0
    return result


def match_scene(poses: Poses, truth: Truth, skeleton: Skeleton) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(m,) the prediction of each annotated person, or -1, and (m,) who has exact 3D and is measured at all.

    Args:
        poses: n predictions, in any joints. truth: m people in the joints of `skeleton`, with `joints3d`.
    """
    exact = truth.joints3d
    if exact is None or not len(exact):
        return np.full(len(truth), -1, dtype=np.intp), np.zeros(len(truth), dtype=bool)
    similarity = oks(poses.to_skeleton(skeleton).joints2d, truth, skeleton.sigmas)
    usable = ~truth.ignore & np.isfinite(exact).all(axis=(1, 2))
    return best_first(np.where(usable, similarity, 0.0), MIN_OKS), usable


def _matched(poses: Poses, truth: Truth, skeleton: Skeleton) -> tuple[Array, Array]:
    """(m, J, 3) predicted, NaN where a person was not found, and (m, J, 3) exact, of the m people with 3D."""
    if truth.joints3d is None:
        return np.zeros((0, len(skeleton), 3)), np.zeros((0, len(skeleton), 3))
    match, usable = match_scene(poses, truth, skeleton)
    found = np.full(truth.joints3d.shape, np.nan)
    found[match >= 0] = poses.to_skeleton(skeleton).joints3d[match[match >= 0]]
    return found[usable], truth.joints3d[usable]
