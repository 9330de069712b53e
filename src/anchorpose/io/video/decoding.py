"""Decoding with PyAV: frames in presentation order, upright, with exact times; damage is skipped and counted."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from anchorpose.core.errors import InputError

Matrix = tuple[int, int, int, int]
_MOST_FAILURES = 200
"""So many unreadable pieces in a row are the end of a file."""
_SMALL_STEP_BACK = Fraction(1)
"""Seconds; a time that goes back further is a new beginning (two recordings in one file), less is a wrong time."""
_NUDGE = Fraction(1, 1000)
"""Seconds after the last frame at which one with such a wrong time is put (RTSP's first times are often wrong)."""


def open_container(name: str, options: dict[str, str] | None = None, timeout: float | None = None) -> InputContainer:
    """Opens a file or address.

    Args:
        name: path or address.
        options: of FFmpeg's demuxer and protocol.
        timeout: seconds for opening and for each read; None waits.

    Raises:
        InputError: it cannot be opened, or holds no video.
    """
    try:
        # names of streams and tags come from strangers and need not be UTF-8
        container = av.open(name, "r", options=options or {}, timeout=timeout, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        shown = without_password(name)
        raise InputError(f"cannot open {shown} as video: {reason(error)}; check it with a player") from error
    if not container.streams.video:
        container.close()
        raise InputError(
            f"{without_password(name)} holds no video; wanted a video file, a folder of frames, a webcam or a stream"
        )
    return container


def without_password(name: str) -> str:
    """An address as it may be shown and stored: without what stands before the @."""
    return re.sub(r"(?i)^([a-z][a-z0-9+.-]*://)[^/?#]*@", r"\1", name)


def reason(error: Exception) -> str:
    """FFmpeg's words for an error, without its number and the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0]


class Decoder:
    """Frames of the first video stream of an open container.

    `damaged` counts frames that could not be decoded, or only with visible errors.

    Args:
        container: open for reading.
    """

    def __init__(self, container: InputContainer) -> None:
        self.container = container
        self.stream = container.streams.video[0]
        self.damaged = 0
        self.fps = _rate(self.stream)
        self._origin = origin(container, self.stream)
        self._pixel_shape = _pixel_shape(self.stream.sample_aspect_ratio)
        self._turn: tuple[int, Matrix | None] | None = None

    def seek(self, seconds: float) -> bool:
        """Goes to the last keyframe at or before `seconds`; False where the container cannot."""
        try:
            ticks = (Fraction(seconds) + self._origin) / Fraction(self.stream.time_base or 1)
            self.container.seek(int(ticks), stream=self.stream, backward=True)
        except (av.error.FFmpegError, OSError):
            return False
        return True

    def frames(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Seconds and frame, in strictly rising order.

        Raises:
            av.error.FFmpegError: reading failed for a reason other than damaged data, such as a lost connection.
        """
        last, shift = None, Fraction(0)
        step = Fraction(1) / Fraction(self.fps or 25).limit_denominator(100_000)
        for frame in self._decoded():
            time = self._time(frame, None if last is None else last - shift + step) + shift
            if last is not None and time <= last:
                forward = step if last - time >= _SMALL_STEP_BACK else _NUDGE
                if forward == step:
                    shift += last + step - time
                time = last + forward
            last = time
            yield float(time), frame

    def _time(self, frame: av.VideoFrame, expected: Fraction | None) -> Fraction:
        if frame.pts is None or frame.time_base is None:  # AVI and raw streams may have none
            return expected or Fraction(0)
        return frame.pts * Fraction(frame.time_base) - self._origin

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets, failures = self.container.demux(self.stream), 0
        while failures < _MOST_FAILURES:
            try:
                packet = next(packets)
                frames = self.stream.decode(packet)
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.UnknownError):
                self.damaged += 1
                failures += 1
                packets = self.container.demux(self.stream)  # a generator that raised is over; the file is not
                continue
            for frame in frames:
                failures = 0
                if frame.is_corrupt:
                    self.damaged += 1
                else:
                    yield frame

    def to_bgr(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 BGR, upright and with square pixels."""
        wide = round(frame.width * self._pixel_shape)
        pixels = frame.to_ndarray(format="bgr24", width=wide, height=frame.height)
        # `side_data` ties a frame to itself, so that it stays in memory until the next garbage collection: the first
        # frame is asked, and the one where the rotation, which is free to ask for, changes
        if self._turn is None or frame.rotation != self._turn[0]:
            self._turn = frame.rotation, display_matrix(frame)
        return upright(np.asarray(pixels, np.uint8), self._turn[1])


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """a, b, c, d: a point x, y of the picture is shown at a x + c y, b x + d y (ISO 14496-12, 6.2.2)."""
    sides: Any = frame.side_data
    found = [side for side in sides if side.type.name == "DISPLAYMATRIX"]
    if not found:
        return None
    a, b, _, c, d = struct.unpack("=9i", bytes(found[0]))[:5]
    return a, b, c, d


def upright(pixels: NDArray[np.uint8], matrix: Matrix | None) -> NDArray[np.uint8]:
    """Turns and mirrors `pixels` as a display matrix says (whole quarter turns)."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    across, down = (a, d) if abs(a) >= abs(b) else (c, b)
    if abs(b) > abs(a):
        pixels = pixels.transpose(1, 0, 2)
    pixels = pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    return np.ascontiguousarray(pixels)


def origin(container: InputContainer, stream: av.VideoStream) -> Fraction:
    """The stream's time that players show as 0: where the container's first stream begins."""
    if container.start_time is None:
        return Fraction(0)
    begin = Fraction(container.start_time, av.time_base)
    if stream.start_time is not None and stream.time_base is not None:
        own = stream.start_time * Fraction(stream.time_base)
        if abs(own - begin) <= Fraction(1, av.time_base):  # the container's is rounded to microseconds
            return own
    return begin


def _pixel_shape(ratio: Fraction | None) -> float:
    """Width by height of a pixel; 1 where it is unknown or no camera has such pixels."""
    return float(ratio) if ratio and Fraction(1, 4) <= ratio <= 4 else 1.0


def _rate(stream: av.VideoStream) -> float | None:
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0 < rate <= 1000:
            return float(rate)
    return None


def expected_frames(container: InputContainer, stream: av.VideoStream, fps: float | None) -> int | None:
    """Frames of the whole file as the container tells; None where it does not."""
    seconds = duration(container, stream)
    counted = stream.frames or None
    if seconds is None or not fps:
        return counted
    estimate = max(1, round(seconds * fps))
    # AVI counts ticks where its clock is finer than its frames
    return counted if counted and counted <= 1.1 * estimate + 1 else estimate


def duration(container: InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds; None where the container does not tell."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
