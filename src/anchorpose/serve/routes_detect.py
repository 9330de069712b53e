"""`POST /v1/detect`: a picture in; people as JSON, or the picture with them drawn in, out."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from anchorpose.io.letterbox import SMALLEST
from anchorpose.serve.errors import ServiceError, responses
from anchorpose.serve.pictures import TAKEN, DetectOptions, Form, answer, choose, decode
from anchorpose.serve.service import Service, client_of, service_of
from anchorpose.serve.uploads import Allowance, Upload

router = APIRouter(prefix="/v1", tags=["pictures"])
Fov = Annotated[float | None, Query(ge=1, le=179, description="field of view along the longer side, degrees")]
MinScore = Annotated[float | None, Query(ge=0, le=1000, description="leave out people below this; the service's own "
                                         "threshold still holds")]  # fmt: skip
MaxSide = Annotated[int | None, Query(ge=SMALLEST, description="scale the longer side to so many pixels")]
_PICTURE = {"type": "string", "format": "binary"}
_BODY = {"requestBody": {"required": True, "content": {
    **{media_type: {"schema": _PICTURE} for media_type in TAKEN.values()},
    "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _PICTURE}}},
}}}  # fmt: skip
_JSON_OR_PICTURE: dict[int | str, dict[str, Any]] = {200: {"description": "the people", "content": {
    "application/json": {"schema": {"anyOf": [{"type": "object"}, {"type": "array"}]}},
    "image/jpeg": {"schema": _PICTURE}, "image/png": {"schema": _PICTURE},
}}}  # fmt: skip


@router.post("/detect", response_class=Response, openapi_extra=_BODY,
             responses=_JSON_OR_PICTURE | responses(406, 408, 413, 415, 422, 429))  # fmt: skip
async def detect(
    request: Request,
    accept: Annotated[str, Header(description="application/json, or image/jpeg or image/png for the picture with the "
                                  "people drawn in")] = "*/*",
    format: Annotated[Form, Query(description="of the JSON")] = "anchorpose",
    fov: Fov = None, min_score: MinScore = None, max_side: MaxSide = None,
) -> Response:  # fmt: skip
    """Finds the people in a picture (JPEG, PNG or WebP; its bytes, or a form with one file)."""
    service = service_of(request)
    options = checked(DetectOptions(fov, min_score, max_side), service)
    media_type = choose(accept)
    limits = service.limits
    with service.places.one():
        upload = Upload(request, Allowance(limits.body_bytes, limits.body_seconds, limits.idle_seconds))
        data = await upload.read()

        def work(alone: bool) -> bytes:
            begin = time.perf_counter()
            image = decode(data, limits.megapixels)
            poses = service.estimate(image, options, alone)
            body = answer(image, poses, upload.name, format, media_type)
            service.metrics.estimate.observe(time.perf_counter() - begin)
            service.metrics.people.inc(len(poses))
            return body

        body = await unless_gone(request, service.pool.run(client_of(request), work))
    return Response(body, media_type=media_type, headers={"Cache-Control": "no-store", "Vary": "Accept"})


def checked(options: DetectOptions, service: Service) -> DetectOptions:
    """The options; ServiceError 422 where one is above the service's limit."""
    most = service.limits.largest_side
    if options.max_side is not None and options.max_side > most:
        raise ServiceError(422, "bad_parameter", f"found max_side {options.max_side}, wanted at most {most}")
    return options


async def unless_gone(request: Request, running: Any) -> Any:
    """The result of a coroutine; cancelled when the client leaves, so that nobody computes for nobody."""
    work, gone = asyncio.ensure_future(running), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ServiceError(400, "disconnected", "the client left before the answer")
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
