"""`Tracker`: lasting identities for the people of a video, one frame after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.motion.appearance import SIZE, histograms, likeness
from anchorpose.motion.association import MAX_UNMOVED, Candidates, Weights, assign, similarity
from anchorpose.motion.flow import SmallFrame, median_step, propagate

Array = NDArray[np.float64]
SCHEMA = "anchorpose/tracker/1"
_COLOUR_FLOOR = 0.7
"""Bhattacharyya coefficients below this are of other clothes; those above are spread over 0 to 1."""


@dataclass(frozen=True)
class TrackerOptions:
    """How people are followed.

    Args:
        max_gap: seconds after which somebody who is not seen is given up; who comes back later is somebody new.
        min_hits: frames that make a track sure; until then it is given up after `doubt`.
        doubt: seconds, see `min_hits`.
        trusted: frames after which a track is as good as any other where two want one person.
        flow_side: longer side, pixels, of the pictures that the optical flow is computed on; 0 uses none.
        crowded: overlap with somebody else's box above which colours are not learnt.
        new_score: score from which somebody new is followed. Those below only go on with a track that was seen a moment
            ago and that nobody surer takes (as in ByteTrack, Zhang et al., ECCV 2022), and are left out otherwise.
        damping: seconds in which the speed of somebody who is not seen falls to a third.
        weights: of the association.
    """

    max_gap: float = 2.0
    min_hits: int = 3
    doubt: float = 0.4
    trusted: int = 15
    flow_side: int = 160
    crowded: float = 0.3
    new_score: float = 0.0
    damping: float = 0.6
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        if not 0 <= self.doubt <= self.max_gap or self.min_hits < 1 or self.flow_side < 0 or not self.damping > 0:
            raise InputError(f"found doubt {self.doubt}, max_gap {self.max_gap}, min_hits {self.min_hits}, flow_side "
                             f"{self.flow_side}, damping {self.damping}; wanted 0 <= doubt <= max_gap, at least one "
                             "hit, no negative size and a damping above 0")  # fmt: skip


@dataclass(frozen=True)
class Track:
    """What is known of one person.

    Args:
        id: identity. hits: frames in which they were found. seen: seconds, the last of these.
        joints2d: (J, 2) pixels, joints3d: (J, 3) metres, translation: (3,) metres, visible: (J,), at that time.
        speed2d: (2,) pixels a second of the whole body. speed3d: (3,) metres a second of the body centre.
        colours: (`SIZE`,) histogram, NaN where never seen.
    """

    id: int
    hits: int
    seen: float
    joints2d: Array
    joints3d: Array
    translation: Array
    visible: NDArray[np.bool_]
    speed2d: Array
    speed3d: Array
    colours: Array


class Tracker:
    """Follows people from frame to frame; everybody gets an identity at once.

    The same people come back with `track_ids`. No two of a frame share one, and none is ever given to a second person
    by intent: numbers only grow. Somebody who was found in a single frame and never again therefore has a number, too;
    `Tracks.longer_than` drops such tracks afterwards.
    """

    def __init__(self, options: TrackerOptions | None = None) -> None:
        self.options = options or TrackerOptions()
        self._tracks: list[Track] = []
        self._next = 1
        self._time = -np.inf
        self._frame: SmallFrame | None = None

    def update(self, poses: Poses, image: NDArray[np.uint8] | None, time: float) -> Poses:
        """The same people with `track_ids`, but for unsure ones who belong to nobody (`TrackerOptions.new_score`).

        Args:
            poses: people of the next frame, in pixels of the picture.
            image: (h, w, 3) uint8 BGR of the frame, for flow and colours; None does without.
            time: seconds, later than that of the last frame.

        Raises:
            InputError: time does not go on, or the skeleton has changed.
        """
        if not time > self._time:
            raise InputError(f"found a frame at {time} s after one at {self._time} s, wanted later times; give frames "
                             "in order, or take a new tracker for another video")  # fmt: skip
        if self._tracks and self._tracks[0].joints2d.shape[0] != len(poses.skeleton):
            raise InputError(f"found {len(poses.skeleton)} joints, wanted {len(self._tracks[0].joints2d)} as before; "
                             "take a new tracker for another skeleton")  # fmt: skip
        self._tracks = [t for t in self._tracks if time - t.seen <= self._patience(t)]
        frame = None if image is None or not self.options.flow_side else SmallFrame.of(image, self.options.flow_side)
        colours = np.full((len(poses), SIZE), np.nan) if image is None else histograms(image, poses)
        rows, columns = self._associate(poses, colours, frame, time)
        kept = poses.scores >= self.options.new_score
        kept[columns] = True
        poses, colours, columns = poses[kept], colours[kept], (np.cumsum(kept) - 1)[columns]
        ids = self._learn(poses, colours, rows, columns, time)
        self._time, self._frame = time, frame
        return replace(poses, track_ids=ids)

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, plain values for JSON."""
        return {
            "schema": SCHEMA, "options": asdict(self.options), "next": self._next,
            "time": None if np.isneginf(self._time) else float(self._time),
            "frame": None if self._frame is None else self._frame.to_dict(),
            "tracks": [{f.name: _plain(getattr(t, f.name)) for f in fields(t)} for t in self._tracks],
        }  # fmt: skip

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Tracker:
        """A tracker that goes on exactly where the one stood that gave this state.

        Raises:
            InputError: it is no state of a tracker, or of another version.
        """
        if state.get("schema") != SCHEMA:
            raise InputError(f"found the schema {state.get('schema')!r}, wanted {SCHEMA!r}; start a new tracker")
        try:
            options = dict(state["options"])
            tracker = cls(TrackerOptions(**(options | {"weights": Weights(**options["weights"])})))
            tracker._next = int(state["next"])
            tracker._time = -np.inf if state["time"] is None else float(state["time"])
            tracker._frame = None if state["frame"] is None else SmallFrame.from_dict(state["frame"])
            tracker._tracks = [_track(entry) for entry in state["tracks"]]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"found a damaged state of a tracker ({error}); start a new one") from None
        return tracker

    def _patience(self, track: Track) -> float:
        return self.options.max_gap if track.hits >= self.options.min_hits else self.options.doubt

    def _associate(
        self, poses: Poses, colours: Array, frame: SmallFrame | None, time: float
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        if not self._tracks or not len(poses):
            nobody = np.zeros(0, np.intp)
            return nobody, nobody
        expected = self._expected(poses, frame, time)
        found = Candidates(poses.joints2d.astype(np.float64), poses.joints3d.astype(np.float64),
                           poses.translation.astype(np.float64), colours, np.zeros(len(poses)),
                           np.ones(len(poses)))  # fmt: skip
        alike = np.clip((likeness(expected.colours, colours) - _COLOUR_FLOOR) / (1 - _COLOUR_FLOOR), 0, 1)
        value = similarity(expected, found, poses.skeleton, self.options.weights, alike)
        sure = poses.scores >= self.options.new_score
        rows, columns = assign(value * sure)
        if sure.all():
            return rows, columns
        lost = time - np.array([t.seen for t in self._tracks]) > MAX_UNMOVED
        lost[rows] = True  # taken
        more = assign(value * ~sure * ~lost[:, None])
        return np.concatenate([rows, more[0]]), np.concatenate([columns, more[1]])

    def _expected(self, poses: Poses, frame: SmallFrame | None, time: float) -> Candidates:
        """The tracks where they should be now: constant velocity that fades out, never far outside the picture."""
        tracks = self._tracks
        gap = time - np.array([t.seen for t in tracks])
        reach = (self.options.damping * -np.expm1(-gap / self.options.damping))[:, None]
        joints = _stack(tracks, "joints2d")
        moved = joints + (_stack(tracks, "speed2d") * reach)[:, None]
        # who has left comes back over the same border
        bounds = boxes.around(moved)
        centre = (bounds[:, :2] + bounds[:, 2:]) / 2
        moved += (np.clip(centre, 0, [poses.camera.width, poses.camera.height]) - centre)[:, None]
        flowed = None
        if frame is not None and self._frame is not None:
            fresh = np.array([t.seen == self._time for t in tracks])
            flowed = np.full(joints.shape, np.nan)
            flowed[fresh] = propagate(self._frame, frame, joints[fresh], _stack(tracks, "visible")[fresh])
        place = _stack(tracks, "translation") + _stack(tracks, "speed3d") * reach
        since = np.where(gap > time - self._time, gap, 0.0) if np.isfinite(self._time) else gap
        trust = np.minimum(1.0, np.array([t.hits for t in tracks]) / self.options.trusted)
        return Candidates(moved, _stack(tracks, "joints3d"), place, _stack(tracks, "colours"), since, trust, flowed)

    def _learn(
        self, poses: Poses, colours: Array, rows: NDArray[np.intp], columns: NDArray[np.intp], time: float
    ) -> NDArray[np.int64]:
        """Update the tracks that were found, begin one for everybody else, and return the identities."""
        overlap = boxes.iou(poses.boxes, poses.boxes) * (1 - np.eye(len(poses)))
        learn = np.where((overlap.max(axis=1, initial=0.0) < self.options.crowded)[:, None], colours, np.nan)
        ids = np.zeros(len(poses), np.int64)
        found = np.zeros(len(poses), bool)
        found[columns] = True
        # the numbers do not depend on the order of the people
        new = np.flatnonzero(~found)
        new = new[np.lexsort((*poses.boxes[new].T[::-1], -poses.scores[new]))]
        ids[columns] = [self._tracks[row].id for row in rows]
        ids[new] = np.arange(self._next, self._next + len(new))
        self._next += len(new)
        seen = _begun(poses, ids, learn, time)
        for row, track in zip(rows, _continued([self._tracks[i] for i in rows], [seen[i] for i in columns]),
                              strict=True):  # fmt: skip
            self._tracks[row] = track
        self._tracks = [*self._tracks, *(seen[i] for i in new)]
        return ids


def _begun(poses: Poses, ids: NDArray[np.int64], colours: Array, time: float) -> list[Track]:
    """A track of one frame for each person."""
    visible = poses.joint_states == JointState.VISIBLE
    arrays = (a.astype(np.float64) for a in (poses.joints2d, poses.joints3d, poses.translation))
    people = zip(ids, *arrays, visible, colours, strict=True)
    return [Track(int(number), 1, time, joints2d, joints3d, place, seen, np.zeros(2), np.zeros(3), own)
            for number, joints2d, joints3d, place, seen, own in people]  # fmt: skip


def _continued(old: Sequence[Track], new: Sequence[Track]) -> list[Track]:
    """Tracks after they were found again; speeds and colours are learnt slowly, so that one wrong pose costs little."""
    if not old:
        return []
    elapsed = new[0].seen - np.array([[t.seen] for t in old])
    step2d = _stack(new, "joints2d") - _stack(old, "joints2d")
    follow2d, follow3d = (-np.expm1(-elapsed / seconds) for seconds in (0.12, 0.4))
    before2d, before3d, place = (_stack(old, name) for name in ("speed2d", "speed3d", "translation"))
    now = _stack(new, "translation")
    speed2d = median_step(step2d) / elapsed
    speed2d = np.where(np.isfinite(speed2d), before2d + follow2d * (speed2d - before2d), before2d)
    turn3d = (now - place) / elapsed - before3d
    speed3d = before3d + follow3d * np.where(np.isfinite(turn3d), turn3d, 0.0)
    known, seen = _stack(old, "colours"), _stack(new, "colours")
    colours = np.where(np.isfinite(seen), 0.8 * known + 0.2 * seen, known)
    colours = np.where(np.isfinite(known), colours, seen)
    place = np.where(np.isfinite(now), now, place)
    return [Track(b.id, a.hits + 1, b.seen, b.joints2d, b.joints3d, place[i], b.visible, speed2d[i], speed3d[i],
                  colours[i]) for i, (a, b) in enumerate(zip(old, new, strict=True))]  # fmt: skip


def _stack(tracks: Sequence[Track], name: str) -> Any:
    return np.stack([getattr(t, name) for t in tracks])


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value if isinstance(value, int) else float(value)
    plain = np.array(value, dtype=object)
    plain[~np.isfinite(value)] = None
    return plain.tolist()


def _track(entry: dict[str, Any]) -> Track:
    arrays = {f.name: np.array(entry[f.name], dtype=bool if f.name == "visible" else np.float64)
              for f in fields(Track)[3:]}  # fmt: skip
    return Track(int(entry["id"]), int(entry["hits"]), float(entry["seen"]), **arrays)
