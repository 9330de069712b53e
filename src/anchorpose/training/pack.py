"""Training data made small and put together: pictures shrunk into shards, people in one file a source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.samples import Floats, Person, Sample
from anchorpose.datasets.shards import ShardWriter, read_picture
from anchorpose.datasets.transforms import shrunk
from anchorpose.io.files import write_json
from anchorpose.synthesis.library import PoseLibrary, read_clip
from anchorpose.training.data import MOCAP_STRIDE, Data, Source

CARD = "card.json"
_STATES = {1: JointState.VISIBLE, 0: JointState.HIDDEN, -1: JointState.MISSING}
_PIXELS, _METRES = 2, 4
"""Digits after the point that are kept."""
_CHUNK = 64


@dataclass(frozen=True)
class Packed:
    """What was written."""

    card: Path
    pictures: int
    people: int
    shards: int
    size: int  # bytes of all files


def pack(data: Data, out: Path, side: int, shard: int, quality: int = 92) -> Packed:
    """Write data once more: small, in few files, and independent of where it was.

    People keep everything that training reads: their boxes, joints in 2D and 3D (lifted ones too) and joint states.
    Pictures without people are left out, as in training.

    Args:
        data: photographs and motion capture. out: a new or empty folder; its `card.json` is the packed data card.
        side: the longer side is made this long where it is longer, pixels. shard: most bytes of a tar file.
        quality: of the JPEG pictures.

    Raises:
        InputError: `out` holds files, a picture cannot be read, or the data has pictures that are made while training.
    """
    if data.fresh:
        raise InputError(f"found {data.fresh[0].name}, which makes new pictures every time; render them first with "
                         "anchorpose synthesize, or leave them out")  # fmt: skip
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"found {out}, wanted a new or empty folder for the packed data; remove it or give another")
    out.mkdir(parents=True, exist_ok=True)
    writer = ShardWriter(out, "photographs", shard)
    sources, pictures, people = [], 0, 0
    for number, source in enumerate(data.sources):
        samples = [s for s in replace(source, repeat=1).read() if s.people]
        annotations = _annotations(samples, _pictures(samples, side, quality), f"{number:02}", writer)
        write_json(out / f"{number:02}.json", annotations)
        sources.append(_entry(source, f"{number:02}.json"))
        pictures, people = pictures + len(samples), people + len(annotations["annotations"])
    writer.close()
    card: dict[str, Any] = {"sources": sources, "use": data.use}
    if data.mocap:
        _library(data.mocap).save(out / "mocap.npz")
        card |= {"mocap": ["mocap.npz"], "mocap_licence": data.mocap_licence}
    write_json(out / CARD, card, indent=1)
    return Packed(out / CARD, pictures, people, len(writer.paths), sum(p.stat().st_size for p in out.iterdir()))


def _entry(source: Source, annotations: str) -> dict[str, Any]:
    return {"name": source.name, "annotations": annotations, "images": ".", "exhaustive": source.exhaustive,
            "licence": source.licence, "repeat": source.repeat}  # fmt: skip


def _pictures(samples: Sequence[Sample], side: int, quality: int) -> Iterator[tuple[bytes, tuple[int, int], Floats]]:
    """JPEG, its (width, height), and the factors (2,) from the original's pixels to its own."""

    def encode(sample: Sample) -> tuple[bytes, tuple[int, int], Floats]:
        image = read_picture(sample.image)
        small = shrunk(image, side)
        good, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not good:
            raise InputError(f"cannot write {sample.image} as JPEG ({image.shape[1]} x {image.shape[0]} pixels)")
        width, height = small.shape[1], small.shape[0]
        factors = np.array([width / image.shape[1], height / image.shape[0]], np.float32)
        return encoded.tobytes(), (width, height), factors

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        progress = tqdm(range(0, len(samples), _CHUNK), "packing", disable=None)
        for first in progress:  # some at a time: the memory that this takes does not grow with the data
            yield from pool.map(encode, samples[first : first + _CHUNK])


def _annotations(samples: Sequence[Sample], pictures: Iterator[tuple[bytes, tuple[int, int], Floats]], prefix: str,
                 writer: ShardWriter) -> dict[str, Any]:  # fmt: skip
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    for index, (sample, (content, (width, height), factors)) in enumerate(zip(samples, pictures, strict=True), 1):
        name = writer.add(f"{prefix}-{index:06}.jpg", content)
        images.append({"id": index, "file_name": name, "width": width, "height": height})
        for person in sample.people:
            about = {"id": len(people) + 1, "image_id": index, "category_id": 1, "iscrowd": 0}
            people.append(about | _person(person, factors))
    category = {"id": 1, "name": LCR13.name, "keypoints": list(LCR13.joints)}
    return {"images": images, "annotations": people, "categories": [category]}


def _person(person: Person, factors: Floats) -> dict[str, Any]:
    """The fields that `datasets.coco` reads of people of whom everything is known."""
    box = boxes.to_xywh(person.box * np.tile(factors, 2))
    states = [_STATES[int(seen)].name.lower() for seen in person.visible]
    return {"bbox": [round(float(v), _PIXELS) for v in box], "joint_state": states,
            "joints2d": _rows(person.joints2d * factors, _PIXELS),
            "joints3d": _rows(person.joints3d, _METRES),
            "translation": _rows(person.centre3d[None], _METRES)[0]}  # fmt: skip


def _rows(joints: Floats, digits: int) -> list[list[float] | None]:
    """Rounded rows, null where a joint is unknown."""
    return [None if np.isnan(row).any() else [round(float(v), digits) for v in row] for row in joints]


def _library(paths: Sequence[Path]) -> PoseLibrary:
    """All poses of the motion capture as training reads them."""
    clips = [read_clip(path, MOCAP_STRIDE) for path in paths]
    index = np.repeat(np.arange(len(clips), dtype=np.int32), [len(clip.poses) for clip in clips])
    poses, frames = (np.concatenate(parts) for parts in zip(*((c.poses, c.frames) for c in clips), strict=True))
    return PoseLibrary(poses.astype(np.float32), tuple(path.stem for path in paths), index, frames.astype(np.int32))
