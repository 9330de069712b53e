"""BVH: a joint tree with a rest pose and rotations a frame, as animation programs import it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.rig import NAMES, PARENTS, Rig, fit_rig
from anchorpose.io.files import atomic_write

_CENTIMETRES = 100.0
_ORDER = "ZXY"
# the ends of hands, feet and head only show which way the last bone points
_TAILS = {"HeadTop_End": (0.0, 4.0, 0.0), "LeftHand": (8.0, 0.0, 0.0), "RightHand": (-8.0, 0.0, 0.0),
          "LeftFoot": (0.0, -4.0, 8.0), "RightFoot": (0.0, -4.0, 8.0)}  # fmt: skip


def write_bvh(path: Path, clip: Clip, identity: int) -> None:
    """One person as BVH: centimetres, y up, facing +z at rest with the arms sideways (see `rig.fit_rig`).

    The file has all frames of the clip, so several people's files run side by side; while the person is not seen the
    pose is held. Rotations are listed Z, X, Y in degrees and run on beyond 180 rather than jump.

    Raises:
        InputError: no such person, a skeleton that lacks joints of LCR13, or the file cannot be written.
    """
    even = clip.at_constant_rate()
    rig = fit_rig(even, identity)
    lines = ["HIERARCHY", *_joint(rig, 0, ""), "MOTION", f"Frames: {len(even)}", f"Frame Time: {1 / even.fps:.8f}"]
    values = io.StringIO()
    np.savetxt(values, np.concatenate([rig.root * _CENTIMETRES, _degrees(rig)], axis=-1), fmt="%.6f")
    atomic_write(path, "\n".join(lines) + "\n" + values.getvalue())


def _joint(rig: Rig, joint: int, indent: str) -> list[str]:
    offset = " ".join(f"{v:.6f}" for v in rig.offsets[joint] * _CENTIMETRES)
    turns = " ".join(f"{axis}rotation" for axis in _ORDER)
    inside = indent + "  "
    lines = [
        f"{indent}{'JOINT' if joint else 'ROOT'} {NAMES[joint]}", f"{indent}{{", f"{inside}OFFSET {offset}",
        f"{inside}CHANNELS 3 {turns}" if joint else f"{inside}CHANNELS 6 Xposition Yposition Zposition {turns}",
    ]  # fmt: skip
    for child, parent in enumerate(PARENTS):
        if parent == joint:
            lines += _joint(rig, child, inside)
    if NAMES[joint] in _TAILS:
        tail = " ".join(f"{v:.6f}" for v in _TAILS[NAMES[joint]])
        lines += [f"{inside}End Site", f"{inside}{{", f"{inside}  OFFSET {tail}", f"{inside}}}"]
    return [*lines, f"{indent}}}"]


def _degrees(rig: Rig) -> NDArray[np.float64]:
    """(t, 3 B) in the order of the hierarchy, which is that of `NAMES`."""
    t = len(rig.root)
    angles = np.empty((t, len(NAMES), 3))
    for j in range(len(NAMES)):
        angles[:, j] = Rotation.from_matrix(rig.turns[:, j]).as_euler(_ORDER, degrees=True, suppress_warnings=True)
    return np.unwrap(angles, period=360, axis=0).reshape(t, -1)
