"""`POST /v1/track` and the jobs it makes."""

from __future__ import annotations

import mimetypes
import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from anchorpose.serve.errors import ServiceError, responses
from anchorpose.serve.job_views import JobList, JobView, TrackOptions, arguments, view
from anchorpose.serve.jobs import Job
from anchorpose.serve.pictures import DetectOptions
from anchorpose.serve.receiving import probe_video, store_video
from anchorpose.serve.routes_detect import Fov, MaxSide, MinScore, checked
from anchorpose.serve.service import Service, service_of
from anchorpose.serve.uploads import Allowance, Upload, clean_name

router = APIRouter(prefix="/v1", tags=["videos"])
_VIDEO = {"type": "string", "format": "binary"}
_BODY = {"requestBody": {"required": True, "content": {
    "application/octet-stream": {"schema": _VIDEO}, "video/mp4": {"schema": _VIDEO},
    "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _VIDEO}}},
}}}  # fmt: skip
_UPLOAD_SECONDS = 3600.0
_SANDBOX = "sandbox allow-scripts; default-src 'none'; img-src data: blob:; media-src data: blob:; " \
           "style-src 'unsafe-inline'; script-src 'unsafe-inline' blob: data:"  # fmt: skip


@router.post("/track", status_code=202, openapi_extra=_BODY,
             responses=responses(408, 413, 415, 422, 429, 507))  # fmt: skip
async def track(
    request: Request, response: Response, options: Annotated[TrackOptions, Query()], fov: Fov = None,
    min_score: MinScore = None, max_side: MaxSide = None,
    name: Annotated[str, Query(max_length=500, description="of the video, for people to read")] = "",
) -> JobView:  # fmt: skip
    """Takes a video (its bytes, or a form with one file) and makes a job of it."""
    service = service_of(request)
    chosen = checked(DetectOptions(fov, min_score, max_side), service)
    _check_options(options)
    _check_room(service)
    limits, store = service.limits, service.store
    upload = Upload(request, Allowance(limits.video_bytes, _UPLOAD_SECONDS, limits.idle_seconds))
    with service.uploads.one():
        number = store.begin()
        try:
            path = await store_video(upload, store.path(number))
            video = await probe_video(path, limits.video_megapixels)
            _check_room(service)
            called = clean_name(name) or upload.name or "video"
            job = store.put(_job(service, number, called, path.name, options, chosen, video))
        except OSError as error:
            store.remove(number)
            raise ServiceError(507, "no_space", f"the video cannot be stored: {error.strerror}") from None
        except BaseException:
            store.remove(number)
            raise
    service.runner.notice()
    response.headers["Location"] = f"/v1/jobs/{number}"
    return view(service.store, job)


@router.get("/jobs", responses=responses())
async def list_jobs(request: Request) -> JobList:
    """All jobs, oldest first."""
    service = service_of(request)
    return JobList(jobs=[view(service.store, job) for job in service.store])


@router.get("/jobs/{number}", responses=responses(404, 422))
async def job_status(request: Request, number: str) -> JobView:
    """How far a job is, and its files so far."""
    service = service_of(request)
    return view(service.store, find(service, number))


@router.post("/jobs/{number}/cancel", responses=responses(404, 422))
async def cancel_job(request: Request, number: str) -> JobView:
    """Ends a job; what it has found so far can still be read. One that is over stays as it is."""
    service = service_of(request)
    service.runner.cancel(find(service, number))
    await service.runner.wait_for(number)
    return view(service.store, find(service, number))


@router.delete("/jobs/{number}", status_code=204, responses=responses(404, 422))
async def remove_job(request: Request, number: str) -> Response:
    """Ends a job and removes its video and its results."""
    service = service_of(request)
    service.runner.cancel(find(service, number))
    await service.runner.wait_for(number)
    service.store.remove(number)
    return Response(status_code=204)


@router.get("/jobs/{number}/files/{name:path}", response_class=FileResponse, responses=responses(404, 422) | {
    200: {"content": {"application/octet-stream": {"schema": _VIDEO}}, "description": "the file; parts of it by Range"},
    206: {"description": "a part of it"}, 416: {"description": "no such part"},
})  # fmt: skip
async def job_file(request: Request, number: str, name: str) -> FileResponse:
    """One result file, as soon as it is there."""
    service = service_of(request)
    path = service.store.files(find(service, number).id).get(name)
    if path is None:
        raise ServiceError(404, "no_file", f"the job has no file {name[:100]!r}; its status lists those it has")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"Cache-Control": "no-store"} | ({"Content-Security-Policy": _SANDBOX} if kind == "text/html" else {})
    return FileResponse(path, media_type=kind, headers=headers)


def find(service: Service, number: str) -> Job:
    """The job; ServiceError 404 where there is none."""
    job = service.store.get(number)
    if job is None:
        raise ServiceError(404, "no_job", f"found no job {number[:40]!r}; it may have been removed since")
    return job


def _check_options(options: TrackOptions) -> None:
    if options.end is not None and options.end <= options.start:
        raise ServiceError(422, "bad_parameter", f"found end {options.end:g}, wanted more than start {options.start:g}")
    if not options.overlay and (options.audio or options.panel):
        raise ServiceError(422, "bad_parameter", "audio and panel are parts of the overlay; leave out overlay=false")
    if "html" in options.export:
        raise ServiceError(422, "bad_parameter", "found export=html, wanted html=true")


def _check_room(service: Service) -> None:
    counts, limits = service.store.counts(), service.limits
    waiting = counts["queued"] + counts["running"]
    if waiting >= limits.jobs:
        raise ServiceError(429, "too_many_jobs", f"{waiting} jobs wait or run, at most {limits.jobs} may; try again "
                           "later, or cancel one", 30.0)  # fmt: skip
    if len(service.store) >= limits.stored_jobs:
        raise ServiceError(429, "too_many_stored", f"{len(service.store)} jobs are stored, at most "
                           f"{limits.stored_jobs} may be; remove one", 60.0)  # fmt: skip


def _job(
    service: Service, number: str, name: str, file: str, options: TrackOptions, chosen: DetectOptions,
    video: dict[str, Any],
) -> Job:  # fmt: skip
    most, told = service.limits.video_seconds, video["seconds"]
    if told is not None and told <= options.start:
        raise ServiceError(422, "bad_parameter", f"the video is {told:.2f} s long and has nothing from "
                           f"{options.start:g} s on")  # fmt: skip
    ends = [end for end in (options.end, told) if end is not None]
    length = min(ends) - options.start if ends else None
    if length is not None and length > most:
        raise ServiceError(422, "too_long", f"{length:.0f} s were asked for, at most {most:g} may be; choose start and "
                           "end")  # fmt: skip
    # the end is given to the process in any case: a video may hold more than it tells
    end = options.start + most if options.end is None else options.end
    frames = None
    if length is not None and video["fps"]:
        frames = max(1, round(length * video["fps"] / options.stride))
    asked = options.model_dump() | {k: v for k, v in asdict(chosen).items() if v is not None}
    words = (*service.setup.track_arguments, *arguments(options, chosen, end))
    return Job(number, name, file, words, asked, video, frames, time.time())
