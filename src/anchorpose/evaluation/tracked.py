"""Predictions from the results.jsonl of `anchorpose track`: which frame of a video is which annotated image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.evaluation.annotations import ImageEntry
from anchorpose.io.sources import IMAGE_SUFFIXES, expand_sources
from anchorpose.io.video.journal import read_header, read_results

RESULTS = "results.jsonl"


def name_parts(name: str) -> tuple[str, ...]:
    """Folders and file of a path, however it was written."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def same_end(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether the shorter one is the end of the longer one; nothing is the end of nothing."""
    short = min(len(a), len(b))
    return short > 0 and a[-short:] == b[-short:]


def read_tracked(paths: Sequence[Path], images: Sequence[ImageEntry], root: Path) -> dict[str, Poses]:
    """People with their track numbers, from one file a video.

    A video belongs to the images of the folder that it was read from (or, of a video file, that is called like it):
    the name of its source need not be written from the same folder, as long as the shorter is the end of the longer
    and fits one folder of images. Frame i is the i-th picture there, in the order in which `anchorpose track` reads
    them, so the pictures must be there. Track numbers are of their own video.

    Args:
        paths: files that `anchorpose track` wrote.
        images: annotated images.
        root: folder above them.

    Returns:
        Image file name -> its people, of the images that have a frame.

    Raises:
        InputError: a file is broken, or began later than its video; it fits no or several folders, or another file
            fits the same; or the pictures are missing, or fewer than the frames.
    """
    wanted = {image.file_name for image in images}
    folders = {parts: "/".join(parts) for parts in (name_parts(name)[:-1] for name in wanted)}
    taken: dict[str, Path] = {}
    found: dict[str, Poses] = {}
    for path in paths:
        header = read_header(path)
        if header.get("start"):
            raise InputError(f"{path} begins {header['start']:g} s after its video, wanted all of it; track it again "
                             "without --start")  # fmt: skip
        folder = _folder(path, str(header.get("source", "")), folders, name_parts(str(root.resolve())))
        if folder in taken:
            raise InputError(f"{path} and {taken[folder]} are both of {folder or root}, wanted one; give the other "
                             "alone")  # fmt: skip
        taken[folder] = path
        names = _pictures(path, root, folder)
        for index, _, poses in read_results(path):
            if not 0 <= index < len(names):
                raise InputError(f"{path} has frame {index}, but {root / folder} only {len(names)} pictures, wanted a "
                                 "frame for each; track these pictures")  # fmt: skip
            if names[index] in wanted:
                found[names[index]] = poses
    return found


def _folder(path: Path, source: str, folders: dict[tuple[str, ...], str], above: tuple[str, ...]) -> str:
    def fits(parts: tuple[str, ...]) -> list[str]:
        return [name for own, name in folders.items() if same_end(own, parts) or same_end((*above, *own), parts)]

    parts = name_parts(source)
    fitting = fits(parts)
    if not fitting and parts and Path(parts[-1]).suffix.lower() not in ("", *IMAGE_SUFFIXES):
        fitting = fits((*parts[:-1], Path(parts[-1]).stem))
    if len(fitting) != 1:
        some = f", such as {name}" if (name := max(folders.values(), default="")) else ""
        raise InputError(f"{path} is of {source or 'an unknown video'}, which may be {len(fitting)} of the "
                         f"{len(folders)} annotated folders{some}, wanted one; track these folders by longer "
                         "names")  # fmt: skip
    return fitting[0]


def _pictures(path: Path, root: Path, folder: str) -> list[str]:
    """Names relative to `root`, in the order of the frames."""
    pictures = expand_sources([root / folder])
    if pictures.failures:
        raise InputError(f"{path} numbers its frames, and the pictures that tell which is which are missing: "
                         f"{pictures.failures[0][1]}")  # fmt: skip
    return [picture.relative_to(root).as_posix() for picture in pictures.paths]
