"""Jobs as folders: what was asked for and how far it is in job.json, the video beside it, the results in out/.

A job is accepted when its job.json is there; it is written whole or not at all, so that a server that is killed at any
moment finds each accepted job again. A folder without one is an upload that was cut off.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from anchorpose.core.errors import InputError
from anchorpose.io.files import read_json, write_json

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
SCHEMA = "anchorpose/job/1"
OUT = "out"
LOG = "log.txt"
LOCK = ".lock"
RESULTS = "results.jsonl"
"""As `anchorpose track` names it."""
_FORM = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class Job:
    """One video to be tracked.

    Args:
        id: name of its folder. state: how far it is. name: that the client gave to the file.
        input: name of the file in the folder. video: as `probe` found it.
        arguments: of `anchorpose track`, besides source, --out and --resume. options: what the client asked for.
        frames: to be done, None where the video does not tell.
        created, started, ended: seconds since 1970. attempts: how often its process was started.
        pid: of its process while it runs. error: one line.
    """

    id: str
    name: str
    input: str
    arguments: tuple[str, ...]
    options: dict[str, Any]
    video: dict[str, Any]
    frames: int | None
    created: float
    state: State = "queued"
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    pid: int | None = None
    error: str | None = None

    @property
    def is_over(self) -> bool:
        """Nothing will change any more."""
        return self.state in ENDED


@dataclass
class _Counted:
    """Lines of a file up to a position."""

    lines: int = 0
    end: int = 0


@dataclass
class JobStore:
    """All jobs of a folder, one server at a time. Only the event loop's thread may change them.

    Args:
        folder: is made where it is missing.

    Raises:
        InputError: the folder cannot be used, or another server uses it.
    """

    folder: Path
    _jobs: dict[str, Job] = field(default_factory=dict)
    _counted: dict[str, _Counted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(f"cannot make the folder {self.folder}: {error.strerror}; choose another --jobs") from None
        self._lock = lock(self.folder / LOCK)
        if self._lock is None:
            raise InputError(f"another server uses {self.folder}; stop it, or choose another --jobs")
        try:
            self._read_all()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets another server have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read_all(self) -> None:
        for path in sorted(p for p in self.folder.iterdir() if _FORM.fullmatch(p.name)):
            job = _read(path)
            if job is None:
                shutil.rmtree(path, ignore_errors=True)
            else:
                self._jobs[job.id] = job

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        """Oldest first."""
        return iter(sorted(self._jobs.values(), key=lambda job: (job.created, job.id)))

    def get(self, number: str) -> Job | None:
        """The job, or None."""
        return self._jobs.get(number)

    def path(self, number: str) -> Path:
        """Its folder."""
        return self.folder / number

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        counts: dict[str, int] = dict.fromkeys(STATES, 0)
        for job in self._jobs.values():
            counts[job.state] += 1
        return counts

    def begin(self) -> str:
        """The name of a new, empty folder for an upload; it is no job yet."""
        number = secrets.token_hex(12)
        self.path(number).mkdir(mode=0o700)
        (self.path(number) / OUT).mkdir()
        return number

    def put(self, job: Job) -> Job:
        """Writes a job, new or changed."""
        write_json(self.path(job.id) / "job.json", {"schema": SCHEMA, **asdict(job)})
        self._jobs[job.id] = job
        return job

    def change(self, number: str, **changes: Any) -> Job:
        """Writes a job with some fields changed."""
        return self.put(replace(self._jobs[number], **changes))

    def remove(self, number: str) -> None:
        """Its folder and all that is in it; an upload, too."""
        self._jobs.pop(number, None)
        self._counted.pop(number, None)
        # job.json first: what is left of a folder after a kill is then no job
        (self.path(number) / "job.json").unlink(missing_ok=True)
        shutil.rmtree(self.path(number), ignore_errors=True)

    def remove_old(self, seconds: float) -> int:
        """Removes jobs that ended so long ago; how many."""
        old = [job.id for job in self if job.is_over and time.time() - (job.ended or job.created) > seconds]
        for number in old:
            self.remove(number)
        return len(old)

    def frames_done(self, number: str) -> int:
        """Whole frames in its results; only what came since the last time is read."""
        counted = self._counted.setdefault(number, _Counted())
        try:
            with open(self.path(number) / OUT / RESULTS, "rb") as file:
                if os.fstat(file.fileno()).st_size < counted.end:
                    counted.lines = counted.end = 0  # begun anew
                file.seek(counted.end)
                while chunk := file.read(1 << 20):
                    counted.lines += chunk.count(b"\n")
                    counted.end += len(chunk)
        except OSError:
            return 0
        return max(counted.lines - 1, 0)  # the first line is the header

    def files(self, number: str) -> dict[str, Path]:
        """Its result files by their path inside out/; hidden ones are being written."""
        out = self.path(number) / OUT
        found = sorted(p for p in out.rglob("*") if p.is_file() and not p.is_symlink())
        return {path.relative_to(out).as_posix(): path for path in found if not path.name.startswith(".")}


def lock(path: Path) -> int | None:
    """A descriptor that holds the file's lock as long as it is open here or in a child; None where it is taken.

    Raises:
        InputError: the file cannot be written, or the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        raise InputError("found no file locks, which the service needs; run it on Linux or macOS") from None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another --jobs") from None
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    os.close(descriptor)
    return None


def _read(folder: Path) -> Job | None:
    """The job of a folder; None where none was accepted."""
    path = folder / "job.json"
    if not path.exists():
        return None
    data = read_json(path, f"remove {folder}, or repair it")
    try:
        if data.pop("schema") != SCHEMA or data["id"] != folder.name or data["state"] not in STATES:
            raise ValueError
        return Job(**data | {"arguments": tuple(data["arguments"])})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path} is no job of this version; remove {folder}") from None
