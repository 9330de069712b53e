"""A video file, or an address that serves a whole one, read from any second on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import av

from anchorpose.core.errors import InputError
from anchorpose.io.video.decoding import Decoder, duration, expected_frames, open_container, reason, without_password
from anchorpose.io.video.frames import Part, VideoFrame, VideoInfo

_CUT_SHORT = 1.0
"""Seconds that may be missing at the end; sound often lasts a little longer than pictures."""


class FileReader:
    """Reads a video file.

    Args:
        name: path or address.
        part: which frames.
        options: of FFmpeg's demuxer and protocol.
        timeout: seconds for each read of an address.

    Raises:
        InputError: no such file, no video, nothing that can be decoded, or nothing in `part`.
    """

    def __init__(
        self, name: str, part: Part, options: dict[str, str] | None = None, timeout: float | None = None
    ) -> None:
        self._name, self._shown, self._part = name, without_password(name), part
        self._options, self._timeout = options, timeout
        self._decoder = self._open()
        container, stream = self._decoder.container, self._decoder.stream
        fps, self._seconds = self._decoder.fps, duration(container, stream)
        self._ended: float | None = None
        frames = expected_frames(container, stream, fps)
        self._frames = self._read()
        first = next(self._frames, None)
        if first is None:
            raise InputError(self._nothing())
        self._first = first
        height, width = first.image.shape[:2]
        self.info = VideoInfo(self._shown, "file", width, height, fps, part.count(frames, fps), live=False)

    @property
    def damaged(self) -> int:
        """Frames skipped since `start`."""
        return self._decoder.damaged

    def frames(self) -> Iterator[VideoFrame]:
        """The wanted frames, once; InputError where the file cannot be read any further."""
        return chain([self._first], self._frames)

    def problems(self) -> list[str]:
        """Whether the file ends long before the end that it tells of."""
        if self._ended is None or self._seconds is None:
            return []
        last = 1 / (self._decoder.fps or 25)  # the last frame is shown for a while, too
        if self._ended + last > self._seconds - _CUT_SHORT:
            return []
        return [f"{self._shown} ends at {self._ended:.2f} s and should have {self._seconds:.2f} s: it is cut short or "
                "damaged"]  # fmt: skip

    def stop(self) -> None:
        """Nothing to do: files do not keep anyone waiting."""

    def _open(self) -> Decoder:
        return Decoder(open_container(self._name, self._options, self._timeout))

    def _read(self) -> Iterator[VideoFrame]:
        number, before, time = 0, -1, 0.0
        try:
            for time, frame in self._from_start():
                if self._part.is_over(time):
                    return
                damaged = self._decoder.damaged
                number += 1 if before < 0 else 1 + damaged - before
                before = damaged
                if (number - 1) % self._part.stride == 0:
                    yield VideoFrame(number - 1, time, self._decoder.to_bgr(frame))
            self._ended = time
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"{self._shown} cannot be read any further: {reason(error)}; check the disk or the "
                             "network, then go on with --resume") from error  # fmt: skip
        finally:
            self._decoder.container.close()

    def _from_start(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Frames at or after the start, `damaged` counting from there."""
        frames = self._decoder.frames()
        if self._part.start > 0:
            found = next(frames, None) if self._decoder.seek(self._part.start) else None
            if found and found[0] <= self._part.start:
                frames = chain([found], frames)
            else:  # the index is missing or wrong: from the very beginning
                self._decoder.container.close()
                self._decoder = self._open()
                frames = self._decoder.frames()
        reached = False
        for time, frame in frames:
            if time >= self._part.start:
                if not reached:
                    self._decoder.damaged, reached = 0, True
                yield time, frame

    def _nothing(self) -> str:
        if self._seconds is not None and self._part.start >= self._seconds:
            return (f"{self._shown} is {self._seconds:.2f} s long and has nothing from {self._part.start:g} s on; "
                    "choose an earlier start")  # fmt: skip
        if self._part.start > 0 or self._part.end is not None:
            return f"{self._shown} has no whole frame in the part asked for; choose other times"
        return f"{self._shown} has no frame that can be decoded ({self.damaged} damaged); copy or download it again"
