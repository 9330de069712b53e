"""Keypoint files from one format into another: COCO annotations, COCO results, our own results, OpenPose, archives.

All go through `Result`s (file name and `Poses`). What a format cannot hold is lost, and `Converted.lost` says what it
was and how often. COCO annotations of `LCR13` hold all that is known of people but their further hypotheses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import skeleton as skeletons
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import BODY25, COCO17, LCR13, Skeleton
from anchorpose.datasets.check import load_coco
from anchorpose.datasets.convert_archives import ARCHIVE_FORMATS, ArchiveFormat, read_archive
from anchorpose.datasets.keypoint_files import (
    OPENPOSE_SUFFIX,
    named_skeleton,
    read_coco_people,
    read_coco_results,
    read_openpose,
    to_coco_annotations,
)
from anchorpose.io.files import read_json, write_json
from anchorpose.io.formats import Result, from_anchorpose, to_anchorpose, to_coco, to_openpose

Format = Literal["coco", "coco-results", "anchorpose", "openpose"]
_FIXED: dict[str, Skeleton] = {"coco-results": COCO17, "openpose": BODY25}


@dataclass(frozen=True)
class Converted:
    """What was written: counts, and one line for each thing that the new format does not hold."""

    images: int
    people: int
    lost: tuple[str, ...]


def convert(source: Path, read_as: Format | ArchiveFormat, out: Path, write_as: Format,
            skeleton: Skeleton | None = None, annotations: Path | None = None,
            split: str | None = None) -> Converted:  # fmt: skip
    """Read a file, take the wanted joints by their names, and write it anew.

    Args:
        source: a file, for `openpose` a folder of one JSON a picture, for an original archive its folder.
        out: the file to write, for `openpose` an existing folder.
        skeleton: joints to write; None keeps them (COCO results are always COCO's 17, OpenPose's always BODY_25).
        annotations: COCO file that names the images; needed to read COCO results and OpenPose, which do not say which
            pictures there are or how large they are. Its image ids are written, else those of a COCO source, else
            numbers from the pictures' names.
        split: part of an original archive, see `convert_archives.SPLITS`.

    Raises:
        InputError: a file cannot be read, is of another format, or `annotations` is missing.
    """
    if skeleton is not None and write_as in _FIXED:
        raise InputError(f"found the skeleton {skeleton.name} for {write_as}, wanted {_FIXED[write_as].name}, which it "
                         "always has; leave --skeleton out")  # fmt: skip
    lost: list[str] = []
    if split is not None and read_as not in ARCHIVE_FORMATS:
        raise InputError(f"found the split {split!r} of a file in the format {read_as}, wanted none; leave --split out")
    if read_as in ARCHIVE_FORMATS:
        results, lost = read_archive(cast(ArchiveFormat, read_as), source, split)
    elif read_as == "coco":
        results, lost = read_coco_people(source), _lost_of_coco(load_coco(source))
    elif read_as == "anchorpose":
        results = from_anchorpose(read_json(source, "give another file"))
    elif annotations is None:
        raise InputError(f"{read_as} does not say which pictures there are, wanted their names and sizes; give a COCO "
                         "file with --annotations")  # fmt: skip
    elif read_as == "coco-results":
        results = read_coco_results(source, load_coco(annotations))
    else:
        results = read_openpose(source, load_coco(annotations))
    naming = source if annotations is None and read_as == "coco" else annotations
    ids = None if naming is None else {str(i["file_name"]): int(i["id"]) for i in load_coco(naming)["images"]}
    target = _FIXED.get(write_as, skeleton)
    if target is not None:
        lost += _lost_joints(results, target, middles=write_as == "openpose")
        results = [(file, poses.to_skeleton(target) if write_as in ("coco", "anchorpose") else poses)
                   for file, poses in results]  # fmt: skip
    _write(results, out, write_as, ids, lost)
    return Converted(len(results), sum(len(poses) for _, poses in results), tuple(lost))


def _write(results: list[Result], out: Path, write_as: Format, ids: Mapping[str, int] | None,
           lost: list[str]) -> None:  # fmt: skip
    if write_as == "anchorpose":
        return write_json(out, to_anchorpose(results))
    if modes := sum(len(h) for _, poses in results for h in poses.hypotheses):
        lost.append(f"{modes} further hypotheses")
    if write_as == "coco":
        if any(poses.skeleton != LCR13 for _, poses in results):
            lost += _counts(results, {"people's 3D": _with_3d, "joints outside the picture": _outside})
        return write_json(out, to_coco_annotations(results, ids))
    if write_as == "coco-results":
        lost += _counts(results, {
            "people without any of COCO's joints": lambda p: int((~_present(p.to_skeleton(COCO17)).any(1)).sum()),
            "people's 3D": _with_3d, "track identities": _tracked, "people's joint scores": len,
        })  # fmt: skip
        return write_json(out, to_coco(results, ids))
    lost += _counts(results, {
        "people without any of OpenPose's joints": lambda p: int((~_present(p.to_skeleton(BODY25)).any(1)).sum()),
        "people's scores, boxes and joint states": len,
    })  # fmt: skip
    stems = [Path(file).stem for file, _ in results]
    if len(set(stems)) < len(stems):
        raise InputError(f"two pictures are called {max(stems, key=stems.count)}, wanted different names, since "
                         "OpenPose's files are called by them; convert them one folder at a time")  # fmt: skip
    for stem, (_, poses) in zip(stems, results, strict=True):
        own = poses[_present(poses.to_skeleton(BODY25)).any(1)]
        write_json(out / f"{stem}{OPENPOSE_SUFFIX}", to_openpose(own))
    return None


def find_skeleton(name: str) -> Skeleton:
    """A skeleton of `core.skeleton` by its name; InputError with the known names if there is none."""
    known = {s.name: s for s in vars(skeletons).values() if isinstance(s, Skeleton)}
    if name not in known:
        raise InputError(f"found no skeleton {name!r}, wanted one of {', '.join(known)}; choose one of them")
    return known[name]


def _lost_of_coco(data: Mapping[str, Any]) -> list[str]:
    _, category = named_skeleton(data["categories"])
    people = [a for a in data["annotations"] if a.get("category_id") == category]
    counts = {
        "annotations of other categories": len(data["annotations"]) - len(people),
        "crowds": sum(bool(a.get("iscrowd")) for a in people),
        "segmentations": sum(bool(a.get("segmentation")) for a in people),
        "areas and ids of annotations": len(people),
    }
    return [f"{count} {name}" for name, count in counts.items() if count]


def _lost_joints(results: Sequence[Result], target: Skeleton, middles: bool) -> list[str]:
    """Joints that `target` lacks, with how many people had them. `middles`: the writer fills neck and mid hip in."""
    counts: dict[str, int] = {}
    for _, poses in results:
        for joint, present in zip(poses.skeleton.joints, _present(poses).sum(0).tolist(), strict=True):
            if joint not in target.joints and present and not (middles and joint in ("neck", "mid_hip")):
                counts[joint] = counts.get(joint, 0) + present
    return [f"{count} joints {joint}, which {target.name} lacks" for joint, count in counts.items()]


def _present(poses: Poses) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(poses.joints2d).all(-1), dtype=np.bool_)


def _with_3d(poses: Poses) -> int:
    return int(np.isfinite(poses.joints3d).any(axis=(1, 2)).sum())


def _outside(poses: Poses) -> int:
    return int((poses.joint_states == JointState.OUTSIDE).sum())


def _tracked(poses: Poses) -> int:
    return 0 if poses.track_ids is None else len(poses)


def _counts(results: Sequence[Result], measures: Mapping[str, Callable[[Poses], int]]) -> list[str]:
    counts = {name: sum(measure(poses) for _, poses in results) for name, measure in measures.items()}
    return [f"{count} {name}" for name, count in counts.items() if count]
