"""A whole video from source to results.jsonl and overlay.mp4, and what is made of the results afterwards."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anchorpose.app.video import Frame, stream
from anchorpose.core.poses import Poses
from anchorpose.io.overlay import draw_overlay
from anchorpose.io.video.background import Background
from anchorpose.io.video.journal import Journal, read_results
from anchorpose.io.video.source import VideoSource
from anchorpose.io.video.trails import Trails
from anchorpose.io.video.writer import VideoWriter

RESULTS = "results.jsonl"
OVERLAY = "overlay.mp4"
Drawn = tuple[Frame, NDArray[np.uint8] | None]


@dataclass(frozen=True)
class Outputs:
    """What a run writes into its folder.

    Args:
        folder: exists.
        overlay: also write overlay.mp4.
        audio: file whose sound the overlay takes along, or None.
        ids: track numbers that the overlay shows; empty shows everyone.
    """

    folder: Path
    overlay: bool = True
    audio: str | None = None
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What results.jsonl holds: frames, seconds from the first to the last, and different people."""

    frames: int
    seconds: float
    people: int


def track(
    estimator: Callable[[NDArray[np.uint8]], Poses], source: VideoSource, outputs: Outputs,
    settings: dict[str, Any], resume: bool = False,
) -> bool:  # fmt: skip
    """Reads a source to its end and writes what is found, frame by frame.

    Frames that an earlier run has written are not estimated again; the overlay begins anew, since a killed run leaves
    none that plays, and ends as that of an unbroken run.

    Args:
        estimator: picture in, people out.
        source: is closed at the end.
        outputs: what to write.
        settings: goes into the header of results.jsonl; a run can only be resumed with the same.
        resume: go on behind the last frame in results.jsonl.

    Returns:
        False if Ctrl-C ended it early; the files are whole then, too.

    Raises:
        InputError: see `Journal`, `VideoWriter` and `stream`. results.jsonl keeps what was done.
    """
    path = outputs.folder / RESULTS
    for leftover in outputs.folder.glob(f".{Path(OVERLAY).stem}.{'[0-9a-f]' * 12}.mp4"):
        leftover.unlink(missing_ok=True)  # of a run that was killed
    with ExitStack() as stack:
        stack.enter_context(closing(source))
        journal = stack.enter_context(Journal(path, settings, resume))
        known = islice(read_results(path), journal.count) if journal.count else iter(())
        frames = stream(estimator, source, known=known)
        drawn = Background(_draw(frames, outputs.ids)) if outputs.overlay else ((f, None) for f in frames)
        stack.callback(drawn.close)
        stack.callback(source.stop)  # first of all, so that no thread waits for a frame
        interrupted = stack.enter_context(_stop_at_interrupt(source))
        _write(drawn, journal, outputs, source)
        return not interrupted.is_set()


def finish(out: Path) -> Summary:
    """What comes after the last frame, made from results.jsonl alone, so that it can be done again at any time.

    Raises:
        InputError: no results there, or broken ones.
    """
    frames, first, last, people = 0, 0.0, 0.0, set[int]()
    for _, time, poses in read_results(out / RESULTS):
        first, last = (first if frames else time), time
        frames += 1
        people.update([] if poses.track_ids is None else poses.track_ids.tolist())
    return Summary(frames, last - first, len(people))


def _write(drawn: Iterable[Drawn], journal: Journal, outputs: Outputs, source: VideoSource) -> None:
    info = source.info
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=info.frames, desc="track", unit="frame", file=sys.stderr,
                                       dynamic_ncols=True, disable=not sys.stderr.isatty()))  # fmt: skip
        writer: VideoWriter | None = None
        for frame, picture in drawn:
            if journal.last is None or frame.index > journal.last:
                journal.append(frame.index, frame.time, frame.poses)
            if picture is not None:
                if writer is None:
                    height, width = picture.shape[:2]
                    fps = info.fps / source.stride if info.fps else None
                    writer = VideoWriter(outputs.folder / OVERLAY, width, height, fps, outputs.audio)
                    stack.enter_context(writer)
                writer.write(picture, frame.time)
            bar.update()


def _draw(frames: Iterable[Frame], ids: tuple[int, ...]) -> Iterator[Drawn]:
    """Each frame and its picture with the bodies and trails of the people in `ids`."""
    trails = Trails()
    for frame in frames:
        poses = frame.poses
        if ids and poses.track_ids is not None:
            poses = poses[np.isin(poses.track_ids, ids)]
        trails.update(poses, frame.time)
        yield frame, draw_overlay(trails.draw(frame.image, frame.time), poses, extend=False)


@contextmanager
def _stop_at_interrupt(source: VideoSource) -> Iterator[threading.Event]:
    """The first Ctrl-C ends the source, so that all that is under way is finished; the second one ends at once."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, where: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        source.stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
