"""The body as a tree of twelve rigid segments, each with a rotation in camera axes, and forward kinematics.

The first column of a segment's rotation points along it; a bone is that column times a length that a person keeps.
Joints say nothing of the twist about a limb, so the second column is carried from the parent by the least rotation.
Rotations are in camera axes and not relative to the parent: an error at the pelvis then does not turn the arms.
`pelvis` and `neck` are the middles of the hips and of the shoulders, as in `motion.bones`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13, mirror_name

Floats = NDArray[np.floating]
_MIDDLES = {"pelvis": LCR13.indices("left_hip", "right_hip"), "neck": LCR13.indices("left_shoulder", "right_shoulder")}
_LEAST = 1e-6


@dataclass(frozen=True)
class Segment:
    """A rigid piece of the body.

    Args:
        start, end: names of LCR13 joints, `pelvis` or `neck`. parent: row of the segment from which the twist is taken;
            its own row for the root. across: the segment is the half of a line from side to side, whose other half
            ends at the mirrored joint.
    """

    start: str
    end: str
    parent: int
    across: bool = False


PELVIS, SPINE, CHEST, HEAD = range(4)


def _limbs(side: str, first: int) -> tuple[Segment, ...]:
    """Upper arm, forearm, thigh and shin, in the rows from `first` on."""
    return (Segment(f"{side}_shoulder", f"{side}_elbow", CHEST), Segment(f"{side}_elbow", f"{side}_wrist", first),
            Segment(f"{side}_hip", f"{side}_knee", PELVIS),
            Segment(f"{side}_knee", f"{side}_ankle", first + 2))  # fmt: skip


SEGMENTS = (
    Segment("pelvis", "left_hip", PELVIS, across=True), Segment("pelvis", "neck", PELVIS),
    Segment("neck", "left_shoulder", SPINE, across=True), Segment("neck", "head_top", CHEST),
    *_limbs("right", 4), *_limbs("left", 8),
)  # fmt: skip
"""Parents stand before their children."""
COUNT = len(SEGMENTS)
MIRRORED = np.array([0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7])
"""(12,) the segment on the other side; those in the middle are their own."""
_UPRIGHT = (SPINE, HEAD, 6, 7)


def measured_lengths(joints3d: Floats) -> NDArray[np.float64]:
    """(..., 13, 3) metres -> (..., 12) metres of each segment, as they are in each pose."""
    return np.stack([np.linalg.norm(_along(joints3d, s), axis=-1) for s in SEGMENTS], axis=-1)


def lengths_of(bones: dict[tuple[str, str], float]) -> NDArray[np.float64]:
    """(12,) metres from the lengths of `motion.bones.bone_lengths`."""
    return np.array([bones[s.start, s.end] for s in SEGMENTS])


def body_size(lengths: Floats) -> Floats:
    """(..., 12) -> (...) metres from the ankles to the head top of somebody upright."""
    return np.asarray(lengths[..., _UPRIGHT].sum(-1))


def to_rotations(joints3d: Floats) -> NDArray[np.float64]:
    """Rotations of the segments of poses.

    Args:
        joints3d: (..., 13, 3) metres in camera axes, LCR13.

    Returns:
        (..., 12, 3, 3), proper rotations; NaN for a pose that lacks a joint or has a bone of no length.
    """
    along = np.stack([_unit(_along(joints3d, s)) for s in SEGMENTS], axis=-2)
    turns = np.empty((*along.shape, 3))
    for row, segment in enumerate(SEGMENTS):
        parent = turns[..., segment.parent, :, :]
        hint: Floats
        if segment.across:
            hint = along[..., SPINE, :]
        elif row <= HEAD:
            hint = along[..., segment.parent, :]
        elif segment.parent in (PELVIS, CHEST):  # at rest limbs hang down
            hint = _carried(parent[..., 0], -parent[..., 1], along[..., row, :])
        else:
            hint = _carried(parent[..., 1], parent[..., 0], along[..., row, :])
        turns[..., row, :, :] = _frame(along[..., row, :], hint)
    whole = np.isfinite(turns).all((-1, -2, -3), keepdims=True)
    return np.where(whole, turns, np.nan)


def to_joints(rotations: Floats, lengths: Floats) -> NDArray[np.float64]:
    """Forward kinematics.

    Args:
        rotations: (..., 12, 3, 3), camera axes. lengths: (..., 12) metres.

    Returns:
        (..., 13, 3) metres relative to the body centre.
    """
    return _chained(lengths[..., None] * rotations[..., 0])


def with_lengths(joints3d: Floats, lengths: Floats) -> NDArray[np.float64]:
    """The same poses with segments of other lengths, each along its direction.

    Args:
        joints3d: (..., 13, 3) metres; NaN, or a segment of no length, makes NaN of what hangs on it.
        lengths: (12,) metres.

    Returns:
        (..., 13, 3) metres relative to the body centre.
    """
    along = np.stack([_along(joints3d, s) for s in SEGMENTS], axis=-2)
    return _chained(lengths[:, None] * _unit(along))


def _chained(bones: Floats) -> NDArray[np.float64]:
    """(..., 12, 3) metres along each segment -> (..., 13, 3) metres relative to the body centre."""
    points: dict[str, Floats] = {"pelvis": np.zeros((*bones.shape[:-2], 3))}
    for row, segment in enumerate(SEGMENTS):
        points[segment.end] = points[segment.start] + bones[..., row, :]
        if segment.across:
            points[mirror_name(segment.end)] = points[segment.start] - bones[..., row, :]
    joints = np.stack([points[joint] for joint in LCR13.joints], axis=-2)
    return np.asarray(joints - body_centre(joints)[..., None, :])


def to_6d(rotations: Floats) -> Floats:
    """(..., 3, 3) -> (..., 6): the first two columns (Zhou et al., CVPR 2019)."""
    return np.asarray(np.concatenate([rotations[..., 0], rotations[..., 1]], axis=-1))


def from_6d(values: Floats) -> NDArray[np.float64]:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt; NaN where the two vectors do not span a plane."""
    return _frame(_unit(values[..., :3]), values[..., 3:])


