"""Everybody who is annotated and counts, in one set of arrays, each beside the prediction that is taken for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13, LSP14, Skeleton
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.keypoints import Truth, oks, torso_diameter
from anchorpose.evaluation.pck import box_size
from anchorpose.evaluation.protocols import LSP_JOINTS, in_order, shared_joints
from anchorpose.evaluation.scenes import MIN_OKS, best_first

Array = NDArray[np.floating]
Integers = NDArray[np.intp]


@dataclass(frozen=True)
class People:
    """The p annotated people who count, over the J joints that annotations and predictions share.

    `found`, `scores` and `joint_scores` are NaN for people who were not found.
    """

    skeleton: Skeleton
    image: Integers  # (p,) position of the image in the annotations
    truth: Array  # (p, J, 2) pixels, anything where not labelled
    labelled: NDArray[np.bool_]  # (p, J)
    states: NDArray[np.uint8]  # (p, J) of JointState; MISSING where nothing is known
    size: Array  # (p,) pixels, square root of the person's area
    reference: Array  # (p,) pixels that errors are a share of; NaN where it cannot be told
    taken: Integers  # (p,) position of the prediction among those of the image, -1 for people who were not found
    found: Array  # (p, J, 2) pixels
    scores: Array  # (p,) of the prediction
    joint_scores: Array  # (p, J)
    similarity: Array  # (p,) OKS, 0 for people who were not found
    exact: Array  # (p, J, 3) metres relative to the body centre, NaN where unknown

    def __len__(self) -> int:
        return len(self.image)

    @property
    def missed(self) -> NDArray[np.bool_]:
        """(p,) people without a prediction."""
        return self.taken < 0

    @property
    def distance(self) -> Array:
        """(p, J) pixels from labelled joints; NaN where not labelled or not found."""
        return np.asarray(np.where(self.labelled, np.linalg.norm(self.found - self.truth, axis=-1), np.nan))

    @property
    def error(self) -> Array:
        """(p, J) `distance` as a share of the reference; NaN also where that cannot be told."""
        return np.asarray(self.distance / np.where(self.reference > 0, self.reference, np.nan)[:, None])

    def right(self, threshold: float) -> NDArray[np.bool_]:
        """(p, J) joints within `threshold` of the reference, by the same comparison as `keypoints.pck`."""
        usable = self.reference > 0
        # NaN compares as False, so missing joints are wrong.
        within = self.distance <= threshold * np.where(usable, self.reference, 0.0)[:, None]
        return np.asarray(within & usable[:, None])


def others_unlabelled(annotations: Annotations) -> bool:
    """Whether only one person a photograph is labelled and the others are not, as in Leeds Sports Pose."""
    return annotations.skeleton.joints == LSP14.joints


def shared_skeleton(annotations: Annotations, predictions: Mapping[str, Poses]) -> Skeleton:
    """The joints both sides have, in the annotations' order; in LSP the 13 that `evaluate_lsp` counts."""
    source = annotations.skeleton
    joints = tuple(shared_joints(source, in_order(annotations, predictions)))
    if others_unlabelled(annotations):
        joints = tuple(j for j in joints if j in LSP_JOINTS)
    parents = source.parents or LCR13.parents  # files name joints only, of which not every set is known
    return Skeleton("shared", joints, {j: p for j, p in parents.items() if {j, p} <= set(joints)})


def alike(joints: Array, truth: Truth, sigmas: Array) -> Integers:
    """(n, J, 2) -> (m,) by the rule of `evaluate_scenes`: the most similar pair first, OKS at least `MIN_OKS`."""
    return best_first(np.where(truth.ignore, 0.0, oks(joints, truth, sigmas)), MIN_OKS)


