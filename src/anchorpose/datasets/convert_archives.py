"""The original archives as `Result`s, so that `anchorpose data convert` writes them in the formats it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13, Skeleton
from anchorpose.datasets import (
    agora,
    crowdpose,
    flic,
    h36m,
    humaneva,
    lsp,
    mpi_inf_3dhp,
    mpii,
    mupots,
    panoptic,
    posetrack,
    threedpw,
)
from anchorpose.datasets.samples import Person, Sample
from anchorpose.io.containers import inspect
from anchorpose.io.formats import Result
from anchorpose.io.images import read_image

ArchiveFormat = Literal["lsp-mat", "lspe-mat", "mpii-mat", "flic-mat", "crowdpose", "posetrack", "h36m-p1", "h36m-p2",
                        "h36m-p3", "3dhp-train", "3dhp-test", "mupots", "3dpw", "humaneva", "panoptic",
                        "agora"]  # fmt: skip
ARCHIVE_FORMATS: tuple[str, ...] = get_args(ArchiveFormat)
SPLITS: Mapping[str, tuple[str, ...]] = {
    "lsp-mat": ("test", "train", "all"), "mpii-mat": ("train", "test", "all"), "flic-mat": ("test", "train", "all"),
    "crowdpose": ("test", "train", "val", "trainval"), "posetrack": ("val", "train", "test"),
    "h36m-p1": ("test", "train"), "h36m-p2": ("test", "train"), "h36m-p3": ("test", "train"),
    "3dpw": ("test", "train", "validation"), "humaneva": ("Validate", "Train"),
}  # fmt: skip
"""The parts of each archive, the one that is evaluated first; the others have one part."""
FEWEST, MOST_OFF = 8, 5.0
"""Joints and pixels of `fitted_camera`; the pixels leave room for lenses that bend."""


def read_archive(kind: ArchiveFormat, root: Path, split: str | None = None) -> tuple[list[Result], list[str]]:
    """An archive's pictures and people, and one line for each thing that a `Result` does not hold.

    People are in the data set's own joints where its labels are 2D, else in LCR13 with 3D relative to the body centre,
    and with their place where the archive says the camera or one fits (`fitted_camera`).
    Who has a box but no labelled joint is kept. Names of pictures are relative to `root`; the pictures must be there,
    because no archive but CrowdPose's and PoseTrack's says how large they are.

    Args:
        kind: which archive.
        root: the unpacked archive; of CMU Panoptic a sequence, of which all cameras are read whose pictures have been
            extracted; of AGORA an exported table, beside which the folders of pictures lie.
        split: one of `SPLITS`; None is the first.

    Raises:
        InputError: parts or pictures are missing, a file is not as the archive has it, or there is no such split.
    """
    splits = SPLITS.get(kind, ())
    if split is not None and split not in splits:
        known = ", ".join(splits) or "none: the archive has one part"
        raise InputError(f"found the split {split!r} of {kind}, wanted one of {known}; choose with --split")
    samples = _read(kind, root, split or (splits[0] if splits else ""))
    if not samples:
        raise InputError(f"{root} has no annotated picture in {split or 'this part'} of {kind}; choose with --split")
    labels = [p.annotation for s in samples for p in s.people if p.annotation is not None]
    own = labels[0].skeleton if labels else None
    folder = root.parent if kind == "agora" else root
    results = [_result(sample, folder, own) for sample in samples]
    return results, _lost(samples, results)


def _read(kind: ArchiveFormat, root: Path, split: Any) -> list[Sample]:
    if kind.startswith("h36m-"):
        protocol = {"h36m-p1": h36m.P1, "h36m-p2": h36m.P2, "h36m-p3": h36m.P3}[kind]
        return h36m.read_h36m(root, protocol, split)
    readers: dict[str, Callable[[], list[Sample]]] = {
        "lsp-mat": lambda: lsp.read_lsp(root, split), "lspe-mat": lambda: lsp.read_lspe(root),
        "mpii-mat": lambda: mpii.read_mpii(root, split), "flic-mat": lambda: flic.read_flic(root, split),
        "crowdpose": lambda: crowdpose.read_crowdpose(root, split),
        "posetrack": lambda: posetrack.read_posetrack(root, split), "mupots": lambda: mupots.read_mupots(root),
        "3dhp-train": lambda: mpi_inf_3dhp.read_3dhp_train(root),
        "3dhp-test": lambda: mpi_inf_3dhp.read_3dhp_test(root),
        "3dpw": lambda: threedpw.read_3dpw(root, split), "humaneva": lambda: humaneva.read_humaneva(root, split),
        "panoptic": lambda: _read_panoptic(root), "agora": lambda: _read_agora(root),
    }  # fmt: skip
    return readers[kind]()


def _read_panoptic(sequence: Path) -> list[Sample]:
    cameras = sorted(folder.name for folder in (sequence / "hdImgs").glob("*") if folder.is_dir())
    return panoptic.read_panoptic(sequence, cameras or ("00_00",))


def _read_agora(table: Path) -> list[Sample]:
    """The pictures lie in folders called by their split, whose name the table does not hold, in one of two sizes."""
    name = agora.first_picture(table)
    found = next((p for p in (table.parent / name, *sorted(table.parent.glob(f"*/{name}"))) if p.is_file()), None)
    if found is None:
        raise InputError(f"{name} is neither beside {table} nor in a folder there, wanted the pictures; "
                         f"{agora.AGORA.source}")  # fmt: skip
    return agora.read_agora(table, found.parent, _size(found))


def _result(sample: Sample, root: Path, own: Skeleton | None) -> Result:
    """`own` are the data set's joints where its labels are 2D; people without such labels are ignore regions then."""
    people = [p for p in sample.people if own is None or p.annotation is not None]
    skeleton = own or LCR13
    n, j = len(people), len(skeleton)
    size = _size(sample.image)
    labels = [p if p.annotation is None else p.annotation for p in people]
    joints2d = np.array([x.joints2d for x in labels], np.float32).reshape(n, j, 2)
    seen = np.array([x.visible for x in labels], np.int8).reshape(n, j)
    joints3d = np.array([_joints3d(p, j) for p in people], np.float32).reshape(n, j, 3)
    camera = sample.camera or fitted_camera(people, size)
    places = np.array([p.centre3d if camera else np.full(3, np.nan) for p in people], np.float32).reshape(n, 3)
    known = np.isfinite(joints2d).all(axis=-1)
    states = np.where(known, np.where(seen == 0, JointState.HIDDEN, JointState.VISIBLE), JointState.MISSING)
    if own is None:  # projected, not drawn by somebody who looked at the picture
        outside = ((joints2d < 0) | (joints2d > np.array(size))).any(axis=-1)  # False for NaN
        states = np.where(outside, JointState.OUTSIDE, states)
    ids = [None if p.annotation is None else p.annotation.track_id for p in people]
    poses = Poses(
        skeleton, camera.scaled(*size) if camera else Camera.from_fov(*size), np.ones(n, np.float32),
        np.array([p.box for p in people], np.float32).reshape(n, 4), joints2d, joints3d,
        places, (states == JointState.VISIBLE).astype(np.float32), states.astype(np.uint8),
        track_ids=None if None in ids or not ids else np.array(ids, np.int64),
    )  # fmt: skip
    return sample.image.relative_to(root).as_posix(), poses


