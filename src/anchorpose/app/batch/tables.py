"""The Parquet files of one shard: joints, inputs, failed (docs/scale.md has the columns)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from anchorpose.app.batch.shards import Input
from anchorpose.app.batch.storage import Folder
from anchorpose.core.camera import Camera
from anchorpose.core.skeleton import LCR13
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.tables import Table, joint_table, write_parquet

JOINTS, INPUTS, FAILED = "joints", "inputs", "failed"
SCHEMA = "anchorpose/batch/1"
_ABOUT = {"anchorpose": json.dumps({"schema": SCHEMA})}
_BLOCK = 50_000
"""Rows that wait in memory, and in a row group."""


def _column(name: str, kind: pa.DataType, unit: str = "") -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"unit": unit})


_INPUT_COLUMNS = pa.schema(
    [_column("input", pa.string()), _column("kind", pa.string()), _column("bytes", pa.int64(), "B"),
     _column("width", pa.int32(), "px"), _column("height", pa.int32(), "px"), _column("frames", pa.int64()),
     _column("people", pa.int64())], metadata=_ABOUT,
)  # fmt: skip
_FAILED_COLUMNS = pa.schema(
    [_column("input", pa.string()), _column("kind", pa.string()), _column("bytes", pa.int64(), "B"),
     _column("reason", pa.string()), _column("attempts", pa.int64())], metadata=_ABOUT,
)  # fmt: skip


class ShardTables:
    """Gathers the results of one shard in local files, a bounded number of rows in memory.

    Args:
        scratch: an empty local folder.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._done: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.people = 0
        self._waiting: list[Table] = []
        self._names: list[str] = []
        self._writer: parquet.ParquetWriter | None = None

    def add(self, name: str, clip: Clip) -> None:
        """The people of some frames of an input; a photograph is a clip of one frame without a time.

        Args:
            name: of the input.
            clip: its people.
        """
        rows = joint_table(clip)
        there = np.stack([p.present for p in clip.people], axis=1) if clip.people else np.zeros((len(clip), 0), bool)
        score = np.stack([p.confidence for p in clip.people], axis=1)[there] if clip.people else np.zeros(0)
        rows["person_score"] = np.repeat(score.astype(np.float64), len(clip.skeleton))
        self._waiting.append(rows)
        self._names.append(name)
        if sum(len(t["frame"]) for t in self._waiting) >= _BLOCK:
            self._flush()

    def done(self, source: Input, size: tuple[int, int], frames: int, people: int) -> None:
        """An input that has its results; `size` is width and height in pixels."""
        self._done.append({"input": source.name, "kind": _kind(source), "bytes": source.bytes, "width": size[0],
                           "height": size[1], "frames": frames, "people": people})  # fmt: skip
        self.people += people

    def fail(self, source: Input, reason: str, attempts: int) -> None:
        """An input that has none, and why, in one line."""
        self.failed.append({"input": source.name, "kind": _kind(source), "bytes": source.bytes,
                            "reason": _unicode(" ".join(reason.split())), "attempts": attempts})  # fmt: skip

    def drop_joints(self) -> None:
        """Forgets all rows: those of a video that failed on the way, which is alone in its shard."""
        self._waiting, self._names = [], []
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def commit(self, output: Folder, key: str) -> None:
        """Writes the files of the shard. The table of inputs comes last: where it is, the shard is done.

        Raises:
            InputError: the output cannot be written.
        """
        nobody = Clip(LCR13, Camera.from_fov(1, 1), 1.0, np.zeros(1), np.zeros(1, np.int64), ())
        if self._writer is None and not self._waiting:
            self.add("", nobody)  # a file without rows still tells the columns
        self._flush()
        assert self._writer is not None
        self._writer.close()
        output.write(f"{JOINTS}/{key}.parquet", self._scratch / "joints.parquet")
        if self.failed:
            output.write(f"{FAILED}/{key}.parquet", self._rows(self.failed, _FAILED_COLUMNS))
        else:
            output.remove(f"{FAILED}/{key}.parquet")
        output.write(f"{INPUTS}/{key}.parquet", self._rows(self._done, _INPUT_COLUMNS))

    def _rows(self, rows: list[dict[str, Any]], columns: pa.Schema) -> Path:
        path = self._scratch / "rows.parquet"
        parquet.write_table(pa.Table.from_pylist(rows, schema=columns), path)
        return path

    def _flush(self) -> None:
        """Types and units of the columns are those of `anchorpose track --export parquet`, whose writer is used."""
        if not self._waiting:
            return
        tables, names = self._waiting, self._names
        self._waiting, self._names = [], []
        numbers = np.repeat(np.arange(len(tables), dtype=np.int32), [len(t["frame"]) for t in tables])
        part = self._scratch / "part.parquet"
        write_parquet(part, {name: np.concatenate([t[name] for t in tables]) for name in tables[0]})
        rows = parquet.read_table(part)
        inputs = pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(names, pa.string()))
        rows = rows.add_column(0, pa.field("input", inputs.type, metadata={"unit": ""}), inputs)
        rows = rows.replace_schema_metadata(_ABOUT)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._scratch / "joints.parquet", rows.schema, compression="zstd")
        self._writer.write_table(rows)


def _kind(source: Input) -> str:
    return "video" if source.video else "image"


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
