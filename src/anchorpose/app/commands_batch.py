"""`anchorpose batch`: folders and buckets of photographs and videos in, Parquet out; one machine or a cluster."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from anchorpose.app.commands_common import BAD_INPUT, OK, EstimatorOptions, needing
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.app.batch.fleet import Network
    from anchorpose.app.batch.job import Settled
    from anchorpose.app.batch.worker import Report, Work

_PACKAGES = ("ray", "fsspec", "pyarrow", "pandas")
_SHOWN = 10
"""Failures told on stderr; the table has them all."""


@dataclass(frozen=True)
class Batch:
    """Finds the people in folders or buckets of photographs and videos; needs the [batch] extra.

    For example `anchorpose batch photos/ results/`, or `anchorpose batch s3://bucket/photos s3://bucket/results
    --address auto` on a Ray cluster. Run again, the same command goes on where it was stopped.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="INPUT")]
    """Folder or address, such as s3://bucket/photos; all photographs and videos in it and below."""
    output: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
    """Folder or address for the tables joints/, inputs/ and failed/."""
    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT|auto", help_behavior_hint="")] = None
    """Ray cluster to run on; without it this machine's cores are used."""
    track: tyro.conf.FlagCreatePairsOff[bool] = False
    """Follow people through each video, as `anchorpose track` does, instead of finding them frame by frame."""
    stride: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Take every so many frames of a video."""
    shard_size: Annotated[int, tyro.conf.arg(metavar="N")] = 32
    """Photographs in one shard, about; a video is a shard of its own."""
    actors: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Processes that hold the model, at most; one a core or GPU of the cluster unless given."""
    gpu: tyro.conf.FlagCreatePairsOff[bool] = False
    """Each of them takes a GPU; needs onnxruntime-gpu there."""
    retry_failed: tyro.conf.FlagCreatePairsOff[bool] = False
    """Do the shards with failed inputs again."""
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)

    def run(self) -> int:
        """Exit code: 2 if an input failed; the others are still done."""
        with needing("batch", "batch", _PACKAGES):
            from anchorpose.app.batch import fleet, job
            from anchorpose.app.batch.storage import Folder
            from anchorpose.app.batch.worker import Work
        self._check()
        work = Work(Folder(self.source), Folder(self.output), self.track, self.stride, self.retry_failed)
        self._check_folders(work)
        network = self._network()
        job.settle_settings(work.output, self._settings(work, network))
        # Ray tells on the standard output of machines that it loses
        with redirect_stdout(sys.stderr), fleet.connected(self.address):
            total, failures = _follow(fleet.run_job(work, network, self.shard_size, self.actors))
        settled = job.settle(work.output)
        _summarise(settled, total, work)
        return _tell_failures(settled, failures, work)

    def _check(self) -> None:
        for name, value in (("--stride", self.stride), ("--shard-size", self.shard_size), ("--actors", self.actors)):
            if value is not None and value < 1:
                raise InputError(f"found {name} {value}, wanted 1 or more")

    def _check_folders(self, work: Work) -> None:
        from anchorpose.app.batch.shards import find_inputs

        for folder in (work.source, work.output):
            if folder.address.startswith("memory://"):
                raise InputError(f"{folder.address} is in the memory of this process, where no worker can see it; "
                                 "give a folder or a bucket")  # fmt: skip
        work.source.check()
        if next(find_inputs(work.source), None) is None:
            raise InputError(f"{self.source} holds no photographs or videos; check the folder")
        if work.source.address.rstrip("/") == work.output.address.rstrip("/"):
            raise InputError(f"found {self.source} as input and output, wanted two folders")

    def _network(self) -> Network:
        """The model, tried here first, so that an error is told at once and not by every actor."""
        from anchorpose.app.batch.fleet import Network
        from anchorpose.app.estimator import find_model

        options = self.estimator
        options.load()
        return Network(Path(find_model(options.model)).read_bytes(), options.max_side, options.min_score, options.fov,
                       options.threads or 1, self.gpu, options.provider)  # fmt: skip

    def _settings(self, work: Work, network: Network) -> dict[str, Any]:
        """What two runs must have in common to be one job."""
        return {"input": work.source.address, "model": hashlib.sha256(network.onnx).hexdigest(),
                "max_side": network.max_side, "min_score": network.min_score, "fov": network.fov, "track": self.track,
                "stride": self.stride, "shard_size": self.shard_size}  # fmt: skip


def _follow(reports: Iterable[Report]) -> tuple[int, list[str]]:
    """Inputs done and failed now, and the first failures, with a bar on stderr where someone is watching."""
    from tqdm import tqdm

    total, failures = 0, list[str]()
    with tqdm(desc="batch", unit="input", file=sys.stderr, dynamic_ncols=True,
              disable=not sys.stderr.isatty()) as bar:  # fmt: skip
        for report in reports:
            failures += report.failures[: _SHOWN - len(failures)]
            total += report.done + report.failed
            bar.update(report.done + report.failed)
    return total, failures


def _summarise(settled: Settled, now: int, work: Work) -> None:
    before = f" ({settled.inputs - now} of them in an earlier run)" if now < settled.inputs else ""
    print(f"anchorpose: {settled.inputs} {'input' if settled.inputs == 1 else 'inputs'}{before} in {settled.shards} "
          f"{'shard' if settled.shards == 1 else 'shards'} -> {work.output.address}", file=sys.stderr)  # fmt: skip


def _tell_failures(settled: Settled, failures: list[str], work: Work) -> int:
    if not settled.failed:
        return OK
    print(f"anchorpose: error: {settled.failed} of {settled.inputs} inputs failed; their reasons are in "
          f"{work.output.address}/failed", file=sys.stderr)  # fmt: skip
    for line in failures:
        print(f"  {line}", file=sys.stderr)
    return BAD_INPUT
