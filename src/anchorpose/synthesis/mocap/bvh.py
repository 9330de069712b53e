"""BVH (Biovision hierarchy): a joint tree with channels in any order, then one line of values a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.synthesis.mocap.motion import Motion, assemble
from anchorpose.synthesis.mocap.text import broken, number, read_lines

_CENTIMETRE = 0.01
_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass
class _Tree:
    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)

    def add(self, name: str, parent: int) -> None:
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append([0.0, 0.0, 0.0])
        self.channels.append([])


def read_bvh(path: Path, stride: int = 1, scale: float | None = None, up: str = "y") -> Motion:
    """Joints of a BVH file.

    Position channels replace a joint's OFFSET, as in the programs that write them; rotation channels turn in the order
    in which they are listed, about axes that turn along.

    Args:
        path: the file.
        stride: keep every stride-th frame.
        scale: metres a unit of the file; None takes centimetres, or what makes the skeleton a person's size
            (`motion.choose_unit`).
        up: the file's vertical axis, "y" or "z".

    Raises:
        InputError: the file cannot be read or is broken; the message begins with path:line.
    """
    lines = read_lines(path)
    start = next((i for i, line in enumerate(lines) if line.strip() == "MOTION"), None)
    if start is None:
        raise broken(path, len(lines), "no MOTION section", "a complete BVH file")
    tree = _hierarchy(path, lines[:start])
    frames, frame_time = _header(path, lines, start)
    width = sum(len(c) for c in tree.channels)
    values = _values(path, lines, start + 3, frames, width)[::stride]
    local, turns = _local(tree, values)
    offsets = np.array(tree.offsets)
    return assemble(
        tree.names, tree.parents, offsets, local, turns, len(values), frame_time * stride, scale, _CENTIMETRE, up
    )


def _words(lines: list[str]) -> Iterator[tuple[int, str]]:
    return ((n, word) for n, line in enumerate(lines, 1) for word in line.split())


def _hierarchy(path: Path, lines: list[str]) -> _Tree:
    tree, stack, opening = _Tree(), [], False
    words = _words(lines)
    line = 0
    for line, word in words:
        if opening != (word == "{"):
            raise broken(path, line, f"'{word}'", "'{' after the name of a joint and nowhere else")
        if word == "{":
            stack.append(len(tree.names) - 1)
            opening = False
        elif word == "}":
            if not stack:
                raise broken(path, line, "'}' without its '{'", "as many '{' as '}'")
            stack.pop()
        elif word in ("ROOT", "JOINT", "End"):
            _open_joint(path, tree, stack, line, word, _next(path, words, line))
            opening = True
        elif word in ("OFFSET", "CHANNELS") and stack:
            _describe(path, tree, stack[-1], line, word, words)
        elif word != "HIERARCHY":
            raise broken(path, line, f"'{word}'", "ROOT, JOINT, End Site, OFFSET or CHANNELS")
    if stack or opening or not tree.names:
        raise broken(path, line or 1, f"a hierarchy with {len(stack)} '{{' left open", "a ROOT with as many '{' as '}'")
    return tree


def _open_joint(path: Path, tree: _Tree, stack: list[int], line: int, kind: str, name: str) -> None:
    if kind == "ROOT" and tree.names:
        raise broken(path, line, f"a second ROOT {name}", "one person a file", "split the file")
    if (kind == "ROOT") != (not stack):
        raise broken(path, line, f"{kind} {name} at this place", "one ROOT outside and joints inside it")
    if kind == "End":
        name = f"{tree.names[stack[-1]]}_end"
    if name in tree.names:
        raise broken(path, line, f"a second joint {name}", "names that are used once")
    tree.add(name, stack[-1] if stack else -1)


def _describe(path: Path, tree: _Tree, joint: int, line: int, kind: str, words: Iterator[tuple[int, str]]) -> None:
    if kind == "OFFSET":
        tree.offsets[joint] = [number(path, line, _next(path, words, line)) for _ in range(3)]
        return
    count = number(path, line, _next(path, words, line))
    if not 0 <= count <= 6 or count % 1:
        raise broken(path, line, f"{count:g} channels", "0 to 6")
    channels = [_next(path, words, line) for _ in range(int(count))]
    unknown = [c for c in channels if c not in _CHANNELS]
    if unknown or len(set(channels)) != len(channels):
        raise broken(path, line, f"channels {' '.join(channels)}", "Xposition ... Zrotation, each once")
    tree.channels[joint] = channels


def _next(path: Path, words: Iterator[tuple[int, str]], line: int) -> str:
    found, word = next(words, (line, ""))
    if not word or found != line:
        raise broken(path, line, "the end of the line", "more words on it")
    return word


def _header(path: Path, lines: list[str], start: int) -> tuple[int, float]:
    found = []
    for i, label in enumerate(("Frames:", "Frame Time:"), start + 1):
        line = lines[i].strip() if i < len(lines) else ""
        if not line.startswith(label):
            raise broken(path, i + 1, f"'{line[:30]}'", f"'{label}' and a number")
        found.append(number(path, i + 1, line[len(label) :].strip()))
    frames, frame_time = found
    if frames < 0 or frames % 1:
        raise broken(path, start + 2, f"{frames:g} frames", "a whole number")
    if frame_time <= 0:
        raise broken(path, start + 3, f"a frame time of {frame_time:g} s", "more than 0")
    return int(frames), frame_time


def _values(path: Path, lines: list[str], start: int, frames: int, width: int) -> NDArray[np.float64]:
    """(frames, width) channel values; numpy's fast reader, and a slow look for the line only where it refuses."""
    rows = [line for line in lines[start:] if line and not line.isspace()]
    values = np.zeros((0, width))
    try:
        values = np.loadtxt(rows, dtype=np.float64, ndmin=2, comments=None) if rows else values
    except ValueError:
        values = np.zeros((0, 0))
    if values.shape != (len(rows), width) or not np.isfinite(values).all():
        for i, line in enumerate(lines[start:], start + 1):
            words = line.split()
            if words and len(words) != width:
                raise broken(path, i, f"{len(words)} channel values", str(width))
            for word in words:
                number(path, i, word)
    if len(rows) != frames:
        raise broken(path, start - 1, f"'Frames: {frames}' above {len(rows)} lines of values", "the same number")
    return values


def _local(tree: _Tree, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[NDArray[np.float64] | None]]:
    """Each joint in its parent's frame: (t, J, 3) in the file's unit, and J times (t, 3, 3)."""
    local = np.tile(np.array(tree.offsets), (len(values), 1, 1))
    turns: list[NDArray[np.float64] | None] = []
    column = 0
    for j, names in enumerate(tree.channels):
        own = values[:, column : column + len(names)]
        column += len(names)
        for i, name in enumerate(names):
            if name.endswith("position"):
                local[:, j, "XYZ".index(name[0])] = own[:, i]
        turned = [i for i, name in enumerate(names) if name.endswith("rotation")]
        order = "".join(names[i][0] for i in turned)
        euler = Rotation.from_euler(order, own[:, turned], degrees=True) if turned else None
        turns.append(None if euler is None else euler.as_matrix().reshape(-1, 3, 3))
    return local, turns
