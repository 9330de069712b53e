"""The detector's poses beside the truth on rendered sequences, person by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.keypoints import Truth, oks
from anchorpose.evaluation.scenes import best_first
from anchorpose.motion.tracks import PersonTrack, Tracks

if TYPE_CHECKING:  # it renders, which needs the [synthesis] extra
    from anchorpose.synthesis.sequences import SequenceFrame

MIN_OKS = 0.3
FEWEST_SEEN = 3
"""Joints; people of whom less can be seen are not asked for."""
AWAY = 2.0
_SHORTEST = 8


@dataclass(frozen=True)
class Pair:
    """A person from the first to the last frame in which they were found.

    Args:
        times: (t,) seconds of the frames in which they can be seen. truth: (t, 13, 3) metres relative to the body
            centre, camera axes. place: (t, 3) metres of the true body centre, camera frame. track: what was found; its
            times are among `times`.
    """

    times: NDArray[np.float64]
    truth: NDArray[np.float32]
    place: NDArray[np.float32]
    track: PersonTrack

    @property
    def found(self) -> NDArray[np.bool_]:
        """(t,) frames in which the person was found."""
        return np.isin(self.times, self.track.times)


def pair_sequence(frames: Sequence[SequenceFrame], people: Sequence[Poses]) -> tuple[Tracks, tuple[Pair, ...]]:
    """Give everybody the identity of the true person whom their 2D joints fit best, and put them side by side.

    Args:
        frames: with the truth. people: found in each frame.

    Returns:
        the tracks of all, and a pair for each track of at least 8 frames. Who is out of sight for more than two
        seconds is somebody new.
    """
    visits = _visits(frames)
    named = [_named(f, p, ids) for f, p, ids in zip(frames, people, visits, strict=True)]
    tracks = Tracks.from_frames((f.time, p) for f, p in zip(frames, named, strict=True))
    return tracks, tuple(_pair(t, frames, visits) for t in tracks.people if len(t) >= _SHORTEST)


def _visits(frames: Sequence[SequenceFrame]) -> list[NDArray[np.int64]]:
    """(n,) a frame: the identity of each true person on this visit, -1 where too little can be seen."""
    last: dict[int, float] = {}
    count: dict[int, int] = {}
    result = []
    for frame in frames:
        assert frame.poses.track_ids is not None
        seen = (frame.poses.joint_states == JointState.VISIBLE).sum(1) >= FEWEST_SEEN
        for person in frame.poses.track_ids[seen].tolist():
            count[person] = count.get(person, 0) + (frame.time - last.get(person, frame.time) > AWAY)
            last[person] = frame.time
        visit = np.array([100 * count.get(p, 0) for p in frame.poses.track_ids.tolist()], np.int64)
        result.append(np.where(seen, visit + frame.poses.track_ids, -1))
    return result


def _named(frame: SequenceFrame, people: Poses, ids: NDArray[np.int64]) -> Poses:
    true = frame.poses
    visible = true.joint_states == JointState.VISIBLE
    none = np.zeros(len(true), bool)
    truth = Truth(true.joints2d, visible, true.boxes, 0.53 * boxes.area(true.boxes), none, none)
    match = best_first(oks(people.joints2d, truth, LCR13.sigmas), MIN_OKS)
    rows = (match >= 0) & (ids >= 0)
    return replace(people[match[rows]], track_ids=ids[rows])


def _pair(track: PersonTrack, frames: Sequence[SequenceFrame], visits: Sequence[NDArray[np.int64]]) -> Pair:
    rows = [(f, int(np.flatnonzero(ids == track.id)[0])) for f, ids in zip(frames, visits, strict=True)
            if track.times[0] <= f.time <= track.times[-1] and (ids == track.id).any()]  # fmt: skip
    return Pair(np.array([f.time for f, _ in rows]), np.stack([f.poses.joints3d[i] for f, i in rows]),
                np.stack([f.poses.translation[i] for f, i in rows]), track)  # fmt: skip
