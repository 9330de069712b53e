"""DeepMimic's motion files (Peng et al., SIGGRAPH 2018): JSON, one row of 44 numbers a frame, the humanoid's joints.

The humanoid looks along x, with y up and its right hand along z. Its proportions are those of the public character
file `humanoid3d`; knees and elbows are hinges about z.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.synthesis.mocap.motion import Motion, assemble
from anchorpose.synthesis.mocap.text import broken, read_lines

# joint: (parent, offset in metres, numbers a frame: 4 a quaternion w x y z, 1 a hinge about z, 0 fixed)
_HUMANOID: dict[str, tuple[str, tuple[float, float, float], int]] = {
    "root": ("", (0, 0, 0), 4),
    "chest": ("root", (0, 0.236151, 0), 4),
    "neck": ("chest", (0, 0.223894, 0), 4),
    "right_hip": ("root", (0, 0, 0.084887), 4),
    "right_knee": ("right_hip", (0, -0.421546, 0), 1),
    "right_ankle": ("right_knee", (0, -0.40987, 0), 4),
    "right_shoulder": ("chest", (-0.02405, 0.2435, 0.18311), 4),
    "right_elbow": ("right_shoulder", (0, -0.274788, 0), 1),
    "left_hip": ("root", (0, 0, -0.084887), 4),
    "left_knee": ("left_hip", (0, -0.421546, 0), 1),
    "left_ankle": ("left_knee", (0, -0.40987, 0), 4),
    "left_shoulder": ("chest", (-0.02405, 0.2435, -0.18311), 4),
    "left_elbow": ("left_shoulder", (0, -0.274788, 0), 1),
    "right_wrist": ("right_elbow", (0, -0.258947, 0), 0),
    "left_wrist": ("left_elbow", (0, -0.258947, 0), 0),
    # the ends of the head's sphere and of the feet's boxes
    "neck_end": ("neck", (0, 0.2775, 0), 0),
    "right_ankle_end": ("right_ankle", (0.1335, -0.0225, 0), 0),
    "left_ankle_end": ("left_ankle", (0.1335, -0.0225, 0), 0),
}
_WIDTH = 1 + 3 + sum(count for _, _, count in _HUMANOID.values())


def read_deepmimic(path: Path, stride: int = 1) -> Motion:
    """Joints of a DeepMimic motion file, on the humanoid's skeleton.

    Frames have durations of their own, alike within a file but for the last; `frame_time` is their median.

    Args:
        path: the file.
        stride: keep every stride-th frame.

    Raises:
        InputError: the file cannot be read or is broken; the message begins with path:line.
    """
    lines = read_lines(path)
    text = "\n".join(lines)
    try:
        data = json.loads(text)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise broken(path, line, f"no JSON ({str(error).split(':')[0]})", "a DeepMimic motion file") from None
    rows = data.get("Frames") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not rows:
        raise broken(path, 1, "no 'Frames'", "a DeepMimic motion file")
    values = _values(path, text, rows)
    frame_time = float(np.median(values[:-1, 0] if len(values) > 1 else values[:, 0]))
    return _motion(path, text, values[::stride], frame_time * stride, stride)


def _values(path: Path, text: str, rows: list[Any]) -> NDArray[np.float64]:
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != _WIDTH:
            found = f"{len(row)} numbers" if isinstance(row, list) else "no list"
            raise broken(path, _line_of(text, i), f"{found} in frame {i}", f"{_WIDTH}")
        if not all(isinstance(v, int | float) and np.isfinite(v) for v in row):
            raise broken(path, _line_of(text, i), f"something else than numbers in frame {i}", f"{_WIDTH} numbers")
    return np.array(rows, dtype=np.float64)


def _line_of(text: str, frame: int) -> int:
    """The line on which a frame's list begins; frames are the innermost lists after "Frames"."""
    start = text.index('"Frames"')
    begins = [match.start() for match in re.compile(r"\[[^\[\]]*\]").finditer(text, start)]
    return text.count("\n", 0, begins[frame] if frame < len(begins) else start) + 1


def _motion(path: Path, text: str, values: NDArray[np.float64], frame_time: float, stride: int) -> Motion:
    names = list(_HUMANOID)
    parents = [names.index(parent) if parent else -1 for parent, _, _ in _HUMANOID.values()]
    offsets = np.array([offset for _, offset, _ in _HUMANOID.values()], dtype=np.float64)
    local = np.tile(offsets, (len(values), 1, 1))
    local[:, 0] = values[:, 1:4]
    turns: list[NDArray[np.float64] | None] = []
    column = 4
    for name, (_, _, count) in _HUMANOID.items():
        own = values[:, column : column + count]
        column += count
        if count == 4:
            flat = np.flatnonzero(np.linalg.norm(own, axis=1) < 0.5)
            if len(flat):
                frame = int(flat[0]) * stride
                raise broken(path, _line_of(text, frame), f"no rotation of {name} in frame {frame}", "a quaternion")
            turns.append(Rotation.from_quat(own[:, [1, 2, 3, 0]]).as_matrix())
        else:
            turns.append(Rotation.from_euler("z", own).as_matrix().reshape(-1, 3, 3) if count else None)
    return assemble(names, parents, offsets, local, turns, len(values), frame_time, 1.0, 1.0, "y")
