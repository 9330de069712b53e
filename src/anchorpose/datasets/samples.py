"""The common sample: one photograph with its people as LCR13 joints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera, looking_along
from anchorpose.core.skeleton import LCR13, Skeleton

Floats = NDArray[np.float32]
J = len(LCR13)
UNKNOWN = -1


def _missing(dimensions: int) -> Floats:
    return np.full((J, dimensions), np.nan, dtype=np.float32)


@dataclass(frozen=True)
class Annotation:
    """One person as the data set's annotators wrote it, which is what its evaluation needs.

    Everything is in the pixels of the original photograph: augmentation moves the person's joints, not these.

    Args:
        skeleton: the data set's own joints.
        joints2d: (J, 2) pixels, NaN where unlabelled.
        visible: (J,) 1 can be seen, 0 hidden, -1 unknown.
        id: the annotation's number in the data set.
        track_id: lasting identity within a video.
        head_box: (4,) x1, y1, x2, y2 in pixels, the reference of PCKh and of PoseTrack's MOTA.
        torso_box: (4,) x1, y1, x2, y2 in pixels, where FLIC's torso detector found the person.
        area: square pixels, the reference of the object keypoint similarity.
        centre: (2,) pixels, rough position of the person (MPII's objpos).
        scale: the person's height over 200 pixels (MPII).
        separated: True where nobody else is close (MPII's single_person).
    """

    skeleton: Skeleton
    joints2d: Floats
    visible: NDArray[np.int8]
    id: int | None = None
    track_id: int | None = None
    head_box: Floats | None = None
    torso_box: Floats | None = None
    area: float | None = None
    centre: Floats | None = None
    scale: float | None = None
    separated: bool | None = None

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(J,) joints with a 2D label."""
        return ~np.isnan(self.joints2d[:, 0])


@dataclass(frozen=True)
class Person:
    """One person of a photograph.

    Args:
        box: (4,) annotated box x1, y1, x2, y2 in pixels.
        joints2d: (13, 2) pixels, NaN where unlabelled; may lie outside the image.
        visible: (13,) 1 can be seen, 0 hidden or outside, -1 unknown.
        joints3d: (13, 3) metres, camera axes, relative to the body centre; NaN where unknown.
        centre3d: (3,) metres, the body centre in the camera frame; NaN where unknown.
        annotation: the original labels, where the reader of the data set keeps them.
    """

    box: Floats
    joints2d: Floats = field(default_factory=lambda: _missing(2))
    visible: NDArray[np.int8] = field(default_factory=lambda: np.full(J, UNKNOWN, dtype=np.int8))
    joints3d: Floats = field(default_factory=lambda: _missing(3))
    centre3d: Floats = field(default_factory=lambda: np.full(3, np.nan, np.float32))
    annotation: Annotation | None = None

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(13,) joints with a 2D label."""
        return ~np.isnan(self.joints2d[:, 0])

    @property
    def facing3d(self) -> Floats:
        """(13, 3) `joints3d` in the axes of a camera that looks straight at the person, which is what the network says
        (`lcrnet.placement.in_camera_axes`); as they are where nobody knows from where the person was seen, as in lifted
        photographs, whose 3D comes from cut-outs."""
        return np.asarray(self.joints3d @ looking_along(self.centre3d[None])[0], np.float32)


@dataclass(frozen=True)
class Sample:
    """A photograph and its people.

    Args:
        image: path of the picture.
        people: those with a box; people without joints are ignored in the losses.
        exhaustive: True when everything outside the boxes is known to be background. False where only one
            person of the photograph was labelled: then the rest is unknown.
        id: the image's number in the data set.
        sequence: name of the video that the photograph is a frame of.
        frame: position in that video.
        activity: what the people do (MPII).
        crowd_index: 0 (nobody overlaps) to 1, as CrowdPose defines it.
        ignore_regions: (m, 2) polygons in pixels, m >= 3, inside which people may be unlabelled (PoseTrack); their
            boxes are also in `people`, without joints.
        camera: that took the photograph, where the data set has it.
    """

    image: Path
    people: tuple[Person, ...]
    exhaustive: bool = True
    id: int | None = None
    sequence: str | None = None
    frame: int | None = None
    activity: str | None = None
    crowd_index: float | None = None
    ignore_regions: tuple[Floats, ...] = ()
    camera: Camera | None = None

    def with_people(self, people: list[Person]) -> Sample:
        """The same photograph with other people."""
        return replace(self, people=tuple(people))
