"""The 3D protocols of the papers, from annotated pictures and predictions to the figures of the published tables.

A figure of everything has its name alone (`MPJPE`), one of a row of the published table has the row's name behind it
(`MPJPE Directions`). Errors are in millimetres, 3DPCK and AUC in per cent, as the field prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13, LSP14, MUPOTS17
from anchorpose.evaluation import mupots
from anchorpose.evaluation.pck3d import joint_errors, pck3d_of_errors
from anchorpose.evaluation.pose3d import average, mpjpe, pa_mpjpe
from anchorpose.evaluation.protocols import Table, plain
from anchorpose.evaluation.rendered import evaluate_rendered as evaluate_rendered
from anchorpose.evaluation.rigid import rigid_mpjpe
from anchorpose.evaluation.truth3d import Truth3D as Truth3D
from anchorpose.evaluation.truth3d import (
    best_scoring,
    best_scoring2d,
    centred,
    common_joints,
    overlapping,
    predictions_of,
)
from anchorpose.evaluation.video3d import acceleration_error

Array = NDArray[np.floating]

TORSO = ("right_hip", "left_hip", "right_shoulder", "left_shoulder")
HIPS = ("right_hip", "left_hip")
H36M17 = ("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "neck",
          "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
          "right_wrist")  # fmt: skip
"""The 17 of Human3.6M's 32 joints that most papers measure."""
SIX_ACTIONS = ("Discussion", "Eating", "Greeting", "TakingPhoto", "Walking", "WalkingDog")
"""On which Li et al. (ACCV 2014, ICCV 2015) and those who follow them test; LCR-Net's figure for "6 actions"."""
ACTIVITIES = ("Stand/Walk", "Exercise", "Sit on Chair", "Reach/Crouch", "On Floor", "Sports", "Misc.")
"""Of MPI-INF-3DHP's test set, by their number from 1."""
SCENES = {"TS1": "Studio GS", "TS2": "Studio GS", "TS3": "Studio no GS", "TS4": "Studio no GS", "TS5": "Outdoor",
          "TS6": "Outdoor"}  # fmt: skip
"""Of MPI-INF-3DHP's test videos: studio with and without a green screen, and outdoors."""


def evaluate_h36m(
    truths: Sequence[Truth3D], predictions: Mapping[str, Poses], protocol: Literal["p1", "p2", "p3"]
) -> Table:
    """Human3.6M by LCR-Net's section 4.1: error over 13 joints, poses relative to the body centre, for each action.

    P1 and P2 have `MPJPE` (Abs.) and the error after alignment (Align.), P3 only the latter. The paper says "rigid
    transformation" without saying whether that scales: `PA-MPJPE` does, `rigid MPJPE` does not. Nothing is told about
    where the person is; of several predictions the one with the best score counts. The figure without a name behind it
    is the mean over pictures, `mean of actions` the mean of the actions' means, `mean of 6 actions` that of
    `SIX_ACTIONS`. `2D error` is in pixels, the mean over all joints (the paper's table 4). Pictures in which nobody was
    found have no error, so look at `found`. Where the predictions lack some of the 13 joints, `joints` says how many
    are left; where they have all 17 of `H36M17`, the same figures `of 17 joints` (relative to the pelvis) follow.

    Args:
        truths: one person a picture, with `activity`: `datasets.truth3d.h36m_truths` gives those of a protocol.
        predictions: file name -> people.
        protocol: which of them the pictures are of.

    Raises:
        InputError: a picture has not one person or no prediction, or the predictions lack hips or shoulders.
    """
    poses = predictions_of(truths, predictions)
    joints = common_joints(LCR13.joints, poses, TORSO)
    figures = _h36m_errors(truths, poses, joints, TORSO, absolute=protocol != "p3")
    found = int(np.isfinite(figures["PA-MPJPE"]).sum())
    table: Table = {"pictures": len(truths), "found": found, "joints": len(joints)}
    actions = [truth.activity for truth in truths]
    order = sorted({action for action in actions if action}, key=str.casefold)  # which is the order of the paper
    for name, errors in figures.items():
        rows = _rows(errors, actions, order)
        table[name] = plain(average(errors))
        table[f"{name} mean of actions"] = plain(average(np.array(list(rows.values()), dtype=np.float64)))
        table |= {f"{name} {action}": plain(value) for action, value in rows.items()}
        if set(SIX_ACTIONS) <= set(rows):
            table[f"{name} mean of 6 actions"] = plain(average(np.array([rows[action] for action in SIX_ACTIONS])))
    table["2D error"] = plain(_pixels(truths, poses, joints))
    if found and all(set(H36M17) <= set(p.skeleton.joints) for p in poses if len(p)):
        whole = _h36m_errors(truths, poses, H36M17, ("pelvis",), absolute=protocol != "p3")
        table |= {f"{name} of 17 joints": plain(average(errors)) for name, errors in whole.items()}
    return table


