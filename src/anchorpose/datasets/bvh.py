"""BVH motion capture as joint positions, enough to build anchor-poses from it.

Joints are found by name. Positions are metres in the library's axes: BVH's y up becomes y down by a half turn
about x, so that handedness is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13

BANDAI_NAMCO = {
    "right_ankle": "Foot_R", "left_ankle": "Foot_L", "right_knee": "LowerLeg_R", "left_knee": "LowerLeg_L",
    "right_hip": "UpperLeg_R", "left_hip": "UpperLeg_L", "right_wrist": "Hand_R", "left_wrist": "Hand_L",
    "right_elbow": "LowerArm_R", "left_elbow": "LowerArm_L", "right_shoulder": "UpperArm_R",
    "left_shoulder": "UpperArm_L", "head_top": "Head",
}  # fmt: skip
"""LCR13 joint -> joint of the Bandai-Namco clips; its Head is the skull's base, see `lcr13_poses`."""
_SKULL_OVER_NECK = 1.6
_CENTIMETRE = 0.01


@dataclass(frozen=True)
class Clip:
    """Joint positions over time: names (j), positions (t, j, 3) metres."""

    names: tuple[str, ...]
    positions: NDArray[np.float32]


def read_bvh(path: Path, stride: int = 1) -> Clip:
    """Forward kinematics of a BVH file whose lengths are centimetres.

    Args:
        path: the file.
        stride: keep every stride-th frame.

    Raises:
        InputError: the file is missing, has no MOTION, or a frame has the wrong number of channels.
    """
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a BVH file") from None
    start = next((i for i, line in enumerate(lines) if line.strip() == "MOTION"), None)
    if start is None:
        raise InputError(f"{path} has no MOTION section; give a complete BVH file")
    names, parents, offsets, channels = _hierarchy(lines[:start])
    width = sum(len(c) for c in channels)
    rows = []
    for number, line in enumerate(lines[start + 3 :], start + 4):
        values = line.split()
        if values and len(values) != width:
            raise InputError(f"{path}:{number}: found {len(values)} channel values, wanted {width}; the file is broken")
        if values:
            rows.append(values)
    motion = np.array(rows[::stride], dtype=np.float64).reshape(-1, width)
    return Clip(tuple(names), _kinematics(motion, parents, offsets, channels))


def lcr13_poses(clip: Clip) -> NDArray[np.float32]:
    """(t, 13, 3) poses of a Bandai-Namco clip, relative to the body centre.

    Raises:
        InputError: a joint of `BANDAI_NAMCO` is missing.
    """
    absent = [name for name in (*BANDAI_NAMCO.values(), "Neck") if name not in clip.names]
    if absent:
        raise InputError(f"the clip lacks the joints {', '.join(absent)}; it has {', '.join(clip.names)}")
    poses = clip.positions[:, [clip.names.index(BANDAI_NAMCO[j]) for j in LCR13.joints]].copy()
    neck, head = clip.positions[:, clip.names.index("Neck")], poses[:, LCR13.index("head_top")].copy()
    shoulders = poses[:, LCR13.indices("left_shoulder", "right_shoulder")].mean(1)
    # The clips end at the skull's base: the head top continues the line from the shoulders through it.
    poses[:, LCR13.index("head_top")] = head + _SKULL_OVER_NECK * ((head - shoulders) * 0.5 + (head - neck) * 0.5)
    return (poses - body_centre(poses)[:, None]).astype(np.float32)


def _hierarchy(lines: list[str]) -> tuple[list[str], list[int], list[list[float]], list[list[str]]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    for line in lines:
        words = line.split()
        if not words:
            continue
        if words[0] in ("ROOT", "JOINT", "End"):
            names.append(words[1] if words[0] != "End" else f"{names[stack[-1]]}_end")
            parents.append(stack[-1] if stack else -1)
            offsets.append([0.0, 0.0, 0.0])
            channels.append([])
        elif words[0] == "{":
            stack.append(len(names) - 1)
        elif words[0] == "}":
            stack.pop()
        elif words[0] == "OFFSET":
            offsets[-1] = [float(w) for w in words[1:4]]
        elif words[0] == "CHANNELS":
            channels[-1] = words[2:]
    return names, parents, offsets, channels


def _kinematics(
    motion: NDArray[np.float64], parents: list[int], offsets: list[list[float]], channels: list[list[str]]
) -> NDArray[np.float32]:
    positions = np.zeros((len(motion), len(parents), 3))
    rotations: list[Rotation] = []
    column = 0
    for j, parent in enumerate(parents):
        names = channels[j]
        values = motion[:, column : column + len(names)]
        column += len(names)
        moved = [i for i, n in enumerate(names) if n.endswith("position")]
        turned = [i for i, n in enumerate(names) if n.endswith("rotation")]
        local = values[:, moved] if len(moved) == 3 else np.tile(offsets[j], (len(motion), 1))
        order = "".join(names[i][0] for i in turned)
        turn = Rotation.from_euler(order, values[:, turned], degrees=True) if turned else None
        above = rotations[parent] if parent >= 0 else Rotation.identity(len(motion))
        positions[:, j] = above.apply(local) + (positions[:, parent] if parent >= 0 else 0)
        rotations.append(above * turn if turn is not None else above)
    return (positions * [1, -1, -1] * _CENTIMETRE).astype(np.float32)
