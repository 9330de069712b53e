"""`Clip`: the tracked people of a video as arrays over time, the input of every writer in this folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Floats, JointState, Poses
from anchorpose.core.skeleton import Skeleton

TrackedFrame = tuple[int, float, Poses]
"""Number of the frame in its video, time in seconds, people with `track_ids`."""
_SINGLE_FRAME_RATE = 30.0
_MOST_NUMBERS = 1 << 30
_LONGEST_GAP = 0.25
_EVEN = 0.1


@dataclass(frozen=True)
class PersonClip:
    """One person over the t frames of a clip; NaN and MISSING where the person or a joint is not known."""

    id: int
    joints2d: Floats  # (t, J, 2) pixels
    joints3d: Floats  # (t, J, 3) metres, relative to the body centre, x right, y down, z forward
    translation: Floats  # (t, 3) metres, the body centre in the camera frame
    scores: Floats  # (t, J) probability that the joint is visible
    states: NDArray[np.uint8]  # (t, J) of JointState
    confidence: Floats  # (t,) score of the person

    @property
    def present(self) -> NDArray[np.bool_]:
        """(t,) frames in which some joint is known."""
        known = np.isfinite(self.joints2d).all(-1) | np.isfinite(self.joints3d).all(-1)
        return np.asarray(known.any(-1))

    def in_camera(self) -> Floats:
        """(t, J, 3) metres in the camera frame; someone who was never placed keeps the body centre at the origin."""
        if not np.isfinite(self.translation).all(-1).any():
            return self.joints3d
        return np.asarray(self.joints3d + self.translation[:, None], np.float32)


@dataclass(frozen=True)
class Clip:
    """The tracked people of one video.

    Args:
        skeleton: of the J joints.
        camera: of the first frame.
        fps: frames a second, the median where the rate varies.
        times: (t,) seconds, increasing.
        indices: (t,) numbers of the frames in their video, increasing.
        people: each with arrays over the same t frames.
    """

    skeleton: Skeleton
    camera: Camera
    fps: float
    times: NDArray[np.float64]
    indices: NDArray[np.int64]
    people: tuple[PersonClip, ...]

    def __post_init__(self) -> None:
        t, j = len(self.times), len(self.skeleton)
        wanted = {"joints2d": (t, j, 2), "joints3d": (t, j, 3), "translation": (t, 3), "scores": (t, j),
                  "states": (t, j), "confidence": (t,)}  # fmt: skip
        for person in self.people:
            for name, shape in wanted.items():
                if (found := getattr(person, name).shape) != shape:
                    raise ValueError(f"person {person.id}: {name} has shape {found}, wanted {shape}")
        if len(self.indices) != t:
            raise ValueError(f"Clip has {len(self.indices)} indices and {t} times, wanted the same number")

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def from_frames(cls, frames: Iterable[TrackedFrame], fps: float | None = None) -> Clip:
        """Gather the frames of a tracked video (further 3D modes are left out).

        Args:
            frames: in the order of time; frames without people count.
            fps: frames a second; None takes the median of the times.

        Raises:
            InputError: no frames, people without track ids, an id twice in a frame, times that do not increase,
                several skeletons, or more than fits into memory.
        """
        taken = list(frames)
        if not taken:
            raise InputError("found no frames, wanted at least one; was the video empty or the range outside it?")
        times = np.array([time for _, time, _ in taken], np.float64)
        indices = np.array([index for index, _, _ in taken], np.int64)
        if not ((np.diff(times) > 0).all() and (np.diff(indices) > 0).all() and np.isfinite(times).all()):
            raise InputError("found frames whose times do not increase, wanted them in order; write the results anew")
        skeleton = taken[0][2].skeleton
        rows = _rows(taken, skeleton)
        if len(rows) * len(times) * len(skeleton) * 7 > _MOST_NUMBERS:
            raise InputError(f"found {len(rows)} people over {len(times)} frames, more than fits into memory; "
                             "give a part of the video (--start, --end) or a larger --stride")  # fmt: skip
        people = tuple(_gather(identity, taken, places, len(skeleton)) for identity, places in sorted(rows.items()))
        rate = fps if fps is not None else _rate(times)
        return cls(skeleton, taken[0][2].camera, rate, times, indices, people)

    def frame(self, k: int) -> Poses:
        """The people who are present in the k-th frame, by id; boxes are around all joints with a 10 % margin."""
        there = [p for p in self.people if p.present[k]]
        if not there:
            return Poses.empty(self.camera, self.skeleton)
        joints2d = np.stack([p.joints2d[k] for p in there])
        return Poses(
            self.skeleton, self.camera, np.stack([p.confidence[k] for p in there]), boxes.around(joints2d, 0.1),
            joints2d, np.stack([p.joints3d[k] for p in there]), np.stack([p.translation[k] for p in there]),
            np.stack([p.scores[k] for p in there]), np.stack([p.states[k] for p in there]),
            track_ids=np.array([p.id for p in there], np.int64),
        )  # fmt: skip

    def frames(self) -> Iterator[TrackedFrame]:
        """Inverse of `from_frames`."""
        return ((int(self.indices[k]), float(self.times[k]), self.frame(k)) for k in range(len(self)))

    def person(self, identity: int) -> PersonClip:
        """The person with this id; InputError with the known ids if there is none."""
        for person in self.people:
            if person.id == identity:
                return person
        known = ", ".join(str(p.id) for p in self.people) or "nobody"
        raise InputError(f"found no person {identity}, wanted one of those in the clip: {known}")

    def moved(self, rotation: ArrayLike, origin: ArrayLike = (0.0, 0.0, 0.0)) -> Clip:
        """The same people in other axes, for example a camera frame made level by a floor plane; 2D stays.

        Args:
            rotation: (3, 3) from the camera frame to the new one (y down as well).
            origin: (3,) metres in the camera frame, where the new frame begins.
        """
        turn, start = np.asarray(rotation, np.float64), np.asarray(origin, np.float64)
        people = (
            replace(p, joints3d=(p.joints3d @ turn.T).astype(np.float32),
                    translation=((p.translation - start) @ turn.T).astype(np.float32))
            for p in self.people
        )  # fmt: skip
        return replace(self, people=tuple(people))

    def at_constant_rate(self) -> Clip:
        """The same clip with frames 1 / fps apart, as formats want it that hold a rate and no times.

        Coordinates are interpolated in a straight line between frames at most 0.25 s (or 1.5 frames, whichever is
        longer) apart, the rest is taken from the nearest frame. A clip that is even to a tenth of a frame stays as it
        is.
        """
        steps = np.arange(len(self)) / self.fps
        if np.abs(self.times - self.times[0] - steps).max() < _EVEN / self.fps:
            return self
        times = self.times[0] + np.arange(round((self.times[-1] - self.times[0]) * self.fps) + 1) / self.fps
        after = np.clip(np.searchsorted(self.times, times), 1, len(self) - 1)
        long = np.diff(self.times)[after - 1]
        share = np.clip((times - self.times[after - 1]) / long, 0, 1)
        bridged = long <= max(_LONGEST_GAP, 1.5 / self.fps)
        people = tuple(_resampled(p, after, share, bridged) for p in self.people)
        return replace(self, times=times, indices=np.arange(len(times)), people=people)


def _rows(frames: list[TrackedFrame], skeleton: Skeleton) -> dict[int, list[tuple[int, int]]]:
    """For each id its (frame, row of Poses) pairs."""
    rows: dict[int, list[tuple[int, int]]] = {}
    for k, (index, _, poses) in enumerate(frames):
        if poses.skeleton != skeleton:
            raise InputError(f"found the skeletons {skeleton.name} and {poses.skeleton.name}, wanted one in a clip")
        if len(poses) and poses.track_ids is None:
            raise InputError(f"frame {index} has people without track ids, wanted tracked people; run the tracker")
        for row, identity in enumerate([] if poses.track_ids is None else poses.track_ids.tolist()):
            places = rows.setdefault(identity, [])
            if places and places[-1][0] == k:
                raise InputError(f"frame {index} has person {identity} twice, wanted each once; track it anew")
            places.append((k, row))
    return rows


def _gather(identity: int, frames: list[TrackedFrame], places: list[tuple[int, int]], joints: int) -> PersonClip:
    t = len(frames)

    def blank(*shape: int) -> Floats:
        return np.full((t, *shape), np.nan, np.float32)

    person = PersonClip(identity, blank(joints, 2), blank(joints, 3), blank(3), blank(joints),
                        np.full((t, joints), JointState.MISSING, np.uint8), blank())  # fmt: skip
    for k, row in places:
        poses = frames[k][2]
        person.joints2d[k], person.joints3d[k] = poses.joints2d[row], poses.joints3d[row]
        person.translation[k], person.scores[k] = poses.translation[row], poses.joint_scores[row]
        person.states[k], person.confidence[k] = poses.joint_states[row], poses.scores[row]
    for values in (person.joints2d, person.joints3d, person.translation):
        values[~np.isfinite(values)] = np.nan  # no format can hold an infinite place
    return person


def _rate(times: NDArray[np.float64]) -> float:
    return float(1 / np.median(np.diff(times))) if len(times) > 1 else _SINGLE_FRAME_RATE


def _resampled(
    person: PersonClip, after: NDArray[np.intp], share: NDArray[np.float64], bridged: NDArray[np.bool_]
) -> PersonClip:
    nearest = np.where(share < 0.5, after - 1, after)
    exact = (share < 1e-3) | (share > 1 - 1e-3)

    def between(values: Floats) -> Floats:
        extra = (1,) * (values.ndim - 1)
        w = share.reshape(-1, *extra)
        line = values[after - 1] * (1 - w) + values[after] * w
        open_ = (bridged & ~exact).reshape(-1, *extra)
        kept = np.where(exact.reshape(-1, *extra), values[nearest], np.nan)
        return np.asarray(np.where(open_, line, kept), np.float32)

    joints2d, joints3d = between(person.joints2d), between(person.joints3d)
    known = np.isfinite(joints2d).all(-1) | np.isfinite(joints3d).all(-1)
    there = np.asarray(known.any(-1))
    return PersonClip(
        person.id, joints2d, joints3d, between(person.translation),
        np.where(there[:, None], person.scores[nearest], np.nan).astype(np.float32),
        np.where(known, person.states[nearest], JointState.MISSING).astype(np.uint8),
        np.where(there, person.confidence[nearest], np.nan).astype(np.float32),
    )  # fmt: skip
