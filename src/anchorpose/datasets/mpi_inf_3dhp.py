"""MPI-INF-3DHP (Mehta et al., 3DV 2017): one person at a time, 8 subjects in a studio and a test set of 6 videos.

Known for certain (the toolkit's readme and its readers): training, `S1..S8/Seq1..Seq2/annot.mat` has cells of 14
cameras, `annot2` (frames, 56) pixels, `annot3` and `univ_annot3` (frames, 84) millimetres in each camera's frame, 28
joints as x1 y1 z1 x2 ...; testing, `TS1..TS6/annot_data.mat` is a MATLAB 7.3 (HDF5) file with `annot2` 2 x 17 x 1 x
frames, `annot3` and `univ_annot3` 3 x 17 x 1 x frames (HDF5 turns the order round), `valid_frame` and
`activity_annotation`, and row i belongs to `imageSequence/img_%06d.jpg` of i + 1.

The training set ships videos. Extract their frames as `imageFrames/video_CAMERA/frame_%06d.jpg` from 1 on, the naming
that most code uses. Inferred: the pictures' sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import MPI3DHP28, MUPOTS17, Skeleton
from anchorpose.datasets.archives import Archive, read_mat, require_images
from anchorpose.datasets.frames3d import Frame3D, no_visibility
from anchorpose.datasets.samples import Floats, Sample
from anchorpose.evaluation.protocols3d import ACTIVITIES

SUBJECTS, TEST_SEQUENCES = tuple(range(1, 9)), tuple(range(1, 7))
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""The eight of the fourteen cameras at chest and knee height that are commonly trained on."""
TRAIN = Archive(
    "MPI-INF-3DHP", "vcai.mpi-inf.mpg.de/3dhp-dataset",
    "Mehta et al., Monocular 3D human pose estimation in the wild using improved CNN supervision, 3DV 2017",
    "non-commercial research", tuple(f"S{i}/Seq{k}/annot.mat" for i in SUBJECTS for k in (1, 2)),
)  # fmt: skip
TEST = replace(TRAIN, name="MPI-INF-3DHP's test set", parts=tuple(f"TS{i}/annot_data.mat" for i in TEST_SEQUENCES))
_SQUARE, _WIDE = (2048, 2048), (1920, 1080)
_LAST_SQUARE = 4


def read_3dhp_train(
    root: Path, subjects: Sequence[int] = SUBJECTS, cameras: Sequence[int] = CAMERAS, stride: int = 1
) -> list[Sample]:
    """Training frames as samples, with 3D in true size (`annot3`).

    Args:
        root: the folder that holds S1 to S8.
        subjects, cameras: which of them. stride: keep every stride-th frame.

    Raises:
        InputError: parts or pictures are missing, or a file is not as the toolkit has it.
    """
    parts = tuple(f"S{i}/Seq{k}/annot.mat" for i in subjects for k in (1, 2))
    replace(TRAIN, parts=parts).require(root)
    samples = [frame.sample() for part in parts for camera in cameras
               for frame in training_frames(Path(root) / part, camera, stride)]  # fmt: skip
    require_images(samples, TRAIN)
    return samples


def read_3dhp_test(root: Path, sequences: Sequence[int] = TEST_SEQUENCES) -> list[Sample]:
    """Valid test frames as samples, with 3D in true size (`annot3`).

    Args:
        root: the folder that holds TS1 to TS6 ("mpi_inf_3dhp_test_set").
        sequences: which of them.

    Raises:
        InputError: parts or pictures are missing, h5py is not installed, or a file is not as the toolkit has it.
    """
    replace(TEST, parts=tuple(f"TS{i}/annot_data.mat" for i in sequences)).require(root)
    samples = [frame.sample() for i in sequences for frame in held_out_frames(root, i)]
    require_images(samples, TEST)
    return samples


