"""`VideoSource`: frames in order from a file, a folder of frames, a webcam or a stream, decoded in a thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from anchorpose.core.errors import InputError
from anchorpose.io.sources import IMAGE_SUFFIXES
from anchorpose.io.video.background import Background
from anchorpose.io.video.decoding import duration, open_container
from anchorpose.io.video.files import FileReader
from anchorpose.io.video.frames import Part, Reader, VideoFrame
from anchorpose.io.video.network import Reconnect, StreamReader
from anchorpose.io.video.pictures import DEFAULT_FPS, PicturesReader
from anchorpose.io.video.webcam import WebcamReader

QUEUE = 4
"""Frames that wait; one of 1080p has 6 MB."""
_HTTP_OPTIONS = {"reconnect": "1", "reconnect_on_network_error": "1", "reconnect_delay_max": "15"}
_ANIMATIONS = frozenset((".gif",))


class VideoSource:
    """The frames of a source, each once, in order; also a context manager.

    What is damaged is skipped and counted, never an error.

    Args:
        source: video file; folder of frames, glob or picture; number of a webcam or /dev/video0; address of a stream
            (rtsp://, http://, ...). An address that serves a whole file is read like a file.
        stride: take every so many frames.
        start, end: seconds; exact, after a seek where the source can.
        fps: rate of a folder of frames; other sources know theirs.
        reconnect: how a stream comes back after it drops.
        drop: leave out frames of a webcam or stream that come faster than they are taken, instead of falling behind.

    Raises:
        InputError: the source cannot be opened or gives no frame, or an option is out of range.
    """

    def __init__(
        self, source: str | Path | int, *, stride: int = 1, start: float = 0.0, end: float | None = None,
        fps: float | None = None, reconnect: Reconnect | None = None, drop: bool = True,
    ) -> None:  # fmt: skip
        self._reader = _open(source, Part(stride, start, end), fps, reconnect)
        self.stride = stride
        self._drop = drop and self._reader.info.live
        self._ahead: Background[VideoFrame] | None = None
        self._stopped = False
        self.info = self._reader.info

    @property
    def damaged(self) -> int:
        """Frames skipped so far because they could not be decoded."""
        return self._reader.damaged

    @property
    def dropped(self) -> int:
        """Frames of a live source left out so far because they came faster than they were taken."""
        return self._ahead.dropped if self._ahead else 0

    def problems(self) -> list[str]:
        """What went wrong so far and was got over, one line each."""
        lines = []
        if self.damaged:
            lines.append(f"{self.damaged} damaged {'frame was' if self.damaged == 1 else 'frames were'} skipped")
        if self.dropped:
            lines.append(f"{self.dropped} frames came faster than they could be handled and were left out")
        return lines + self._reader.problems()

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames; a source can be read once."""
        if self._ahead is None:
            self._ahead = Background(self._reader.frames(), QUEUE, self._drop)
        if self._stopped:
            self._ahead.stop()
        return self._ahead

    def stop(self) -> None:
        """The frames end here; whoever waits for the next gets the end at once. Does not wait; any thread may call."""
        self._stopped = True
        self._reader.stop()
        if self._ahead is not None:
            self._ahead.stop()

    def close(self) -> None:
        """`stop`, and lets go of the source."""
        ahead = self.__iter__()  # the thread that reads is also the one that closes the file
        self.stop()
        if isinstance(ahead, Background):
            ahead.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(source: str | Path | int, part: Part, fps: float | None, reconnect: Reconnect | None) -> Reader:
    name = str(source)
    if not name.strip():
        raise InputError("the source is empty; wanted a video file, a folder of frames, a webcam or an address")
    if isinstance(source, int) or (name.isdecimal() and not Path(name).exists()):
        return WebcamReader(int(name), part)
    if re.match(r"/dev/video\d+$", name):
        return WebcamReader(name, part)
    if re.match(r"(?i)[a-z][a-z0-9+.-]+://", name):
        return _open_address(name, part, reconnect)
    path = Path(name).expanduser()
    if path.is_file() and (path.suffix.lower() not in IMAGE_SUFFIXES or path.suffix.lower() in _ANIMATIONS):
        if path.stat().st_size == 0:
            raise InputError(f"{name} is empty (0 bytes), wanted a video; copy or download it again")
        return FileReader(str(path), part)
    return PicturesReader(name, part, DEFAULT_FPS if fps is None else fps)


def _open_address(name: str, part: Part, reconnect: Reconnect | None) -> Reader:
    if name.lower().startswith(("http://", "https://")):
        waiting = (reconnect or Reconnect()).timeout
        container = open_container(name, timeout=waiting)
        if duration(container, container.streams.video[0]) is None:
            return StreamReader(name, part, reconnect, opened=container)
        container.close()
        return FileReader(name, part, _HTTP_OPTIONS, waiting)
    return StreamReader(name, part, reconnect)
