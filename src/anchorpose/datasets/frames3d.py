"""Pictures whose people have 3D joints in a data set's own skeleton, and how they become common samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13, Skeleton
from anchorpose.datasets.samples import UNKNOWN, Floats, Person, Sample
from anchorpose.lcrnet.anchors import BOX_MARGIN

HEAD_OVER_TORSO = 0.62
"""Shoulders to head top over hips to shoulders in adults; Drillis and Contini: 0.182 / 0.288 of the stature."""


@dataclass(frozen=True)
class Frame3D:
    """One picture with n people in a data set's own joints, absolute positions included.

    Pixels are taken as the data set's calibration gives them; where that counts from the centre of the first pixel
    (no toolkit says) they are half a pixel off.

    Args:
        image: path of the picture.
        skeleton: names the J joints.
        joints2d: (n, J, 2) pixels; NaN where unknown.
        joints3d: (n, J, 3) metres in the camera frame (x right, y down, z forward); NaN where unknown.
        visible: (n, J) 1 can be seen, 0 occluded, -1 unknown; what is outside the picture is found from `size`.
        size: width and height of the picture in pixels; None where the data set does not say.
        exhaustive: see `Sample`.
        boxes: (n, 4) pixels; None takes the bounds of the 2D joints with LCR-Net's margin (section 3.1).
        sequence, frame, activity: see `Sample`.
        subject: name of the only person, where the data set says it.
        camera: that took the picture, without its lens distortion, where the data set has it.
        ids: (n,) identities of the people within the sequence.
    """

    image: Path
    skeleton: Skeleton
    joints2d: Floats
    joints3d: Floats
    visible: NDArray[np.int8]
    size: tuple[int, int] | None = None
    exhaustive: bool = True
    boxes: Floats | None = None
    sequence: str | None = None
    frame: int | None = None
    activity: str | None = None
    subject: str | None = None
    camera: Camera | None = None
    ids: NDArray[np.int64] | None = None

    def sample(self) -> Sample:
        """The common sample: LCR13 joints by name, 3D relative to the body centre; people without a box are left out.

        People whose box lies outside the picture are left out too.
        """
        source = self.skeleton.map_to(LCR13)
        joints2d, joints3d = _chosen(self.joints2d, source), _chosen(self.joints3d, source)
        visible = np.where(source >= 0, self.visible[:, source], UNKNOWN).astype(np.int8)
        visible = _mark_outside(visible, joints2d, self.size)
        centre = body_centre(joints3d)
        joints3d = joints3d - centre[:, None]
        around = boxes.around(joints2d, BOX_MARGIN) if self.boxes is None else self.boxes
        keep = ~np.isnan(around).any(1) & _inside(around, self.size)
        people = tuple(Person(around[i].astype(np.float32), joints2d[i], visible[i], joints3d[i].astype(np.float32),
                              centre[i].astype(np.float32))
                       for i in np.flatnonzero(keep))  # fmt: skip
        return Sample(self.image, people, self.exhaustive, sequence=self.sequence, frame=self.frame,
                      activity=self.activity, camera=self.camera)  # fmt: skip


def no_visibility(joints: Floats) -> NDArray[np.int8]:
    """(n, J) of -1 for joints (n, J, d) of which nobody said whether they can be seen."""
    return np.full(joints.shape[:2], UNKNOWN, dtype=np.int8)


def with_head_top(frame_joints: Floats, skeleton: Skeleton) -> tuple[Floats, Skeleton]:
    """Joints with a `head_top` added at the end, for skeletons that stop at the base of the skull.

    The head top continues the line from `neck` through `head` (its direction) to `HEAD_OVER_TORSO` x torso above the
    mid-shoulders (its distance). That is an estimate from body proportions, not a measurement.

    Args:
        frame_joints: (n, J, 3) metres. skeleton: has neck, head, shoulders and hips, and no head top.

    Returns:
        (n, J + 1, 3) and the skeleton with one more joint.
    """

    def middle(part: str) -> Floats:
        return frame_joints[:, skeleton.indices(f"left_{part}", f"right_{part}")].mean(1)

    head, shoulders = frame_joints[:, skeleton.index("head")], middle("shoulder")
    reach = HEAD_OVER_TORSO * np.linalg.norm(shoulders - middle("hip"), axis=-1, keepdims=True)
    direction = head - frame_joints[:, skeleton.index("neck")]
    direction = direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
    top = head + direction * _to_sphere(head - shoulders, direction, reach)
    longer = Skeleton(f"{skeleton.name}+head_top", (*skeleton.joints, "head_top"),
                      {**skeleton.parents, "head_top": "head"})  # fmt: skip
    return np.concatenate([frame_joints, top[:, None]], axis=1).astype(np.float32), longer


def _to_sphere(offset: Floats, direction: Floats, radius: Floats) -> Floats:
    """(n, 1) how far to go from `offset` along the unit `direction` to be `radius` from the origin; at least 0."""
    along = (offset * direction).sum(-1, keepdims=True)
    squared = along**2 - (offset**2).sum(-1, keepdims=True) + radius**2
    return np.maximum(np.sqrt(np.maximum(squared, 0)) - along, 0).astype(np.float32)


def _chosen(joints: Floats, source: NDArray[np.intp]) -> Floats:
    """(n, J, d) -> (n, 13, d); joints the skeleton lacks are NaN, and so are those with any coordinate unknown."""
    chosen = joints[:, source].astype(np.float32)
    chosen[:, source < 0] = np.nan
    chosen[np.isnan(chosen).any(-1)] = np.nan
    return chosen


def _mark_outside(visible: NDArray[np.int8], joints2d: Floats, size: tuple[int, int] | None) -> NDArray[np.int8]:
    if size is None:
        return visible
    outside = ((joints2d < 0) | (joints2d > np.array(size, np.float32))).any(-1)
    return np.where(outside, 0, visible).astype(np.int8)


def _inside(around: Floats, size: tuple[int, int] | None) -> NDArray[np.bool_]:
    """(n,) boxes that overlap the picture."""
    if size is None:
        return np.ones(len(around), dtype=bool)
    return np.asarray(boxes.area(boxes.clip(around, *size)) > 0)