def _joints3d(person: Person, joints: int) -> Any:
    return np.full((joints, 3), np.nan) if person.annotation is not None else person.joints3d


def _size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, without decoding where the container says them."""
    try:
        container = inspect(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; complete the archive's pictures") from None
    if container is not None and container.size and not container.damage and container.orientation < 5:
        return container.size
    height, width = read_image(path).shape[:2]
    return width, height


def fitted_camera(people: Sequence[Person], size: tuple[int, int]) -> Camera | None:
    """The pinhole camera that projects the people's 3D joints onto their 2D ones, for archives that do not say it.

    Args:
        people: with a known place, of one photograph of `size` (width, height) pixels.

    Returns:
        None where fewer than `FEWEST` joints are known, or where it misses them by more than `MOST_OFF` pixels (root
        mean square): then 2D and 3D are not of one camera.
    """
    space = np.array([p.joints3d + p.centre3d for p in people], np.float64).reshape(-1, 3)
    flat = np.array([p.joints2d for p in people], np.float64).reshape(-1, 2)
    known = np.isfinite(space).all(1) & np.isfinite(flat).all(1)
    space, flat = space[known], flat[known]
    if len(flat) < FEWEST or not (space[:, 2] > 0).all():
        return None
    plane = space[:, :2] / space[:, 2:]
    (fx, cx), (fy, cy) = (np.polyfit(plane[:, axis], flat[:, axis], 1) for axis in (0, 1))
    camera = Camera(float(fx), float(fy), float(cx), float(cy), *size)
    off = np.sqrt(((camera.project(space) - flat) ** 2).sum(1).mean())
    return camera if off <= MOST_OFF and min(fx, fy) > 0 else None


def _lost(samples: Sequence[Sample], results: Sequence[Result]) -> list[str]:
    annotations = [p.annotation for s in samples for p in s.people if p.annotation is not None]
    counts = {
        "head boxes": sum(a.head_box is not None for a in annotations),
        "torso boxes": sum(a.torso_box is not None for a in annotations),
        "scales and rough places of people": sum(a.scale is not None for a in annotations),
        "ignore regions": sum(len(s.ignore_regions) for s in samples),
        "crowd indices": sum(s.crowd_index is not None for s in samples),
        "names of videos": sum(s.sequence is not None for s in samples),
        "names of activities": sum(s.activity is not None for s in samples),
        "people's places and cameras": sum(
            int((np.isfinite(poses.joints3d).any((1, 2)) & np.isnan(poses.translation).any(1)).sum())
            for _, poses in results
        ),
    }
    return [f"{count} {name}" for name, count in counts.items() if count]
