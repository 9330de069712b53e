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


def _matched(poses: Poses, truth: Truth, skeleton: Skeleton) -> tuple[Array, Array]:
    """(m, J, 3) predicted, NaN where a person was not found, and (m, J, 3) exact, of the m people with 3D."""
    exact = np.zeros((0, len(skeleton), 3)) if truth.joints3d is None else truth.joints3d
    if not len(exact):
        return exact, exact
    own = poses.to_skeleton(skeleton)
    similarity = oks(own.joints2d, truth, skeleton.sigmas)
    usable = ~truth.ignore & np.isfinite(exact).all(axis=(1, 2))
    similarity = np.where(usable, similarity, 0.0)
    found = np.full(exact.shape, np.nan)
    while similarity.size and similarity.max() >= MIN_OKS:
        i, k = np.unravel_index(similarity.argmax(), similarity.shape)
        found[k] = own.joints3d[i]
        similarity[i], similarity[:, k] = 0.0, 0.0
    return found[usable], exact[usable]
