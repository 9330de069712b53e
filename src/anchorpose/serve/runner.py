"""Runs jobs, each in a process of its own (`anchorpose track ... --resume`), so that neither can end the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anchorpose.serve.jobs import LOCK, LOG, OUT, Job, JobStore, lock
from anchorpose.serve.limits import Limits
from anchorpose.serve.metrics import Metrics

_OK, _BAD_INPUT = 0, 2
_MOST_ATTEMPTS = 3
_TICK = 0.2
_NICE = 5
"""Pictures, for which somebody waits, go before videos."""
_PATIENCE = 10.0
"""Seconds for a process that was asked to end."""
_CLEANING = 60.0
_log = logging.getLogger("anchorpose.serve")


@dataclass
class _Running:
    process: asyncio.subprocess.Process
    cancelled: bool = False


class JobRunner:
    """Takes queued jobs in order, oldest first.

    Args:
        store: of the jobs. limits: of time. metrics: counts ends. workers: how many run at once.
    """

    def __init__(self, store: JobStore, limits: Limits, metrics: Metrics, workers: int) -> None:
        self._store, self._limits, self._metrics, self._workers = store, limits, metrics, workers
        self._running: dict[str, _Running | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Goes on with what an earlier server left."""
        for job in self._store:
            if job.state == "running":
                _end_orphan(job, self._store.path(job.id))
                self._store.change(job.id, state="queued", pid=None)
        self._main = asyncio.ensure_future(self._loop())

    def notice(self) -> None:
        """There is a new job."""
        self._wake.set()

    def cancel(self, job: Job) -> Job:
        """Ends a job; what it has found so far stays."""
        if job.is_over:
            return job
        running = self._running.get(job.id)
        if running is not None:
            running.cancelled = True
            _signal(running.process, signal.SIGKILL)
        return self._end(job.id, "cancelled", None)

    async def wait_for(self, number: str) -> None:
        """Until no process works in the job's folder."""
        while number in self._running:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Asks what runs to end with whole files; the next server goes on from there."""
        self._stopping = True
        if self._main is not None:
            self._main.cancel()
        for running in self._running.values():
            if running is not None:
                _signal(running.process, signal.SIGINT)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        for running in self._running.values():
            if running is not None:
                _signal(running.process, signal.SIGKILL)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)

    async def _loop(self) -> None:
        cleaned = 0.0
        while True:
            self._wake.clear()
            for job in self._store:
                if len(self._running) >= self._workers:
                    break
                if job.state == "queued" and job.id not in self._running:
                    self._running[job.id] = None
                    task = asyncio.ensure_future(self._run(job))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            if time.monotonic() - cleaned > _CLEANING:
                cleaned = time.monotonic()
                self._store.remove_old(3600 * self._limits.keep_hours)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLEANING):
                    await self._wake.wait()

    async def _run(self, job: Job) -> None:
        descriptor = await self._own(job)
        try:
            if descriptor is not None:
                await self._attempt(job, descriptor)
        except Exception as error:
            _log.exception("job %s cannot be run", job.id)
            self._end(job.id, "failed", f"its process cannot be run: {error}")
        finally:
            if descriptor is not None:
                os.close(descriptor)
            self._running.pop(job.id, None)
            self._wake.set()

    async def _own(self, job: Job) -> int | None:
        """The lock of the job's folder, which the process of a server that was killed may hold for a while yet."""
        while not self._stopping:
            descriptor = lock(self._store.path(job.id) / LOCK)
            if descriptor is not None:
                return descriptor
            await asyncio.sleep(_TICK)
        return None

    async def _attempt(self, job: Job, descriptor: int) -> None:
        if self._is_over(job.id) or self._stopping:
            return
        folder = self._store.path(job.id)
        with open(folder / LOG, "ab") as log:
            process = await asyncio.create_subprocess_exec(
                *track_command(job), cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(descriptor,), start_new_session=True,
            )  # fmt: skip
        running = _Running(process)
        self._running[job.id] = running
        if self._is_over(job.id):  # cancelled while it started
            running.cancelled = True
            _signal(process, signal.SIGKILL)
        else:
            self._store.change(job.id, state="running", pid=process.pid, attempts=job.attempts + 1,
                               started=job.started or time.time())  # fmt: skip
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        late = False
        try:
            async with asyncio.timeout(3600 * self._limits.job_hours):
                await process.wait()
        except TimeoutError:
            late = True
            _signal(process, signal.SIGKILL)
            await process.wait()
        self._judge(job.id, running, late)

    def _judge(self, number: str, running: _Running, late: bool) -> None:
        """What the end of the process means for the job."""
        code = running.process.returncode
        if running.cancelled or self._is_over(number):
            return
        attempts = self._store.change(number, pid=None).attempts
        if late:
            self._end(number, "failed", f"it took more than {self._limits.job_hours:g} hours; send a shorter part")
        elif code == _OK:
            self._end(number, "done", None)
        elif self._stopping:  # before its first frame this, too, is bad input
            self._store.change(number, state="queued", attempts=attempts - 1)
        elif code == _BAD_INPUT:
            self._end(number, "failed", last_error(self._store.path(number) / LOG))
        elif attempts >= _MOST_ATTEMPTS:
            self._end(number, "failed", f"its process ended with code {code}, {attempts} times; see the server's log")
            _log.error("job %s: %s", number, last_error(self._store.path(number) / LOG))
        else:
            self._store.change(number, state="queued")

    def _end(self, number: str, state: str, error: str | None) -> Job:
        self._metrics.jobs_ended.labels(state).inc()
        return self._store.change(number, state=state, error=error, ended=time.time(), pid=None)

    def _is_over(self, number: str) -> bool:
        job = self._store.get(number)
        return job is None or job.is_over


def track_command(job: Job) -> Sequence[str]:
    """The process of a job, to be started in its folder: names in the results are then no paths of this machine."""
    return (sys.executable, "-m", "anchorpose", "track", job.input, "--out", OUT, "--resume", *job.arguments)


def last_error(log: Path) -> str:
    """The last line that a process wrote, without the program's name."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].removeprefix("anchorpose: error: ")[:500] if lines else "its process ended without a word"


def _end_orphan(job: Job, folder: Path) -> None:
    """Ends the process of a server that was killed; while the lock is held, the number is still that process's."""
    descriptor = lock(folder / LOCK)
    if descriptor is not None:
        os.close(descriptor)
    elif job.pid is not None:
        with contextlib.suppress(OSError):
            os.kill(job.pid, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
