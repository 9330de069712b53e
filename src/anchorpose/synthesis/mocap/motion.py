"""`Motion`: joints of one clip over time, in metres; forward kinematics, units and axes for the readers.

The library's axes are x right, y down, z forward, as a camera's. Files with y up are turned by half a turn about x, so
that handedness is kept; the yaw of a clip is whatever its studio's was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_UP = {"y": np.diag([1.0, -1.0, -1.0]), "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])}
_UNITS = {"centimetre": 0.01, "metre": 1.0, "millimetre": 0.001, "inch": 0.0254, "inch / 0.45": 0.0254 / 0.45}
_TYPICAL_SPAN = 2.0
_HUMAN_SPAN = (1.0, 3.2)
_SAMPLED_FRAMES = 50


@dataclass(frozen=True)
class Motion:
    """Joints of one clip over time.

    `positions[:, j] = positions[:, parents[j]] + rotations[:, parents[j]] @ offsets[j]` holds where a file has
    rotations and moves its joints by them alone (position channels below the root override the offset).

    Args:
        names: J joint names of the file; the end of a last bone is `<joint>_end`.
        parents: (J) index of each joint's parent, before the joint itself; -1 for a root and for free markers.
        positions: (t, J, 3) metres, x right, y down, z forward; NaN where a marker is missing.
        frame_time: seconds from one frame to the next.
        rotations: (t, J, 3, 3) from each joint's rest frame to the library's axes; None where the format has none.
        offsets: (J, 3) metres, each joint in its parent's rest frame, in the library's axes; None without rotations.
        scale: metres a unit of the file.
        unit: how `scale` was found.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: Floats
    frame_time: float
    rotations: Floats | None = None
    offsets: Floats | None = None
    scale: float = 1.0
    unit: str = "metre"

    def __post_init__(self) -> None:
        t, j = len(self.positions), len(self.names)
        wanted = {"positions": (t, j, 3), "rotations": (t, j, 3, 3), "offsets": (j, 3)}
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"Motion.{name} has shape {value.shape}, wanted {shape}")
        if len(self.parents) != j or any(not -1 <= p < i for i, p in enumerate(self.parents)):
            raise ValueError("Motion.parents must name, for each joint, an earlier joint or -1")

    def __len__(self) -> int:
        return len(self.positions)

    def index(self, name: str) -> int:
        """Array position of a joint name; KeyError with the known names if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(f"the motion has no joint {name!r}; it has {', '.join(self.names)}") from None


def forward_kinematics(
    parents: Sequence[int], local: Doubles, turns: Sequence[Doubles | None], frames: int
) -> tuple[Floats, Floats]:
    """Global positions and rotations of a joint tree, all frames at once.

    Args:
        parents: (J) index of each joint's parent, before the joint itself, or -1.
        local: (J, 3) or (t, J, 3) each joint in its parent's frame (a root: in the world).
        turns: J times (t, 3, 3), each joint's rotation in its parent's frame, or None where it never turns.
        frames: t.

    Returns:
        positions (t, J, 3) and rotations (t, J, 3, 3), in the axes and the unit of `local`.
    """
    count = len(parents)
    positions = np.empty((frames, count, 3), np.float32)
    rotations = np.empty((frames, count, 3, 3), np.float32)
    # float64 in between: at the end of a long chain float32 would have lost a tenth of a millimetre
    points: list[Doubles] = []
    frames_of: list[Doubles] = []
    still = np.broadcast_to(np.eye(3), (frames, 3, 3))
    for j, parent in enumerate(parents):
        offset = np.broadcast_to(local[..., j, :], (frames, 3))
        turn, above = turns[j], frames_of[parent] if parent >= 0 else still
        point = np.einsum("tij,tj->ti", above, offset) + points[parent] if parent >= 0 else offset
        points.append(point)
        frames_of.append(above if turn is None else above @ turn)
        positions[:, j], rotations[:, j] = point, frames_of[j]
    return positions, rotations


def to_library_axes(positions: Floats, rotations: Floats | None, up: str) -> tuple[Floats, Floats | None]:
    """Turn a file's axes into x right, y down, z forward.

    Args:
        positions: (..., 3).
        rotations: (..., 3, 3) or None.
        up: the file's vertical, "y" or "z" (right-handed).

    Raises:
        InputError: another vertical.
    """
    if up not in _UP:
        raise InputError(f"found the vertical axis {up!r}, wanted 'y' or 'z'; say which one points up in the file")
    turn = _UP[up].astype(np.float32)
    moved = np.asarray(positions @ turn.T, dtype=np.float32)
    return moved, None if rotations is None else np.asarray(turn @ rotations @ turn.T, dtype=np.float32)


def choose_unit(parents: Sequence[int], positions: Floats, preferred: float = 0.01) -> tuple[float, str]:
    """Metres a unit, from the size of the skeleton.

    The size is the longest way along the bones from one end of the tree to another (a hand to a foot: about 2 m in
    an adult, whatever the pose), so that offsets above the hips and the actor's path do not count. The preferred unit
    stands if it makes that 1 to 3.2 m; else the one of metre, millimetre, inch and CMU's inch / 0.45 that comes
    nearest to 2 m; else (no person) the preferred one.

    Args:
        parents: (J) as in `Motion`.
        positions: (t, J, 3) in the file's unit.
        preferred: metres a unit, what the format says or what is usual.

    Returns:
        metres a unit, and words on how it was chosen.
    """
    span = _span(parents, positions)
    low, high = _HUMAN_SPAN
    if low <= span * preferred <= high:
        return preferred, f"{_unit_name(preferred)} (usual, hand to foot {span * preferred:.2f} m)"
    human = {name: size for name, size in _UNITS.items() if low <= span * size <= high}
    if not human:
        return preferred, f"{_unit_name(preferred)} (assumed: no unit makes the skeleton a person's size)"
    name = min(human, key=lambda n: abs(np.log(span * human[n] / _TYPICAL_SPAN)))
    return human[name], f"{name} (guessed, hand to foot {span * human[name]:.2f} m)"


def _unit_name(scale: float) -> str:
    return next((n for n, size in _UNITS.items() if abs(size - scale) < 1e-9), f"{scale:g} m")


def _span(parents: Sequence[int], positions: Floats) -> float:
    """Longest leaf-to-leaf way along the bones, median bone lengths, in the file's unit; 0 without two leaves."""
    step = max(1, len(positions) // _SAMPLED_FRAMES)
    sample = positions[::step].astype(np.float64)
    reach = np.zeros(len(parents))
    best = 0.0
    seen = np.zeros(len(parents), dtype=bool)
    for j in range(len(parents) - 1, 0, -1):
        parent = parents[j]
        if parent < 0 or not len(sample):
            continue
        length = float(np.median(np.linalg.norm(sample[:, j] - sample[:, parent], axis=-1))) + reach[j]
        if seen[parent]:
            best = max(best, reach[parent] + length)
        reach[parent], seen[parent] = max(reach[parent], length), True
    return best


def assemble(
    names: Sequence[str], parents: Sequence[int], offsets: Doubles, local: Doubles, turns: Sequence[Doubles | None],
    frames: int, frame_time: float, scale: float | None, preferred: float, up: str,
) -> Motion:  # fmt: skip
    """A `Motion` from a joint tree in a file's own axes and unit; see `forward_kinematics` for the arrays.

    Args:
        offsets: (J, 3) rest offsets in the file's unit.
        scale: metres a unit; None chooses by `choose_unit`, which begins with `preferred`.
        up: the file's vertical, "y" or "z".

    Raises:
        InputError: `scale` is not positive, or `up` is neither axis.
    """
    if scale is not None and not scale > 0:
        raise InputError(f"found the scale {scale}, wanted metres a unit of the file, above 0; leave it out to guess")
    positions, rotations = forward_kinematics(parents, local, turns, frames)
    chosen, unit = (scale, "given") if scale is not None else choose_unit(parents, positions, preferred)
    moved, turned = to_library_axes(positions * np.float32(chosen), rotations, up)
    rest, _ = to_library_axes((offsets * chosen).astype(np.float32), None, up)
    return Motion(tuple(names), tuple(parents), moved, frame_time, turned, rest, chosen, unit)
