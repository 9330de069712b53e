"""`Journal`: results of a video as JSON lines, appended frame by frame, that survive a kill at any moment.

The first line is a header (schema, source, rate, skeleton, camera); then comes one line a frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from anchorpose.core.errors import InputError
from anchorpose.core.poses import SCHEMA as POSES_SCHEMA
from anchorpose.core.poses import Poses

SCHEMA = "anchorpose/video/1"
_MADE_FROM_POSES = ("schema", "skeleton", "camera")
FrameResult = tuple[int, float, Poses]
"""Index, seconds (both as in `frames.VideoFrame`) and people of one frame."""


class Journal:
    """Appends frames to a file, whole lines only, each handed to the system at once. Also a context manager.

    Args:
        path: `results.jsonl`.
        settings: what goes into the header besides skeleton and camera: plain JSON values, such as source and fps.
        resume: go on behind the last whole line of an existing file instead of starting anew.

    Attributes:
        last: index of the last frame in the file, or None.
        count: number of frames in the file.

    Raises:
        InputError: the file cannot be written; or, to be resumed, is no journal or has other settings.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any], resume: bool = False) -> None:
        self._path = Path(path)
        self._settings = json.loads(json.dumps(dict(settings), allow_nan=False))  # as it will read back
        self._header: dict[str, Any] | None = None
        self.last: int | None = None
        self.count = 0
        end = self._take_up() if resume and self._path.exists() else 0
        try:
            self._file: BinaryIO = open(self._path, "r+b" if end else "wb")  # noqa: SIM115
            self._file.truncate(end)
            self._file.seek(end)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; check the folder and its rights") from error

    def append(self, index: int, time: float, poses: Poses) -> None:
        """Adds a frame.

        Raises:
            ValueError: its index is not above the last one's, or its skeleton differs from the header's.
            InputError: the disk is full or refuses.
        """
        if self.last is not None and index <= self.last:
            raise ValueError(f"found frame {index} after frame {self.last}")
        data = poses.to_dict()
        if self._header is None:
            self._header = {"schema": SCHEMA, **self._settings, "skeleton": data["skeleton"], "camera": data["camera"]}
            self._write(self._header)
        if data["skeleton"] != self._header["skeleton"]:
            raise ValueError(f"found skeleton {data['skeleton']['name']}, the file has {self._header['skeleton']}")
        line = {"index": index, "time": time, "people": data["people"]}
        if data["camera"] != self._header["camera"]:  # the picture's size changed on the way
            line["camera"] = data["camera"]
        self._write(line)
        self.last, self.count = index, self.count + 1

    def close(self) -> None:
        """Closes the file; everything is in it already."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        try:
            self._file.write(text.encode("utf-8", "replace") + b"\n")
            self._file.flush()
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}; make room on the disk, then go on with "
                             "--resume") from error  # fmt: skip

    def _take_up(self) -> int:
        """Reads what is there; the position behind the last whole line."""
        end = 0
        for number, line, end_of_line in _lines(self._path):
            if number == 0:
                self._header = _checked_header(line, self._path)
                self._check_settings()
            else:
                self.last, self.count = _index(line, number, self._path), self.count + 1
            end = end_of_line
        return end

    def _check_settings(self) -> None:
        header = self._header or {}
        found = {name: value for name, value in header.items() if name not in _MADE_FROM_POSES}
        differing = sorted(k for k in found.keys() | self._settings if found.get(k) != self._settings.get(k))
        if differing:
            name = differing[0]
            raise InputError(f"cannot resume {self._path}: it was made with {name} {found.get(name)!r}, now it is "
                             f"{self._settings.get(name)!r}; use the same options, or leave out --resume")  # fmt: skip


def read_header(path: str | Path) -> dict[str, Any]:
    """The first line: schema, source, fps, skeleton, camera and the run's options; InputError as `read_results`."""
    first = next(_lines(Path(path)), None)
    if first is None:
        raise InputError(f"{path} is empty, wanted results that `anchorpose track` wrote")
    return _checked_header(first[1], Path(path))


def read_results(path: str | Path) -> Iterator[FrameResult]:
    """The frames of a journal in order, one in memory at a time; a torn last line (a killed run) is left out.

    Raises:
        InputError: no such file, another schema, or a broken line before the last.
    """
    header = read_header(path)
    for number, line, _ in _lines(Path(path)):
        if number:
            try:
                data = {"schema": POSES_SCHEMA, "skeleton": header["skeleton"],
                        "camera": line.get("camera", header["camera"]), "people": line["people"]}  # fmt: skip
                result = int(line["index"]), float(line["time"]), Poses.from_dict(data)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise InputError(_broken(path, number, str(error))) from error
            yield result


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any], int]]:
    """Number from 0, content and end position of each whole line; a torn or unreadable last one is left out."""
    end = 0
    failed = ""
    try:
        with open(path, "rb") as file:
            for number, raw in enumerate(file):
                if failed:
                    raise InputError(_broken(path, number - 1, failed))
                end += len(raw)
                line, failed = _parsed(raw)
                if line is not None:
                    yield number, line, end
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give results that `anchorpose track` wrote") from error


def _parsed(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    """The object of a line, or None and why there is none."""
    if not raw.endswith(b"\n"):
        return None, "it is cut short"
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return None, f"no JSON: {' '.join(str(error).split())[:100]}"
    return (line, "") if isinstance(line, dict) else (None, f"found {type(line).__name__}, wanted an object")


def _checked_header(line: dict[str, Any], path: Path) -> dict[str, Any]:
    if line.get("schema") != SCHEMA:
        raise InputError(f"{path}: found schema {line.get('schema')!r}, wanted {SCHEMA!r}; give results that "
                         "`anchorpose track` wrote")  # fmt: skip
    if not isinstance(line.get("skeleton"), dict) or not isinstance(line.get("camera"), dict):
        raise InputError(f"{path}: the first line lacks the skeleton or the camera; run the video again")
    return line


def _index(line: dict[str, Any], number: int, path: Path) -> int:
    try:
        return int(line["index"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(_broken(path, number, f"no index: {error}")) from error


def _broken(path: str | Path, number: int, why: str) -> str:
    return f"{path}: line {number + 1} is broken ({' '.join(why.split())}); run the video again without --resume"
