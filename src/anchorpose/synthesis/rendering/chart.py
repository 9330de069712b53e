"""Where on the body a vertex is: body parts, and coordinates along arms, legs and torso that garments are cut by.

All of it is read off the average body, so it is the same for every person of a pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.bodies import BodyPool

Floats = NDArray[np.float32]


class Part(IntEnum):
    """Values of the part mask; 0 is the background (and every object)."""

    NONE = 0
    HEAD = 1
    TORSO = 2
    RIGHT_UPPER_ARM = 3
    LEFT_UPPER_ARM = 4
    RIGHT_FOREARM = 5
    LEFT_FOREARM = 6
    RIGHT_HAND = 7
    LEFT_HAND = 8
    RIGHT_THIGH = 9
    LEFT_THIGH = 10
    RIGHT_SHANK = 11
    LEFT_SHANK = 12
    RIGHT_FOOT = 13
    LEFT_FOOT = 14


# first letters of Anny's bone names; whatever is not listed belongs to the torso
_PART_OF_BONE = {
    "neck": "HEAD", "head": "HEAD", "eye": "HEAD", "upperarm": "UPPER_ARM", "lowerarm": "FOREARM", "wrist": "HAND",
    "finger": "HAND", "metacarpal": "HAND", "upperleg": "THIGH", "lowerleg": "SHANK", "foot": "FOOT", "toe": "FOOT",
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """Coordinates of v vertices.

    Args:
        parts: (v,) of `Part`.
        arm: (v,) 0 at the shoulder, 1 elbow, 2 wrist, 3 fingertips; at most 0 off the arms.
        leg: (v,) 0 at the hip, 1 knee, 2 ankle, 3 under the heel; at most 0 off the legs.
        height: (v,) 0 at the hips' height, 1 at the shoulders'.
        head: (v,) 0..1 share of the head's and neck's bones.
        place: (v, 3) metres on the average body, relative to the point between the eyes.
        lips, eyes: (v,) 0..1.
    """

    parts: NDArray[np.uint8]
    arm: Floats
    leg: Floats
    height: Floats
    head: Floats
    place: Floats
    lips: Floats
    eyes: Floats

    @classmethod
    def of(cls, pool: BodyPool) -> Chart:
        """The chart of a pool's topology."""
        shares = _part_shares(pool)
        parts = shares.argmax(1).astype(np.uint8)
        joints = np.asarray(pool.joint_weights @ pool.canonical)
        arm, leg = _limbs(pool.canonical, joints, parts)
        hips, shoulders = (joints[LCR13.indices(f"left_{j}", f"right_{j}"), 1].mean() for j in ("hip", "shoulder"))
        height = (pool.canonical[:, 1] - hips) / (shoulders - hips)
        place = pool.canonical - pool.canonical[pool.masks[:, 2] > 0.5].mean(0)
        return cls(parts, arm, leg, height.astype(np.float32), shares[:, Part.HEAD], place, pool.masks[:, 1],
                   pool.masks[:, 2])  # fmt: skip

    def columns(self) -> Floats:
        """(v, 9) arm, leg, height, head, place (3), lips, eyes: what the materials read in each pixel."""
        return np.column_stack([self.arm, self.leg, self.height, self.head, self.place, self.lips, self.eyes])


def part_of_bone(name: str) -> Part:
    """The part that one of Anny's bones moves."""
    part = next((p for start, p in _PART_OF_BONE.items() if name.startswith(start)), "TORSO")
    if part in ("HEAD", "TORSO"):
        return Part[part]
    return Part[f"{'LEFT' if name.endswith('.L') else 'RIGHT'}_{part}"]


def _part_shares(pool: BodyPool) -> Floats:
    """(v, 15) how much each part's bones move each vertex."""
    parts = [part_of_bone(str(bone)) for bone in pool.bones]
    entries = (np.ones(len(parts), np.float32), (np.arange(len(parts)), parts))
    return np.asarray((pool.skin @ sparse.coo_array(entries, shape=(len(parts), len(Part))).tocsr()).toarray())


def _limbs(points: Floats, joints: Floats, parts: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    arm, leg = (np.full(len(points), -1.0, np.float32) for _ in range(2))
    limbs = ((arm, ("shoulder", "elbow", "wrist"), ("UPPER_ARM", "FOREARM", "HAND")),
             (leg, ("hip", "knee", "ankle"), ("THIGH", "SHANK", "FOOT")))  # fmt: skip
    for along, names, pieces in limbs:
        for side in ("left", "right"):
            a, b, c = joints[LCR13.indices(*(f"{side}_{n}" for n in names))]
            tip = c + (c - b) * 0.5
            for k, (start, end) in enumerate(((a, b), (b, c), (c, tip))):
                share = (points - start) @ (end - start) / ((end - start) @ (end - start))
                own = parts == Part[f"{side.upper()}_{pieces[k]}"]
                along[own] = k + np.clip(share[own], 0, 1)
                near = (parts == Part.TORSO) & (points[:, 0] * a[0] > 0) if k == 0 else np.zeros_like(own)
                along[near] = np.clip(share[near], -1, 0)
    return arm, leg
