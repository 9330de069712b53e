"""Tables for spreadsheets, pandas and R: a line a joint, and a line a person with joint angles; CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core.angles import ANGLES, joint_angles
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.io.exports.clip import Clip
from anchorpose.io.files import atomic_path, atomic_write

Table = dict[str, NDArray[Any]]
"""Columns of the same length; NaN where nothing is known."""
_STATES = np.array([state.name.lower() for state in JointState])
_UNITS = {"time": "s", "x_px": "px", "y_px": "px"} | {f"{axis}{of}_m": "m" for axis in "xyz" for of in ("", "_rel")}
_DECIMALS = {"s": 6, "px": 3, "m": 5, "deg": 3, "": 5}


def joint_table(clip: Clip) -> Table:
    """A line for each frame, person and joint, in this order; people only in the frames in which they are present.

    Columns: `frame` (number in the video), `time` (s), `id`, `joint`, `x_px`, `y_px`, `x_m`, `y_m`, `z_m` (camera
    frame: x right, y down, z forward), `x_rel_m`, `y_rel_m`, `z_rel_m` (relative to the body centre), `state`
    (visible, hidden, outside, missing), `score` (probability that the joint is visible).
    """
    rows, who = _present(clip)
    j = len(clip.skeleton)
    space = _take([p.joints3d + p.translation[:, None] for p in clip.people], rows, who, (j, 3))
    flat = _take([p.joints2d for p in clip.people], rows, who, (j, 2))
    relative = _take([p.joints3d for p in clip.people], rows, who, (j, 3))
    states = _take([p.states for p in clip.people], rows, who, (j,)).astype(np.int64)
    ids = np.array([p.id for p in clip.people], np.int64)
    return {
        "frame": np.repeat(clip.indices[rows], j), "time": np.repeat(clip.times[rows], j),
        "id": np.repeat(ids[who], j), "joint": np.tile(np.array(clip.skeleton.joints), len(rows)),
        **{f"{axis}_px": flat[..., i].ravel() for i, axis in enumerate("xy")},
        **{f"{axis}_m": space[..., i].ravel() for i, axis in enumerate("xyz")},
        **{f"{axis}_rel_m": relative[..., i].ravel() for i, axis in enumerate("xyz")},
        "state": _STATES[states].ravel(), "score": _take([p.scores for p in clip.people], rows, who, (j,)).ravel(),
    }  # fmt: skip


def angle_table(clip: Clip, up: ArrayLike = (0.0, -1.0, 0.0)) -> Table:
    """A line for each frame and person: `frame`, `time` (s), `id`, and degrees in the columns of `core.angles.ANGLES`.

    Args:
        clip: the people.
        up: (3,) against gravity in the camera frame; the default takes the camera for level.

    Raises:
        InputError: the skeleton lacks a joint that the angles need.
    """
    rows, who = _present(clip)
    joints = _take([p.joints3d for p in clip.people], rows, who, (len(clip.skeleton), 3))
    ids = np.array([p.id for p in clip.people], np.int64)
    try:
        angles = joint_angles(joints, clip.skeleton, up)
    except KeyError as error:
        raise InputError(f"found no angles ({error.args[0]}), wanted limbs and trunk; export other tables") from None
    return {"frame": clip.indices[rows], "time": clip.times[rows], "id": ids[who], **{n: angles[n] for n in ANGLES}}


def _present(clip: Clip) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Frame and person of each line."""
    there = np.stack([p.present for p in clip.people], axis=1) if clip.people else np.zeros((len(clip), 0), bool)
    rows, who = np.nonzero(there)
    return rows, who


def _take(
    arrays: list[NDArray[Any]], rows: NDArray[np.intp], who: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[Any]:
    taken = np.zeros((len(rows), *shape))
    for i, values in enumerate(arrays):
        taken[who == i] = values[rows[who == i]]
    return taken


def write_csv(path: Path, table: Table) -> None:
    """Comma-separated UTF-8 with a header; decimals as precise as they mean something, empty where not known.

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(_words(name, values) for name, values in table.items()), strict=True))
    atomic_write(path, text.getvalue())


def _words(name: str, values: NDArray[Any]) -> list[str]:
    if values.dtype.kind != "f":
        return [str(v) for v in values.tolist()]
    decimals = _DECIMALS[_unit(name)]
    return ["" if v != v else f"{v:.{decimals}f}" for v in values.tolist()]


def _unit(name: str) -> str:
    return "deg" if name in ANGLES else _UNITS.get(name, "")


def write_parquet(path: Path, table: Table) -> None:
    """Apache Parquet with float32 columns (time float64), null where nothing is known, and each column's unit.

    Raises:
        InputError: pyarrow is not installed, or the file cannot be written.
    """
    try:
        import pyarrow  # the [tables] extra
        from pyarrow import parquet
    except ImportError:
        advice = "install it: pip install 'anchorpose[tables]'"
        raise InputError(f"found no pyarrow, which writes {path}; {advice}") from None
    columns, fields = [], []
    for name, values in table.items():
        real = values.dtype.kind == "f"
        column = pyarrow.array(values.astype(np.float32) if real and name != "time" else values, from_pandas=True)
        columns.append(column.dictionary_encode() if values.dtype.kind == "U" else column)
        fields.append(pyarrow.field(name, columns[-1].type, metadata={"unit": _unit(name)}))
    about = {"anchorpose": json.dumps({"schema": "anchorpose/table/1"})}
    whole = pyarrow.Table.from_arrays(columns, schema=pyarrow.schema(fields, metadata=about))
    with atomic_path(path) as temporary:
        parquet.write_table(whole, temporary)