def most_overlapping(joints: Array, truth: Truth) -> Integers:
    """(n, J, 2) -> (m,) by the rule of `evaluate_lsp`: the prediction whose labelled joints' box overlaps most."""
    taken = np.full(len(truth), -1, dtype=np.intp)
    for k in np.flatnonzero(~truth.ignore) if len(joints) else ():
        labelled = truth.visible[k][:, None]
        own = boxes.around(np.where(labelled, truth.joints[k], np.nan)[None])
        overlap = np.nan_to_num(boxes.iou(own, boxes.around(np.where(labelled, joints, np.nan)))[0], nan=0.0)
        if overlap.max() > 0:
            taken[k] = overlap.argmax()
    return taken


def gather(annotations: Annotations, predictions: Mapping[str, Poses]) -> People:
    """Match everybody in 2D.

    Where everybody is labelled people are matched as in `evaluate_scenes` and errors are shares of the longer side of
    the annotated box; where only one person a photograph is (`others_unlabelled`), as in `evaluate_lsp`, and errors are
    shares of the torso.

    Args:
        annotations: of `load_annotations`.
        predictions: image file name -> its people.

    Raises:
        InputError: an image has no predictions, or the two share no joint.
    """
    poses = in_order(annotations, predictions)
    source, shared = annotations.skeleton, shared_skeleton(annotations, predictions)
    chosen = np.array(source.indices(*shared.joints), dtype=np.intp)
    rows = []
    for number, (everyone, found) in enumerate(zip(annotations.people, poses, strict=True)):
        truth = everyone.only(chosen)
        joints = found.to_skeleton(source).joints2d.astype(np.float64)
        if others_unlabelled(annotations):
            taken = most_overlapping(joints, truth)
        else:
            taken = alike(joints, truth, source.sigmas)
        rows.append(_pick(number, truth, found.to_skeleton(source), taken, chosen, source.sigmas))
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    reference = _reference(columns.pop("full"), columns.pop("seen"), columns.pop("boxes"), annotations)
    return People(shared, reference=reference, **columns)


def joint_states(truth: Truth) -> NDArray[np.uint8]:
    """(m, J) of JointState; MISSING where the annotations do not say."""
    return np.full(truth.visible.shape, JointState.MISSING, np.uint8) if truth.states is None else truth.states


def rows_taken(values: NDArray[np.floating], taken: Integers) -> Array:
    """Row `taken[k]` of the predictions for each person k, NaN where that is -1."""
    picked = np.full((len(taken), *values.shape[1:]), np.nan)
    picked[taken >= 0] = values[taken[taken >= 0]]
    return picked


def _pick(
    number: int,
    truth: Truth,
    found: Poses,
    taken: Integers,
    chosen: Integers,
    sigmas: Array,
) -> dict[str, NDArray[Any]]:
    """The columns of one image's people who count."""
    keep = ~truth.ignore
    joints = rows_taken(found.joints2d, taken)
    similarity = np.zeros(len(truth))
    for k in np.flatnonzero(taken >= 0):
        similarity[k] = oks(joints[k : k + 1], truth, sigmas)[0, k]
    exact = np.full((*truth.visible.shape, 3), np.nan) if truth.joints3d is None else truth.joints3d
    return {
        "image": np.full(keep.sum(), number, dtype=np.intp), "truth": truth.joints[keep][:, chosen],
        "labelled": truth.visible[keep][:, chosen], "states": joint_states(truth)[keep][:, chosen],
        "size": np.sqrt(np.maximum(truth.areas[keep], 0)), "found": joints[keep][:, chosen],
        "scores": rows_taken(found.scores, taken)[keep],
        "joint_scores": rows_taken(found.joint_scores, taken)[keep][:, chosen], "similarity": similarity[keep],
        "exact": exact[keep][:, chosen],
        "taken": taken[keep], "full": truth.joints[keep], "seen": truth.visible[keep],
        "boxes": truth.boxes[keep],
    }  # fmt: skip


def _reference(joints: Array, visible: NDArray[np.bool_], sides: Array, annotations: Annotations) -> Array:
    if others_unlabelled(annotations):
        return np.asarray(torso_diameter(joints, visible, annotations.skeleton))
    return np.asarray(box_size(sides))
