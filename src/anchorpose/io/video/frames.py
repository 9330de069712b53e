"""What every source of frames yields and tells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError


@dataclass(frozen=True)
class VideoFrame:
    """One frame.

    Args:
        index: number of the frame in its source, counted from the first one at or after `start`; damaged frames and
            those left out by `stride` count.
        time: seconds at which players show it, from the beginning of the source.
        image: (h, w, 3) uint8 BGR, upright, with square pixels.
    """

    index: int
    time: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a source before its frames are read.

    Args:
        name: what the user typed.
        kind: 'file', 'pictures', 'webcam' or 'stream'.
        width, height: pixels of the first frame, upright.
        fps: mean frames a second; None where the source does not say.
        frames: how many frames will come after `start`, `end` and `stride`, as far as the source knows (the container
            may be wrong); None where it does not.
        live: it goes on for ever and cannot be read again.
    """

    name: str
    kind: str
    width: int
    height: int
    fps: float | None
    frames: int | None
    live: bool


@dataclass(frozen=True)
class Part:
    """Which frames are wanted: times in [start, end) seconds, every `stride`-th of them.

    Raises:
        InputError: stride below 1, a time below 0, or an end that is not after the start.
    """

    stride: int = 1
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise InputError(f"found stride {self.stride}, wanted 1 or more (1 takes every frame)")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise InputError(f"found start {self.start:g}, wanted seconds from 0")
        if self.end is not None and not self.end > self.start:
            raise InputError(f"found end {self.end:g} s, wanted more than the start ({self.start:g} s)")

    def is_over(self, time: float) -> bool:
        """Whether a frame at `time` seconds and all that follow are past the end."""
        return self.end is not None and time >= self.end

    def count(self, frames: int | None, fps: float | None) -> int | None:
        """How many of `frames` evenly spaced frames are wanted; None where that is not known."""
        if self.end is not None and fps:
            most = math.ceil(self.end * fps - 1e-6)
            frames = most if frames is None else min(most, frames)
        if frames is None or (self.start > 0 and not fps):
            return None
        first = math.ceil(self.start * (fps or 0) - 1e-6)
        return max(0, math.ceil((frames - first) / self.stride))


class Reader(Protocol):
    """A source that `VideoSource` reads in its thread."""

    info: VideoInfo

    @property
    def damaged(self) -> int:
        """Frames skipped so far because they could not be decoded."""
        ...

    def frames(self) -> Iterator[VideoFrame]:
        """The wanted frames in order, once; releases the source at its end."""
        ...

    def problems(self) -> list[str]:
        """What went wrong and was got over, one line each, besides damaged frames."""
        ...

    def stop(self) -> None:
        """Ends waiting for a source that has nothing to give; may be called from another thread."""
        ...
