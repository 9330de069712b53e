"""The wiring: all routes behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from anchorpose.serve import documentation, routes_detect, routes_jobs, routes_page, routes_stream
from anchorpose.serve.errors import add_handlers, responses
from anchorpose.serve.guard import Guard
from anchorpose.serve.metrics import CONTENT_TYPE
from anchorpose.serve.service import Service, service_of

_open = APIRouter(tags=["service"])
_closed = APIRouter(tags=["service"])


class Health(BaseModel):
    """The service answers."""

    status: str
    version: str


class Info(BaseModel):
    """What this service runs, and its limits."""

    version: str
    network: dict[str, str | int | float]
    limits: dict[str, int | float]


@_open.get("/healthz", responses=responses())
async def healthz(request: Request) -> Health:
    """Whether the service is there."""
    return Health(status="ok", version=service_of(request).setup.version)


@_closed.get("/v1/info", responses=responses())
async def info(request: Request) -> Info:
    """The network and the limits."""
    setup = service_of(request).setup
    return Info(version=setup.version, network=setup.info, limits=asdict(setup.limits))


@_closed.get("/metrics", response_class=Response,
             responses=responses() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
async def metrics(request: Request) -> Response:
    """Counters and times in the text format of Prometheus."""
    text = service_of(request).metrics.text()
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


@_open.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The OpenAPI schema for people."""
    return HTMLResponse(documentation.page(request.app.openapi()))


def create_app(service: Service) -> FastAPI:
    """The ASGI application of a service, which is closed with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.runner.start()
        try:
            yield
        finally:
            await asyncio.shield(service.close())

    access = service.setup.access
    app = FastAPI(title="anchorpose", version=service.setup.version, lifespan=lifespan, docs_url=None, redoc_url=None,
                  description="People in pictures and videos as 2D and metric 3D bodies. WS /v1/stream takes pictures "
                              "as binary messages and answers each with poses as JSON.")  # fmt: skip
    app.state.service = service
    token = [Depends(HTTPBearer(auto_error=False))] if access.token is not None else []  # for the schema; Guard checks
    app.include_router(_open)
    app.include_router(routes_page.router)
    for router in (_closed, routes_detect.router, routes_jobs.router):
        app.include_router(router, dependencies=token)
    app.include_router(routes_stream.router)
    app.mount("/page", routes_page.PageFiles())
    add_handlers(app)
    app.add_middleware(Guard, access=access, metrics=service.metrics)
    return app
