"""CrowdPose (Li et al., CVPR 2019): COCO's AP with the area taken from the box, in three degrees of crowding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.keypoints import AveragePrecision, Detections, Truth, oks_average_precision

AREA_SHARE = 0.53
"""CrowdPose has no segments: a person's area is this share of the box."""
TOOLKIT_BINS = (0.2, 0.8)
"""Crowd indices from which an image is medium and hard where the toolkit prints its table. (As arguments nobody passes
its code has 0.01 and 0.85; the paper says 0.1 and 0.8.)"""


@dataclass(frozen=True)
class CrowdPosePrecision:
    """The toolkit's figures, 0 to 1; NaN where no person counts."""

    everything: AveragePrecision  # AP, AP50, AP75, AR, AR50, AR75
    easy: float  # AP of each degree
    medium: float
    hard: float
    images: tuple[int, int, int]  # easy, medium, hard


def crowdpose_average_precision(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    crowd_indices: NDArray[np.floating],
    skeleton: Skeleton,
    bins: tuple[float, float] = TOOLKIT_BINS,
) -> CrowdPosePrecision:
    """CrowdPose's AP of all images and of those that are easy, medium and hard.

    Its constants (0.079 shoulder, head and neck, 0.072 elbow, 0.062 wrist, 0.107 hip, 0.087 knee, 0.089 ankle) are
    those of the skeleton by name. The areas of `truths` are not looked at.

    Args:
        truths, detections: one entry an image, by rising image id.
        crowd_indices: (images,) `crowdIndex` of the annotations, 0 to 1.
        skeleton: of the J joints of both.
        bins: crowd indices from which an image is medium, and from which it is hard.

    Raises:
        InputError: not one crowd index from 0 to 1 for each image.
    """
    index = np.asarray(crowd_indices, dtype=np.float64)
    if index.shape != (len(truths),):
        raise InputError(f"found {index.size} crowd indices, wanted one for each of {len(truths)} images; read "
                         "'crowdIndex' of the annotated images")  # fmt: skip
    if not ((index >= 0) & (index <= 1)).all():
        raise InputError("found a crowd index that is not from 0 to 1; read 'crowdIndex' of the annotated images")
    people = [replace(truth, areas=AREA_SHARE * boxes.area(truth.boxes)) for truth in truths]
    degree = np.digitize(index, bins)
    members = [np.flatnonzero(degree == d).tolist() for d in range(3)]
    easy, medium, hard = (
        oks_average_precision([people[i] for i in m], [detections[i] for i in m], skeleton).ap for m in members
    )
    everything = oks_average_precision(people, detections, skeleton)
    return CrowdPosePrecision(everything, easy, medium, hard, (len(members[0]), len(members[1]), len(members[2])))
