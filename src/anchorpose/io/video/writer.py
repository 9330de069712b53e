"""`VideoWriter`: H.264 in MP4 that browsers play, with each frame at its own time."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.codec import Codec
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.io.files import atomic_path
from anchorpose.io.video.audio import AudioTrack
from anchorpose.io.video.decoding import reason

Image = NDArray[np.uint8]
CLOCK = 90000
"""Ticks a second: a whole number for 24, 25, 30 and 60 frames a second, 30000/1001 and milliseconds."""
_ENCODERS = ("libx264", "libopenh264")
_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "20", "profile": "high"}, "libopenh264": {}}
_KEYFRAME_SECONDS = 2
_TELEVISION = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
"""FFmpeg's numbers for 16 to 235 and BT.709: what browsers assume for HD, said so that nobody has to assume."""


class VideoWriter:
    """Writes a video; also a context manager. The file appears under its name when it is whole.

    At the end of the block, also one that Ctrl-C (KeyboardInterrupt) ends, the video is finished and plays; after any
    other error it is removed.

    Args:
        path: ends in .mp4.
        width, height: pixels; an odd size grows by one. Frames of another size are fitted in, with bars.
        fps: the usual frame rate, as a hint to the encoder and for the length of the last frame.
        audio: file whose sound is taken along.

    Raises:
        InputError: the file cannot be written, another suffix, or a size that H.264 does not have.
    """

    def __init__(
        self, path: str | Path, width: int, height: int, fps: float | None = None, audio: str | None = None
    ) -> None:
        if Path(path).suffix.lower() != ".mp4":
            raise InputError(f"cannot write a video as {path}, wanted a name that ends in .mp4")
        if not (2 <= width <= 8192 and 2 <= height <= 8192):
            raise InputError(f"found {width} x {height} pixels, H.264 takes 2 to 8192; scale the pictures")
        self._size = (width + width % 2, height + height % 2)
        self._path, self.written = path, 0
        self._first: float | None = None
        self._last = self._step = 0
        self._stack = ExitStack()
        with ExitStack() as opening:  # what was begun is undone when the rest cannot be
            temporary = opening.enter_context(atomic_path(path))
            self._out = av.open(str(temporary), "w", format="mp4", container_options={"movflags": "+faststart"})
            opening.callback(self._out.close)
            self._stream = self._add_stream(fps or 25.0)
            self._audio = AudioTrack(audio, self._out) if audio else None
            if self._audio:
                opening.callback(self._audio.close)
            self._stack = opening.pop_all()

    def write(self, image: Image, time: float) -> None:
        """Adds a frame.

        Args:
            image: (h, w, 3) uint8 BGR.
            time: seconds at which it is shown; the first frame's becomes 0.

        Raises:
            ValueError: the time is not later than the last frame's.
            InputError: the disk is full or refuses.
        """
        if self._first is None:
            self._first = time
            if self._audio:
                self._audio.begin(time)
        ticks = round((time - self._first) * CLOCK)
        if self.written and ticks <= self._last:
            raise ValueError(f"found a frame at {time} s after one at {self._first + self._last / CLOCK} s")
        self._step = ticks - self._last if self.written else self._step
        self._last = ticks
        frame = av.VideoFrame.from_ndarray(self._fitted(image), format="bgr24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        frame.pts, frame.time_base, frame.duration = ticks, Fraction(1, CLOCK), self._step
        self._mux(frame)
        self.written += 1
        if self._audio:
            self._audio.write_until(time)

    def close(self) -> None:
        """Finishes the file and gives it its name; InputError if no frame was written."""
        try:
            if not self.written:
                raise InputError(f"cannot write {self._path}: no frame was given")
            if self._audio:
                self._audio.write_until((self._first or 0.0) + (self._last + self._step) / CLOCK)
            self._mux(None)
            self._out.close()
        except BaseException as error:
            self._abandon(error)
            raise
        self._stack.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, KeyboardInterrupt) and self.written):
            self.close()
        else:
            self._abandon(error)

    def _abandon(self, error: BaseException) -> None:
        """Removes what was written so far; `atomic_path` does when it sees the error."""
        try:
            self._stack.__exit__(type(error), error, error.__traceback__)
        except (av.error.FFmpegError, OSError):
            return  # the trailer cannot be written where the rest could not

    def _add_stream(self, fps: float) -> av.VideoStream:
        name = next((name for name in _ENCODERS if _can_encode(name)), None)
        if name is None:
            raise InputError(f"PyAV here has no H.264 encoder, wanted {' or '.join(_ENCODERS)}; pip install av")
        rate = Fraction(min(max(fps, 0.01), 1000)).limit_denominator(1001)
        stream = self._out.add_stream(name, rate=rate, options=dict(_OPTIONS[name]))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        stream.codec_context.gop_size = max(1, round(fps * _KEYFRAME_SECONDS))
        if name == "libopenh264":  # it has no constant quality
            stream.bit_rate = max(200_000, int(self._size[0] * self._size[1] * min(fps, 60) * 0.1))
        for field, value in _TELEVISION.items():
            setattr(stream.codec_context, field, value)
        return stream

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._out.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"cannot write {self._path}: {reason(error)}; check the space on the disk") from error

    def _fitted(self, image: Image) -> Image:
        """`image` at the video's size: one row or column more, or scaled with bars."""
        wide, high = self._size
        height, width = image.shape[:2]
        right, below = wide - width, high - height
        if right in (0, 1) and below in (0, 1):
            if not right and not below:
                return image
            return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        scale = min(wide / width, high / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = np.zeros((high, wide, 3), np.uint8)
        x, y = (wide - size[0]) // 2, (high - size[1]) // 2
        canvas[y : y + size[1], x : x + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return canvas


def _can_encode(name: str) -> bool:
    try:
        return bool(Codec(name, "w").is_encoder)
    except ValueError:  # PyAV's UnknownCodecError
        return False
