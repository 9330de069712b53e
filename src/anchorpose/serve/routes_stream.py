"""`WS /v1/stream`: frames in, poses out; of frames that wait only the newest is kept, so that delay stays bounded."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from anchorpose.motion.tracker import Tracker, TrackerOptions
from anchorpose.serve.errors import ServiceError, internal
from anchorpose.serve.guard import PROTOCOL
from anchorpose.serve.pictures import DetectOptions, decode, to_json
from anchorpose.serve.pool import Work
from anchorpose.serve.routes_detect import Fov, MaxSide, MinScore, checked
from anchorpose.serve.service import Service, client_of, service_of

_log = logging.getLogger("anchorpose.serve")
router = APIRouter(prefix="/v1")
_GOING_AWAY = 1001
_Frame = tuple[int, float, bytes]


@router.websocket("/stream")
async def stream(
    socket: WebSocket, fov: Fov = None, min_score: MinScore = None, max_side: MaxSide = None,
    track: Annotated[bool, Query(description="give people lasting numbers")] = False,
) -> None:  # fmt: skip
    """Each binary message is a picture; the answer to each that is not dropped is a JSON message."""
    service = service_of(socket)
    options = checked(DetectOptions(fov, min_score, max_side), service)
    with service.stream_places.one():
        offered = socket.scope.get("subprotocols", ())
        await socket.accept(PROTOCOL if PROTOCOL in offered else None)
        newest = _Newest()
        reader = asyncio.ensure_future(_read(socket, newest, service.limits.idle_seconds))
        tracker = Tracker(TrackerOptions(min_hits=1)) if track else None  # frames may be few: each one counts
        writer = asyncio.ensure_future(_Answers(socket, service, options, tracker).run(newest))
        try:
            done, _ = await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except WebSocketDisconnect:
            pass
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            service.metrics.frames.labels("dropped").inc(newest.dropped)


class _Newest:
    """Holds one frame; a newer one takes its place."""

    def __init__(self) -> None:
        self.received = self.dropped = 0
        self._frame: _Frame | None = None
        self._there = asyncio.Event()

    def put(self, data: bytes) -> None:
        self.dropped += self._frame is not None
        self._frame = self.received, time.monotonic(), data
        self.received += 1
        self._there.set()

    async def take(self) -> _Frame:
        await self._there.wait()
        assert self._frame is not None
        frame, self._frame = self._frame, None
        self._there.clear()
        return frame


async def _read(socket: WebSocket, newest: _Newest, idle_seconds: float) -> None:
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                message = await socket.receive()
        except TimeoutError:
            await socket.close(_GOING_AWAY, f"no frame for {idle_seconds:g} s")
            return
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        newest.put(data if data is not None else b"")  # text is no picture, and is answered so


class _Answers:
    """Answers one frame after the other.

    Args:
        socket: of the client. service: everything. options: of the network. tracker: gives numbers to people, or None.
    """

    def __init__(self, socket: WebSocket, service: Service, options: DetectOptions, tracker: Tracker | None) -> None:
        self._socket, self._service, self._options, self._tracker = socket, service, options, tracker
        self._begin = time.monotonic()
        self._client = client_of(socket)

    async def run(self, newest: _Newest) -> None:
        """Until the client leaves."""
        while True:
            frame, arrived, data = await newest.take()
            fate, found = await self._answer(frame, arrived, data)
            self._service.metrics.frames.labels(fate).inc()
            reply = {"frame": frame, **found, "dropped": newest.dropped,
                     "milliseconds": round(1000 * (time.monotonic() - arrived), 1)}  # fmt: skip
            await self._socket.send_text(to_json(reply).decode())

    async def _answer(self, frame: int, arrived: float, data: bytes) -> tuple[str, dict[str, Any]]:
        """What becomes of a frame, and what is said of it; one that fails must not end the stream."""
        number = str(self._socket.state.request_id)
        try:
            return "answered", await self._service.pool.run(self._client, self._work(data, arrived))
        except ServiceError as error:
            return "refused", error.body(number)
        except Exception:
            _log.exception("frame %d of %s failed", frame, number)
            return "failed", internal().body(number)

    def _work(self, data: bytes, arrived: float) -> Work[dict[str, Any]]:
        def work(alone: bool) -> dict[str, Any]:
            begin = time.perf_counter()
            image = decode(data, self._service.limits.megapixels)
            poses = self._service.estimate(image, self._options, alone)
            if self._tracker is not None:
                poses = self._tracker.update(poses, image, arrived - self._begin)
            self._service.metrics.estimate.observe(time.perf_counter() - begin)
            self._service.metrics.people.inc(len(poses))
            return {"width": image.shape[1], "height": image.shape[0], "poses": poses.to_dict()}

        return work
