"""A whole video from source to results.jsonl and overlay.mp4."""

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

from anchorpose.app.finish import OVERLAY
from anchorpose.app.overlay import drawn_frames
from anchorpose.app.tracks_file import RESULTS
from anchorpose.app.video import NEW_SCORE, Frame, stream
from anchorpose.core.poses import Poses
from anchorpose.io.video.background import Background
from anchorpose.io.video.journal import Journal, read_results
from anchorpose.io.video.source import VideoSource
from anchorpose.io.video.writer import VideoWriter
from anchorpose.motion.tracker import Tracker, TrackerOptions

Drawn = tuple[Frame, NDArray[np.uint8] | None]


@dataclass(frozen=True)
class Outputs:
    """What a run writes into its folder.

    Args:
        folder: exists.
        overlay: also write overlay.mp4.
        audio: file whose sound the overlay takes along, or None.
        ids: track numbers that the overlay shows; empty shows everyone.
        panel: the overlay has the people in 3D beside the picture.
    """

    folder: Path
    overlay: bool = True
    audio: str | None = None
    ids: tuple[int, ...] = ()
    panel: bool = False


def track(
    estimator: Callable[[NDArray[np.uint8]], Poses], source: VideoSource, outputs: Outputs,
    settings: dict[str, Any], resume: bool = False, new_score: float = NEW_SCORE,
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
        new_score: see `TrackerOptions`.

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
        frames = stream(estimator, source, Tracker(TrackerOptions(new_score=new_score)), known)
        drawn = (Background(drawn_frames(frames, outputs.ids, outputs.panel)) if outputs.overlay
                 else ((f, None) for f in frames))  # fmt: skip
        stack.callback(drawn.close)
        stack.callback(source.stop)  # first of all, so that no thread waits for a frame
        interrupted = stack.enter_context(_stop_at_interrupt(source))
        _write(drawn, journal, outputs, source)
        return not interrupted.is_set()


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
