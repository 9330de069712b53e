"""Motion capture files of any known format, by extension."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterable
from pathlib import Path

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.asf_amc import CMU_FRAME_TIME, read_amc
from anchorpose.synthesis.mocap.bvh import read_bvh
from anchorpose.synthesis.mocap.c3d import read_c3d
from anchorpose.synthesis.mocap.deepmimic import read_deepmimic
from anchorpose.synthesis.mocap.motion import Motion

EXTENSIONS = (".bvh", ".amc", ".c3d", ".txt", ".json")
"""BVH, Acclaim, C3D; .txt and .json are DeepMimic's."""


def read_motion(
    path: Path, stride: int = 1, scale: float | None = None, up: str | None = None, skeleton: Path | None = None,
    frame_time: float = CMU_FRAME_TIME,
) -> Motion:  # fmt: skip
    """One clip, in the format that its extension says.

    Args:
        path: .bvh, .amc, .c3d, or DeepMimic's .txt or .json.
        stride: keep every stride-th frame.
        scale: metres a unit of the file; None takes what the format says, or guesses (see each reader).
        up: the file's vertical axis, "y" or "z"; None takes the format's (BVH and Acclaim y, C3D what it says).
        skeleton: ASF file of an AMC clip; None looks beside it.
        frame_time: seconds a frame of an AMC clip before the stride, which that format does not say: 1/120 as in CMU's
            database, unless given. The other formats say theirs, and it does not count for them.

    Raises:
        InputError: an unknown extension, a stride below 1, a frame time that is not above 0, or a file that is missing
            or broken.
    """
    path = Path(path)
    if stride < 1:
        raise InputError(f"found the stride {stride}, wanted 1 or more; 1 keeps every frame")
    if not (frame_time > 0 and math.isfinite(frame_time)):
        raise InputError(f"found the frame time {frame_time}, wanted seconds, above 0; CMU's is 1/120")
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        return read_bvh(path, stride, scale, up or "y")
    if suffix == ".amc":
        return read_amc(path, skeleton, stride, scale, up or "y", frame_time)
    if suffix == ".c3d":
        return read_c3d(path, stride, scale, up)
    if suffix in (".txt", ".json"):
        return read_deepmimic(path, stride)
    raise InputError(f"found {path.name}, wanted one of {', '.join(EXTENSIONS)}; convert it to one of these")


def find_motions(paths: Iterable[str | Path]) -> list[Path]:
    """The motion files of files, folders (searched to the bottom) and globs, each once, in a lasting order.

    In a folder or a glob, .txt and .json files count if they begin like DeepMimic's; a file that is named always does.

    Raises:
        InputError: a path names nothing.
    """
    found: dict[Path, None] = {}
    for entry in paths:
        path = Path(entry)
        if path.is_dir():
            hits = [p for p in sorted(path.rglob("*")) if _is_motion(p)]
        elif path.is_file():
            hits = [path]
        else:
            hits = [p for p in map(Path, sorted(glob.glob(str(entry), recursive=True))) if _is_motion(p)]
        if not hits:
            raise InputError(f"found no motion capture at {entry}, wanted {', '.join(EXTENSIONS)}; check the path")
        found |= dict.fromkeys(hits)
    return list(found)


def _is_motion(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in EXTENSIONS or not path.is_file():
        return False
    if suffix not in (".txt", ".json"):
        return True
    with path.open("rb") as file:
        return b'"Frames"' in file.read(1000)
