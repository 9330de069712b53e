"""Frames Labeled In Cinema (Sapp and Taskar, CVPR 2013): `examples.mat` and the folder `images`.

Known from the archive and its authors' code: `examples` is a struct array with `poselet_hit_idx`, `moviename`,
`coords` (2, 29), `filepath`, `imgdims`, `currframe`, `torsobox` (x1, y1, x2, y2), `istrain`, `istest`; of the 29
columns 11 are labelled (1 to 7, 10, 13, 14 and 17), the others NaN. Left and right are the person's own (the authors
swap them for people seen from behind only to train their model).

Inferred: coordinates count MATLAB's way from (1, 1). Nobody else in a picture is labelled; where a picture has
several examples they are its people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import FLIC11
from anchorpose.datasets.archives import Archive, read_mat
from anchorpose.datasets.labels import bare_person, from_matlab, labelled_person
from anchorpose.datasets.samples import UNKNOWN, Annotation, Person, Sample

FLIC = Archive(
    "FLIC",
    "bensapp.github.io/flic-dataset.html",
    "Sapp and Taskar, MODEC: Multimodal Decomposable Models for Human Pose Estimation, CVPR 2013",
    "none stated with the archive; the pictures are frames of films",
    ("examples.mat", "images"),
)
LABELLED_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16)
"""Of the 29 columns of `coords`, from 0, those of `FLIC11`."""
_COLUMNS = 29


def read_flic(root: Path, split: Literal["train", "test", "all"] = "train") -> list[Sample]:
    """Samples of FLIC, a picture each, in the order of their first example.

    `sequence` is the film and `frame` the frame in it; a person's annotation has the 11 joints, the torso box that
    tells the labelled person from the others, and as `id` the example's number from 0.

    Args:
        root: the unpacked archive.
        split: examples with `istrain`, with `istest`, or all.

    Raises:
        InputError: parts of the archive are missing, or it is not laid out as FLIC's.
    """
    FLIC.require(root)
    examples = [e for e in np.ravel(read_mat(FLIC.part(root, 0), "examples", FLIC)) if hasattr(e, "_fieldnames")]
    if not examples:
        raise InputError(f"{FLIC.part(root, 0)} has no structs in examples, wanted the original file; {FLIC.source}")
    images = FLIC.part(root, 1)
    people: dict[str, list[Person]] = {}
    firsts: dict[str, Any] = {}
    for number, example in enumerate(examples):
        if absent := {"coords", "filepath", "torsobox", "istrain", "istest"} - set(example._fieldnames):
            raise InputError(f"{FLIC.part(root, 0)}: example {number + 1} lacks {', '.join(sorted(absent))}, wanted "
                             f"the original file; {FLIC.source}")  # fmt: skip
        if split == "all" or bool(getattr(example, f"is{split}")):
            name = str(example.filepath)
            firsts.setdefault(name, example)
            people.setdefault(name, []).append(_person(example, number))
    return [_sample(images / name, example, people[name]) for name, example in firsts.items()]


def _sample(path: Path, example: Any, people: list[Person]) -> Sample:
    film, frame = getattr(example, "moviename", None), np.ravel(getattr(example, "currframe", []))
    return Sample(path, tuple(people), exhaustive=False, sequence=film if isinstance(film, str) else None,
                  frame=int(frame[0]) if frame.size else None)  # fmt: skip


def _person(example: Any, number: int) -> Person:
    coords = np.asarray(example.coords)
    torso = np.ravel(example.torsobox)
    if coords.shape != (2, _COLUMNS) or coords.dtype.kind not in "fiu" or torso.size not in (0, 4):
        raise InputError(f"FLIC's example {number + 1} has coords of shape {coords.shape} and {torso.size} numbers of "
                         f"torsobox, wanted (2, {_COLUMNS}) and 4; {FLIC.source}")  # fmt: skip
    joints2d = from_matlab(coords.T[list(LABELLED_COLUMNS)])
    joints2d[~np.isfinite(joints2d).all(axis=1)] = np.nan
    annotation = Annotation(FLIC11, joints2d, np.full(len(FLIC11), UNKNOWN, np.int8), id=number,
                            torso_box=from_matlab(torso) if torso.size else None)  # fmt: skip
    if annotation.labelled.any() or annotation.torso_box is None:
        return labelled_person(annotation)
    return bare_person(annotation.torso_box, annotation)
