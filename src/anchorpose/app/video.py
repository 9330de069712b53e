"""Frames with their people from a video: decoding, inference and tracking each run in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.io.video.background import Background
from anchorpose.io.video.frames import VideoFrame
from anchorpose.io.video.journal import FrameResult
from anchorpose.io.video.source import VideoSource
from anchorpose.motion.tracker import Tracker, TrackerOptions

NEW_SCORE = 0.5
"""Score from which somebody new is followed, of the embedded weights: see docs/video.md for what it is worth."""
_SAME_TIME = 1e-6


@dataclass(frozen=True)
class Frame:
    """One frame of a video and its people.

    Args:
        index: number of the frame in its source, from the first one at or after `start`.
        time: seconds at which players show it.
        image: (h, w, 3) uint8 BGR, upright.
        poses: people with `track_ids`.
    """

    index: int
    time: float
    image: NDArray[np.uint8]
    poses: Poses


def stream(
    estimator: Callable[[NDArray[np.uint8]], Poses],
    source: VideoSource,
    tracker: Tracker | None = None,
    known: Iterable[FrameResult] = (),
) -> Iterator[Frame]:
    """The frames of a source with their people, in order, in constant memory.

    Poses have the precision of results.jsonl (5 decimals), so that a run that was resumed ends as an unbroken one.

    Args:
        estimator: picture in, people out.
        source: is closed at the end.
        tracker: gives people their identities; None takes a new one that follows people from a score of `NEW_SCORE` on.
        known: results of an earlier run from the first frame on; these frames are tracked again, but not estimated.

    Raises:
        InputError: the source cannot be read any further, or is not the one that `known` was made from.
    """
    estimated = Background(_estimate(estimator, source, iter(known)))
    tracked = Background(_track(estimated, tracker or Tracker(TrackerOptions(new_score=NEW_SCORE))))
    try:
        yield from tracked
    finally:
        # from the source on, so that no step waits for one that has ended
        source.stop()
        for step in (estimated, tracked):
            step.stop()
        source.close()
        for step in (estimated, tracked):
            step.close()


def _estimate(
    estimator: Callable[[NDArray[np.uint8]], Poses], source: Iterable[VideoFrame], known: Iterator[FrameResult]
) -> Iterator[tuple[VideoFrame, Poses]]:
    earlier = next(known, None)
    for frame in source:
        if earlier is None:
            yield frame, Poses.from_dict(estimator(frame.image).to_dict())
            continue
        index, time, poses = earlier
        if index != frame.index or abs(time - frame.time) > _SAME_TIME:
            raise InputError(f"the results have frame {index} at {time:g} s, the source frame {frame.index} at "
                             f"{frame.time:g} s: it has changed since; run it again without --resume")  # fmt: skip
        yield frame, replace(poses, track_ids=None)
        earlier = next(known, None)


def _track(frames: Iterable[tuple[VideoFrame, Poses]], tracker: Tracker) -> Iterator[Frame]:
    for frame, poses in frames:
        yield Frame(frame.index, frame.time, frame.image, tracker.update(poses, frame.image, frame.time))
