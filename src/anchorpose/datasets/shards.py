"""Pictures in tar files of limited size: `photographs-000.tar/a.jpg` is the picture `a.jpg` inside that file.

A few large files copy and load faster than many small ones, over networks above all. Any tool opens them, and an
annotation's `file_name` says where its picture is.
"""

from __future__ import annotations

import io
import tarfile
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.datasets.transforms import Image
from anchorpose.io.files import atomic_write

SUFFIX = ".tar"


def read_picture(path: Path) -> Image:
    """A picture in a folder or in a shard.

    Returns:
        (h, w, 3) uint8 BGR.

    Raises:
        InputError: it is missing or is no picture.
    """
    if path.parent.suffix == SUFFIX and path.parent.is_file():
        image = cv2.imdecode(np.frombuffer(_member(path), np.uint8), cv2.IMREAD_COLOR)
    else:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"cannot read the photograph {path}; check the images folder of the data")
    return np.asarray(image, np.uint8)


def _member(path: Path) -> bytes:
    shard = path.parent
    members = _members(str(shard), shard.stat().st_mtime_ns)
    if path.name not in members:
        raise InputError(f"found no {path.name} in the shard {shard}; pack the data anew")
    offset, size = members[path.name]
    with shard.open("rb") as file:
        file.seek(offset)
        return file.read(size)


@lru_cache(maxsize=4096)
def _members(shard: str, changed: int) -> dict[str, tuple[int, int]]:
    """Where each file of a shard begins and how long it is; `changed` is when the shard was written, nanoseconds."""
    try:
        with tarfile.open(shard) as file:
            return {member.name: (member.offset_data, member.size) for member in file if member.isfile()}
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"cannot read the shard {shard}: it is no complete tar file; pack the data anew") from error


class ShardWriter:
    """Writes files into `PREFIX-000.tar`, `PREFIX-001.tar`, ... of a folder; each whole or not at all.

    Args:
        folder: must exist. prefix: of the names. limit: most bytes of a shard.
    """

    def __init__(self, folder: Path, prefix: str, limit: int) -> None:
        self._folder, self._prefix, self._limit = folder, prefix, limit
        self._files: list[tuple[str, bytes]] = []
        self._blocks = 0
        self.paths: list[Path] = []

    def add(self, name: str, content: bytes) -> str:
        """Keep a file; what is kept is written when a shard is full.

        Returns:
            its name with the shard's, such as `photographs-000.tar/a.jpg`.

        Raises:
            InputError: it alone is larger than a shard, or the folder cannot be written.
        """
        blocks = 1 + -(-len(content) // tarfile.BLOCKSIZE)  # a header, and whole blocks
        if _size(blocks) > self._limit:
            raise InputError(f"found {name} of {len(content)} bytes, which no shard of {self._limit} bytes holds; give "
                             "larger shards or smaller pictures")  # fmt: skip
        if _size(self._blocks + blocks) > self._limit:
            self.close()
        self._files.append((name, content))
        self._blocks += blocks
        return f"{self._path().name}/{name}"

    def close(self) -> None:
        """Write what is kept."""
        if not self._files:
            return
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as shard:
            for name, data in self._files:
                member = tarfile.TarInfo(name)  # no time and no owner: the same pictures give the same file
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
        path = self._path()
        atomic_write(path, content.getvalue())
        self.paths.append(path)
        self._files, self._blocks = [], 0

    def _path(self) -> Path:
        return self._folder / f"{self._prefix}-{len(self.paths):03}{SUFFIX}"


def _size(blocks: int) -> int:
    """Bytes of the tar file: the files' blocks and two empty ones, in whole records."""
    return tarfile.RECORDSIZE * -(-(blocks + 2) * tarfile.BLOCKSIZE // tarfile.RECORDSIZE)
