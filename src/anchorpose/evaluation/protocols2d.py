"""The 2D protocols of MPII, CrowdPose and PoseTrack, from annotations and predictions to the published tables' figures.

Figures are in per cent, as the field prints them. Joints that the predictions do not have (LCR13 has no neck) are not
counted; `joints` says how many are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import POSETRACK15, Skeleton
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.crowdpose import TOOLKIT_BINS, crowdpose_average_precision
from anchorpose.evaluation.keypoints import Detections, Truth
from anchorpose.evaluation.mpii import (
    MULTI_COLUMNS,
    NOT_IN_MEAN,
    JointDetections,
    JointTruth,
    by_column,
    mpii_pckh,
    multi_person_ap,
)
from anchorpose.evaluation.protocols import Table, in_order, overlapping, plain, shared_joints
from anchorpose.evaluation.tracking import PoseFrame, posetrack
from anchorpose.evaluation.truth import UNTRACKED, Benchmark

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]
Rank = Literal["person", "joint"]
"""What ranks a predicted joint: the score of its person, as LCR-Net scores whole poses, or the joint's own."""


def evaluate_mpii_single(benchmark: Benchmark, predictions: Mapping[str, Poses]) -> Table:
    """MPII's single people: PCKh@0.5 by kind of joint and of all (`PCKh@0.5`), `PCKh@1` of all, and the area under
    PCKh@0..0.5 (`AUC`).

    Who is measured: `separated` people with joints and a head box. People are looked for in the whole picture, and the
    annotated place only selects the pose that is compared (LCR-Net section 4.2): the one whose box overlaps the
    person's most. Where none does, all joints are wrong. The paper does not say how it selects.

    Args:
        benchmark: of `datasets.mpii`.
        predictions: file name -> people.

    Raises:
        InputError: an image has no entry in `predictions`, or the two share no joint.
    """
    annotations = benchmark.annotations
    poses = in_order(annotations, predictions)
    skeleton, counted = _counted(annotations, poses)
    pred, truth, visible, heads, left_out = [], [], [], [], 0
    for own, people, head, alone in _images(benchmark, poses):
        usable = alone & ~people.ignore & (np.nan_to_num(head) > 0)
        left_out += int((alone & ~people.ignore).sum() - usable.sum())
        rows = [getattr(people, name)[usable] for name in ("joints", "visible")]
        rows[1] = rows[1] & counted
        pred.append(overlapping(own.to_skeleton(skeleton).joints2d, *rows))
        truth.append(rows[0])
        visible.append(rows[1])
        heads.append(head[usable])
    found = np.concatenate(pred)
    result = mpii_pckh(found, np.concatenate(truth), np.concatenate(visible), np.concatenate(heads), skeleton)
    means = np.array([_weighted(rates, result.curve.counts, skeleton) for rates in result.curve.per_joint])
    table: Table = {"images": len(poses), "people": len(found), "left_out": left_out,
                    "not_found": int(np.isnan(found).all(axis=(1, 2)).sum()), "joints": int(counted.sum())}  # fmt: skip
    table |= {name: _percent(value) for name, value in result.columns.items()}
    double = mpii_pckh(found, np.concatenate(truth), np.concatenate(visible), np.concatenate(heads), skeleton,
                       np.array([1.0]))  # fmt: skip
    return table | {"PCKh@0.5": _percent(result.mean), "PCKh@1": _percent(double.mean),
                    "AUC": _percent(replace(result.curve, mean=means).auc)}  # fmt: skip


def _weighted(rates: Array, counts: NDArray[np.intp], skeleton: Skeleton) -> float:
    """MPII's mean: over labelled joints, without pelvis and thorax."""
    weights = np.where(_named(skeleton, NOT_IN_MEAN), 0, counts)
    return float((np.nan_to_num(rates) * weights).sum() / weights.sum()) if weights.sum() else float("nan")


