"""AGORA (Patel et al., CVPR 2021): rendered crowds of scanned people with SMPL or SMPL-X bodies.

The data set's `train_0_withjv.pkl` to `train_9_withjv.pkl` and `validation_*` are pickled pandas tables. A pickle may
run code, and pandas' own classes cannot be told from harmless ones, so these files are not opened here. Export each
once, where you trust it: `pandas.read_pickle(f).to_json(f.replace(".pkl", ".json"), orient="records")`.

Known for certain: a row is one picture with `imgPath` and, for each person, `gt_joints_2d` pixels of the 3840 x 2160
picture, `gt_joints_3d`, `occlusion` in percent and `isValid`; SMPL's and SMPL-X's joints begin with the same 22.

Inferred, and checked on the valid people of each picture: `gt_joints_3d` is in metres and camera axes with y down, and
the principal point is the picture's middle. A picture whose 3D does not project onto its 2D within `MAX_MISS` pixels
by some focal length is refused. Inferred without a check: the head top, by body proportions
(`frames3d.with_head_top`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import SMPL24, Skeleton
from anchorpose.datasets.archives import Archive, require_images
from anchorpose.datasets.frames3d import Frame3D, no_visibility, with_head_top
from anchorpose.datasets.samples import Floats, Sample
from anchorpose.io.files import read_json
from anchorpose.lcrnet.anchors import BOX_MARGIN

AGORA = Archive(
    "AGORA", "agora.is.tue.mpg.de",
    "Patel et al., AGORA: avatars in geography optimized for regression analysis, CVPR 2021",
    "non-commercial research", (),
)  # fmt: skip
FULL_SIZE = (3840, 2160)
MAX_MISS = 2.0
"""Pixels of the full-size picture, median over a picture's joints."""
_JOINTS = SMPL24.joints[:22]
_BODY = Skeleton("SMPL22", _JOINTS, {child: parent for child, parent in SMPL24.parents.items() if child in _JOINTS})
_FIELDS = ("imgPath", "gt_joints_2d", "gt_joints_3d", "isValid")


def read_agora(table: Path, images: Path, size: tuple[int, int] = FULL_SIZE) -> list[Sample]:
    """Pictures of one exported table as samples; people that AGORA marks invalid have a box but no joints.

    Args:
        table: the JSON of `DataFrame.to_json(orient="records")`.
        images: folder of the pictures.
        size: width and height of the pictures in use; AGORA also offers 1280 x 720.

    Raises:
        InputError: the table or pictures are missing or broken, or its 3D does not project onto its 2D.
    """
    samples = [frame.sample() for frame in agora_frames(table, images, size)]
    require_images(samples, AGORA)
    return samples


def first_picture(table: Path) -> str:
    """Name of the first picture of an exported table.

    Raises:
        InputError: the table cannot be read, or is empty.
    """
    rows = _rows(Path(table))
    if not rows:
        raise InputError(f"{table} has no rows, wanted a picture in each; {AGORA.source}")
    return str(rows[0]["imgPath"])


def agora_frames(table: Path, images: Path, size: tuple[int, int] = FULL_SIZE) -> Iterator[Frame3D]:
    """Pictures of one exported table, in SMPL's first 22 joints and a head top.

    Args:
        table, images, size: see `read_agora`.

    Raises:
        InputError: see `read_agora`.
    """
    for row in _rows(Path(table)):
        joints2d, joints3d, valid = _people(row, table)
        focal = _focal(joints2d[valid], joints3d[valid], f"{table}, picture {row['imgPath']}")
        joints3d, skeleton = with_head_top(joints3d, _BODY)
        top = joints3d[:, -1:, :2] / joints3d[:, -1:, 2:] * focal + np.array(FULL_SIZE) / 2
        top[~valid] = np.nan
        joints2d = (np.concatenate([joints2d, top], 1) * (size[0] / FULL_SIZE[0])).astype(np.float32)
        around = boxes.around(joints2d, BOX_MARGIN).astype(np.float32)
        for joints in (joints2d, joints3d):
            joints[~valid] = np.nan
        yield Frame3D(Path(images) / row["imgPath"], skeleton, joints2d, joints3d, no_visibility(joints3d), size,
                      boxes=around, camera=_camera(focal, size))  # fmt: skip


def _focal(joints2d: Floats, joints3d: Floats, where: str) -> float:
    """Focal length in pixels that maps the joints' directions to their pixels, by least squares."""
    if not len(joints2d):
        return 1.0
    tangents = (joints3d[..., :2] / joints3d[..., 2:]).astype(np.float64)
    offsets = joints2d - np.array(FULL_SIZE) / 2
    focal = float((tangents * offsets).sum() / (tangents**2).sum())
    miss = float(np.median(np.linalg.norm(tangents * focal - offsets, axis=-1)))
    if not (focal > 0 and miss < MAX_MISS and joints3d[..., 2].min() > 0):
        raise InputError(f"{where}: the 3D misses the 2D by {miss:.1f} px (median) at the best focal length "
                         f"{focal:.0f}, wanted {MAX_MISS} px in camera axes; {AGORA.source}")  # fmt: skip
    return focal


def _camera(focal: float, size: tuple[int, int]) -> Camera:
    """The camera of pictures of `size`; `focal` is in pixels of the full size."""
    scale = size[0] / FULL_SIZE[0]
    return Camera(focal * scale, focal * scale, size[0] / 2, size[1] / 2, *size)


def _people(row: dict[str, Any], table: Path) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """(n, 22, 2) pixels of the full-size picture, (n, 22, 3) metres and (n,) valid."""
    try:
        count = len(row["gt_joints_2d"])
        pixels, metres = (np.array([person[: len(_JOINTS)] for person in row[key]], dtype=np.float32)
                          .reshape(count, len(_JOINTS), d)
                          for key, d in (("gt_joints_2d", 2), ("gt_joints_3d", 3)))  # fmt: skip
        valid = np.array(row["isValid"], dtype=bool).reshape(count)
    except (ValueError, TypeError) as error:
        raise InputError(f"{table}, picture {row.get('imgPath')}: no joints of SMPL or SMPL-X ({error}); "
                         f"{AGORA.source}") from None  # fmt: skip
    return pixels, metres, valid


def _rows(table: Path) -> list[dict[str, Any]]:
    if table.suffix == ".pkl":
        raise InputError(f"{table} is a pickle, which may run code, wanted its JSON export; where you trust it run "
                         "pandas.read_pickle(FILE).to_json(NAME, orient='records')")  # fmt: skip
    rows = read_json(table, f"export it anew, or {AGORA.source}")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and set(_FIELDS) <= set(row) for row in rows):
        raise InputError(f"{table} is no list of rows with {', '.join(_FIELDS)}; export it with orient='records'")
    return rows
