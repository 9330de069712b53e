"""Whether left and right of a labelled person contradict each other, by geometry alone.

Two rules, both indifferent to crossed arms and legs, which are no error:

- In 2D, the arrows from the right to the left eye, ear, shoulder and hip point about the same way, from the front as
  well as from behind. Where two of them (one of the torso) are long enough to be believed and more than 120 degrees
  apart, one is swapped.
- In 3D, where the torso says what is in front, knees that are clearly bent must bend forward.

A person whose labels are all swapped, face included, looks like one seen from the other side and is not noticed in 2D.
Measured: of 5,099 people of COCO with keypoints 12 (0.2 %) are reported, among them right ones who look back over their
shoulder; of 6,169 of Leeds Sports Pose Extended, whose labels are less reliable, 82 (1.3 %). Where all labels of the
COCO people but the face's are swapped, 34 % are (most others have no face or are seen from the side). Of 3,000 poses of
motion capture 1 is reported by the knees, of the same poses with swapped sides 80 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.skeleton import LCR13, Skeleton

Array = NDArray[np.float64]

SHORTEST = {"eye": 0.1, "ear": 0.15, "shoulder": 0.4, "hip": 0.25}
"""Least length of an arrow that is believed, as share of the torso (mid-shoulders to mid-hips)."""
OPPOSITE = -0.5
"""Greatest cosine of two arrows that contradict each other."""
BENT = np.cos(np.radians(30))
"""A knee is bent where thigh and shank are more than 30 degrees from a straight line."""


def sides_swapped(joints2d: Array, skeleton: Skeleton) -> bool:
    """True where eyes, ears, shoulders and hips contradict each other.

    Args:
        joints2d: (J, 2) pixels, NaN where not labelled. Without shoulders and hips nothing is said.
        skeleton: names of the joints.
    """
    where = {joint: joints2d[k].astype(np.float64) for k, joint in enumerate(skeleton.joints)}
    absent = np.full(2, np.nan)
    pairs = {part: [where.get(f"{side}_{part}", absent) for side in ("left", "right")] for part in SHORTEST}
    torso = float(np.linalg.norm(np.mean(pairs["shoulder"], axis=0) - np.mean(pairs["hip"], axis=0)))
    arrows = {part: left - right for part, (left, right) in pairs.items()}
    lengths = {part: float(np.linalg.norm(arrow)) for part, arrow in arrows.items()}
    # NaN compares as False, so what is not labelled is not believed.
    believed = [part for part in SHORTEST if torso > 0 and lengths[part] >= SHORTEST[part] * torso]
    return any(arrows[a] @ arrows[b] < OPPOSITE * lengths[a] * lengths[b]
               for k, a in enumerate(believed) for b in believed[k + 1 :] if b in ("shoulder", "hip"))  # fmt: skip


def knees_bend_backward(joints3d: Array) -> bool:
    """True where a knee is bent and every bent knee bends backward.

    Args:
        joints3d: (13, 3) metres, `LCR13`, x right, y down, z forward; NaN where unknown.
    """

    def at(*joints: str) -> Array:
        return np.asarray(joints3d[LCR13.indices(*joints)], dtype=np.float64).mean(axis=0)

    left = at("left_hip", "left_shoulder") - at("right_hip", "right_shoulder")
    up = at("left_shoulder", "right_shoulder") - at("left_hip", "right_hip")
    forward = np.cross(left, up)
    directions = []
    for side in ("left", "right"):
        thigh = at(f"{side}_knee") - at(f"{side}_hip")
        shank = at(f"{side}_ankle") - at(f"{side}_knee")
        lengths = np.linalg.norm(thigh) * np.linalg.norm(shank)
        if thigh @ shank < BENT * lengths:
            # The knee's way out of the line from hip to ankle.
            line = thigh + shank
            bend = thigh - line * (thigh @ line) / max(float(line @ line), 1e-12)
            directions.append(float(bend @ forward) / max(float(np.linalg.norm(bend) * np.linalg.norm(forward)), 1e-12))
    return bool(directions) and all(direction < OPPOSITE for direction in directions)
