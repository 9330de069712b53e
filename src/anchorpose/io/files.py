"""Writing files whole or not at all: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path to write to; it becomes `path` when the block ends without an error.

    The temporary name keeps the suffix, because writers choose the format by it. After an error the temporary file is
    removed and what stood at `path` before is untouched. A symbolic link is followed, not replaced. A device or pipe
    (/dev/null, /dev/stdout) is written to as it is: a rename would put a file in its place.

    Raises:
        InputError: `path` is a folder, its folder is missing, or the file system refuses (full, read-only).
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise InputError(f"{path} is a folder, wanted a file name to write to; add a name, for example {path}/out.json")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {path}: the folder {target.parent} does not exist; create it first")
    if target.exists() and not target.is_file():
        yield target
        return
    temporary = target.with_name(f".{target.stem[:100]}.{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        _finish(temporary, target, path)
    finally:
        temporary.unlink(missing_ok=True)


def _finish(temporary: Path, target: Path, path: str | Path) -> None:
    if not temporary.exists():
        raise InputError(f"cannot write {path}: nothing was written; check the space on the disk and the file's type")
    try:
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(_refused(path, error)) from error


def _refused(path: str | Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror or error}; check the space on the disk and the rights of the folder"


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write bytes, or text as UTF-8 with its line ends as they are; errors as in `atomic_path`."""
    raw = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_path(path) as temporary:
        try:
            temporary.write_bytes(raw)
        except OSError as error:
            raise InputError(_refused(path, error)) from error


def read_json(path: Path, advice: str) -> Any:
    """What a JSON file holds.

    Args:
        path: the file.
        advice: what to do when it cannot be read; ends the error.

    Raises:
        InputError: no such file, or it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {advice}") from None
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{path} is not JSON ({' '.join(str(error).split())[:100]}); {advice}") from None


def write_json(path: str | Path, obj: Any, indent: int | None = None) -> None:
    """Write `obj` as JSON; numpy arrays and numbers become lists and numbers, paths and enums text.

    Raises:
        ValueError: a NaN or infinity is in `obj`. JSON has none, and it shows a bug where it was made.
        TypeError: something JSON cannot hold.
        InputError: the file cannot be written.
    """
    atomic_write(path, json.dumps(obj, allow_nan=False, default=_plain, ensure_ascii=False, indent=indent) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.name.lower()
    raise TypeError(f"JSON cannot hold {type(value).__name__}: {value!r:.80}")


def write_image(path: str | Path, image: NDArray[np.uint8], quality: int = 92) -> None:
    """Write a (h, w, 3) uint8 BGR image; the suffix chooses the format.

    Args:
        path: ends in .jpg, .png, .webp or another suffix that OpenCV writes.
        image: (h, w, 3) uint8, blue green red.
        quality: 1 to 100, for JPEG and WebP.

    Raises:
        InputError: an unknown suffix, or the file cannot be written.
    """
    flags = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".jpeg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}
    suffix = Path(path).suffix.lower()
    try:
        done, encoded = cv2.imencode(suffix, image, [flags[suffix], quality] if suffix in flags else [])
    except cv2.error as error:
        raise InputError(f"cannot write {path} as {suffix or 'a file without suffix'!r}; use .jpg or .png") from error
    if not done:
        raise InputError(f"cannot write a {image.shape[1]} x {image.shape[0]} picture as {suffix!r}; use .png")
    atomic_write(path, encoded.tobytes())