def _h36m_errors(
    truths: Sequence[Truth3D], poses: Sequence[Poses], joints: Sequence[str], middle: Sequence[str], absolute: bool
) -> dict[str, Array]:
    """Name of a figure -> (pictures,) millimetres."""
    truth = centred(np.stack([_only(t).joints(joints)[0] for t in truths]), joints, middle)
    found = centred(np.stack([best_scoring(p, joints) for p in poses]), joints, middle)
    aligned = {"PA-MPJPE": pa_mpjpe(found, truth), "rigid MPJPE": rigid_mpjpe(found, truth)}
    return {"MPJPE": mpjpe(found, truth), **aligned} if absolute else aligned


def _pixels(truths: Sequence[Truth3D], poses: Sequence[Poses], joints: Sequence[str]) -> float:
    """Mean distance in pixels of the joints that both sides have."""
    truth = np.stack([t.joints2d[0, t.skeleton.indices(*joints)] for t in truths])
    return average(np.linalg.norm(np.stack([best_scoring2d(p, joints) for p in poses]) - truth, axis=-1).ravel())


def evaluate_mupots(truths: Sequence[Truth3D], predictions: Mapping[str, Poses], rescale: bool = True) -> Table:
    """MuPoTS-3D by its toolkit (see `evaluation.mupots`): 3DPCK and AUC, all and matched, for each video.

    `detected` is the share of people found, in per cent. `3DPCK all visible` and `hidden` count only the joints that
    the data set labels so. The means are over the videos that are there.

    Args:
        truths: with `sequence`, in the joints of MUPOTS17: `datasets.truth3d.mupots_truths`.
        predictions: file name -> people.
        rescale: see `mupots.evaluate_mupots`.

    Raises:
        InputError: a picture has no prediction or no sequence, or the predictions lack hips.
    """
    poses = predictions_of(truths, predictions)
    common_joints(MUPOTS17.joints, poses, HIPS)
    pairs = list(zip(truths, poses, strict=True))
    names = list(dict.fromkeys(_sequence(truth) for truth in truths))

    def figures(*states: JointState) -> mupots.MupotsFigures:
        frames = {name: [_mupots_frame(t, p, states) for t, p in pairs if t.sequence == name] for name in names}
        return mupots.evaluate_mupots(frames, rescale)

    result = figures()
    people = sum(len(truth) for truth in truths)
    table: Table = {"pictures": len(truths), "people": people, "detected": _percent(result.found)}
    table |= {"3DPCK all": _percent(result.pck_all), "3DPCK matched": _percent(result.pck_matched),
              "AUC all": _percent(result.auc_all), "AUC matched": _percent(result.auc_matched),
              "MPJPE matched": plain(result.mpjpe_matched),
              "3DPCK all visible": _percent(figures(JointState.VISIBLE).pck_all),
              "3DPCK all hidden": _percent(figures(JointState.HIDDEN, JointState.OUTSIDE).pck_all)}  # fmt: skip
    for k, which in enumerate(("all", "matched")):
        table |= {f"3DPCK {which} {name}": _percent(pair[k].pck) for name, pair in result.sequences.items()}
        table |= {f"AUC {which} {name}": _percent(pair[k].auc) for name, pair in result.sequences.items()}
    return table


def _mupots_frame(truth: Truth3D, poses: Poses, states: Sequence[JointState]) -> mupots.MupotsFrame:
    own, guess = truth.skeleton, poses.skeleton
    source = own.map_to(MUPOTS17)
    counted = np.isin(truth.states[:, source], states) & (source >= 0) if states else None
    return mupots.MupotsFrame(mupots.to_mupots17(truth.joints2d, own), mupots.to_mupots17(truth.joints3d, own),
                              mupots.to_mupots17(poses.joints2d, guess), mupots.to_mupots17(poses.joints3d, guess),
                              counted)  # fmt: skip


