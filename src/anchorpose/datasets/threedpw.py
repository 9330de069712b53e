"""3DPW (von Marcard et al., ECCV 2018): 60 outdoor videos of a moving camera, with SMPL bodies from inertial sensors.

Known for certain (the data set's readme): `sequenceFiles/{train,validation,test}/NAME.pkl` holds for each person p
`jointPositions[p]` (frames, 72), SMPL's 24 joints in world metres, `poses2d[p]` (frames, 3, 18), detections x, y and
score in COCO's 18 joints (zeros where fewer than six joints were found), `campose_valid[p]` (frames,), and for the
video `cam_poses` (frames, 4, 4), world to camera, and `cam_intrinsics` (3, 3). Row i belongs to
`imageFiles/NAME/image_%05d.jpg` of i. The camera axes are x right, y down, z forward.

Inferred: the head top, which SMPL lacks, by body proportions (`frames3d.with_head_top`); that only the tracked people
are annotated, so samples are not exhaustive. The published errors of mesh methods are measured on 14 joints regressed
from SMPL's surface, which needs the body model; these are SMPL's own joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import SMPL24
from anchorpose.datasets.archives import Archive, require_images
from anchorpose.datasets.frames3d import Frame3D, no_visibility, with_head_top
from anchorpose.datasets.pickles import read_numbers
from anchorpose.datasets.samples import Floats, Sample

SPLITS = ("train", "validation", "test")
THREEDPW = Archive(
    "3DPW", "virtualhumans.mpi-inf.mpg.de/3DPW",
    "von Marcard et al., Recovering accurate 3D human pose in the wild using IMUs and a moving camera, ECCV 2018",
    "non-commercial research", ("imageFiles", *(f"sequenceFiles/{split}" for split in SPLITS)),
)  # fmt: skip
_FIELDS = ("jointPositions", "cam_poses", "cam_intrinsics", "campose_valid")


def read_3dpw(root: Path, split: str = "test", stride: int = 1) -> list[Sample]:
    """Frames in which at least one person's camera pose is valid, as samples.

    2D joints are the projections of the 3D joints; whether they can be seen is not known.

    Args:
        root: the folder that holds imageFiles and sequenceFiles.
        split: train, validation or test.
        stride: keep every stride-th frame of a video.

    Raises:
        InputError: parts or pictures are missing, or a file is not as the readme has it.
    """
    samples = [sample for frame in split_frames(root, split, stride) if (sample := frame.sample()).people]
    require_images(samples, THREEDPW)
    return samples


def split_frames(root: Path, split: str = "test", stride: int = 1) -> Iterator[Frame3D]:
    """Frames of all videos of a split; whether each picture is there is not looked at.

    Args:
        root, split, stride: see `read_3dpw`.

    Raises:
        InputError: see `read_3dpw`.
    """
    if split not in SPLITS:
        raise InputError(f"found the split {split!r}, wanted one of {', '.join(SPLITS)}; choose one")
    replace(THREEDPW, parts=("imageFiles", f"sequenceFiles/{split}")).require(root)
    files = sorted((Path(root) / "sequenceFiles" / split).glob("*.pkl"))
    if not files:
        raise InputError(f"{Path(root) / 'sequenceFiles' / split} has no .pkl file; {THREEDPW.source}")
    for file in files:
        yield from threedpw_frames(root, file, stride)


def threedpw_frames(root: Path, file: Path, stride: int = 1) -> Iterator[Frame3D]:
    """Frames of one video in SMPL's 24 joints and a head top; only people whose camera pose is valid are given.

    Args:
        root: see `read_3dpw`. file: the video's .pkl. stride: see `read_3dpw`.

    Raises:
        InputError: see `read_3dpw`.
    """
    name = Path(file).stem
    world, to_camera, intrinsics, valid = _arrays(Path(file))
    for number in range(0, len(to_camera), stride):
        chosen = valid[:, number]
        if chosen.any():
            camera = world[chosen, number] @ to_camera[number, :3, :3].T + to_camera[number, :3, 3]
            joints3d, skeleton = with_head_top(camera.astype(np.float32), SMPL24)
            image = Path(root) / "imageFiles" / name / f"image_{number:05d}.jpg"
            yield Frame3D(image, skeleton, _project(joints3d, intrinsics), joints3d, no_visibility(joints3d),
                          exhaustive=False, sequence=name, frame=number, ids=np.flatnonzero(chosen))  # fmt: skip


def _project(joints3d: Floats, intrinsics: NDArray[np.floating[Any]]) -> Floats:
    """(n, J, 3) metres -> (n, J, 2) pixels, NaN at or behind the camera."""
    ahead = np.where(joints3d[..., 2:] > 0, joints3d, np.nan)
    homogeneous = ahead @ intrinsics.T
    return (homogeneous[..., :2] / homogeneous[..., 2:]).astype(np.float32)


def _arrays(file: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Joints (people, frames, 24, 3), camera poses (frames, 4, 4), intrinsics (3, 3), valid (people, frames)."""
    data = read_numbers(file, THREEDPW)
    absent = [field for field in _FIELDS if field not in data]
    if absent:
        raise InputError(f"{file} lacks {', '.join(absent)}, wanted a sequence of 3DPW; {THREEDPW.source}")
    try:
        to_camera = np.asarray(data["cam_poses"], dtype=np.float64).reshape(-1, 4, 4)
        frames = len(to_camera)
        world = np.stack([np.asarray(person, dtype=np.float64).reshape(-1, len(SMPL24), 3)[:frames]
                          for person in data["jointPositions"]])  # fmt: skip
        valid = np.stack([np.asarray(flags).reshape(-1)[:frames].astype(bool) for flags in data["campose_valid"]])
        intrinsics = np.asarray(data["cam_intrinsics"], dtype=np.float64).reshape(3, 3)
    except (ValueError, TypeError) as error:
        raise InputError(f"{file} holds other shapes than 3DPW's readme says ({error}); {THREEDPW.source}") from None
    if not world.shape[:2] == valid.shape == (len(world), frames):
        raise InputError(f"{file} has {frames} camera poses, joints of {world.shape[:2]} people x frames and "
                         f"campose_valid of {valid.shape}, wanted as many of each; {THREEDPW.source}")  # fmt: skip
    return world, to_camera, intrinsics, valid