def evaluate_mpii_multi(benchmark: Benchmark, predictions: Mapping[str, Poses], rank: Rank = "person") -> Table:
    """MPII's groups of people: AP by kind of joint and over joints (`AP`), right within half a head size; `AP@1`
    within a whole one (LCR-Net section 4.2 has both).

    The people of a picture who do not stand apart are its group. Not everybody in MPII's pictures is labelled, so
    predictions count where the middle of their joints lies in the box around the group. MPII's own groups (which may
    be several in a picture) come with its evaluation server; these are made from `single_person`.

    Args:
        benchmark: of `datasets.mpii`.
        predictions: file name -> people.
        rank: what ranks joints.

    Raises:
        InputError: an image has no entry in `predictions`, the two share no joint, or a joint has no score.
    """
    annotations = benchmark.annotations
    poses = in_order(annotations, predictions)
    skeleton, counted = _counted(annotations, poses)
    truths, detections, left_out = [], [], 0
    for own, people, head, alone in _images(benchmark, poses):
        member = ~alone & ~people.ignore
        usable = member & (np.nan_to_num(head) > 0)
        left_out += int(member.sum() - usable.sum())
        if not usable.any():
            continue
        low, high = people.boxes[member, :2].min(axis=0), people.boxes[member, 2:].max(axis=0)
        middle = _middle(own.joints2d)
        inside = own[((middle >= low) & (middle <= high)).all(axis=-1)]
        truths.append(JointTruth(people.joints[usable], people.visible[usable] & counted, head[usable]))
        detections.append(_joint_detections(inside, skeleton, counted, rank))
    result = multi_person_ap(truths, detections, skeleton)
    table: Table = {"images": len(poses), "groups": len(truths), "people": sum(len(t.joints) for t in truths),
                    "left_out": left_out, "joints": int(counted.sum())}  # fmt: skip
    double = multi_person_ap(truths, detections, skeleton, threshold=1.0)
    return table | {name: _percent(value) for name, value in result.columns.items()} | {
        "AP": _percent(result.mean), "AP@1": _percent(double.mean)
    }  # fmt: skip


def evaluate_crowdpose(
    benchmark: Benchmark, predictions: Mapping[str, Poses], bins: tuple[float, float] = TOOLKIT_BINS
) -> Table:
    """CrowdPose: AP, AP50, AP75, AR and the AP of easy, medium and hard pictures (`evaluation.crowdpose`).

    Args:
        benchmark: of `datasets.crowdpose`.
        predictions: file name -> people.
        bins: crowd indices from which a picture is medium, and from which it is hard.

    Raises:
        InputError: an image has no entry in `predictions` or no crowd index, or the two share no joint.
    """
    annotations = benchmark.annotations
    poses = in_order(annotations, predictions)
    skeleton, counted = _counted(annotations, poses, without=())
    truths = [truth.only(np.flatnonzero(counted)) for truth in annotations.people]
    found = [Detections(p.to_skeleton(skeleton).joints2d, p.scores) for p in poses]
    result = crowdpose_average_precision(truths, found, benchmark.crowd_indices, skeleton, bins)
    every = result.everything
    degrees = ("easy", "medium", "hard")
    table: Table = {"images": len(poses), "people": every.people, "detections": sum(len(p) for p in poses),
                    "joints": int(counted.sum())}  # fmt: skip
    table |= {f"images {name}": count for name, count in zip(degrees, result.images, strict=True)}
    table |= {"AP": _percent(every.ap), "AP50": _percent(every.ap50), "AP75": _percent(every.ap75),
              "AR": _percent(every.ar)}  # fmt: skip
    return table | {name: _percent(getattr(result, name)) for name in degrees}


def evaluate_posetrack(benchmark: Benchmark, predictions: Mapping[str, Poses], rank: Rank = "person") -> Table:
    """PoseTrack18: AP and MOTA by kind of joint and over joints, as its toolkit (poseval) computes them.

    Over the 15 joints that PoseTrack evaluates, in labelled frames. Joints in ignore regions are left out on both
    sides. MOTA needs `track_ids`; where predictions have none it is not measured. As in the toolkit the last frame of
    each sequence does not count for MOTA. `MOTP` is per cent of `1 - distance / head size`.

    Args:
        benchmark: of `datasets.posetrack`.
        predictions: file name -> people, with identities for MOTA.
        rank: what ranks joints for AP.

    Raises:
        InputError: an image has no entry in `predictions`, the two share no joint, a joint has no score, or an
            identity stands twice in a frame.
    """
    poses = in_order(benchmark.annotations, predictions)
    counted = _named(POSETRACK15, shared_joints(benchmark.annotations.skeleton, poses))
    tracked = any(len(p) for p in poses) and all(p.track_ids is not None for p in poses if len(p))
    frames = [_posetrack_frame(benchmark, i, own, counted, rank) for i, own in enumerate(poses)]
    truths, detections, left_out = (list(column) for column in zip(*frames, strict=True))
    result = multi_person_ap(truths, detections, POSETRACK15)
    table: Table = {"sequences": len(set(benchmark.sequences)), "frames": len(poses),
                    "people": sum(int(t.visible.any(axis=1).sum()) for t in truths), "left_out": sum(left_out),
                    "joints": int(counted.sum())}  # fmt: skip
    table |= {f"AP {name}": _percent(value) for name, value in result.columns.items()} | {"AP": _percent(result.mean)}
    return table | _mota(_tracks(benchmark, poses, truths, detections) if tracked else [])


