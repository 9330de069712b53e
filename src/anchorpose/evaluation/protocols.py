"""Whole evaluations: COCO-style AP and PCK on Leeds Sports Pose, from annotations and predictions to a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import BODY12, LCR13, LSP14, Skeleton
from anchorpose.evaluation.annotations import Annotations as Annotations
from anchorpose.evaluation.annotations import load_annotations as load_annotations
from anchorpose.evaluation.keypoints import Detections, Truth, oks_average_precision, pck, torso_diameter
from anchorpose.evaluation.mpii import SINGLE_COLUMNS, by_column

Array = NDArray[np.floating]
Table = dict[str, float | None]
"""Name of a figure -> its value; counts are ints, None stands where there was nothing to measure (JSON has no NaN)."""

LSP_JOINTS = tuple(joint for joint in LSP14.joints if joint in LCR13.joints)
"""The 13 joints, head top included, that LSP and LCR-Net share."""

_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


def evaluate_coco(annotations: Annotations, predictions: Mapping[str, Poses]) -> Table:
    """COCO keypoint AP over the joints both sides have, and (`body_...`) over the 12 body joints.

    Args:
        annotations: of `load_annotations`.
        predictions: image file name -> its people; an image without people has empty `Poses`.

    Raises:
        InputError: an image has no entry in `predictions`, or the two share no joint.
    """
    poses = in_order(annotations, predictions)
    skeleton, shared = annotations.skeleton, shared_joints(annotations.skeleton, poses)
    found = [Detections(p.to_skeleton(skeleton).joints2d, p.scores) for p in poses]
    table: Table = {"images": len(poses), "detections": sum(len(p) for p in poses)}
    for prefix, joints in (("", shared), ("body_", [joint for joint in BODY12 if joint in shared])):
        result = oks_average_precision(annotations.people, found, skeleton, joints)
        table |= {f"{prefix}joints": len(joints), f"{prefix}people": result.people, f"{prefix}AP": plain(result.ap),
                  f"{prefix}AP50": plain(result.ap50), f"{prefix}AP75": plain(result.ap75),
                  f"{prefix}AR": plain(result.ar)}  # fmt: skip
    return table


def evaluate_lsp(annotations: Annotations, predictions: Mapping[str, Poses], threshold: float = 0.2) -> Table:
    """PCK with the torso as reference, where one person of a photograph is labelled and others are not.

    `PCK` is over the joints both sides have, `body_PCK` over the 12 body joints among them; a kind of joint, such as
    `PCK wrist`, is the mean of left and right, the head that of its top.
    Of the predictions the one whose box (around the joints that are labelled) overlaps the labelled person's most
    counts, whatever its score, and the others are neither right nor wrong. Where none overlaps, all joints are wrong.
    People whose torso is not labelled at all (see `torso_diameter`) cannot be measured and are left out.

    Args:
        annotations: of `load_annotations`.
        predictions: image file name -> its people; an image without people has empty `Poses`.
        threshold: share of the torso diameter within which a joint is right.

    Raises:
        InputError: an image has no entry in `predictions`, or the two share no joint.
    """
    poses = in_order(annotations, predictions)
    skeleton = annotations.skeleton
    shared = [joint for joint in LSP_JOINTS if joint in shared_joints(skeleton, poses)]
    if absent := [joint for joint in _TORSO if joint not in skeleton.joints]:
        raise InputError(f"the annotations have no {absent[0]}, and PCK needs the torso as reference")
    chosen = skeleton.indices(*shared)
    people = annotations.people
    truth = Truth(*(np.concatenate([getattr(t, name) for t in people])
                    for name in ("joints", "visible", "boxes", "areas", "crowd", "ignore")))  # fmt: skip
    pairs = [(p.to_skeleton(skeleton).joints2d, t) for p, t in zip(poses, people, strict=True)]
    pred = np.concatenate([overlapping(p[:, chosen], t.joints[:, chosen], t.visible[:, chosen]) for p, t in pairs])
    reference = torso_diameter(truth.joints, truth.visible, skeleton)
    reference[truth.ignore] = np.nan
    result = pck(pred, truth.joints[:, chosen], truth.visible[:, chosen], reference, threshold)
    measured = np.nan_to_num(reference, nan=0.0) > 0
    name = f"PCK@{threshold:g}"
    rates = {joint: plain(float(rate)) for joint, rate in zip(shared, result.per_joint, strict=True)}
    body = [rate for joint, rate in rates.items() if joint in BODY12 and rate is not None]
    table: Table = {"images": len(poses), "people": int(measured.sum()), "left_out": int((~measured).sum()),
                    "not_found": int((np.isnan(pred).all(axis=(1, 2)) & measured).sum()), "joints": len(shared),
                    name: plain(result.mean), f"body_{name}": sum(body) / len(body) if body else None}  # fmt: skip
    every = np.full(len(skeleton), np.nan)
    every[chosen] = result.per_joint
    table |= {f"{name} {kind}": plain(rate) for kind, rate in by_column(every, skeleton, SINGLE_COLUMNS).items()}
    return table | {f"{name} {joint}": rate for joint, rate in rates.items()}


def overlapping(pred: Array, truth: Array, visible: NDArray[np.bool_]) -> Array:
    """(n, J, 2), (m, J, 2), (m, J) -> (m, J, 2) the prediction that overlaps each person most, NaN where none does."""
    result = np.full(truth.shape, np.nan)
    for i in range(len(truth) if len(pred) else 0):
        labelled = visible[i][:, None]
        own = boxes.around(np.where(labelled, truth[i], np.nan)[None])
        overlap = np.nan_to_num(boxes.iou(own, boxes.around(np.where(labelled, pred, np.nan)))[0], nan=0.0)
        if overlap.max() > 0:
            result[i] = pred[overlap.argmax()]
    return result


def in_order(annotations: Annotations, predictions: Mapping[str, Poses]) -> list[Poses]:
    """The predictions in the order of the annotated images; InputError where one is missing."""
    missing = [image.file_name for image in annotations.images if image.file_name not in predictions]
    if missing:
        raise InputError(f"no predictions for {len(missing)} of {len(annotations)} annotated images, the first is "
                         f"{missing[0]}; run the detector on all of them")  # fmt: skip
    return [predictions[image.file_name] for image in annotations.images]


def shared_joints(skeleton: Skeleton, poses: Sequence[Poses]) -> list[str]:
    """Names of the annotated joints that the predictions have, in the annotations' order; InputError without any."""
    shared = [joint for joint in skeleton.joints if all(joint in p.skeleton.joints for p in poses)]
    if not shared:
        names = ", ".join(skeleton.joints[:3])
        raise InputError(f"the annotations ({names}, ...) and the predictions have no joint name in common; "
                         "wanted COCO's or LSP's joint names")  # fmt: skip
    return shared


def plain(value: float) -> float | None:
    """A figure for a `Table`: None where it is NaN."""
    return None if math.isnan(value) else float(value)


def format_table(columns: Mapping[str, Table], decimals: int = 3) -> str:
    """Figures as rows, systems as columns: `format_table({"anchorpose": evaluate_coco(...)})`.

    Counts stay whole, other figures get `decimals`, and what was not measured is shown as `-`.
    """
    figures = list(dict.fromkeys(figure for table in columns.values() for figure in table))
    rows = [["", *columns], *([f, *(_shown(table.get(f), decimals) for table in columns.values())] for f in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
             for row in rows)  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


def _shown(value: float | None, decimals: int) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{decimals}f}"