def evaluate_3dhp(truths: Sequence[Truth3D], predictions: Mapping[str, Poses], rescale: bool = False) -> Table:
    """The test set of MPI-INF-3DHP (Mehta et al., 3DV 2017): 3DPCK, AUC and MPJPE by activity and by scene.

    Poses are relative to the pelvis (the middle of the hips where the predictions have none) and measured over the 14
    joints of the 3DPCK; a joint that is not predicted is wrong, and so are all of a picture in which nobody was found,
    which has no MPJPE. Of several predictions the one with the best score counts. The mean is over pictures.

    Args:
        truths: one person a picture in the joints of MUPOTS17: `datasets.truth3d.threedhp_truths`.
        predictions: file name -> people.
        rescale: give predicted bones the true lengths, for systems that predict people in their true size while the
            benchmark's people have one height (`univ_annot3`).

    Raises:
        InputError: a picture has not one person or no prediction, or the predictions lack hips.
    """
    poses = predictions_of(truths, predictions)
    common_joints(MUPOTS17.joints, poses, HIPS)
    truth = np.stack([mupots.to_mupots17(_only(t).joints3d, t.skeleton)[0] for t in truths])
    found = np.stack([mupots.to_mupots17(best_scoring(p, p.skeleton.joints), p.skeleton) for p in poses])
    truth, found = (centred(joints, MUPOTS17.joints, ("pelvis",)) for joints in (truth, found))
    if rescale:
        found = mupots.rescale_bones(found, truth)
    truth, found = truth[:, mupots.COUNTED_JOINTS], found[:, mupots.COUNTED_JOINTS]
    errors, each, aligned = joint_errors(found, truth), mpjpe(found, truth), pa_mpjpe(found, truth)
    table: Table = {"pictures": len(truths), "found": int(np.isfinite(each).sum())}

    def add(rows: NDArray[np.bool_], suffix: str) -> None:
        shares = pck3d_of_errors(errors[rows])
        values = {"3DPCK": _percent(shares.pck), "AUC": _percent(shares.auc),
                  "MPJPE": plain(average(each[rows])), "PA-MPJPE": plain(average(aligned[rows]))}  # fmt: skip
        table.update({f"{name}{suffix}": value for name, value in values.items()})

    add(np.ones(len(truths), dtype=bool), "")
    labels = [[truth.activity for truth in truths], [SCENES.get(truth.sequence or "") for truth in truths]]
    for names, order in zip(labels, (ACTIVITIES, tuple(dict.fromkeys(SCENES.values()))), strict=True):
        for name in order:
            add(np.array([own == name for own in names]), f" {name}")
    return table


def evaluate_3dpw(truths: Sequence[Truth3D], predictions: Mapping[str, Poses]) -> Table:
    """3DPW (von Marcard et al., ECCV 2018): MPJPE, PA-MPJPE and acceleration error over LSP's 14 joints.

    Poses are relative to the middle of the hips, as HMR's and VIBE's evaluations have it. People are paired with
    predictions by 2D alone (`truth3d.overlapping`); those who were not found have no error, so look at `found`.
    Acceleration is of people whose `ids` say who is who, in millimetres per frame squared, over runs of three
    successive frames in which the person was found. Where the predictions lack some of the 14 joints (LCR13 has no
    neck), `joints` says how many are left. The published figures of mesh methods are measured on joints regressed from
    SMPL's surface, which needs the body model; here the truth is SMPL's own joints and an estimated head top, so they
    compare only roughly.

    Args:
        truths: `datasets.truth3d.threedpw_truths` with stride 1.
        predictions: file name -> people.

    Raises:
        InputError: a picture has no prediction, or the predictions lack hips.
    """
    poses = predictions_of(truths, predictions)
    joints = common_joints(LSP14.joints, poses, HIPS)
    exact = [centred(t.joints(joints), joints, HIPS) for t in truths]
    guessed = [centred(overlapping(p, t, joints), joints, HIPS) for t, p in zip(truths, poses, strict=True)]
    truth, found = np.concatenate(exact), np.concatenate(guessed)
    acceleration = [acceleration_error(*track) for track in _tracks(truths, guessed, exact)]
    return {
        "pictures": len(truths), "people": len(truth), "found": int((~np.isnan(found).all(axis=(1, 2))).sum()),
        "joints": len(joints), "MPJPE": plain(average(mpjpe(found, truth))),
        "PA-MPJPE": plain(average(pa_mpjpe(found, truth))),
        "acceleration": plain(average(np.concatenate([np.zeros(0), *acceleration]))),
    }  # fmt: skip


def _tracks(truths: Sequence[Truth3D], found: Sequence[Array], exact: Sequence[Array]) -> Iterable[tuple[Array, Array]]:
    """Of each person of each sequence (t, J, 3) predicted and exact, from the first frame to the last, NaN in gaps."""
    places: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for i, truth in enumerate(truths):
        if truth.ids is not None and truth.frame is not None:
            for row, person in enumerate(truth.ids.tolist()):
                places.setdefault((truth.sequence or "", person), []).append((truth.frame, i, row))
    for entries in places.values():
        first, last = min(entries)[0], max(entries)[0]
        track = np.full((2, last - first + 1, *found[0].shape[1:]), np.nan)
        for frame, i, row in entries:
            track[:, frame - first] = found[i][row], exact[i][row]
        yield track[0], track[1]


def _rows(errors: Array, labels: Sequence[str | None], order: Sequence[str]) -> dict[str, float]:
    """Mean error of each label."""
    own = np.array([label or "" for label in labels])
    return {name: average(errors[own == name]) for name in order}


def _only(truth: Truth3D) -> Truth3D:
    if len(truth) != 1:
        raise InputError(f"{truth.file_name} has {len(truth)} annotated people, wanted one a picture; give the "
                         "pictures of the protocol")  # fmt: skip
    return truth


def _sequence(truth: Truth3D) -> str:
    if truth.sequence is None:
        raise InputError(f"{truth.file_name} is of no sequence, wanted the video's name; give the pictures of the data "
                         "set as its reader names them")  # fmt: skip
    return truth.sequence


def _percent(share: float) -> float | None:
    return plain(100 * share)