def training_frames(annotations: Path, camera: int, stride: int = 1) -> Iterator[Frame3D]:
    """Frames of one camera of a training sequence, in 28 joints.

    Args:
        annotations: the sequence's annot.mat. camera: 0 to 13. stride: see `read_3dhp_train`.

    Raises:
        InputError: the file is not as the toolkit has it.
    """
    annotations = Path(annotations)
    joints2d = _camera(annotations, "annot2", camera, 2)
    joints3d = _camera(annotations, "annot3", camera, 3) / np.float32(1000)
    if len(joints2d) != len(joints3d):
        raise InputError(f"{annotations} has {len(joints2d)} frames of 2D and {len(joints3d)} of 3D for camera "
                         f"{camera}, wanted as many; {TRAIN.source}")  # fmt: skip
    folder = annotations.parent / "imageFrames" / f"video_{camera}"
    name = f"{annotations.parent.parent.name}/{annotations.parent.name}/{camera}"
    for number in range(0, len(joints2d), stride):
        frame = _frame(folder / f"frame_{number + 1:06d}.jpg", MPI3DHP28, joints2d[number], joints3d[number], _SQUARE)
        yield replace(frame, sequence=name, frame=number)


def held_out_frames(root: Path, sequence: int, universal: bool = False) -> Iterator[Frame3D]:
    """Valid frames of one test video, in 17 joints.

    Args:
        root: see `read_3dhp_test`. sequence: 1 to 6.
        universal: 3D of `univ_annot3` (what 3DPCK is measured on), which does not project onto the 2D.

    Raises:
        InputError: see `read_3dhp_test`.
    """
    folder = Path(root) / f"TS{sequence}"
    data = _read_hdf5(folder / "annot_data.mat", universal)
    size = _SQUARE if sequence <= _LAST_SQUARE else _WIDE
    joints3d = data["joints3d"] / np.float32(1000)
    for number in np.flatnonzero(data["valid"]):
        image = folder / "imageSequence" / f"img_{number + 1:06d}.jpg"
        frame = _frame(image, MUPOTS17, data["joints2d"][number], joints3d[number], size)
        activity = int(data["activity"][number])
        known = ACTIVITIES[activity - 1] if 1 <= activity <= len(ACTIVITIES) else None
        yield replace(frame, sequence=folder.name, frame=int(number), activity=known)


def _frame(image: Path, skeleton: Skeleton, joints2d: Floats, joints3d: Floats, size: tuple[int, int]) -> Frame3D:
    return Frame3D(image, skeleton, joints2d[None], joints3d[None], no_visibility(joints2d[None]), size)


def _camera(path: Path, variable: str, camera: int, dimensions: int) -> Floats:
    """(frames, 28, dimensions) of one camera."""
    cells = np.atleast_1d(read_mat(path, variable, TRAIN))
    if cells.dtype != object or not 0 <= camera < len(cells):
        raise InputError(f"{path} has {variable} of {cells.shape}, wanted a cell for camera {camera}; {TRAIN.source}")
    values = np.atleast_2d(np.asarray(cells[camera], dtype=np.float32))
    if values.shape[-1] != dimensions * len(MPI3DHP28):
        raise InputError(f"{path} has {variable} with {values.shape[-1]} columns, wanted "
                         f"{dimensions * len(MPI3DHP28)}; {TRAIN.source}")  # fmt: skip
    return values.reshape(-1, len(MPI3DHP28), dimensions)


def _read_hdf5(path: Path, universal: bool) -> dict[str, NDArray[Any]]:
    """Arrays by name, frames first."""
    try:
        import h5py
    except ImportError:
        raise InputError(f"found no h5py, which reads {path}; install it: pip install h5py") from None
    names = {"joints2d": "annot2", "joints3d": "univ_annot3" if universal else "annot3", "valid": "valid_frame",
             "activity": "activity_annotation"}  # fmt: skip
    try:
        with h5py.File(path, "r") as file:
            data = {name: np.asarray(file[key]) for name, key in names.items()}
        frames = data["valid"].size
        data["joints2d"] = data["joints2d"].astype(np.float32).reshape(frames, len(MUPOTS17), 2)
        data["joints3d"] = data["joints3d"].astype(np.float32).reshape(frames, len(MUPOTS17), 3)
        data["activity"] = data["activity"].reshape(frames)
    except (OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path} is not the test set's HDF5 file ({reason}); {TEST.source}") from None
    return data | {"valid": data["valid"].ravel() > 0}
