"""All formats by name, into one folder."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from anchorpose.core.errors import InputError
from anchorpose.io.exports.benchmark_json import write_coco, write_openpose, write_posetrack
from anchorpose.io.exports.bvh import write_bvh
from anchorpose.io.exports.c3d import write_c3d
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.gltf import write_gltf
from anchorpose.io.exports.npz import write_npz
from anchorpose.io.exports.tables import angle_table, joint_table, write_csv, write_parquet
from anchorpose.io.exports.trc import write_trc
from anchorpose.io.viewer.page import write_viewer

Format = Literal["coco", "posetrack", "openpose", "csv", "parquet", "bvh", "c3d", "trc", "gltf", "npz", "html"]
FORMATS: tuple[Format, ...] = (
    "coco", "posetrack", "openpose", "csv", "parquet", "bvh", "c3d", "trc", "gltf", "npz", "html",
)  # fmt: skip


def export_clip(folder: Path, clip: Clip, formats: Collection[Format], overlay: Path | None = None) -> list[Path]:
    """Write a clip in several formats.

    Args:
        folder: made if it is missing. Formats of one person give a file a person (`person_3.bvh`), the others one file;
            `openpose` gives a folder with a file a frame.
        clip: the tracked people.
        formats: some of `FORMATS`.
        overlay: a video to play beside the 3D scene of `html`.

    Returns:
        the files, or folders of files, in the order of `formats`.

    Raises:
        InputError: an unknown format, a library that is not installed, or a file that cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(f"found the format {unknown[0]!r}, wanted one of {', '.join(FORMATS)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another place") from None
    return [path for name in formats for path in _write(folder, clip, name, overlay)]


def _write(folder: Path, clip: Clip, name: Format, overlay: Path | None) -> Iterator[Path]:
    if name in ("csv", "parquet"):
        for kind, table in (("joints", joint_table(clip)), ("angles", angle_table(clip))):
            (write_csv if name == "csv" else write_parquet)(path := folder / f"{kind}.{name}", table)
            yield path
        return
    if name in ("bvh", "c3d", "trc"):
        write = {"bvh": write_bvh, "c3d": write_c3d, "trc": write_trc}[name]
        for person in clip.people:
            write(path := folder / f"person_{person.id}.{name}", clip, person.id)
            yield path
        return
    if name == "openpose":
        (path := folder / "openpose").mkdir(exist_ok=True)
        write_openpose(path, clip)
    elif name == "html":
        write_viewer(path := folder / "view.html", clip, overlay)
    elif name == "coco":
        write_coco(path := folder / "coco.json", clip)
    elif name == "posetrack":
        write_posetrack(path := folder / "posetrack.json", clip)
    elif name == "gltf":
        write_gltf(path := folder / "motion.glb", clip)
    else:
        write_npz(path := folder / "motion.npz", clip)
    yield path
