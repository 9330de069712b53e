"""`Tracks`: the people of a whole video, each as arrays over time, and edits of who is who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import Skeleton

Floats = NDArray[np.float32]
_OF_POSES = ("joints2d", "joints3d", "translation", "scores", "joint_scores")


@dataclass(frozen=True)
class PersonTrack:
    """One person over time; units and frames as in `Poses`.

    Args:
        id: identity. times: (t,) seconds, rising; only frames in which the person is known.
        joints2d: (t, J, 2). joints3d: (t, J, 3). translation: (t, 3). scores: (t,). joint_scores: (t, J).
        states: (t, J) of `JointState`. filled: (t,) True where the pose was not found but filled in between.
    """

    id: int
    times: NDArray[np.float64]
    joints2d: Floats
    joints3d: Floats
    translation: Floats
    scores: Floats
    joint_scores: Floats
    states: NDArray[np.uint8]
    filled: NDArray[np.bool_]

    def __post_init__(self) -> None:
        wrong = [f.name for f in fields(self)[2:] if len(getattr(self, f.name)) != len(self.times)]
        if wrong or not (np.diff(self.times) > 0).all():
            raise ValueError(f"PersonTrack {self.id}: times must rise and {wrong or 'all arrays'} be as long as they")

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice | NDArray[Any]) -> PersonTrack:
        """Some of the frames."""
        arrays: dict[str, Any] = {f.name: getattr(self, f.name)[rows] for f in fields(self)[1:]}
        return replace(self, **arrays)


@dataclass(frozen=True)
class Tracks:
    """Everybody in a video; edits give new objects.

    Args:
        skeleton, camera: of all poses. times: (f,) seconds of all frames, also of those without anybody.
        people: one track an identity, in the order of their numbers.
    """

    skeleton: Skeleton
    camera: Camera
    times: NDArray[np.float64]
    people: tuple[PersonTrack, ...]

    @classmethod
    def from_frames(cls, frames: Iterable[tuple[float, Poses]]) -> Tracks:
        """Gather frames in the order of time.

        Raises:
            InputError: no frame, no `track_ids`, times that do not rise, or an identity twice in a frame.
        """
        moments: list[tuple[float, Poses]] = []
        everybody: list[tuple[int, float, Poses]] = []
        for time, poses in frames:
            if len(poses) and poses.track_ids is None:
                raise InputError(f"found people without track_ids at {time} s, wanted those of a Tracker; track first")
            if moments and not time > moments[-1][0]:
                raise InputError(f"found a frame at {time} s after one at {moments[-1][0]} s, wanted later times")
            if poses.track_ids is not None and len(np.unique(poses.track_ids)) < len(poses):
                raise InputError(f"found an identity twice at {time} s, wanted each person once a frame")
            moments.append((time, poses))
            everybody += [(int(k), float(time), poses[i]) for i, k in enumerate(_ids(poses))]
        if not moments:
            raise InputError("found no frame, wanted at least one; give the frames of a video")
        first = moments[0][1]
        grouped: dict[int, list[tuple[float, Poses]]] = {}
        for number, time, person in everybody:
            grouped.setdefault(number, []).append((time, person))
        people = tuple(_gathered(number, grouped[number]) for number in sorted(grouped))
        return cls(first.skeleton, first.camera, np.array([t for t, _ in moments], np.float64), people)

    def frames(self) -> Iterator[tuple[float, Poses]]:
        """The frames in order, each with its people by falling score; inverse of `from_frames`."""
        rows = [np.searchsorted(p.times, self.times) for p in self.people]
        for number, time in enumerate(self.times.tolist()):
            here = [(p, int(r[number])) for p, r in zip(self.people, rows, strict=True)
                    if r[number] < len(p) and p.times[r[number]] == time]  # fmt: skip
            here.sort(key=lambda found: (-float(found[0].scores[found[1]]), found[0].id))
            yield time, self._poses(here)

    def __getitem__(self, number: int) -> PersonTrack:
        """The track of an identity; InputError with the known ones if there is none."""
        for person in self.people:
            if person.id == number:
                return person
        known = ", ".join(str(p.id) for p in self.people) or "none"
        raise InputError(f"found no track {number}, wanted one of {known}")

    def merge(self, a: int, b: int) -> Tracks:
        """Track `b` becomes part of `a`.

        Raises:
            InputError: no such track, both are the same, or they have frames in common.
        """
        first, second = self[a], self[b]
        if a == b:
            raise InputError(f"found track {a} twice, wanted two tracks to merge")
        common = np.intersect1d(first.times, second.times)
        if len(common):
            raise InputError(f"tracks {a} and {b} are both in {len(common)} frames, the first at {common[0]:.3f} s; "
                             "split or swap them first")  # fmt: skip
        return self._with((_joined(first, second),), (a, b))

    def split(self, number: int, time: float) -> Tracks:
        """What is at or after `time` seconds becomes a track of its own, with the next free number.

        Raises:
            InputError: no such track, or nothing is on one side of the time.
        """
        track = self[number]
        later = track.times >= time
        if later.all() or not later.any():
            raise InputError(f"track {number} is from {track.times[0]:.3f} to {track.times[-1]:.3f} s, wanted a time "
                             f"inside, found {time}")  # fmt: skip
        new = max(p.id for p in self.people) + 1
        return self._with((track[~later], replace(track[later], id=new)), (number,))

    def swap(self, a: int, b: int, time: float) -> Tracks:
        """From `time` seconds on, `a` and `b` change places.

        Raises:
            InputError: no such track, both are the same, or neither has a frame at or after the time.
        """
        first, second = self[a], self[b]
        if a == b:
            raise InputError(f"found track {a} twice, wanted two tracks to swap")
        early, late = [t.times < time for t in (first, second)], [t.times >= time for t in (first, second)]
        if not (late[0].any() or late[1].any()):
            raise InputError(f"found nothing of tracks {a} and {b} at or after {time} s, wanted an earlier time")
        mixed = (_joined(first[early[0]], second[late[1]]), replace(_joined(second[early[1]], first[late[0]]), id=b))
        return self._with(tuple(t for t in mixed if len(t)), (a, b))

    def longer_than(self, frames: int) -> Tracks:
        """Without tracks of that many frames or fewer: false people are seldom found again."""
        return replace(self, people=tuple(p for p in self.people if len(p) > frames))

    def _with(self, new: tuple[PersonTrack, ...], gone: tuple[int, ...]) -> Tracks:
        kept = [p for p in self.people if p.id not in gone]
        return replace(self, people=tuple(sorted([*kept, *new], key=lambda p: p.id)))

    def _poses(self, here: list[tuple[PersonTrack, int]]) -> Poses:
        if not here:
            return replace(Poses.empty(self.camera, self.skeleton), track_ids=np.zeros(0, np.int64))
        arrays: dict[str, Any] = {name: np.stack([getattr(p, name)[r] for p, r in here]) for name in _OF_POSES}
        return Poses(self.skeleton, self.camera, boxes=boxes.around(arrays["joints2d"], 0.1),
                     joint_states=np.stack([p.states[r] for p, r in here]),
                     track_ids=np.array([p.id for p, _ in here], np.int64), **arrays)  # fmt: skip


def _ids(poses: Poses) -> list[int]:
    return [] if poses.track_ids is None else [int(k) for k in poses.track_ids]


def _gathered(number: int, found: list[tuple[float, Poses]]) -> PersonTrack:
    arrays = {name: np.concatenate([getattr(p, name) for _, p in found]) for name in _OF_POSES}
    states, filled = np.concatenate([p.joint_states for _, p in found]), np.zeros(len(found), bool)
    return PersonTrack(number, np.array([t for t, _ in found]), states=states, filled=filled, **arrays)


def _joined(a: PersonTrack, b: PersonTrack) -> PersonTrack:
    order = np.argsort(np.concatenate([a.times, b.times]), kind="stable")
    arrays: dict[str, Any] = {f.name: np.concatenate([getattr(a, f.name), getattr(b, f.name)])[order]
                              for f in fields(a)[1:]}  # fmt: skip
    return replace(a, **arrays)


def missing_rows(track: PersonTrack, times: NDArray[np.float64]) -> PersonTrack:
    """The track with a row for each of the (f,) times, NaN, MISSING and `filled` where it had none."""
    union = np.union1d(track.times, times)
    at = np.searchsorted(union, track.times)

    def spread(values: NDArray[Any], fill: float) -> NDArray[Any]:
        wide = np.full((len(union), *values.shape[1:]), fill, values.dtype)
        wide[at] = values
        return wide

    nan = float("nan")
    return PersonTrack(track.id, union, spread(track.joints2d, nan), spread(track.joints3d, nan),
                       spread(track.translation, nan), spread(track.scores, 0), spread(track.joint_scores, 0),
                       spread(track.states, JointState.MISSING), spread(track.filled, True))  # fmt: skip
