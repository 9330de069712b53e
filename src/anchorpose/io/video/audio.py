"""The sound of a source for a new video: packets copied where browsers play the codec, else encoded as AAC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from numpy.typing import NDArray

from anchorpose.io.video.decoding import open_container, origin

_COPIED = frozenset(("aac", "mp3", "opus"))
_SMALL_GAP = 1000
"""Samples; rounded times and the resampler's delay make smaller ones."""
Floats = NDArray[np.float32]
_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 8000)


class AudioTrack:
    """The first audio stream of a file, written beside the pictures as they come.

    Args:
        name: the file.
        out: where to; the stream is added, so this has to come before the first packet.

    Raises:
        InputError: the file cannot be opened.
    """

    def __init__(self, name: str, out: OutputContainer) -> None:
        self._input: InputContainer = open_container(name)
        self._out = out
        self._packets: Iterator[av.Packet[av.AudioStream]] | None = None
        self._waiting: av.Packet[av.AudioStream] | None = None
        self._first = Fraction(0)
        self.present = bool(self._input.streams.audio)
        if not self.present:
            return
        self._stream = self._input.streams.audio[0]
        self._origin = origin(self._input, self._input.streams.video[0])
        self._copied = self._stream.codec_context.name in _COPIED
        if self._copied:
            self._target = out.add_stream_from_template(self._stream)
        else:
            rate = next((r for r in _RATES if r <= self._stream.rate), _RATES[-1])
            layout = "mono" if self._stream.channels == 1 else "stereo"
            self._target = out.add_stream("aac", rate=rate, layout=layout)
            self._resampler = av.AudioResampler("fltp", layout, rate)

    def begin(self, seconds: float) -> None:
        """The source's time that becomes 0."""
        self._first = Fraction(seconds)
        if seconds > 0 and self.present:
            base = Fraction(self._stream.time_base or 1)
            try:
                self._input.seek(int((self._first + self._origin) / base), stream=self._stream, backward=True)
            except (av.error.FFmpegError, OSError):
                self._input.seek(0)
        self._packets = self._read() if self.present else iter(())

    def write_until(self, seconds: float) -> None:
        """Writes the sound up to `seconds` of the source's time."""
        if self._packets is None:
            self.begin(0.0)
        assert self._packets is not None
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            if (packet.pts or 0) * Fraction(packet.time_base or 1) + self._first > seconds:
                return
            self._waiting = None
            packet.stream = self._target
            self._out.mux(packet)

    def close(self) -> None:
        """Lets go of the file."""
        self._input.close()

    def _read(self) -> Iterator[av.Packet[av.AudioStream]]:
        """Packets whose time counts from `begin`."""
        packets = self._demuxed() if self._copied else self._encoded()
        for packet in packets:
            if packet.pts is not None and packet.pts >= 0:
                yield packet

    def _demuxed(self) -> Iterator[av.Packet[av.AudioStream]]:
        packets = self._input.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):
                return
            if packet.pts is not None and packet.time_base is not None:
                shift = round((self._first + self._origin) / Fraction(packet.time_base))
                packet.pts = packet.pts - shift
                packet.dts = packet.pts if packet.dts is None else packet.dts - shift
                yield packet

    def _encoded(self) -> Iterator[av.Packet[av.AudioStream]]:
        rate = self._resampler.rate
        for start, values in _pieces(self._resampled()):
            frame = av.AudioFrame.from_ndarray(values, "fltp", self._resampler.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            yield from self._target.encode(frame)
        yield from self._target.encode()

    def _resampled(self) -> Iterator[tuple[int, Floats]]:
        """First sample's number from `begin` and (channels, samples) values of each decoded frame."""
        shift = self._first + self._origin
        for packet in self._input.demux(self._stream):
            try:
                frames = self._stream.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is not None and frame.time_base is not None:
                    start = round((frame.pts * Fraction(frame.time_base) - shift) * self._resampler.rate)
                    frame.pts = None
                    for part in self._resampler.resample(frame):
                        values = np.asarray(part.to_ndarray(), np.float32)
                        yield start, values
                        start += values.shape[1]


def _pieces(parts: Iterable[tuple[int, Floats]], size: int = 1024) -> Iterator[tuple[int, Floats]]:
    """The same sound from sample 0 on in pieces of AAC's frame size; PyAV's own cutting moves the times of long frames.

    Parts that follow each other within `_SMALL_GAP` samples are joined as if there were no gap.
    """
    held: Floats | None = None
    at = 0
    for start, values in parts:
        if held is None or abs(start - at - held.shape[1]) > _SMALL_GAP:
            at, held = start, values
        else:
            held = np.concatenate([held, values], axis=1)
        if at < 0:
            at, held = min(0, at + held.shape[1]), held[:, -at:]
        while held.shape[1] >= size:
            yield at, np.ascontiguousarray(held[:, :size])
            at, held = at + size, held[:, size:]
    if held is not None and held.shape[1]:
        yield at, np.ascontiguousarray(held)
