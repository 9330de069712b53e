"""Joint centres from the labels of Vicon's Plug-in Gait, as C3D files carry them.

Where a file holds computed joint centres they are used: LHJC, LKJC, LAJC, LSJC, LEJC, LWJC, or the ends of Plug-in
Gait's bones: LFEP hip, LFEO knee, LTIO ankle, LHUP shoulder, LHUO elbow, LRAO wrist. Otherwise they are
approximated from the markers on the skin:

- hip: Bell's regression (J. Biomechanics 1990) from the pelvis: from the middle of the front spines, 36 % of their
  distance to the side, 22 % back and 30 % down;
- knee and ankle: the marker on the outer side, 5 cm and 3.5 cm towards the middle of the body, square to the bone;
- shoulder: 5 cm from the acromion's marker towards the hips; wrist: the middle of its two markers; elbow: its marker;
- head top: 10 cm above the middle of the headband, away from the shoulders.

These are good to about 2 cm in a standing adult.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mocap.motion import Motion

Doubles = NDArray[np.float64]
_CENTRES = {
    "hip": ("HJC", "FEP"), "knee": ("KJC", "FEO"), "ankle": ("AJC", "TIO"),
    "shoulder": ("SJC", "HUP"), "elbow": ("EJC", "HUO"), "wrist": ("WJC", "RAO"),
}  # fmt: skip
_MARKERS = {
    "hip": ("ASI",), "knee": ("KNE",), "ankle": ("ANK",), "shoulder": ("SHO",), "elbow": ("ELB",),
    "wrist": ("WRA", "WRB"),
}  # fmt: skip
_HEADBAND = ("LFHD", "RFHD", "LBHD", "RBHD")
_SIDES = {"left": "L", "right": "R"}
_KNEE_HALF, _ANKLE_HALF, _ACROMION, _VERTEX = 0.05, 0.035, 0.05, 0.10
_BELL_SIDE, _BELL_BACK, _BELL_DOWN = 0.36, 0.22, 0.30


def has_markers(names: Sequence[str]) -> bool:
    """Whether most of Plug-in Gait's joints can be told from these labels."""
    labels = {_label(name) for name in names}
    found = [f"{s}{e}" in labels for s in "LR" for pair in (_CENTRES, _MARKERS) for ends in pair.values() for e in ends]
    return sum(found) >= 10


def marker_joints(motion: Motion) -> Doubles:
    """(t, 13, 3) metres in the motion's axes, LCR13's order; NaN where a marker is missing in a frame.

    Raises:
        InputError: labels are missing; the message names them.
    """
    body = _Markers(motion)
    joints = np.stack([body.joint(name) for name in LCR13.joints[:-1]] + [body.head_top()], axis=1)
    if body.missing:
        raise InputError(
            f"the motion lacks the markers {', '.join(sorted(body.missing))}, wanted Plug-in Gait's labels; "
            f"it has {', '.join(motion.names)}; give a mapping from LCR13's joints to these"
        )
    return joints


class _Markers:
    """Labels of one motion; what was asked for and is not there gathers in `missing`."""

    def __init__(self, motion: Motion) -> None:
        self._motion = motion
        self._index = {_label(name): i for i, name in reversed(list(enumerate(motion.names)))}
        self.missing: set[str] = set()

    def joint(self, name: str) -> Doubles:
        side, limb = name.split("_")
        letter = _SIDES[side]
        for label in _CENTRES[limb]:
            if letter + label in self._index:
                return self._at(letter + label)
        marker = np.mean([self._at(letter + label) for label in _MARKERS[limb]], axis=0)
        if limb == "hip":
            return self._bell(side)
        if limb in ("knee", "ankle"):
            above = self.joint(f"{side}_hip" if limb == "knee" else f"{side}_knee")
            return self._inwards(marker, above, side, _KNEE_HALF if limb == "knee" else _ANKLE_HALF)
        if limb == "shoulder":
            hips = (self.joint("left_hip") + self.joint("right_hip")) / 2
            return np.asarray(marker + _ACROMION * _unit(hips - marker))
        return np.asarray(marker)

    def head_top(self) -> Doubles:
        band = np.mean([self._at(label) for label in _HEADBAND], axis=0)
        shoulders = (self.joint("left_shoulder") + self.joint("right_shoulder")) / 2
        return np.asarray(band + _VERTEX * _unit(band - shoulders))

    def _at(self, label: str) -> Doubles:
        if label not in self._index:
            self.missing.add(label)
            return np.full((len(self._motion), 3), np.nan)
        return self._motion.positions[:, self._index[label]].astype(np.float64)

    def _bell(self, side: str) -> Doubles:
        left, right = self._at("LASI"), self._at("RASI")
        back = self._at("SACR") if "SACR" in self._index else (self._at("LPSI") + self._at("RPSI")) / 2
        middle, width = (left + right) / 2, np.linalg.norm(right - left, axis=-1, keepdims=True)
        across = _unit(right - left)
        behind = _unit(_square(back - middle, across))
        down = np.cross(-behind, across)  # forward x right is down where y is down
        outwards = across if side == "right" else -across
        return np.asarray(middle + width * (_BELL_SIDE * outwards + _BELL_BACK * behind + _BELL_DOWN * down))

    def _inwards(self, marker: Doubles, above: Doubles, side: str, size: float) -> Doubles:
        """Towards the other side of the body, square to the bone; the hips' line where the pelvis is not marked."""
        across = self.joint("left_hip") - self.joint("right_hip")
        inwards = across if side == "right" else -across
        return np.asarray(marker + size * _unit(_square(inwards, _unit(marker - above))))


def _label(name: str) -> str:
    return name.rsplit(":", 1)[-1].upper()


def _unit(vectors: Doubles) -> Doubles:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _square(vectors: Doubles, to: Doubles) -> Doubles:
    """The part of `vectors` at right angles to the unit vectors `to`."""
    return np.asarray(vectors - (vectors * to).sum(-1, keepdims=True) * to)
