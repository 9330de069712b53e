"""From a data set's own joints to the common person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, Skeleton
from anchorpose.datasets.samples import UNKNOWN, Annotation, Floats, Person
from anchorpose.lcrnet.anchors import BOX_MARGIN

MATLAB_ORIGIN = 0.5
"""MATLAB's pixel (1, 1) is the centre of the top-left pixel, which lies at (0.5, 0.5) from that pixel's corner."""


def from_matlab(pixels: ArrayLike) -> Floats:
    """(...) MATLAB pixel coordinates -> pixels from the top-left corner of the top-left pixel."""
    return (np.asarray(pixels, dtype=np.float64) - MATLAB_ORIGIN).astype(np.float32)


def labelled_person(annotation: Annotation, box: Floats | None = None) -> Person:
    """The LCR13 joints that the data set labels, by name; those it lacks stay NaN and unknown.

    Args:
        annotation: the person in the data set's own joints.
        box: (4,) annotated box in pixels. Without one it is the box around all labelled joints with 10 % margin
            (LCR-Net section 3.1), NaN where no joint is labelled.
    """
    if box is None:
        box = boxes.around(annotation.joints2d, BOX_MARGIN).astype(np.float32)
    source = annotation.skeleton.map_to(LCR13)
    joints2d = np.concatenate([annotation.joints2d, np.full((1, 2), np.nan, np.float32)])[source]
    visible = np.append(annotation.visible, UNKNOWN)[source]
    return Person(np.asarray(box, np.float32), joints2d.astype(np.float32), visible.astype(np.int8),
                  annotation=annotation)  # fmt: skip


def bare_person(box: ArrayLike, annotation: Annotation | None = None) -> Person:
    """Somebody without labelled joints, who is ignored in the losses; `box` is (4,) in pixels."""
    return Person(np.asarray(box, dtype=np.float32), annotation=annotation)


def positive_box(record: Mapping[str, Any], field: str = "bbox") -> Floats | None:
    """`x, y, width, height` of a COCO-like record -> (4,) corners in pixels; None where absent or without size.

    Raises:
        InputError: it is not four finite numbers.
    """
    xywh = np.asarray(record.get(field) or [], dtype=np.float32)
    if not xywh.size:
        return None
    if xywh.shape != (4,) or not np.isfinite(xywh).all():
        raise InputError(f"annotation {record.get('id')} has the {field} {record[field]!r:.60}, wanted x, y, width and "
                         "height; is it the original file?")  # fmt: skip
    return boxes.from_xywh(xywh) if xywh[2:].min() > 0 else None


def keypoint_triplets(record: Mapping[str, Any], skeleton: Skeleton) -> tuple[Floats, NDArray[np.float32]] | None:
    """`keypoints` of a COCO-like record: (J, 2) pixels, NaN where the flag is 0, and the (J,) flags.

    None where the record has no keypoints.

    Raises:
        InputError: their number does not fit the skeleton.
    """
    flat = np.asarray(record.get("keypoints") or [], dtype=np.float32)
    if not flat.size:
        return None
    if flat.shape != (3 * len(skeleton),):
        raise InputError(f"annotation {record.get('id')} has {flat.size} keypoint numbers, wanted 3 for each of the "
                         f"{len(skeleton)} joints of {skeleton.name}; is it the original file?")  # fmt: skip
    keypoints = flat.reshape(-1, 3)
    labelled = (keypoints[:, 2] > 0) & np.isfinite(keypoints).all(axis=1)
    joints2d = np.where(labelled[:, None], keypoints[:, :2], np.nan)
    return joints2d.astype(np.float32), keypoints[:, 2]


def unlabelled(skeleton: Skeleton) -> tuple[Floats, NDArray[np.float32]]:
    """What `keypoint_triplets` gives for somebody none of whose joints is labelled."""
    return np.full((len(skeleton), 2), np.nan, np.float32), np.zeros(len(skeleton), np.float32)
