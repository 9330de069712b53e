"""A service on a socket until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

import uvicorn

from anchorpose.core.errors import InputError
from anchorpose.serve.application import create_app
from anchorpose.serve.service import Service, Setup

_BACKLOG = 512
_SHUTDOWN_SECONDS = 30
_FRAMES_WAITING = 2


def run(setup: Setup, host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM; requests that are under way are answered, jobs are left to the next service.

    Args:
        setup: of the service. host, port: to listen at; port 0 takes a free one. The address is printed.

    Raises:
        InputError: the address cannot be used, or the folder of the jobs.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    listening = _listen(host, port)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        asyncio.run(_serve(setup, listening))
    finally:
        listening.close()
        for number, handler in before.items():  # uvicorn raises the signals again, which the handlers above take
            signal.signal(number, handler)


async def _serve(setup: Setup, listening: socket.socket) -> None:
    service = Service(setup)
    host, port = listening.getsockname()[:2]
    server = uvicorn.Server(uvicorn.Config(
        create_app(service), log_config=None, access_log=False, server_header=False, proxy_headers=False,
        ws_max_size=setup.limits.body_bytes, ws_max_queue=_FRAMES_WAITING, ws_per_message_deflate=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS, lifespan="on", ws="websockets-sansio",
    ))  # fmt: skip
    print(f"anchorpose: http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)", flush=True)
    await server.serve(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise InputError(f"cannot listen at port {port}, wanted 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        # With its protocol named asyncio turns Nagle's algorithm off; else each answer's body waits 40 ms for its head.
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --host") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)  # who comes before the service is ready waits
    except OSError as error:
        listening.close()
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --port") from None
    return listening
