"""MPII Human Pose (Andriluka et al., CVPR 2014): `mpii_human_pose_v1_u12_1.mat` and the folder `images`.

Known from the README of the archive: the nesting `RELEASE.annolist(i).{image.name, annorect, frame_sec, vidx}`,
`annorect(r).{x1, y1, x2, y2, scale, objpos, annopoints.point(p).{x, y, id, is_visible}}`, `img_train`,
`single_person{i}` (numbers from 1 of the people with nobody close), `act(i).{cat_name, act_name, act_id}` and
`video_list`; that a person is 200 x scale pixels high; that the test pictures have only `scale` and `objpos`.
Known from the file itself: `annorect` may be empty or without `annopoints`, and `is_visible` may be absent, empty, a
number or a character.

Inferred: coordinates count MATLAB's way from (1, 1) (its evaluation adds 1 to predictions that count from 0); not
everybody in a picture is labelled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import MPII16
from anchorpose.datasets.archives import Archive, read_mat
from anchorpose.datasets.labels import bare_person, from_matlab, labelled_person
from anchorpose.datasets.samples import UNKNOWN, Annotation, Person, Sample

MPII = Archive(
    "MPII Human Pose",
    "human-pose.mpi-inf.mpg.de",
    "Andriluka et al., 2D Human Pose Estimation: New Benchmark and State of the Art Analysis, CVPR 2014",
    "annotations under the Simplified BSD licence, for research; the pictures are frames of YouTube videos",
    ("mpii_human_pose_v1_u12_1.mat|mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat", "images"),
)
PERSON_HEIGHT = 200.0
"""A person is this many pixels x `scale` high (README of the archive)."""


def read_mpii(root: Path, split: Literal["train", "test", "all"] = "train") -> list[Sample]:
    """Samples of the pictures whose people are labelled somehow, in the archive's order.

    The sample's `id` is the picture's place in `annolist` from 0, `sequence` the video it was taken from and `activity`
    MPII's name of what is done. A person's annotation has the 16 joints, the head box, scale, centre, whether nobody
    else is close, and as `id` the place in `annorect` from 0. People without joints keep a box (a square of their
    height around `objpos`, else their head box) and are ignored in the losses.

    Args:
        root: the unpacked archive.
        split: `img_train` 1 or 0, or both. The test pictures have no joints.

    Raises:
        InputError: parts of the archive are missing, or it is not laid out as MPII's.
    """
    MPII.require(root)
    path = MPII.part(root, 0)
    release = read_mat(path, "RELEASE", MPII)
    pictures = _structs(getattr(release, "annolist", None))
    chosen = np.atleast_1d(getattr(release, "img_train", np.zeros(0))) > 0
    if not pictures or len(chosen) != len(pictures):
        raise InputError(f"{path} has {len(pictures)} pictures in RELEASE.annolist and {len(chosen)} in img_train, "
                         f"wanted as many of both; {MPII.source}")  # fmt: skip
    apart = _cells(getattr(release, "single_person", None), len(pictures), path)
    activities = _structs(getattr(release, "act", None))
    videos = np.atleast_1d(getattr(release, "video_list", np.zeros(0)))
    samples, images = [], MPII.part(root, 1)
    for i, picture in enumerate(pictures):
        if split != "all" and chosen[i] != (split == "train"):
            continue
        if not (people := tuple(_people(picture, apart[i]))):
            continue
        activity = getattr(activities[i], "act_name", "") if i < len(activities) else ""
        samples.append(Sample(
            images / _name(picture, i), people, exhaustive=False, id=i,
            sequence=_video(picture, videos), activity=activity if isinstance(activity, str) and activity else None,
        ))  # fmt: skip
    return samples


def _name(picture: Any, number: int) -> str:
    name = getattr(getattr(picture, "image", None), "name", None)
    if not isinstance(name, str) or not name:
        raise InputError(f"RELEASE.annolist({number + 1}) has no image.name, wanted a file name; {MPII.source}")
    return name


def _people(picture: Any, apart: set[int]) -> Iterator[Person]:
    for r, rectangle in enumerate(_structs(getattr(picture, "annorect", None))):
        annotation = _annotation(rectangle, r, r + 1 in apart)
        if annotation.labelled.any():
            yield labelled_person(annotation)
        elif annotation.centre is not None and annotation.scale is not None:
            half = annotation.scale * PERSON_HEIGHT / 2
            yield bare_person(np.concatenate([annotation.centre - half, annotation.centre + half]), annotation)
        elif annotation.head_box is not None:
            yield bare_person(annotation.head_box, annotation)


def _annotation(rectangle: Any, number: int, separated: bool) -> Annotation:
    joints2d = np.full((len(MPII16), 2), np.nan)
    visible = np.full(len(MPII16), UNKNOWN, np.int8)
    for point in _structs(getattr(getattr(rectangle, "annopoints", None), "point", None)):
        joint = _number(point, "id")
        if joint is None or not 0 <= joint < len(MPII16):
            raise InputError(f"a joint of MPII has the id {joint}, wanted 0 to {len(MPII16) - 1}; {MPII.source}")
        joints2d[int(joint)] = _numbers(point, "x", "y") or np.nan
        seen = _number(point, "is_visible")
        visible[int(joint)] = UNKNOWN if seen is None else int(seen > 0)
    head_box = _numbers(rectangle, "x1", "y1", "x2", "y2")
    centre = _numbers(getattr(rectangle, "objpos", None), "x", "y")
    return Annotation(
        MPII16, from_matlab(joints2d), visible, id=number, scale=_number(rectangle, "scale"), separated=separated,
        head_box=None if head_box is None else from_matlab(head_box),
        centre=None if centre is None else from_matlab(centre),
    )  # fmt: skip


def _numbers(struct: Any, *fields: str) -> list[float] | None:
    """Several fields; None where one of them is absent or empty."""
    values = [value for field in fields if (value := _number(struct, field)) is not None]
    return values if len(values) == len(fields) else None


def _number(struct: Any, field: str) -> float | None:
    """A field that may be absent, empty, a number or a character."""
    value = getattr(struct, field, None)
    if not isinstance(value, int | float):  # scipy gives most of the million as plain numbers
        values = np.ravel([] if value is None else value)
        if values.size == 0 or not str(values[0]).strip():
            return None
        value = values[0]
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"MPII's field {field} is {str(value)!r}, wanted a number; {MPII.source}") from None
    return number if math.isfinite(number) else None


def _structs(value: Any) -> list[Any]:
    """The structs of a struct array, of which MATLAB makes one struct or an empty array where it can."""
    values = value.ravel() if isinstance(value, np.ndarray) else [value]
    return [item for item in values if hasattr(item, "_fieldnames")]


def _cells(value: Any, count: int, path: Path) -> list[set[int]]:
    """`single_person`: for each picture the numbers (from 1) of the people who stand apart."""
    if value is None:
        raise InputError(f"{path} lacks RELEASE.single_person, wanted the original file; {MPII.source}")
    cells = [value] if count == 1 else list(np.atleast_1d(value))
    if len(cells) != count:
        raise InputError(f"{path} has {len(cells)} entries in RELEASE.single_person, wanted {count}; {MPII.source}")
    try:
        return [{int(number) for number in np.ravel(cell)} for cell in cells]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{path} has something else than numbers in RELEASE.single_person, wanted the original file; "
                         f"{MPII.source}") from None  # fmt: skip


def _video(picture: Any, videos: Any) -> str | None:
    number = _number(picture, "vidx")
    return str(videos[int(number) - 1]) if number is not None and 0 < number <= len(videos) else None
