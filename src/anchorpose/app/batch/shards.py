"""What there is to do, cut into shards: the unit of work, of retries, of resuming and of files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from anchorpose.app.batch.storage import Folder, version
from anchorpose.io.sources import IMAGE_SUFFIXES

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp",
     ".ogv")
)  # fmt: skip
"""Suffixes taken for videos."""
_DIGEST = 16


@dataclass(frozen=True)
class Input:
    """A photograph or video.

    Args:
        path: in its file system. name: below the input folder, as Unicode, as the tables have it.
        bytes: its size. version: changes with its content. video: whether it is one.
    """

    path: str
    name: str
    bytes: int
    version: str
    video: bool


@dataclass(frozen=True)
class Shard:
    """Inputs that are done together, under a key made of their names, sizes and versions."""

    key: str
    inputs: tuple[Input, ...]

    @classmethod
    def of(cls, inputs: Iterable[Input]) -> Shard:
        """The shard of these inputs."""
        chosen = tuple(inputs)
        told = json.dumps([(i.path, i.bytes, i.version) for i in chosen]).encode("ascii")
        return cls(hashlib.blake2b(told, digest_size=_DIGEST).hexdigest(), chosen)

    def to_json(self) -> str:
        """ASCII text, also of names that are no Unicode."""
        return json.dumps([asdict(i) for i in self.inputs])

    @classmethod
    def from_json(cls, text: str) -> Shard:
        """Inverse of `to_json`."""
        return cls.of(Input(**entry) for entry in json.loads(text))


def find_inputs(folder: Folder) -> Iterator[Input]:
    """The photographs and videos of a folder and all below it, in an order that only depends on their names.

    Raises:
        InputError: see `Folder.files`.
    """
    for entry in folder.files():
        path = str(entry["name"])
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in IMAGE_SUFFIXES or suffix in VIDEO_SUFFIXES:
            name = path[len(folder.root) :].lstrip("/") or PurePosixPath(path).name
            shown = os.fsencode(name).decode("utf-8", "replace")  # Parquet takes no name that is no Unicode
            yield Input(path, shown, int(entry["size"] or 0), version(entry), suffix in VIDEO_SUFFIXES)


def cut(inputs: Iterable[Input], size: int) -> Iterator[Shard]:
    """Shards of about `size` photographs, from size / 2 to 2 size; a video is a shard of its own.

    Where a shard ends is decided by the names alone (as rsync and backup programs cut files), so that a photograph that
    is added or removed changes the shard it is in and perhaps the next ones, not all that follow.

    Args:
        inputs: in the order of `find_inputs`.
        size: 1 or more.
    """
    waiting: list[Input] = []
    for source in inputs:
        if source.video:
            if waiting:
                yield Shard.of(waiting)
                waiting = []
            yield Shard.of([source])
            continue
        waiting.append(source)
        if len(waiting) >= 2 * size or (2 * len(waiting) >= size and _ends_here(source.path, size)):
            yield Shard.of(waiting)
            waiting = []
    if waiting:
        yield Shard.of(waiting)


def _ends_here(path: str, size: int) -> bool:
    """True for one path in size / 2, always the same ones."""
    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
    return int.from_bytes(digest, "big") % max(1, size // 2) == 0
