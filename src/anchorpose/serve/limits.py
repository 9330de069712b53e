"""What one request, and all of them together, may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from anchorpose.core.errors import InputError


@dataclass(frozen=True)
class Limits:
    """What a client may ask for; each is refused with an error of its own (docs/serve.md)."""

    body_megabytes: float = 20.0
    """Largest picture, as a file."""
    megapixels: float = 50.0
    """Largest picture, decoded."""
    largest_side: int = 1024
    """Most that `max_side` may ask for, pixels."""
    queue: int = 64
    """Pictures that may be under way, from the first byte of the request to the answer."""
    body_seconds: float = 60.0
    """Longest time that a picture may take to arrive."""
    streams: int = 8
    """Streams of frames at a time."""
    idle_seconds: float = 60.0
    """A stream without a frame, or an upload without a byte, is ended after this."""
    video_megabytes: float = 2000.0
    """Largest video, as a file."""
    video_megapixels: float = 10.0
    """Largest frame of a video."""
    video_seconds: float = 600.0
    """Longest part of a video that one job takes."""
    jobs: int = 16
    """Jobs that may wait or run."""
    stored_jobs: int = 100
    """Jobs on the disk, done ones included."""
    job_hours: float = 4.0
    """A job that runs for longer is ended."""
    keep_hours: float = 24.0
    """Done jobs are removed after this."""

    def check(self) -> None:
        """InputError for a limit that is no number above 0."""
        for limit in fields(self):
            if not 0 < getattr(self, limit.name) < math.inf:
                name = limit.name.replace("_", "-")
                raise InputError(f"found --{name} {getattr(self, limit.name)}, wanted a number above 0")

    @property
    def body_bytes(self) -> int:
        """Of a picture."""
        return round(self.body_megabytes * 1e6)

    @property
    def video_bytes(self) -> int:
        """Of a video."""
        return round(self.video_megabytes * 1e6)
