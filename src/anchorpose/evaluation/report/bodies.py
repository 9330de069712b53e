"""Everybody whose 3D is known, in one set of arrays, each beside the prediction that is taken for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState, Poses
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.pck import box_size
from anchorpose.evaluation.pck3d import joint_errors
from anchorpose.evaluation.pose3d import mpjpe
from anchorpose.evaluation.protocols import in_order
from anchorpose.evaluation.report.people import Integers, joint_states, rows_taken
from anchorpose.evaluation.scenes import match_scene

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Bodies:
    """The p people with 3D, over the J joints that the protocol counts.

    `exact` and `found` are what the protocol compares: centred, and after whatever it does to predictions (true bone
    lengths, alignment). `found`, `scores` and `joint_scores` are NaN for people who were not found.
    """

    joints: tuple[str, ...]
    image: Integers  # (p,) position of the picture
    exact: Array  # (p, J, 3) metres
    found: Array  # (p, J, 3) metres
    states: NDArray[np.uint8]  # (p, J) of JointState; MISSING where nothing is known
    size: Array  # (p,) pixels, longer side of the person's box; NaN where it cannot be told
    taken: Integers  # (p,) position of the prediction among those of the picture, -1 for people who were not found
    scores: Array  # (p,) of the prediction
    joint_scores: Array  # (p, J)
    groups: Integers  # (p,) figures are means over these, such as MuPoTS-3D's videos; 0 where they are over everybody

    def __len__(self) -> int:
        return len(self.image)

    @property
    def error(self) -> Array:
        """(p, J) millimetres; infinite where not found, NaN without truth."""
        return np.asarray(joint_errors(self.found, self.exact))

    @property
    def mean_error(self) -> Array:
        """(p,) millimetres over the joints (MPJPE); NaN for people who were not found."""
        return np.asarray(mpjpe(self.found, self.exact))

    @property
    def missed(self) -> NDArray[np.bool_]:
        """(p,) people without a prediction of any joint."""
        return np.asarray(np.isnan(self.mean_error))

    def right(self, millimetres: float) -> Array:
        """(p, J) 1 where the error is less than that, 0 where not (also where not found), NaN without truth."""
        return np.asarray(np.where(np.isnan(self.error), np.nan, self.error < millimetres))

    def share_right(self, millimetres: float) -> Array:
        """(p,) mean of `right` over each person's joints; NaN for people without any."""
        right = self.right(millimetres)
        counted = (~np.isnan(right)).sum(axis=1)
        total = np.nansum(right, axis=1)
        return np.asarray(np.divide(total, counted, out=np.full(len(self), np.nan), where=counted > 0))


def gather3d(annotations: Annotations, predictions: Mapping[str, Poses]) -> Bodies:
    """Match everybody with exact 3D as `evaluate_scenes` does, poses relative to the body centre.

    Args:
        annotations: of `load_annotations`.
        predictions: image file name -> its people.

    Raises:
        InputError: an image has no predictions.
    """
    source = annotations.skeleton
    rows: list[dict[str, NDArray[Any]]] = []
    poses = in_order(annotations, predictions)
    for number, (truth, own) in enumerate(zip(annotations.people, poses, strict=True)):
        exact = np.zeros((0, len(source), 3)) if truth.joints3d is None else truth.joints3d
        taken, usable = match_scene(own, truth, source)
        keep = np.flatnonzero(usable)
        rows.append(columns(number, exact[keep], own.to_skeleton(source), taken[keep])
                    | {"states": joint_states(truth)[keep], "size": box_size(truth.boxes[keep])})  # fmt: skip
    return Bodies(source.joints, **stacked(rows))


def columns(number: int, exact: Array, found: Poses, taken: Integers) -> dict[str, NDArray[Any]]:
    """What one picture adds to `Bodies`, but for `states` and `size`, of m people.

    Args:
        number: position of the picture.
        exact: (m, J, 3) metres.
        found: n predictions in the same joints.
        taken: (m,) the prediction of each person, or -1.
    """
    absent = found.joint_states == JointState.MISSING
    joint_scores = np.where(absent, np.nan, found.joint_scores)
    return {
        "image": np.full(len(exact), number, dtype=np.intp), "exact": exact.astype(np.float64),
        "found": rows_taken(found.joints3d, taken), "taken": taken, "scores": rows_taken(found.scores, taken),
        "joint_scores": rows_taken(joint_scores, taken), "groups": np.zeros(len(exact), dtype=np.intp),
    }  # fmt: skip


def stacked(rows: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The columns of all pictures, one below the other."""
    joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    size = joined["size"].astype(np.float64)
    return joined | {"size": np.where(size > 0, size, np.nan)}
