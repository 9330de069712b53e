"""The data sets' annotated pictures as what the 3D protocols measure on (`evaluation.truth3d.Truth3D`).

Joints stay the data set's own and people keep their place. File names are relative to the folder that is given, so
that predictions go by them; whether each picture is there is not looked at, since predictions may come from a file:
`require_pictures` does that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets import agora, h36m, humaneva, mpi_inf_3dhp, mupots, panoptic, threedpw
from anchorpose.datasets.archives import Archive, require_images
from anchorpose.datasets.coco import lcr13_rows
from anchorpose.datasets.frames3d import Frame3D
from anchorpose.datasets.samples import Sample
from anchorpose.evaluation.truth3d import Truth3D
from anchorpose.io.files import read_json

_FROM_SCENES = "give the annotations.json of anchorpose synthesize render"


def from_frames(frames: Iterable[Frame3D], root: Path) -> list[Truth3D]:
    """Frames of any reader whose pictures lie below `root`."""
    return [_truth(frame, Path(root)) for frame in frames]


def h36m_truths(root: Path, protocol: h36m.Protocol) -> list[Truth3D]:
    """Human3.6M's test frames of `h36m.P1`, `P2` or `P3`, 32 joints; InputError: see `h36m.read_h36m`."""
    return from_frames(h36m.protocol_frames(root, protocol), root)


def mupots_truths(root: Path, sequences: Sequence[int] = mupots.SEQUENCES) -> list[Truth3D]:
    """MuPoTS-3D with the benchmark's 3D (`univ_annot3`, not in true size); InputError: see `mupots.read_mupots`."""
    return from_frames((f for i in sequences for f in mupots.mupots_frames(root, i, universal=True)), root)


def threedhp_truths(root: Path, sequences: Sequence[int] = mpi_inf_3dhp.TEST_SEQUENCES) -> list[Truth3D]:
    """The test set of MPI-INF-3DHP with the benchmark's 3D (`univ_annot3`, not in true size).

    Raises:
        InputError: see `mpi_inf_3dhp.read_3dhp_test`.
    """
    replace(mpi_inf_3dhp.TEST, parts=tuple(f"TS{i}/annot_data.mat" for i in sequences)).require(root)
    return from_frames((f for i in sequences for f in mpi_inf_3dhp.held_out_frames(root, i, universal=True)), root)


def threedpw_truths(root: Path, split: str = "test", stride: int = 1) -> list[Truth3D]:
    """3DPW in SMPL's joints and a head top; InputError: see `threedpw.read_3dpw`."""
    return from_frames(threedpw.split_frames(root, split, stride), root)


def humaneva_truths(root: Path, split: str = "Validate", camera: str = "C1", stride: int = 1) -> list[Truth3D]:
    """HumanEva-I in 15 joints and a head top; InputError: see `humaneva.read_humaneva`."""
    return from_frames(humaneva.split_frames(root, split, camera, stride), root)


def panoptic_truths(sequence: Path, cameras: Sequence[str] = ("00_00",), stride: int = 1) -> list[Truth3D]:
    """A sequence of CMU Panoptic in 19 joints and a head top; InputError: see `panoptic.read_panoptic`."""
    return from_frames((f for c in cameras for f in panoptic.panoptic_frames(sequence, c, stride)), sequence)


def agora_truths(table: Path, images: Path, size: tuple[int, int] = agora.FULL_SIZE) -> list[Truth3D]:
    """AGORA in SMPL's first 22 joints and a head top; InputError: see `agora.read_agora`."""
    return from_frames(agora.agora_frames(table, images, size), images)


def rendered_truths(annotations: Path) -> list[Truth3D]:
    """Rendered scenes in LCR13, people in the order of the file; those without joint states are NaN.

    Args:
        annotations: of `synthesis.scenes.SceneWriter`.

    Raises:
        InputError: the file cannot be read or is not of that kind.
    """
    data = read_json(Path(annotations), _FROM_SCENES)
    try:
        people = defaultdict(list)
        for annotation in data["annotations"]:
            people[annotation["image_id"]].append(_rendered_person(annotation))
        return [_rendered(image, people[image["id"]]) for image in data["images"]]
    except InputError as error:
        raise InputError(f"{annotations}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{annotations} holds no rendered scenes ({reason}); {_FROM_SCENES}") from None


def require_pictures(truths: Iterable[Truth3D], root: Path, archive: Archive) -> None:
    """Check that every picture is there.

    Args:
        truths: of `root`. archive: what they are of, such as `h36m.H36M`.

    Raises:
        InputError: some are missing; the message counts them and says where to get them.
    """
    require_images((Sample(Path(root) / truth.file_name, ()) for truth in truths), archive)


def _truth(frame: Frame3D, root: Path) -> Truth3D:
    known = np.isfinite(frame.joints2d).all(axis=-1) & np.isfinite(frame.joints3d).all(axis=-1)
    states = np.select([frame.visible > 0, frame.visible == 0], [JointState.VISIBLE, JointState.HIDDEN], 0)
    if frame.size is not None:
        # Comparisons with NaN are False.
        outside = ((frame.joints2d < 0) | (frame.joints2d > np.array(frame.size, np.float32))).any(axis=-1)
        states = np.where(outside, JointState.OUTSIDE, states)
    states = np.where(known, states, JointState.MISSING).astype(np.uint8)
    return Truth3D(frame.image.relative_to(root).as_posix(), frame.skeleton, frame.joints3d, frame.joints2d, states,
                   frame.camera, frame.sequence, frame.frame, frame.activity, frame.subject, frame.ids)  # fmt: skip


_Person = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.uint8]]


def _rendered_person(annotation: dict[str, Any]) -> _Person:
    """(13, 3) metres in the camera frame, (13, 2) pixels and (13,) states."""
    j = len(LCR13)
    if "joint_state" not in annotation:
        return np.full((j, 3), np.nan), np.full((j, 2), np.nan), np.zeros(j, np.uint8)
    place = annotation["translation"]
    centre = np.full(3, np.nan) if place is None else np.array(place, dtype=np.float64)
    states = np.array([JointState[name.upper()] for name in annotation["joint_state"]], dtype=np.uint8)
    return lcr13_rows(annotation, "joints3d", 3) + centre, lcr13_rows(annotation, "joints2d", 2), states


def _rendered(image: dict[str, Any], people: Sequence[_Person]) -> Truth3D:
    j = len(LCR13)
    empty: _Person = np.zeros((0, j, 3)), np.zeros((0, j, 2)), np.zeros((0, j), np.uint8)
    joints3d, joints2d, states = (np.stack(part) for part in zip(*people, strict=True)) if people else empty
    return Truth3D(str(image["file_name"]), LCR13, joints3d, joints2d, states, Camera.from_dict(image["camera"]))
