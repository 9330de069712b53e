"""Acclaim's ASF (skeleton) and AMC (one clip), as CMU's motion capture database gives them.

An ASF bone has its joint at its start. To hold to `Motion`, a joint here bears the name of the bone that starts at it
(`lfemur` is the left hip, `ltibia` the left knee, `lhand` the wrist), and a last bone's end is `<bone>_end`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.motion import Motion, assemble
from anchorpose.synthesis.mocap.text import broken, number, read_lines

Doubles = NDArray[np.float64]
CMU_FRAME_TIME = 1 / 120
_INCH = 0.0254
_TURNS = ("rx", "ry", "rz")
_SHIFTS = ("tx", "ty", "tz")


@dataclass
class _Bone:
    line: int
    direction: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    length: float = 0.0
    axis: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    axis_order: str = "XYZ"
    dof: list[str] = field(default_factory=list)
    parent: str = ""


@dataclass
class _Skeleton:
    path: Path
    bones: dict[str, _Bone]
    degrees: bool = True
    length: float = 1.0


def read_amc(
    path: Path,
    skeleton: Path | None = None,
    stride: int = 1,
    scale: float | None = None,
    up: str = "y",
    frame_time: float = CMU_FRAME_TIME,
) -> Motion:
    """Joints of an AMC clip on its ASF skeleton.

    Args:
        path: the AMC file.
        skeleton: the ASF file; None looks beside the clip for `01.asf` (of `01_02.amc`), `01_02.asf`, or the only one.
        stride: keep every stride-th frame.
        scale: metres a unit; None takes the file's `length` as CMU means it (inches / length), or what makes the
            skeleton a person's size (`motion.choose_unit`).
        up: the file's vertical axis, "y" or "z".
        frame_time: seconds a frame, which the format does not say; CMU's is 1/120.

    Raises:
        InputError: a file cannot be read or is broken; the message begins with path:line.
    """
    asf = read_asf(skeleton if skeleton is not None else find_skeleton(path))
    values, degrees = _read_clip(path, asf)
    values = {name: v[::stride] for name, v in values.items()}
    return _motion(asf, values, degrees, frame_time * stride, scale, up)


def find_skeleton(path: Path) -> Path:
    """The ASF file that belongs to an AMC clip.

    Raises:
        InputError: there is none beside it.
    """
    path = Path(path)
    stems = (path.stem.split("_")[0], path.stem, path.stem.rsplit("_", 1)[0])
    beside = sorted(p for p in path.parent.glob("*") if p.suffix.lower() == ".asf")
    named = [p for stem in stems for p in beside if p.stem.lower() == stem.lower()]
    if named or len(beside) == 1:
        return (named or beside)[0]
    raise InputError(f"found no skeleton for {path}, wanted {stems[0]}.asf beside it; put it there or name it")


def read_asf(path: Path) -> _Skeleton:
    """The bones of an ASF file, `root` first, parents before children; errors as in `read_amc`."""
    found = _Skeleton(Path(path), {})
    bones: dict[str, _Bone] = {"root": _Bone(1)}
    section = ""
    lines = enumerate(read_lines(path), 1)
    for line, text in lines:
        words = text.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            section = words[0].lower()
        elif section == ":units":
            _unit(found, line, words)
        elif section == ":root":
            _root(found, bones["root"], line, words)
        elif section == ":bonedata" and words[0] == "begin":
            name, bone = _bone(found, line, lines)
            if name in bones:
                raise broken(path, line, f"a second bone {name}", "names that are used once")
            bones[name] = bone
        elif section == ":hierarchy" and words[0] not in ("begin", "end"):
            _link(found, bones, line, words)
    found.bones = _ordered(found, bones)
    return found


def _unit(found: _Skeleton, line: int, words: list[str]) -> None:
    if words[0] == "length" and len(words) > 1:
        found.length = number(found.path, line, words[1])
        if found.length <= 0:
            raise broken(found.path, line, f"length {found.length:g}", "more than 0")
    elif words[0] == "angle" and len(words) > 1:
        found.degrees = not words[1].lower().startswith("rad")


def _root(found: _Skeleton, root: _Bone, line: int, words: list[str]) -> None:
    if words[0] == "order":
        root.dof = _dof(found, line, words[1:], (*_SHIFTS, *_TURNS))
    elif words[0] == "axis":
        root.axis_order = _order(found, line, words[-1])
    elif words[0] == "orientation":
        root.axis = _three(found, line, words[1:])


def _bone(found: _Skeleton, line: int, lines: Iterator[tuple[int, str]]) -> tuple[str, _Bone]:
    bone, name = _Bone(line), ""
    for at, text in lines:
        words = text.split("#")[0].split()
        if not words:
            continue
        if words[0] == "end":
            break
        if words[0] == "name" and len(words) > 1:
            name = words[1]
        elif words[0] == "direction":
            bone.direction = _three(found, at, words[1:])
        elif words[0] == "length":
            bone.length = number(found.path, at, words[1] if len(words) > 1 else "")
        elif words[0] == "axis":
            bone.axis, bone.axis_order = _three(found, at, words[1:4]), _order(found, at, words[-1])
        elif words[0] == "dof":
            bone.dof = _dof(found, at, words[1:], _TURNS)
    else:
        raise broken(found.path, line, "a bone without 'end'", "begin ... end")
    if not name:
        raise broken(found.path, line, "a bone without a name", "a name")
    return name, bone


def _three(found: _Skeleton, line: int, words: list[str]) -> list[float]:
    if len(words) < 3:
        raise broken(found.path, line, f"{len(words)} numbers", "3")
    return [number(found.path, line, word) for word in words[:3]]


def _order(found: _Skeleton, line: int, word: str) -> str:
    if sorted(word.upper()) != ["X", "Y", "Z"]:
        raise broken(found.path, line, f"the axis order '{word}'", "XYZ in some order")
    return word.upper()


def _dof(found: _Skeleton, line: int, words: list[str], allowed: tuple[str, ...]) -> list[str]:
    dof = [word.lower() for word in words]
    if not set(dof) <= set(allowed) or len(set(dof)) != len(dof):
        raise broken(found.path, line, f"the channels {' '.join(words)}", f"some of {' '.join(allowed)}, each once")
    return dof


def _link(found: _Skeleton, bones: dict[str, _Bone], line: int, words: list[str]) -> None:
    for name in words:
        if name not in bones:
            raise broken(found.path, line, f"the unknown bone '{name}'", "bones of :bonedata")
    for name in words[1:]:
        if bones[name].parent or name == "root":
            raise broken(found.path, line, f"a second parent for '{name}'", "one")
        bones[name].parent = words[0]


def _ordered(found: _Skeleton, bones: dict[str, _Bone]) -> dict[str, _Bone]:
    order = ["root"]
    for name in order:  # grows while it is walked
        order += [child for child, bone in bones.items() if bone.parent == name]
    lost = sorted(set(bones) - set(order), key=lambda name: (bones[name].parent != "", bones[name].line))
    if lost or len(order) == 1:
        line = bones[lost[0]].line if lost else 1
        what = f"{lost[0]} not joined to the root" if lost else "no bones"
        raise broken(found.path, line, what, ":bonedata and a :hierarchy of all bones")
    return {name: bones[name] for name in order}


def _read_clip(path: Path, asf: _Skeleton) -> tuple[dict[str, Doubles], bool]:
    """{bone: (t, channels)} of all moving bones, and whether angles are degrees."""
    lines = read_lines(path)
    degrees, start = _clip_header(lines, asf.degrees)
    moving = {name: len(bone.dof) for name, bone in asf.bones.items() if bone.dof}
    rows: dict[str, list[list[str]]] = {name: [] for name in moving}
    frames, line = 0, start
    for line, text in enumerate(islice(lines, start, None), start + 1):
        words = text.split()
        if not words:
            continue
        if len(words) == 1 and words[0].isdigit():
            _check_frame(path, line, rows, frames)
            frames += 1
        elif words[0] not in moving:
            raise broken(path, line, f"the unknown or fixed bone '{words[0]}'", f"a bone of {asf.path.name}")
        elif len(words) - 1 != moving[words[0]] or len(rows[words[0]]) != frames - 1:
            wanted = f"{moving[words[0]]} for {words[0]}, once a frame"
            raise broken(path, line, f"{len(words) - 1} channel values", wanted)
        else:
            rows[words[0]].append(words[1:])
    _check_frame(path, line, rows, frames)
    if not frames:
        raise broken(path, max(line, 1), "no frame", "numbered frames")
    return _numbers(path, lines, start, rows), degrees


def _clip_header(lines: list[str], degrees: bool) -> tuple[bool, int]:
    for i, text in enumerate(lines):
        word = text.strip().upper()
        if word in (":DEGREES", ":RADIANS"):
            degrees = word == ":DEGREES"
        elif word and not word.startswith(("#", ":")):
            return degrees, i
    return degrees, len(lines)


def _check_frame(path: Path, line: int, rows: dict[str, list[list[str]]], frames: int) -> None:
    absent = next((name for name, values in rows.items() if len(values) < frames), None)
    if absent is not None:
        raise broken(path, line, f"frame {frames} without {absent}", "every moving bone")


def _numbers(path: Path, lines: list[str], start: int, rows: dict[str, list[list[str]]]) -> dict[str, Doubles]:
    try:
        values = {name: np.array(v, dtype=np.float64) for name, v in rows.items()}
    except ValueError:
        values = {}
    if not values or not all(np.isfinite(v).all() for v in values.values()):
        for line, text in enumerate(islice(lines, start, None), start + 1):
            for word in text.split()[1:]:
                number(path, line, word)
    return values


def _euler(angles: Doubles, order: str, degrees: bool) -> Doubles:
    """(t, k) angles about fixed axes, first axis first -> (t, 3, 3)."""
    return np.asarray(Rotation.from_euler(order.lower(), angles, degrees=degrees).as_matrix().reshape(-1, 3, 3))


def _motion(
    asf: _Skeleton, values: dict[str, Doubles], degrees: bool, frame_time: float, scale: float | None, up: str
) -> Motion:
    frames = len(values["root"]) if "root" in values else len(next(iter(values.values())))
    names = list(asf.bones)
    ends = [n for n in names if n != "root" and not any(b.parent == n for b in asf.bones.values())]
    vectors = {n: _vector(b) for n, b in asf.bones.items()}
    bases = [asf.bones[n].parent for n in names] + ends
    parents = [names.index(b) if b else -1 for b in bases]
    offsets = np.array([vectors[b] if b else np.zeros(3) for b in bases])
    local = np.tile(offsets, (frames, 1, 1))
    root = asf.bones["root"]
    for i, channel in enumerate(root.dof):
        if channel in _SHIFTS:
            local[:, 0, _SHIFTS.index(channel)] = values["root"][:, i]
    turns = [_turn(asf, n, values, degrees) for n in names] + [None] * len(ends)
    joints = names + [f"{n}_end" for n in ends]
    return assemble(joints, parents, offsets, local, turns, frames, frame_time, scale, _INCH / asf.length, up)


def _vector(bone: _Bone) -> Doubles:
    """The bone from its start to its end, in the file's unit."""
    direction = np.array(bone.direction)
    size = float(np.linalg.norm(direction))
    return direction / size * bone.length if size else direction


def _turn(asf: _Skeleton, name: str, values: dict[str, Doubles], degrees: bool) -> Doubles | None:
    bone = asf.bones[name]
    turned = [i for i, channel in enumerate(bone.dof) if channel in _TURNS]
    if not turned:
        return None
    order = "".join(bone.dof[i][1] for i in turned)
    motion = _euler(values[name][:, turned], order, degrees)
    # The channels turn about the bone's own axes, which `axis` places in the skeleton's.
    axes = _euler(np.array([bone.axis]), bone.axis_order, asf.degrees)[0]
    return np.asarray(axes @ motion @ axes.T)
