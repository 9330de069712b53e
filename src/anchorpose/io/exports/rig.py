"""A body of rigid bones fitted to a person's joints over time: what BVH and glTF animate.

The tree is a usual one (names as Mixamo's), facing +z with the left side at +x and y up: hips and spine lie at the
middle of the hip joints, chest and head at the middle of the shoulders. Bone lengths are medians over the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.io.exports.axes import to_axes
from anchorpose.io.exports.clip import Clip

Doubles = NDArray[np.float64]
NAMES = ("Hips", "Spine", "Chest", "Head", "HeadTop_End", "LeftArm", "LeftForeArm", "LeftHand", "RightArm",
         "RightForeArm", "RightHand", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg",
         "RightFoot")  # fmt: skip
PARENTS = (-1, 0, 1, 2, 3, 2, 5, 6, 2, 8, 9, 0, 11, 12, 0, 14, 15)
"""Index of each joint's parent in `NAMES`."""
_UP, _SIDE = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
_LIMB_JOINTS = {"Arm": "shoulder", "ForeArm": "elbow", "Hand": "wrist", "UpLeg": "hip", "Leg": "knee", "Foot": "ankle"}
# where a bone was never seen on either side: shares of a stature of 1.75 m (Drillis and Contini)
_USUAL = {"Chest": 0.50, "HeadTop_End": 0.32, "Arm": 0.19, "ForeArm": 0.32, "Hand": 0.26, "UpLeg": 0.10, "Leg": 0.43,
          "Foot": 0.43}  # fmt: skip
_TINY = 1e-6


@dataclass(frozen=True)
class Rig:
    """An animated tree of rigid bones: y up, x the camera's right, z towards the camera; B bones of `NAMES`."""

    offsets: Doubles  # (B, 3) metres, each joint in its parent's frame; the rest pose is upright with arms sideways
    root: Doubles  # (t, 3) metres
    turns: Doubles  # (t, B, 3, 3) each joint's rotation in its parent's frame; the identity at rest

    def joints(self) -> Doubles:
        """(t, B, 3) metres by forward kinematics."""
        points = np.empty((len(self.root), len(NAMES), 3))
        frames = np.empty_like(self.turns)
        points[:, 0], frames[:, 0] = self.root, self.turns[:, 0]
        for j, parent in list(enumerate(PARENTS))[1:]:
            points[:, j] = points[:, parent] + frames[:, parent] @ self.offsets[j]
            frames[:, j] = frames[:, parent] @ self.turns[:, j]
        return points


def fit_rig(clip: Clip, identity: int) -> Rig:
    """The rigid body that follows a person through the whole clip.

    Hips and chest turn as their hip and shoulder lines and the spine between them do; every other joint turns the
    shortest way (no twist) from rest to the direction of its bone. Where bones do not change their length, forward
    kinematics gives the joints back; otherwise directions are kept and lengths are not. Gaps turn evenly (slerp) from
    the last known rotation to the next, the root moves straight; before the first and after the last known frame the
    pose is held. A bone that is never seen takes the other side's length, or a usual one.

    Raises:
        InputError: no such person, or a skeleton that lacks joints of LCR13.
    """
    source = clip.skeleton.map_to(LCR13)
    if (source < 0).any():
        lacking = ", ".join(LCR13.joints[i] for i in np.flatnonzero(source < 0))
        raise InputError(f"found no {lacking} in {clip.skeleton.name}, wanted all joints of LCR13; use other formats")
    points = _points(to_axes(clip.person(identity).in_camera()[:, source], "y"))
    offsets = _offsets(points)
    turns, above = np.empty((len(clip), len(NAMES), 3, 3)), np.empty((len(clip), len(NAMES), 3, 3))
    turns[:] = np.eye(3)
    spine, seen = points["Chest"] - points["Hips"], clip.times
    across = {0: points["LeftUpLeg"] - points["RightUpLeg"], 2: points["LeftArm"] - points["RightArm"]}
    for j, parent in enumerate(PARENTS):
        before = above[:, parent] if parent >= 0 else np.broadcast_to(np.eye(3), (len(clip), 3, 3))
        end = _only_child(j)
        if j in across:
            turns[:, j] = _filled(before.swapaxes(-1, -2) @ _frame(across[j], spine), seen)
        elif end is not None:
            along = np.einsum("tji,tj->ti", before, points[NAMES[end]] - points[NAMES[j]])
            turns[:, j] = _filled(_shortest(offsets[end], along), seen)
        above[:, j] = before @ turns[:, j]
    return Rig(offsets, _line(points["Hips"], seen), turns)


def _only_child(joint: int) -> int | None:
    """Where this joint's bone ends; None for hips and chest, which have several, and for the ends."""
    children = [i for i, parent in enumerate(PARENTS) if parent == joint]
    return children[0] if len(children) == 1 else None


