"""A live stream from the network (RTSP, RTMP, HTTP, SRT, UDP, ...) that connects again when it drops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import av
from av.container import InputContainer

from anchorpose.core.errors import InputError
from anchorpose.io.video.decoding import Decoder, open_container, reason, without_password
from anchorpose.io.video.frames import Part, VideoFrame, VideoInfo


@dataclass(frozen=True)
class Reconnect:
    """How to come back: after `first`, 2 `first`, 4 `first`, ... seconds, at most `longest` each, `tries` in a row."""

    first: float = 0.5
    longest: float = 15.0
    tries: int = 8
    timeout: float = 10.0
    """Seconds without data after which a connection is given up."""

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row (from 1)."""
        return float(min(self.longest, self.first * 2 ** min(failures - 1, 30)))


def stream_options(address: str) -> dict[str, str]:
    """FFmpeg's options for an address: RTSP over TCP, because lost UDP packets tear pictures."""
    return {"rtsp_transport": "tcp"} if address.lower().startswith(("rtsp://", "rtsps://")) else {}


class StreamReader:
    """Reads a live stream; times are seconds since its first frame, over all connections.

    Args:
        address: rtsp://..., http://...
        part: which frames.
        reconnect: how to come back after the connection drops.
        options: of FFmpeg's demuxer and protocol, besides those for the kind of address.
        opened: the first connection, where there is one already.

    Raises:
        InputError: the first connection fails, or brings no frame.
    """

    def __init__(
        self, address: str, part: Part, reconnect: Reconnect | None = None, options: dict[str, str] | None = None,
        opened: InputContainer | None = None,
    ) -> None:  # fmt: skip
        self._address, self._name, self._part = address, without_password(address), part
        self._reconnect = reconnect or Reconnect()
        self._options = stream_options(address) | (options or {})
        self._stopped = threading.Event()
        self._drops, self._failures, self._gave_up, self._damaged_before = 0, 0, "", 0
        self._decoder = self._connect() if opened is None else Decoder(opened)
        fps = self._decoder.fps
        self._frames = self._read()
        first = next(self._frames, None)
        if first is None:
            raise InputError(f"{self._name} brings no frame: {self._gave_up or 'it ended at once'}; check the stream")
        self._first = first
        height, width = first.image.shape[:2]
        frames = part.count(None, fps) if part.end is not None else None
        self.info = VideoInfo(self._name, "stream", width, height, fps, frames, live=True)

    @property
    def damaged(self) -> int:
        """Frames skipped so far."""
        return self._damaged_before + self._decoder.damaged

    def frames(self) -> Iterator[VideoFrame]:
        """The wanted frames, once; ends when no connection can be had any more."""
        return chain([self._first], self._frames)

    def problems(self) -> list[str]:
        """How often the connection dropped, and whether it came back."""
        times = "once" if self._drops == 1 else f"{self._drops} times"
        lines = [f"the connection to {self._name} dropped {times} and came back"] if self._drops else []
        return lines + ([f"{self._name} ended: {self._gave_up}"] if self._gave_up else [])

    def stop(self) -> None:
        """Ends the waiting between two connections, and the stream with its next frame."""
        self._stopped.set()

    def _connect(self) -> Decoder:
        return Decoder(open_container(self._address, self._options, self._reconnect.timeout))

    def _read(self) -> Iterator[VideoFrame]:
        number = 0
        for now, frame in self._all():
            if self._part.is_over(now) or self._stopped.is_set():
                return
            if now >= self._part.start:
                if number % self._part.stride == 0:
                    yield VideoFrame(number, now, self._decoder.to_bgr(frame))
                number += 1

    def _all(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Every frame of every connection and its seconds, strictly rising."""
        began, last = time.monotonic(), -1.0
        connected = True
        while connected:
            base, first = max(last + 1e-3, time.monotonic() - began) if last >= 0 else 0.0, None
            try:
                for own, frame in self._decoder.frames():
                    first, self._failures = own if first is None else first, 0
                    last = base + own - first
                    yield last, frame
                why = "the other side closed it"
            except (av.error.FFmpegError, OSError) as error:
                why = reason(error)
            finally:
                self._decoder.container.close()
            # a server that accepts and closes at once must not be asked in a tight loop: that is a failure too
            self._failures += first is None
            connected = last >= 0 and self._again(why)
            self._gave_up = "" if connected or self._stopped.is_set() else self._gave_up or why

    def _again(self, why: str) -> bool:
        """Waits and connects anew; False once that is hopeless or not wanted."""
        self._damaged_before, self._decoder.damaged = self.damaged, 0
        while self._failures < self._reconnect.tries:
            if self._stopped.wait(self._reconnect.delay(self._failures + 1)):
                return False
            try:
                self._decoder = self._connect()
            except InputError as error:
                why = str(error)
                self._failures += 1
                continue
            self._drops += 1
            return True
        self._gave_up = f"{why} (asked {self._reconnect.tries} times)"
        return False
