"""Who may come in: token, host name and origin of each request; its number, its line in the log and its time."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from anchorpose.core.errors import InputError
from anchorpose.serve.errors import ServiceError, internal
from anchorpose.serve.metrics import Metrics

PROTOCOL = "anchorpose"
"""Subprotocol of streams; a browser, which cannot send a header there, offers `bearer.TOKEN` beside it."""
_OPEN = re.compile(r"/(|healthz|docs|openapi\.json|page(/.*)?)")
"""Paths without secrets, which need no token."""
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("anchorpose.serve")


@dataclass(frozen=True)
class Access:
    """Who may come in.

    Args:
        token: that requests must bring; None lets everybody in.
        hosts: names that requests may be for; None takes any. A page on the internet can let its own name point to
            127.0.0.1 (DNS rebinding), so a service for one machine takes that machine's names only.

    Raises:
        InputError: a token that is short or cannot be sent.
    """

    token: str | None = None
    hosts: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise InputError(f"found a token of {len(self.token)} characters, wanted 16 to 256 of A-Z a-z 0-9 . _ ~ -; "
                             "make one: python -c 'import secrets; print(secrets.token_urlsafe())'")  # fmt: skip

    def check(self, scope: Scope, headers: Headers) -> None:
        """Passes or raises ServiceError: 421 for another host name, 403 for another site's page, 401 without token."""
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            raise ServiceError(421, "wrong_host", f"found the host {host[:100]!r}, which is none of this service's "
                               "names; --allow-host adds one")  # fmt: skip
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise ServiceError(403, "wrong_origin", f"found a request from a page of {origin[:100]!r}, wanted one of "
                               "this service's own")  # fmt: skip
        if self.token is not None and not _OPEN.fullmatch(scope["path"]) and not self._brings_token(scope, headers):
            raise ServiceError(401, "unauthorized", "found no token or another one, wanted the header "
                               "Authorization: Bearer TOKEN")  # fmt: skip

    def _brings_token(self, scope: Scope, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            given = ""
        if scope["type"] == "websocket" and not given:
            offered = [p for p in scope.get("subprotocols", ()) if p.startswith("bearer.")]
            given = offered[0].removeprefix("bearer.") if offered else ""
        # in constant time, so that nobody learns from the time how much of a guess is right
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), str(self.token).encode())


def own_names(host: str) -> frozenset[str] | None:
    """Names for a service that listens at `host`: those of this machine for loopback, any for others."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return frozenset((host, "localhost", "127.0.0.1", "::1")) if loopback else None


class Guard:
    """ASGI middleware around everything.

    Args:
        app: what is guarded. access: who may come in. metrics: counts requests.
    """

    def __init__(self, app: ASGIApp, access: Access, metrics: Metrics) -> None:
        self._app, self._access, self._metrics = app, access, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or stream."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers, begin = Headers(scope=scope), time.perf_counter()
        given = headers.get("x-request-id", "")
        number = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = number
        sender = _Sender(send, number)
        try:
            self._access.check(scope, headers)
            await self._app(scope, receive, sender)
        except ServiceError as error:
            await _refuse(error, number, scope, receive, sender)
        except Exception:
            _log.exception("request %s failed", number)
            if not sender.status:
                await _refuse(internal(), number, scope, receive, sender)
        finally:
            self._note(scope, sender.status, time.perf_counter() - begin, number)

    def _note(self, scope: Scope, status: int, seconds: float, number: str) -> None:
        route = scope.get("route")
        endpoint = str(getattr(route, "path", "")) or "other"  # the pattern: one series, whatever the job's name
        method = scope.get("method", "WS")
        known = method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS")
        self._metrics.requests.labels(endpoint, method if known else "other", status or "gone").inc()
        if scope["type"] == "http":
            self._metrics.seconds.labels(endpoint).observe(seconds)
        client = (scope.get("client") or ("-",))[0]
        _log.info("%s %s %s %s %.0f ms %s", client, method, _printable(scope["path"]), status or "gone",
                  1000 * seconds, number)  # fmt: skip


class _Sender:
    """Adds headers, and remembers the status."""

    def __init__(self, send: Send, number: str) -> None:
        self._send, self._number, self.status = send, number, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._headers()]}
        elif message["type"] == "websocket.accept":
            self.status = 101
            message = {**message, "headers": [*message.get("headers", ()), *self._headers()]}
        await self._send(message)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-request-id", self._number.encode()), (b"x-content-type-options", b"nosniff")]


async def _refuse(error: ServiceError, number: str, scope: Scope, receive: Receive, send: Send) -> None:
    response = error.response(number)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _name(host: str) -> str:
    """`host` without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _printable(path: str) -> str:
    """For one line of a log."""
    return "".join(c if c.isprintable() and c != " " else "?" for c in path[:200])
