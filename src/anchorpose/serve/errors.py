"""One form for all that is refused: a status, a code for programs, a line for people."""

from __future__ import annotations

import math
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException


class ErrorDetail(BaseModel):
    """What was wrong."""

    code: str
    """Stays the same between versions."""
    message: str
    """One line: what was found, what was wanted, what to do."""
    request_id: str
    """Also in the log and in the header X-Request-ID."""


class ErrorBody(BaseModel):
    """The body of every answer of 400 and above."""

    error: ErrorDetail


class ServiceError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        code: a word for programs.
        message: one line for people.
        retry_after: seconds after which it may work.
    """

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON of the answer."""
        message = " ".join(self.message.split())
        return {"error": {"code": self.code, "message": message, "request_id": request_id}}

    def response(self, request_id: str) -> JSONResponse:
        """The answer."""
        headers = {"Cache-Control": "no-store"}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return JSONResponse(self.body(request_id), self.status, headers)


def internal() -> ServiceError:
    """For failures of our own."""
    return ServiceError(500, "internal", "something failed here; the log tells more")


_WORDS = {
    401: "no or another token", 403: "a page of another site", 404: "nothing there",
    406: "no such form of answer", 408: "the body came too slowly", 409: "not in this state",
    413: "too large: bytes, or pixels", 415: "no picture or video that is taken", 421: "another host name",
    422: "a parameter out of range, or a file that is damaged", 429: "too much at once; see Retry-After",
    507: "the disk is full",
}  # fmt: skip


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: these errors, and those that every request can meet."""
    return {status: {"model": ErrorBody, "description": _WORDS[status]} for status in (401, 403, 421, *statuses)}


def add_handlers(app: FastAPI) -> None:
    """All errors of the application in the one form."""
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


def request_id(request: Request) -> str:
    """Given by the guard."""
    return str(getattr(request.state, "request_id", ""))


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return error.response(request_id(request))


async def _http(request: Request, error: Exception) -> JSONResponse:
    """What the router refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    advice = "see /docs for what there is"
    refused = ServiceError(error.status_code, codes.get(error.status_code, "http_error"),
                           f"{request.method} {request.url.path[:200]}: {error.detail}; {advice}")  # fmt: skip
    answer = refused.response(request_id(request))
    answer.headers.update(error.headers or {})
    if error.status_code == 405 and (methods := _methods(request)):
        answer.headers["Allow"] = ", ".join(methods)
    return answer


def _methods(request: Request) -> list[str]:
    """What the path takes; the router alone tells the methods of the first route only."""
    found = []
    for template, methods in request.app.openapi()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, request.url.path):
            found += [method.upper() for method in methods]
    return sorted(found)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    found = repr(first.get("input"))[:60]
    message = f"found {found} for {where}: {first['msg']}"
    return ServiceError(422, "bad_parameter", message).response(request_id(request))