def _posetrack_frame(
    benchmark: Benchmark, image: int, poses: Poses, counted: Bools, rank: Rank
) -> tuple[JointTruth, JointDetections, int]:
    """People and predictions of a frame in PoseTrack's 15 joints, and how many people have no head box.

    Those keep their row, without a labelled joint, so that rows go with `track_ids`.
    """
    people, regions = benchmark.annotations.people[image], benchmark.ignore_regions[image]
    source = benchmark.annotations.skeleton.map_to(POSETRACK15)
    if (source < 0).any():
        raise InputError(f"found annotations in the joints of {benchmark.annotations.skeleton.name}, wanted "
                         "PoseTrack's; give PoseTrack18")  # fmt: skip
    joints = people.joints[:, source]
    visible = people.visible[:, source] & counted & ~_inside(joints, regions)
    measured = np.nan_to_num(benchmark.head_sizes[image]) > 0
    left_out = int((visible.any(axis=1) & ~measured).sum())
    guess = _joint_detections(poses, POSETRACK15, counted, rank)
    there = np.where(_inside(guess.joints, regions)[..., None], np.nan, guess.joints)
    truth = JointTruth(joints, visible & measured[:, None], np.where(measured, benchmark.head_sizes[image], 0.0))
    return truth, replace(guess, joints=there), left_out


def _tracks(
    benchmark: Benchmark, poses: Sequence[Poses], truths: Sequence[JointTruth], detections: Sequence[JointDetections]
) -> list[list[PoseFrame]]:
    """The frames of each sequence in the order of time; people without identity are left out."""
    sequences: dict[str, list[PoseFrame]] = {}
    for i in np.argsort(benchmark.frames, kind="stable").tolist():
        known = benchmark.track_ids[i] != UNTRACKED
        truth, own = truths[i], poses[i].track_ids
        joints = np.where(truth.visible[..., None], truth.joints, np.nan)
        sequences.setdefault(benchmark.sequences[i], []).append(PoseFrame(
            benchmark.track_ids[i][known], np.zeros(0, np.int64) if own is None else own, joints[known],
            detections[i].joints, truth.head_sizes[known],
        ))  # fmt: skip
    return list(sequences.values())


def _mota(sequences: Sequence[Sequence[PoseFrame]]) -> Table:
    names = [f"MOTA {name}" for name in MULTI_COLUMNS]
    if not any(len(frames) > 1 for frames in sequences):
        return dict.fromkeys([*names, "MOTA", "MOTP"], None)
    tracking = posetrack(sequences)
    columns = by_column(np.array([joint.mota for joint in tracking.joints]), POSETRACK15, MULTI_COLUMNS)
    return dict(zip(names, map(_percent, columns.values()), strict=True)) | {
        "MOTA": _percent(tracking.mota), "MOTP": _percent(tracking.motp)
    }  # fmt: skip


def _images(benchmark: Benchmark, poses: Sequence[Poses]) -> Iterator[tuple[Poses, Truth, Array, Bools]]:
    """Of each image: predictions, people, (m,) head sizes and (m,) who stands apart."""
    return zip(poses, benchmark.annotations.people, benchmark.head_sizes, benchmark.separated, strict=True)


def _counted(
    annotations: Annotations, poses: Sequence[Poses], without: Sequence[str] = NOT_IN_MEAN
) -> tuple[Skeleton, Bools]:
    """The annotations' skeleton and (J,) its joints that the predictions have too."""
    skeleton = annotations.skeleton
    return skeleton, _named(skeleton, [j for j in shared_joints(skeleton, poses) if j not in without])


def _named(skeleton: Skeleton, names: Sequence[str]) -> Bools:
    return np.array([joint in names for joint in skeleton.joints], dtype=np.bool_)


def _joint_detections(poses: Poses, skeleton: Skeleton, counted: Bools, rank: Rank) -> JointDetections:
    own = poses.to_skeleton(skeleton)
    joints = np.where(counted[:, None], own.joints2d, np.nan)
    scores = own.joint_scores if rank == "joint" else np.repeat(own.scores[:, None], len(skeleton), axis=1)
    return JointDetections(joints, scores.astype(np.float64))


def _middle(joints: Array) -> Array:
    """(n, J, 2) -> (n, 2) mean of the joints that are there; NaN where none is."""
    known = np.isfinite(joints).all(axis=-1, keepdims=True)
    total, count = np.where(known, joints, 0.0).sum(axis=1), known.sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _inside(joints: Array, regions: Sequence[Array]) -> Bools:
    """(n, J) joints inside one of the polygons; those that are missing are not."""
    inside = np.zeros(joints.shape[:2], dtype=np.bool_)
    for person, joint in np.argwhere(np.isfinite(joints).all(axis=-1)) if regions else ():
        x, y = joints[person, joint].tolist()
        inside[person, joint] = any(cv2.pointPolygonTest(r.astype(np.float32), (x, y), False) >= 0 for r in regions)
    return inside


def _percent(share: float) -> float | None:
    return plain(100 * share)
