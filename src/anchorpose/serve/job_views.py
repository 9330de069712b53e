"""Jobs as clients ask for them and see them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from anchorpose.io.exports.export import Format
from anchorpose.motion.smoothing import FilterName
from anchorpose.serve.jobs import Job, JobStore, State
from anchorpose.serve.pictures import DetectOptions


class TrackOptions(BaseModel):
    """What a client may choose of `anchorpose track`."""

    stride: int = Field(1, ge=1, le=1000, description="take every so many frames")
    start: float = Field(0.0, ge=0, lt=1e6, description="begin here, seconds")
    end: float | None = Field(None, gt=0, lt=1e6, description="end before this time, seconds")
    overlay: bool = Field(True, description="write the video with the people drawn in")
    audio: bool = Field(False, description="copy the sound into it")
    panel: bool = Field(False, description="draw the people in 3D beside the picture")
    filter: FilterName = Field("savgol", description="how tracks are smoothed over time")
    export: list[Format] = Field([], description="files to write into exports/", max_length=16)
    html: bool = Field(False, description="write view.html, which plays the people in 3D")


class FileView(BaseModel):
    """One result file."""

    name: str
    bytes: int
    url: str


class VideoView(BaseModel):
    """What the video tells of itself."""

    width: int
    height: int
    fps: float | None
    frames: int | None
    seconds: float | None


class Progress(BaseModel):
    """How far a job is. `of` and `share` are null where the video does not tell its length."""

    frames: int
    of: int | None
    share: float | None


class JobView(BaseModel):
    """A job, as clients see it. Times are seconds since 1970."""

    id: str
    state: State
    name: str
    created: float
    started: float | None
    ended: float | None
    progress: Progress
    video: VideoView
    options: dict[str, Any]
    error: str | None
    files: list[FileView]


class JobList(BaseModel):
    """Oldest first."""

    jobs: list[JobView]


def view(store: JobStore, job: Job) -> JobView:
    """A job, as clients see it."""
    done = store.frames_done(job.id)
    share = 1.0 if job.state == "done" else None if not job.frames else min(done / job.frames, 1.0)
    files = [FileView(name=name, bytes=path.stat().st_size, url=f"/v1/jobs/{job.id}/files/{name}")
             for name, path in store.files(job.id).items()]  # fmt: skip
    return JobView(id=job.id, state=job.state, name=job.name, created=job.created, started=job.started, ended=job.ended,
                   progress=Progress(frames=done, of=job.frames, share=share), video=VideoView(**job.video),
                   options=job.options, error=job.error, files=files)  # fmt: skip


def arguments(options: TrackOptions, chosen: DetectOptions, end: float) -> list[str]:
    """Of `anchorpose track`."""
    given = ["--stride", str(options.stride), "--start", str(options.start), "--end", str(end),
             "--filter", options.filter]  # fmt: skip
    numbers: dict[Literal["fov", "min-score", "max-side"], float | None] = {
        "fov": chosen.fov, "min-score": chosen.min_score, "max-side": chosen.max_side}  # fmt: skip
    for name, value in numbers.items():
        given += [] if value is None else [f"--{name}", str(value)]
    flags = {"--no-overlay": not options.overlay, "--audio": options.audio, "--panel": options.panel,
             "--html": options.html}  # fmt: skip
    given += [flag for flag, on in flags.items() if on]
    return given + (["--export", ",".join(options.export)] if options.export else [])
