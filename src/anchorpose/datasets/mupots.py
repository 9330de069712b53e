"""MuPoTS-3D (Mehta et al., 3DV 2018): 20 videos of two or three people.

Known for certain (the toolkit's evaluation script reads it so): `TSk/annot.mat` holds the cell array `annotations`
(frames x people) of structs with `annot2` (2, 17) pixels, `annot3` and `univ_annot3` (3, 17) millimetres in the camera
frame, and `isValidFrame`; `TSk/occlusion.mat` holds the cell array `occlusion_labels` of (17,), 1 = occluded;
row i of both belongs to `img_%06d.jpg` of i - 1. The benchmark's 3D is `univ_annot3`, whose people are scaled to one
height; `annot3` has their true size, and it is what projects onto `annot2`.

Inferred: the pictures' sizes, and that other people may walk through the outdoor videos, so samples are not exhaustive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import MUPOTS17
from anchorpose.datasets.archives import Archive, read_mat, require_images
from anchorpose.datasets.frames3d import Frame3D
from anchorpose.datasets.samples import Sample

SEQUENCES = tuple(range(1, 21))
MUPOTS = Archive(
    "MuPoTS-3D", "vcai.mpi-inf.mpg.de/projects/SingleShotMultiPerson",
    "Mehta et al., Single-shot multi-person 3D pose estimation from monocular RGB, 3DV 2018",
    "non-commercial research", tuple(f"TS{i}/{name}.mat" for i in SEQUENCES for name in ("annot", "occlusion")),
)  # fmt: skip
_SQUARE, _WIDE = (2048, 2048), (1920, 1080)
_LAST_SQUARE = 5


def read_mupots(root: Path, sequences: Sequence[int] = SEQUENCES) -> list[Sample]:
    """Frames with at least one valid person as samples, with 3D in true size (`annot3`).

    Args:
        root: the folder that holds TS1 to TS20 ("MultiPersonTestSet").
        sequences: which of them.

    Raises:
        InputError: parts or pictures are missing, or a file is not as the toolkit has it.
    """
    samples = [frame.sample() for i in sequences for frame in mupots_frames(root, i)]
    require_images(samples, MUPOTS)
    return samples


def mupots_frames(root: Path, sequence: int, universal: bool = False) -> Iterator[Frame3D]:
    """Frames of one video with at least one valid person, in its 17 joints; only valid people are given.

    Args:
        root: see `read_mupots`. sequence: 1 to 20.
        universal: 3D of `univ_annot3` (what 3DPCK is measured on), which does not project onto the 2D.

    Raises:
        InputError: see `read_mupots`.
    """
    folder = f"TS{sequence}"
    replace(MUPOTS, parts=(f"{folder}/annot.mat", f"{folder}/occlusion.mat")).require(root)
    people = _cells(Path(root) / folder / "annot.mat", "annotations")
    occluded = _cells(Path(root) / folder / "occlusion.mat", "occlusion_labels")
    if people.shape != occluded.shape:
        raise InputError(f"{Path(root) / folder} has annotations of {people.shape} frames x people and occlusion "
                         f"labels of {occluded.shape}, wanted the same; {MUPOTS.source}")  # fmt: skip
    size = _SQUARE if sequence <= _LAST_SQUARE else _WIDE
    for number, (row, hidden) in enumerate(zip(people, occluded, strict=True)):
        image = Path(root) / folder / f"img_{number:06d}.jpg"
        valid = [i for i, person in enumerate(row) if _is_valid(person, image)]
        if valid:
            frame = _frame(image, row[valid], hidden[valid], universal, size)
            yield replace(frame, sequence=folder, frame=number, ids=np.array(valid, dtype=np.int64))


def _is_valid(person: Any, image: Path) -> bool:
    try:
        return bool(person.isValidFrame)
    except (AttributeError, ValueError):
        raise InputError(f"the annotations of {image} are not structs with isValidFrame; {MUPOTS.source}") from None


def _frame(
    image: Path, people: NDArray[Any], occluded: NDArray[Any], universal: bool, size: tuple[int, int]
) -> Frame3D:
    try:
        joints2d = np.stack([_joints(person.annot2, 2) for person in people])
        joints3d = np.stack([_joints(person.univ_annot3 if universal else person.annot3, 3) for person in people])
        hidden = np.stack([np.asarray(labels).reshape(len(MUPOTS17)) for labels in occluded])
    except (AttributeError, ValueError) as error:
        raise InputError(f"the annotations of {image} are not structs of 17 joints ({error}); "
                         f"{MUPOTS.source}") from None  # fmt: skip
    visible = np.where(hidden > 0, 0, 1).astype(np.int8)
    return Frame3D(image, MUPOTS17, joints2d, joints3d / np.float32(1000), visible, size, exhaustive=False)


def _joints(values: Any, dimensions: int) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32).reshape(dimensions, len(MUPOTS17)).T


def _cells(path: Path, variable: str) -> NDArray[Any]:
    """(frames, people) of a cell array; with one person the reader drops the second dimension."""
    cells = np.asarray(read_mat(path, variable, MUPOTS), dtype=object)
    if cells.ndim == 1:
        cells = cells[:, None]
    if cells.ndim != 2:
        raise InputError(f"{path} has {variable} of {cells.ndim} dimensions, wanted frames x people; {MUPOTS.source}")
    return cells
