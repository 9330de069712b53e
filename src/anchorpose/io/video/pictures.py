"""A folder of frames, or a glob: each picture is one frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from anchorpose.core.errors import InputError
from anchorpose.io.images import read_image
from anchorpose.io.sources import expand_sources
from anchorpose.io.video.frames import Part, VideoFrame, VideoInfo

DEFAULT_FPS = 25.0
_MOST_REASONS = 5


class PicturesReader:
    """Reads pictures in natural order, evenly spaced in time.

    Args:
        name: folder, glob or picture.
        part: which frames.
        fps: pictures a second.

    Raises:
        InputError: no pictures, none that can be read, nothing in `part`, or a rate that is not above 0.
    """

    def __init__(self, name: str, part: Part, fps: float = DEFAULT_FPS) -> None:
        if not 0 < fps <= 1000:
            raise InputError(f"found {fps:g} frames a second, wanted more than 0 and at most 1000")
        found = expand_sources([name])
        if found.failures:
            raise InputError(found.failures[0][1])
        self._part, self._fps, self.damaged = part, fps, 0
        self._reasons: list[str] = []
        timed = [(i, path, i / fps) for i, path in enumerate(found.paths)]
        wanted = [(i, path) for i, path, time in timed if time >= part.start and not part.is_over(time)]
        if not wanted:
            raise InputError(f"{name} has {len(found.paths)} pictures ({len(found.paths) / fps:g} s), none of them in "
                             "the part asked for; choose other times")  # fmt: skip
        self._frames = self._read(wanted)
        first = next(self._frames, None)
        if first is None:
            raise InputError(f"none of the {self.damaged} pictures of {name} can be read: {self._reasons[0]}")
        self._first = first
        height, width = first.image.shape[:2]
        frames = -(-len(wanted) // part.stride)
        self.info = VideoInfo(name, "pictures", width, height, fps, frames, live=False)

    def frames(self) -> Iterator[VideoFrame]:
        """The wanted frames, once."""
        return chain([self._first], self._frames)

    def problems(self) -> list[str]:
        """Why pictures were skipped; the first few."""
        return self._reasons[:_MOST_REASONS]

    def stop(self) -> None:
        """Nothing to do: files do not keep anyone waiting."""

    def _read(self, wanted: list[tuple[int, Path]]) -> Iterator[VideoFrame]:
        for number, path in wanted[:: self._part.stride]:
            try:
                image = read_image(path)
            except InputError as error:
                self.damaged += 1
                self._reasons = [*self._reasons, str(error)][:_MOST_REASONS]
                continue
            yield VideoFrame(number - wanted[0][0], number / self._fps, image)
