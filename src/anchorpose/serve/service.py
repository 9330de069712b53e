"""Everything that requests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from anchorpose.serve.guard import Access
from anchorpose.serve.jobs import JobStore
from anchorpose.serve.limits import Limits
from anchorpose.serve.metrics import Metrics
from anchorpose.serve.pictures import Estimate
from anchorpose.serve.pool import Places, WorkerPool
from anchorpose.serve.runner import JobRunner


@dataclass(frozen=True)
class Setup:
    """What a service is made of.

    Args:
        estimate: the network. workers: how many pictures are estimated at once.
        jobs: folder of the jobs. job_workers: how many run at once.
        track_arguments: of every `anchorpose track`, such as ('--model', ...).
        access: who may come in. limits: what they may ask for.
        info: what /v1/info tells of the network. version: of the package.
    """

    estimate: Estimate
    workers: int
    jobs: Path
    job_workers: int = 1
    track_arguments: tuple[str, ...] = ()
    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    info: dict[str, str | int | float] = field(default_factory=dict)
    version: str = "0"


class Service:
    """A running service; made inside its event loop.

    Raises:
        InputError: a limit is out of range, or the folder of the jobs cannot be used.
    """

    def __init__(self, setup: Setup) -> None:
        setup.limits.check()
        self.setup, self.limits, self.estimate = setup, setup.limits, setup.estimate
        self.metrics = Metrics()
        self.pool = WorkerPool(setup.workers)
        self.places = Places(self.limits.queue, "busy", "pictures", self._wait)
        self.stream_places = Places(self.limits.streams, "too_many_streams", "streams", lambda: 30.0)
        self.uploads = Places(self.limits.jobs, "too_many_jobs", "uploads of videos", lambda: 30.0)
        self.store = JobStore(setup.jobs)
        self.runner = JobRunner(self.store, self.limits, self.metrics, setup.job_workers)
        self._watch()

    async def close(self) -> None:
        """Finishes what is under way; jobs are left to the next service."""
        await self.runner.stop()
        self.pool.close()
        self.store.close()

    def _wait(self) -> float:
        """Seconds until the pictures that are under way are done."""
        return self.places.taken * self.pool.seconds / self.pool.workers

    def _watch(self) -> None:
        watch = self.metrics.watch
        watch("pictures_under_way", "Pictures from the first byte to the answer", lambda: self.places.taken)
        watch("pictures_waiting", "Pictures that wait for a worker", lambda: self.pool.waiting)
        watch("pictures_running", "Pictures that are estimated", lambda: self.pool.running)
        watch("streams", "Open streams", lambda: self.stream_places.taken)
        self.metrics.watch_states("jobs", "Jobs on the disk", self.store.counts)


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request or stream belongs to."""
    service: Service = connection.app.state.service
    return service


def client_of(connection: HTTPConnection) -> str:
    """Whose turn it is: the address that the request comes from."""
    return connection.client.host if connection.client else ""
