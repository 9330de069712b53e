"""A whole job without Ray's part: its settings, what is left to do, and that nothing is missing at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pyarrow import parquet

from anchorpose.app.batch.attempts import STARTED
from anchorpose.app.batch.shards import Shard, cut, find_inputs
from anchorpose.app.batch.storage import Folder
from anchorpose.app.batch.tables import FAILED, INPUTS, JOINTS, SCHEMA
from anchorpose.app.batch.worker import Work
from anchorpose.core.errors import InputError

SETTINGS = "settings.json"
PLAN = "_plan.json"


@dataclass(frozen=True)
class Settled:
    """A job at its end: inputs and how many of them failed, shards."""

    inputs: int
    failed: int
    shards: int


def settle_settings(output: Folder, settings: dict[str, Any]) -> None:
    """Notes what a job is made with, or checks that an earlier run into the same output was made with the same.

    Raises:
        InputError: other settings, a settings.json that is none, or an output that cannot be written.
    """
    told = {"schema": SCHEMA, **settings}
    before = output.read(SETTINGS)
    if before is None:
        output.write(SETTINGS, json.dumps(told, indent=2).encode())
        return
    try:
        found = dict(json.loads(before))
    except (ValueError, TypeError):
        raise InputError(f"{output.address}/{SETTINGS} is not that of a batch job; choose another output") from None
    if differing := sorted(k for k in found.keys() | told if found.get(k) != told.get(k)):
        name = differing[0]
        raise InputError(f"cannot go on in {output.address}: it was made with {name} {found.get(name)!r}, now it is "
                         f"{told.get(name)!r}; use the same options, or choose another output")  # fmt: skip


def pending(work: Work, size: int) -> Iterator[Shard]:
    """The shards that are not done yet. At its end the keys of all shards are in the output.

    Raises:
        InputError: a folder cannot be listed, or there is nothing to do in any.
    """
    work.output.remove(PLAN)  # that of an earlier run
    done = finished(work.output, work.retry)
    keys, inputs = [], 0
    for shard in cut(find_inputs(work.source), size):
        keys.append(shard.key)
        inputs += len(shard.inputs)
        if shard.key not in done:
            yield shard
    if not keys:
        raise InputError(f"{work.source.address} holds no photographs or videos; check the folder")
    work.output.write(PLAN, json.dumps({"inputs": inputs, "keys": keys}).encode())


def finished(output: Folder, retry: bool = False) -> set[str]:
    """Keys of the shards that are done, without those that have failed inputs if these are tried again."""
    done = _keys(output, INPUTS)
    return done - _keys(output, FAILED) if retry else done


def missing(output: Folder) -> int | None:
    """How many shards are not done; None if `pending` has not come to its end."""
    plan = output.read(PLAN)
    return None if plan is None else len(set(json.loads(plan)["keys"]) - _keys(output, INPUTS))


def settle(output: Folder) -> Settled:
    """Called at the end: removes what is not of this job's inputs any more, and checks that each has its result.

    Inputs that have changed or gone leave their shard behind, killed workers leave temporary files.

    Raises:
        InputError: a shard is missing, or what there is to do was never listed to its end.
    """
    told = output.read(PLAN)
    if told is None:
        raise InputError("the inputs were not listed to their end; run the same command again to go on")
    plan = json.loads(told)
    keys = set(plan["keys"])
    for folder in (INPUTS, JOINTS, FAILED, STARTED):  # a shard without its inputs is not done
        for name in output.names(folder):
            if name.startswith(".") or PurePosixPath(name).stem not in keys or folder == STARTED:
                output.remove(f"{folder}/{name}")
    if missing := keys - _keys(output, INPUTS):
        raise InputError(f"{len(missing)} of {len(keys)} shards are not done; run the same command again to go on")
    failed = sum(_rows(output, f"{FAILED}/{key}.parquet") for key in _keys(output, FAILED))
    return Settled(plan["inputs"], failed, len(keys))


def _keys(output: Folder, folder: str) -> set[str]:
    return {PurePosixPath(n).stem for n in output.names(folder) if n.endswith(".parquet") and not n.startswith(".")}


def _rows(output: Folder, name: str) -> int:
    with output.open(name) as file:
        return int(parquet.ParquetFile(file).metadata.num_rows)