def _along(joints3d: Floats, segment: Segment) -> NDArray[np.float64]:
    return _point(joints3d, segment.end) - _point(joints3d, segment.start)


def _point(joints3d: Floats, name: str) -> NDArray[np.float64]:
    rows = _MIDDLES.get(name)
    chosen = joints3d[..., LCR13.index(name), :] if rows is None else joints3d[..., rows, :].mean(-2)
    return np.asarray(chosen, np.float64)


def _unit(vectors: Floats) -> NDArray[np.float64]:
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.divide(vectors, size, out=np.full(vectors.shape, np.nan), where=size > _LEAST))


def _carried(vector: Floats, start: Floats, end: Floats) -> Floats:
    """`vector`, orthogonal to the unit vector `start`, turned by the least rotation that takes `start` to `end`."""
    cosine = (start * end).sum(-1, keepdims=True)
    share = (vector * end).sum(-1, keepdims=True) / np.maximum(1 + cosine, _LEAST)
    return np.asarray(vector - share * (start + end))


def _frame(first: Floats, hint: Floats) -> NDArray[np.float64]:
    """(..., 3, 3) with the unit vector `first` and `hint`, made orthogonal to it, as columns.

    A hint along `first` says nothing; any orthogonal direction is then as good.
    """
    flat = hint - (hint * first).sum(-1, keepdims=True) * first
    poor = np.linalg.norm(flat, axis=-1, keepdims=True) <= _LEAST
    spare = np.eye(3)[np.argmin(np.abs(np.nan_to_num(first)), axis=-1)]
    spare = spare - (spare * first).sum(-1, keepdims=True) * first
    second = _unit(np.where(poor, spare, flat))
    return np.stack([first, second, np.cross(first, second)], axis=-1)
