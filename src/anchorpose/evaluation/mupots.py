"""MuPoTS-3D (Mehta et al., 3DV 2018): 3DPCK of several people, with the toolkit's matching and rescaling of bones.

The toolkit's rules: people of 2D and 3D are matched by 2D alone, extra predictions cost nothing, every predicted bone
takes the true bone's length, both are centred on the pelvis, and the figures are means over the 20 sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import MUPOTS17, Skeleton
from anchorpose.evaluation.pck3d import Pck3d, joint_errors, pck3d_of_errors
from anchorpose.evaluation.pose3d import average

Array = NDArray[np.floating]

MATCH_PIXELS = 40.0
MATCHED_JOINTS = MUPOTS17.indices(*MUPOTS17.joints[1:14])
"""The joints of the 2D matching: neck and limbs, without head top, pelvis, spine and head."""
COUNTED_JOINTS = MUPOTS17.indices(*MUPOTS17.joints[:14])
"""The joints of the 3DPCK."""
_ROOT = MUPOTS17.index("pelvis")
# The toolkit hangs the head top on the neck, not on the head.
_PARENTS: Mapping[str, str] = {**MUPOTS17.parents, "head_top": "neck"}

_MIDDLES = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder"),
            "spine": ("pelvis", "neck"), "head": ("neck", "head_top")}  # fmt: skip


@dataclass(frozen=True)
class MupotsFrame:
    """One picture: m people whose annotation is valid, n predictions, in the joints of `MUPOTS17`."""

    truth2d: Array  # (m, 17, 2) pixels
    truth3d: Array  # (m, 17, 3) metres; the toolkit's figures use `univ_annot3`
    pred2d: Array  # (n, 17, 2) pixels, NaN where missing
    pred3d: Array  # (n, 17, 3) metres in any frame with the camera's axes
    counted: NDArray[np.bool_] | None = None  # (m, 17) joints that count, for instance the hidden ones; None: all


@dataclass(frozen=True)
class MupotsFigures:
    """The table: means over sequences, shares of 0 to 1. NaN where nothing is counted."""

    pck_all: float  # joints of people who were not found are wrong
    pck_matched: float  # people who were found
    auc_all: float
    auc_matched: float
    mpjpe_matched: float  # millimetres, over the 14 joints, bones rescaled too
    found: float  # share of the people of all sequences
    sequences: dict[str, tuple[Pck3d, Pck3d]]  # name -> all, matched; `per_joint` in the order of `COUNTED_JOINTS`


def evaluate_mupots(sequences: Mapping[str, Iterable[MupotsFrame]], rescale: bool = True) -> MupotsFigures:
    """The figures 'all' and 'matched' of MuPoTS-3D.

    Args:
        sequences: name (TS1, ..., TS20) -> its frames.
        rescale: give predicted bones the true lengths, as the toolkit does. Without, predictions need a size of their
            own.
    """
    figures: dict[str, tuple[Pck3d, Pck3d]] = {}
    mpjpes, found, people = [], 0, 0
    for name, frames in sequences.items():
        parts = [frame_errors(frame, rescale) for frame in frames]
        errors = np.concatenate([np.zeros((0, len(COUNTED_JOINTS))), *(e for e, _ in parts)])
        matched = np.concatenate([np.zeros(0, dtype=bool), *(m for _, m in parts)])
        figures[name] = (pck3d_of_errors(errors), pck3d_of_errors(errors[matched]))
        finite = np.isfinite(errors[matched])
        if finite.any():
            mpjpes.append(float(errors[matched][finite].mean()))
        found, people = found + int(matched.sum()), people + len(matched)
    pck, auc = ([average(np.array([getattr(pair[i], name) for pair in figures.values()])) for i in (0, 1)]
                for name in ("pck", "auc"))  # fmt: skip
    return MupotsFigures(pck[0], pck[1], auc[0], auc[1], average(np.array(mpjpes)),
                         found / people if people else float("nan"), figures)  # fmt: skip


def frame_errors(frame: MupotsFrame, rescale: bool = True) -> tuple[Array, NDArray[np.bool_]]:
    """(m, 14) millimetres of the `COUNTED_JOINTS`, infinite where not found, and (m,) people who were found."""
    match = match_people(frame.pred2d, frame.truth2d)
    found = match >= 0
    truth = frame.truth3d - frame.truth3d[:, [_ROOT]]
    pred = np.full(truth.shape, np.nan)
    pred[found] = frame.pred3d[match[found]]
    pred -= pred[:, [_ROOT]]
    errors = joint_errors(rescale_bones(pred, truth) if rescale else pred, truth)
    if frame.counted is not None:
        errors[~frame.counted] = np.nan
    return errors[:, COUNTED_JOINTS], found


def to_mupots17(joints: Array, skeleton: Skeleton) -> Array:
    """(..., J, d) joints of another skeleton -> (..., 17, d) in the order of `MUPOTS17`, by name.

    Pelvis and neck that the skeleton lacks are the middle of the hips and shoulders (the toolkit's advice); a spine is
    then the middle of the two, and a head that of neck and head top. Whatever else it lacks is NaN.
    """
    source = skeleton.map_to(MUPOTS17)
    result = np.array(joints[..., source, :], dtype=np.float64)
    result[..., source < 0, :] = np.nan
    for joint, (a, b) in _MIDDLES.items():
        if joint not in skeleton.joints:
            result[..., MUPOTS17.index(joint), :] = result[..., MUPOTS17.indices(a, b), :].mean(axis=-2)
    return result


def match_people(pred2d: Array, truth2d: Array, pixels: float = MATCH_PIXELS) -> NDArray[np.intp]:
    """The toolkit's matching: annotated people in their order take the free prediction with the most joints that are
    less than `pixels` away in x and in y (the first on a tie), if there is any.

    Args:
        pred2d: (n, 17, 2) pixels, NaN where missing.
        truth2d: (m, 17, 2) pixels.

    Returns:
        (m,) the prediction of each person, or -1.
    """
    away = np.abs(truth2d[:, None, MATCHED_JOINTS] - pred2d[:, MATCHED_JOINTS])
    alike = (away < pixels).all(axis=-1).sum(axis=-1)  # (m, n)
    result = np.full(len(truth2d), -1, dtype=np.intp)
    for person in range(len(truth2d) if len(pred2d) else 0):
        best = int(alike[person].argmax())
        if alike[person, best] > 0:
            result[person] = best
            alike[:, best] = 0
    return result


def rescale_bones(pred: Array, truth: Array) -> Array:
    """The prediction with the true lengths of all bones, from the pelvis outward; directions and the pelvis stay.

    Args:
        pred, truth: (..., 17, 3) metres.

    Returns:
        (..., 17, 3) metres; NaN behind a missing joint and where a predicted bone has no length.
    """
    result = np.array(pred, dtype=np.float64)
    for joint, parent in _outward():
        bone = pred[..., joint, :].astype(np.float64) - pred[..., parent, :]
        length = np.linalg.norm(truth[..., joint, :] - truth[..., parent, :], axis=-1)
        own = np.linalg.norm(bone, axis=-1)
        factor = np.divide(length, own, out=np.full(own.shape, np.nan), where=own > 0)
        result[..., joint, :] = result[..., parent, :] + bone * factor[..., None]
    return result


def _outward() -> Sequence[tuple[int, int]]:
    """(joint, parent) with parents first."""
    order = ["pelvis"]
    for joint in order:  # grows as it is walked
        order += [child for child, parent in _PARENTS.items() if parent == joint]
    return [(MUPOTS17.index(joint), MUPOTS17.index(_PARENTS[joint])) for joint in order[1:]]
