"""PoseBERT as frames arrive: each frame's poses a few frames later, from a window that ends at the newest frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.posebert.codec import Grid, Observations, between_slots, decode, on_grid, track_lengths
from anchorpose.motion.posebert.model import Floats, PoseBert
from anchorpose.motion.posebert.sight import FARTHEST, Sight, towards_sight

MOST_DELAY = 8
_ROUNDING = 1e-6


@dataclass
class _Person:
    """What is remembered of a person: rows no longer than a window, and the bones once they are settled.

    A row is a time, joints3d, which joints are visible, joints2d, translation and joint_scores.
    """

    rows: deque[tuple[float, Floats, Floats, Floats, Floats, Floats]] = field(default_factory=deque)
    lengths: Floats | None = None


class OnlineRefiner:
    """Refines the people of a video while it runs, in constant memory.

    A person's bones are the medians of the frames up to the first one that is given out, and stay as they are then.
    Only people who were found in a frame are given out; who was missed is not made up.

    Args:
        model: the graph. step: seconds between frames of the video. delay: frames that are waited for, 0 to 8; more
            see more of what comes after. Fewer are where frames are so far apart that a window does not hold as many.
        forget: seconds after which a person who is not seen any more is forgotten.

    Raises:
        InputError: a step or delay out of range.
    """

    def __init__(self, model: PoseBert, step: float, delay: int = MOST_DELAY, forget: float = 2.0) -> None:
        if not 0 <= delay <= MOST_DELAY or not step > 0:
            raise InputError(f"found a delay of {delay} frames of {step} s, wanted 0 to {MOST_DELAY} frames of more "
                             "than 0 s")  # fmt: skip
        self._model, self._step, self._forget = model, step, forget
        self._waiting: deque[tuple[float, Poses]] = deque()
        self._people: dict[int, _Person] = {}
        self._reach = (model.frames - 1) * Grid.of(0.0, step).step
        self._delay = min(delay, int(self._reach / step + _ROUNDING))

    def update(self, time: float, poses: Poses) -> list[tuple[float, Poses]]:
        """Take the next frame; give the frame that is `delay` frames older, refined, once there is one.

        Args:
            time: seconds, later than before. poses: in LCR13 with `track_ids`, as `Tracker.update` gives them.

        Raises:
            InputError: another skeleton, no identities, or time does not go on.
        """
        if poses.skeleton != LCR13 or (len(poses) and poses.track_ids is None):
            raise InputError(f"found {poses.skeleton.name} {'without' if poses.track_ids is None else 'with'} "
                             "track_ids, wanted LCR13 with those of a Tracker")  # fmt: skip
        if self._waiting and not time > self._waiting[-1][0]:
            raise InputError(f"found a frame at {time} s after one at {self._waiting[-1][0]} s, wanted later times")
        self._waiting.append((time, poses))
        self._remember(time, poses)
        return [self._refined(time)] if len(self._waiting) > self._delay else []

    def flush(self) -> Iterator[tuple[float, Poses]]:
        """The frames that still wait, at the end of the video."""
        newest = self._waiting[-1][0] if self._waiting else 0.0
        while self._waiting:
            yield self._refined(newest)

    def _remember(self, time: float, poses: Poses) -> None:
        whole = np.asarray(np.isfinite(poses.joints3d).all((1, 2)))
        for i, number in enumerate([] if poses.track_ids is None else poses.track_ids.tolist()):
            if whole[i]:
                seen = poses.joint_states[i] == JointState.VISIBLE
                row = (time, poses.joints3d[i], seen, poses.joints2d[i], poses.translation[i], poses.joint_scores[i])
                self._people.setdefault(number, _Person()).rows.append(row)
        for number, person in list(self._people.items()):
            while person.rows and person.rows[0][0] < time - self._reach - self._step:
                person.rows.popleft()
            if not person.rows or person.rows[-1][0] < time - max(self._forget, (self._delay + 1) * self._step):
                del self._people[number]

    def _refined(self, newest: float) -> tuple[float, Poses]:
        time, poses = self._waiting.popleft()
        ids = [] if poses.track_ids is None else poses.track_ids.tolist()
        rows = [i for i, number in enumerate(ids) if number in self._people and np.isfinite(poses.joints3d[i]).all()]
        if not rows:
            return time, poses
        people = [self._observations(self._people[ids[i]]) for i in rows]
        base = Grid.of(0.0, self._step)
        grid = replace(base, start=newest - (self._model.frames - 1) * base.step)
        tokens, known = zip(*(on_grid(p, grid, self._model.frames) for p in people), strict=True)
        sixd = self._model.windows(np.stack(tokens), np.stack(known))
        joints3d = poses.joints3d.copy()
        for i, person, found in zip(rows, people, sixd, strict=True):
            seen = _near(self._people[ids[i]], time, grid.start - _ROUNDING)
            times = np.union1d(seen.times, [time])
            then = decode(between_slots(found, grid.place(times)), person.lengths)
            moved = towards_sight(then, times, seen, poses.camera, person.lengths)
            joints3d[i] = moved[np.searchsorted(times, time)]
        return time, replace(poses, joints3d=joints3d)

    def _observations(self, person: _Person) -> Observations:
        times, joints, seen = (np.array(column) for column in list(zip(*person.rows, strict=True))[:3])
        if person.lengths is None:
            person.lengths = track_lengths(joints, seen)
        return Observations(times, joints, seen, np.asarray(person.lengths, np.float64))


def _near(person: _Person, time: float, since: float) -> Sight:
    """Where somebody was seen around a time, as far as the smoothing of what they move by reaches; from `since` on."""
    rows = [row for row in person.rows if abs(row[0] - time) <= FARTHEST and row[0] >= since]
    columns = [np.array([row[k] for row in rows]) for k in (0, 3, 4, 5)]
    return Sight(*columns)