def _points(joints: Doubles) -> dict[str, Doubles]:
    """(t, 13, 3) LCR13 -> (t, 3) for each name of the rig."""
    at = {name: joints[:, LCR13.index(name)] for name in LCR13.joints}
    hips, chest = (at[f"left_{part}"] / 2 + at[f"right_{part}"] / 2 for part in ("hip", "shoulder"))
    limbs = {f"{side.title()}{bone}": at[f"{side}_{joint}"] for side in ("left", "right")
             for bone, joint in _LIMB_JOINTS.items()}  # fmt: skip
    return {"Hips": hips, "Spine": hips, "Chest": chest, "Head": chest, "HeadTop_End": at["head_top"], **limbs}


def _offsets(points: dict[str, Doubles]) -> Doubles:
    """(B, 3) metres: rest directions times median lengths."""
    lengths = {}
    for name, parent in zip(NAMES, PARENTS, strict=True):
        reach = np.linalg.norm(points[name] - points[NAMES[parent]], axis=-1)
        lengths[name] = float(np.median(reach[~np.isnan(reach)])) if not np.isnan(reach).all() else np.nan
    kinds = {name: name.removeprefix("Left").removeprefix("Right") for name in NAMES}
    ratios = [lengths[n] / _USUAL[k] for n, k in kinds.items() if k in _USUAL and lengths[n] > 0]
    size = float(np.median(ratios)) if ratios else 1.0
    offsets = np.zeros((len(NAMES), 3))
    for j, name in enumerate(NAMES):
        if (kind := kinds[name]) not in _USUAL:
            continue
        other = name.replace("Left", "Right") if name.startswith("Left") else name.replace("Right", "Left")
        known = [v for v in (lengths[name], lengths[other]) if not np.isnan(v)]
        offsets[j] = np.multiply(_rest(name, kind), known[0] if known else size * _USUAL[kind])
    return offsets


def _rest(name: str, kind: str) -> tuple[float, float, float]:
    side = 1.0 if name.startswith("Left") else -1.0
    if kind in ("Chest", "HeadTop_End"):
        return _UP
    return (0.0, -1.0, 0.0) if kind in ("Leg", "Foot") else (side, 0.0, 0.0)


def _unit(vectors: Doubles) -> Doubles:
    """Of length 1; NaN where there is no direction."""
    long = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(long > _TINY, long, np.nan))


def _frame(across: Doubles, spine: Doubles) -> Doubles:
    """(t, 3) -> (t, 3, 3) with columns x along `across`, y as near the spine as that allows, z forward."""
    x = _unit(across)
    z = _unit(np.cross(x, _unit(spine)))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _shortest(rest: Doubles, along: Doubles) -> Doubles:
    """(3,), (t, 3) -> (t, 3, 3) the smallest rotations that take `rest` to `along`; half a turn where opposite."""
    a = rest / max(float(np.linalg.norm(rest)), _TINY)
    b = _unit(along)
    cosine = b @ a
    axis = np.cross(np.broadcast_to(a, b.shape), b)
    spare = np.cross(a, _SIDE if abs(a[0]) < 0.9 else (0.0, 0.0, 1.0))  # any axis across does for half a turn
    sine = np.linalg.norm(axis, axis=-1)
    opposite = (sine < _TINY) & (cosine < 0)
    axis = np.where(opposite[:, None], spare, axis)
    size = np.linalg.norm(axis, axis=-1, keepdims=True)
    vector = axis / np.where(size > _TINY, size, 1) * np.arctan2(sine, cosine)[:, None]
    turns = np.full((len(b), 3, 3), np.nan)
    known = np.isfinite(vector).all(-1)
    if known.any():
        turns[known] = Rotation.from_rotvec(vector[known]).as_matrix()
    return turns


def _filled(turns: Doubles, times: Doubles) -> Doubles:
    """(t, 3, 3) with NaN -> without: even turns inside gaps, held at the ends, the identity where all is unknown."""
    known = np.isfinite(turns).all((-1, -2))
    if not known.any():
        return np.broadcast_to(np.eye(3), turns.shape)
    if known.sum() == 1:
        return np.broadcast_to(turns[known][0], turns.shape)
    if known.all():
        return turns
    slerp = Slerp(times[known], Rotation.from_matrix(turns[known]))
    filled: Doubles = slerp(np.clip(times, times[known][0], times[known][-1])).as_matrix()
    return filled


def _line(points: Doubles, times: Doubles) -> Doubles:
    """(t, 3) with NaN -> without: straight lines, held at the ends; the origin where all is unknown."""
    known = np.isfinite(points).all(-1)
    if not known.any():
        return np.zeros_like(points)
    return np.stack([np.interp(times, times[known], points[known, i]) for i in range(3)], axis=-1)
