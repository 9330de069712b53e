"""Poses as tokens, frames on an even grid: what goes into PoseBERT's graph and comes out of it.

A token is a frame's joints in camera axes over the person's size (39), which joints the detector says can be seen (13),
and the 6D rotations of the segments (72). The graph was trained at `RATE` frames a second; videos of 21 to 45 frames a
second are read as if they had it, slower ones leave slots of the grid empty, and of faster ones several frames share a
slot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import LCR13
from anchorpose.motion.bones import bone_lengths
from anchorpose.motion.posebert.kinematics import (
    COUNT,
    body_size,
    from_6d,
    lengths_of,
    to_6d,
    to_joints,
    to_rotations,
)

Floats = NDArray[np.floating]
RATE = 30.0
SIXD = 6 * COUNT
WIDTH = 4 * len(LCR13) + SIXD
"""Numbers of a token."""
_UNSEEN = 0.3
"""What a bone counts for of which an end cannot be seen."""
_LEAST_SIZE = 1e-3


@dataclass(frozen=True)
class Grid:
    """Slots of even length: slot i is at `start + i * step` seconds."""

    start: float
    step: float

    @classmethod
    def of(cls, start: float, frame_step: float) -> Grid:
        """The grid of a video whose frames are `frame_step` seconds apart."""
        frames = frame_step * RATE
        return cls(start, frame_step / round(frames) if frames >= 2 / 3 else frame_step * round(1 / frames))

    def place(self, times: Floats) -> NDArray[np.float64]:
        """(t,) seconds -> (t,) slots, with fractions."""
        return np.asarray((np.asarray(times, np.float64) - self.start) / self.step)


@dataclass(frozen=True)
class Observations:
    """One person's frames that hold a whole pose.

    Args:
        times: (t,) seconds, rising. joints3d: (t, 13, 3) metres, camera axes, relative to the body centre, without NaN.
        seen: (t, 13) joints that the detector says are visible. lengths: (12,) metres of the person's segments.
    """

    times: NDArray[np.float64]
    joints3d: Floats
    seen: NDArray[np.bool_]
    lengths: NDArray[np.float64]


def track_lengths(joints3d: Floats, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(t, 13, 3) metres and (t, 13) -> (12,) metres: robust medians, left and right alike.

    Raises:
        InputError: a bone is never seen.
    """
    return lengths_of(bone_lengths(joints3d, np.where(seen, 1.0, _UNSEEN)))


def encode(joints3d: Floats, seen: NDArray[np.bool_], size: Floats) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Tokens of poses.

    Args:
        joints3d: (..., 13, 3) metres, camera axes; NaN where missing. seen: (..., 13). size: (...) metres of
            `body_size`.

    Returns:
        (..., 124) tokens and (...) whether the frame is known; the tokens of others are 0.
    """
    sixd = to_6d(to_rotations(joints3d))
    known = np.asarray(np.isfinite(sixd).all((-1, -2)))
    lead = known.shape
    scaled = joints3d / np.maximum(size, _LEAST_SIZE)[..., None, None]
    parts = (scaled.reshape(*lead, -1), seen.astype(np.float64), sixd.reshape(*lead, SIXD))
    tokens = np.concatenate(parts, axis=-1)
    return np.where(known[..., None], tokens, 0.0).astype(np.float32), known


def decode(sixd: Floats, lengths: Floats) -> NDArray[np.float32]:
    """(..., 12, 6) of the graph and (..., 12) metres -> (..., 13, 3) metres relative to the body centre."""
    return to_joints(from_6d(sixd), lengths).astype(np.float32)


def on_grid(person: Observations, grid: Grid, slots: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Tokens (slots, 124) of a person and (slots,) which slots are known; poses that share a slot are averaged."""
    rows = np.rint(grid.place(person.times)).astype(np.intp)
    inside = (rows >= 0) & (rows < slots)
    rows = rows[inside]
    count = np.bincount(rows, minlength=slots)[:, None, None]
    total = np.zeros((slots, len(LCR13), 3))
    np.add.at(total, rows, person.joints3d[inside].astype(np.float64))
    visible = np.zeros((slots, len(LCR13)), bool)
    np.logical_or.at(visible, rows, person.seen[inside])
    poses = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return encode(poses, visible, np.broadcast_to(body_size(person.lengths), (slots,)))


def between_slots(sixd: Floats, place: Floats) -> NDArray[np.float64]:
    """(g, 12, 6) at slots -> (t, 12, 6) at (t,) slots with fractions, linearly; beyond the ends the last one stays."""
    place = np.clip(place, 0, len(sixd) - 1)
    low = np.minimum(place.astype(np.intp), max(len(sixd) - 2, 0))
    high = np.minimum(low + 1, len(sixd) - 1)
    share = (place - low)[:, None, None]
    return np.asarray(sixd[low] * (1 - share) + sixd[high] * share)
