"""What the user typed, made into a list of picture files: files, folders and globs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jp2", ".avif",
     ".ppm", ".pgm", ".pbm", ".pnm")
)  # fmt: skip
"""Suffixes taken for pictures inside folders and globs; a file given by name may have any."""


@dataclass(frozen=True)
class Sources:
    """Pictures to read, and the inputs that gave none with one line why."""

    paths: list[Path] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


class _Refused(Exception):
    """One input gives no pictures; the message is the reason."""


def natural_key(path: str | Path) -> list[tuple[int, int, str]]:
    """Sort key that puts img2 before img10, without regard to case."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def expand_sources(inputs: Iterable[str | Path], recursive: bool = False) -> Sources:
    """Files, folders and globs -> picture files, each once, in the order given.

    A bad input never stops the others: it is listed in `failures`.

    Args:
        inputs: a file (any suffix), a folder (its files with a suffix of `IMAGE_SUFFIXES`, in natural order, hidden
            files left out) or a glob with `*`, `?`, `[...]` or `**`. `~` is the home folder.
        recursive: also look in the folders inside a folder.
    """
    sources, seen = Sources(), set[str]()
    for given in map(str, inputs):
        try:
            found = _expand(given, recursive)
        except _Refused as reason:
            sources.failures.append((given, str(reason)))
            continue
        for path in found:
            # the same file twice (a folder and a file in it) is read once
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                sources.paths.append(path)
    return sources


def _expand(given: str, recursive: bool) -> list[Path]:
    if not given.strip():
        raise _Refused("the input is empty; wanted a file, a folder or a glob such as 'photos/*.jpg'")
    if re.match(r"(?i)(https?|ftp|rtsp)://", given):
        raise _Refused(f"{given} is a web address; download the picture and give the file")
    path = Path(given).expanduser()
    try:
        # first as it stands: a file may really be called 'photo[1].jpg'
        if path.is_dir():
            return _folder(path, recursive)
        if path.exists():
            return [path]
    except (OSError, ValueError) as error:
        raise _Refused(f"{given} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if glob.has_magic(given):
        return _glob(given, path)
    if path.is_symlink():
        raise _Refused(f"{given} is a link to {os.readlink(path)}, which does not exist; repair the link")
    raise _Refused(f"{given} does not exist; check the spelling and the folder (now {Path.cwd()})")


def _folder(folder: Path, recursive: bool) -> list[Path]:
    found: list[Path] = []
    denied: list[OSError] = []
    for here, inner, names in os.walk(folder, onerror=denied.append):
        inner[:] = [name for name in inner if recursive and not name.startswith(".")]
        found += [Path(here, name) for name in names if _is_picture(name)]
    if denied and not found:
        raise _Refused(f"the folder {folder} cannot be read: {denied[0].strerror}; check its access rights")
    if not found:
        deeper = "" if recursive else "; the folders inside it were not searched"
        raise _Refused(f"the folder {folder} holds no pictures (wanted .jpg, .png, .webp, ...){deeper}")
    return sorted(found, key=natural_key)


def _glob(given: str, pattern: Path) -> list[Path]:
    matches = glob.glob(str(pattern), recursive=True)
    found = [Path(m) for m in matches if _is_picture(os.path.basename(m)) and os.path.isfile(m)]
    if not matches:
        raise _Refused(f"nothing matches {given}; check the spelling and the folder (now {Path.cwd()})")
    if not found:
        raise _Refused(f"{given} matches {len(matches)} names, none of them a picture (wanted .jpg, .png, .webp, ...)")
    return sorted(found, key=natural_key)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
