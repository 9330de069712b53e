"""`Folder`: a local folder or a bucket, by its address, through fsspec; files appear whole or not at all."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from anchorpose.core.errors import InputError

_ADDRESS = re.compile(r"(?i)^[a-z][a-z0-9+.-]+://")
_VERSIONS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""What file systems tell that changes with a file's content, the surest first."""


class Folder:
    """A folder that every machine of a job can reach. Travels between processes as its address.

    Args:
        address: a path, or an address that fsspec knows, such as s3://bucket/photos or gs://bucket/photos.

    Raises:
        InputError: nothing here speaks the address's protocol.
    """

    def __init__(self, address: str) -> None:
        if not address.strip():
            raise InputError("found an empty address, wanted a folder or a bucket such as s3://bucket/photos")
        self.address = address if _ADDRESS.match(address) else str(Path(address).expanduser().absolute())
        try:
            # a cached listing would hide what other machines have written
            self.fs, root = fsspec.core.url_to_fs(self.address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise InputError(f"cannot open {address}: {_line(error)}; install what fsspec needs for it (s3fs for "
                             "s3://, gcsfs for gs://, adlfs for az://)") from error  # fmt: skip
        self.root = str(root).rstrip("/")
        self.local = "file" in ([self.fs.protocol] if isinstance(self.fs.protocol, str) else self.fs.protocol)

    def __reduce__(self) -> tuple[Callable[[str], Folder], tuple[str]]:
        return Folder, (self.address,)

    def check(self) -> None:
        """InputError unless it can be reached and exists."""
        with self._told("open", ""):
            there = self.fs.exists(self.root)
        if not there:
            raise InputError(f"{self.address} does not exist; check the spelling and the rights")

    def files(self) -> Iterator[dict[str, Any]]:
        """What fsspec tells of each file here and below: a folder's files by name, then its folders by name.

        Hidden names and links to folders are left out. One folder's listing is in memory at a time, and the names of
        the folders still to visit. A file in place of the folder gives itself.

        Raises:
            InputError: a folder cannot be listed.
        """
        waiting = [self.root]
        while waiting:
            here = waiting.pop()
            entries = sorted(self._list(here), key=lambda entry: str(entry["name"]))
            yield from (entry for entry in entries if entry["type"] == "file")
            waiting += [entry["name"] for entry in reversed(entries) if entry["type"] == "directory"]

    def _list(self, path: str) -> list[dict[str, Any]]:
        with self._told("list", path[len(self.root) :].lstrip("/")):
            entries = self.fs.ls(path, detail=True)
        own = path.rstrip("/")  # buckets may hold an empty object that stands for the folder itself
        entries = [e for e in entries if str(e["name"]).rstrip("/") != own or (e["type"] == "file" and e["size"])]
        return [self._followed(e) for e in entries if not PurePosixPath(e["name"]).name.startswith(".")]

    def _followed(self, entry: dict[str, Any]) -> dict[str, Any]:
        """A link to a file is that file; one to a folder (perhaps the one above) or to nothing stays what it is."""
        if not entry.get("islink"):
            return entry
        try:
            target: dict[str, Any] = self.fs.info(entry["name"])
        except OSError:
            return entry
        return target if target["type"] == "file" else entry

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder of this one; none if there is no such folder."""
        with self._told("list", folder):
            try:
                entries = self.fs.ls(self._path(folder), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(PurePosixPath(e["name"]).name for e in entries if e["type"] == "file")

    def exists(self, name: str) -> bool:
        """Whether a file is here."""
        with self._told("read", name):
            return bool(self.fs.exists(self._path(name)))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none."""
        with self._told("read", name):
            try:
                return bytes(self.fs.cat_file(self._path(name)))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def open(self, name: str) -> Any:
        """A file, open for reading bytes."""
        return self.fs.open(self._path(name), "rb")

    def write(self, name: str, content: bytes | Path) -> None:
        """Write bytes, or the content of a local file, under a temporary name that begins with a dot; then rename.

        Raises:
            InputError: the file system refuses (full, no rights).
        """
        target = PurePosixPath(self._path(name))
        temporary = str(target.with_name(f".{target.stem}.{secrets.token_hex(6)}{target.suffix}"))
        with self._told("write", name):
            self.fs.makedirs(str(target.parent), exist_ok=True)
            if isinstance(content, Path):
                self.fs.put_file(str(content), temporary)
            else:
                self.fs.pipe_file(temporary, content)
            self.fs.mv(temporary, str(target))

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens if it has gone."""
        with self._told("remove", name), suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    @contextmanager
    def _told(self, action: str, name: str) -> Iterator[None]:
        """Each file system has errors of its own; all become one that users can read."""
        try:
            yield
        except Exception as error:
            raise InputError(f"cannot {action} {self.address}/{name}: {_line(error)}; check the space and the rights, "
                             "then run it again") from error  # fmt: skip

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


def version(entry: dict[str, Any]) -> str:
    """What changes when a file's content does, of what fsspec tells of it; empty if nothing is told but the size."""
    return next((str(entry[name]) for name in _VERSIONS if entry.get(name)), "")


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())[:200]
