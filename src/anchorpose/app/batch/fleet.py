"""The job on Ray Data: one task lists the inputs, a pool of actors, one a core or GPU, does the shards."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.data import ActorPoolStrategy, Dataset

from anchorpose.app.batch.job import missing, pending
from anchorpose.app.batch.shards import Shard
from anchorpose.app.batch.worker import Report, ShardWorker, Work
from anchorpose.app.estimator import load
from anchorpose.core.errors import InputError

_ONE_SHARD = 1
"""Bytes a block may have, so that each shard is a block of its own and goes to the next actor that is free."""
_AHEAD = 2
"""Shards that are with an actor: the one at work and the next."""
_OBJECT_STORE = 256 << 20
"""Bytes of Ray's object store on one machine; only names of inputs and counts pass through it."""


@dataclass(frozen=True)
class Network:
    """How each actor makes its estimator.

    Args:
        onnx: the model file's content, so that it need not lie on every machine.
        max_side, min_score, fov: as in `anchorpose.load`. threads: of an actor, and cores that it takes.
        gpu: an actor takes a GPU. provider: as in `anchorpose.load`, where it takes none.
    """

    onnx: bytes
    max_side: int | None
    min_score: float | None
    fov: float | None
    threads: int = 1
    gpu: bool = False
    provider: str | None = None


class _Lister:
    """Rows with the shards to do; a generator, so that Ray asks for no more than the actors can take."""

    def __init__(self, work: Work, size: int) -> None:
        self._work, self._size = work, size

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, str]]:
        for shard in pending(self._work, self._size):
            yield {"shard": shard.to_json()}


class _Actor:
    """Holds the model and does shards; Ray starts it anew when it dies, and gives its shards to others."""

    def __init__(self, work: Work, network: Any) -> None:
        given: Network = ray.get(network)
        provider = "cuda" if given.gpu else given.provider
        with tempfile.TemporaryDirectory(prefix="anchorpose-") as scratch:
            model = Path(scratch) / "model.onnx"
            model.write_bytes(given.onnx)
            estimator = load(model, max_side=given.max_side, min_score=given.min_score, fov=given.fov,
                             threads=given.threads, providers=[provider] if provider else None)  # fmt: skip
        self._worker = ShardWorker(work, estimator)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        reports = [self._worker.run(Shard.from_json(str(text))) for text in rows["shard"]]
        return {"report": [[r.key, str(r.done), str(r.failed), str(r.people), *r.failures] for r in reports]}


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Joins the cluster at `address` ('auto' finds the one of this machine), or starts one on this machine.

    Raises:
        InputError: no cluster answers there, or none could be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    store = _OBJECT_STORE if address is None else None
    try:
        # include_dashboard is for a new cluster only; the environment must not make us join another one unasked
        ray.init(address or "local", include_dashboard=False if address is None else None, log_to_driver=False,
                 logging_level=logging.ERROR, object_store_memory=store)  # fmt: skip
    except Exception as error:  # Ray raises Exception itself where a machine is too busy to start it
        failed = "Ray does not start here" if address is None else f"no Ray cluster at {address}"
        advice = "try again" if address is None else "start one with `ray start --head`, or leave out --address"
        raise InputError(f"{failed}: {_first_line(error)}; {advice}") from error
    try:
        yield
    finally:
        ray.shutdown()  # here, where what it still has to say can be led past the standard output


def run_job(work: Work, network: Network, size: int, actors: int | None = None) -> Iterator[Report]:
    """What became of each shard, as they are done; while `connected`. Ends when none is left or none can be done.

    Args:
        work: what to do. network: with what. size: photographs a shard. actors: at most so many; None takes as many as
            the cluster has cores or GPUs now.

    Raises:
        InputError: a folder cannot be listed, the output cannot be written, or the cluster has too little left.
    """
    left: int | None = -1
    while left != 0:
        yield from _one_pass(work, network, size, actors)
        before, left = left, missing(work.output)
        if left == before:
            return
        work = replace(work, retry=False)


def _one_pass(work: Work, network: Network, size: int, actors: int | None) -> Iterator[Report]:
    """What is left to do. Ray Data may lose shards that waited with an actor whose machine went away: hence passes."""
    try:
        for row in _dataset(work, network, size, actors or _room(network)).iter_rows():
            key, done, failed, people, *failures = row["report"]
            yield Report(str(key), int(done), int(failed), int(people), tuple(map(str, failures)))
    except (ray.exceptions.RayError, InputError) as error:
        raise InputError(_reason(error)) from error


def _dataset(work: Work, network: Network, size: int, actors: int) -> Dataset:
    pool = ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors, max_tasks_in_flight_per_actor=_AHEAD)
    # the lister takes no core, because the actors may have them all
    shards = ray.data.from_items([{"all": 0}]).flat_map(_Lister(work, size).__call__, num_cpus=0)
    reports = shards.map_batches(
        _Actor, fn_constructor_args=(work, ray.put(network)), batch_size=1, compute=pool,
        num_cpus=network.threads, num_gpus=1 if network.gpu else 0,
    )  # fmt: skip
    reports.context.enable_progress_bars = False
    reports.context.print_on_execution_start = False
    reports.context.execution_no_progress_timeout_s = -1  # a long video may take hours
    reports.context.target_max_block_size = _ONE_SHARD
    reports.context.raise_original_map_exception = True
    return reports


def _room(network: Network) -> int:
    """Actors that the cluster has room for."""
    found = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cores = int(found.get("CPU", 0)) // network.threads
    room = min(cores, int(found.get("GPU", 0))) if network.gpu else cores
    if room < 1:
        raise InputError(f"found {found.get('CPU', 0):g} cores and {found.get('GPU', 0):g} GPUs in the cluster, wanted "
                         f"{network.threads} cores{' and a GPU' if network.gpu else ''} at least")  # fmt: skip
    return room


def _reason(error: BaseException) -> str:
    """The line that was meant for the user, wherever it is in Ray's error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, InputError):
            return str(seen).strip().splitlines()[-1].removeprefix("anchorpose.core.errors.InputError: ")
        seen = getattr(seen, "cause", None) or seen.__cause__
    return f"the job ended ({_first_line(error)}); run the same command again to go on"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
