"""A running server from outside: pictures, errors, streams, the page, the counters."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from anchorpose.app.estimator import load
from anchorpose.io.formats import from_anchorpose, to_anchorpose, to_coco, to_openpose
from anchorpose.io.overlay import draw_overlay

from .servers import Server, assert_refused

TOKEN = "a-token-of-this-test"


def png_header(width: int, height: int) -> bytes:
    """A whole PNG by its check sums, which asks for any size and holds no pixels: a decompression bomb."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# --- pictures


def test_detect_gives_what_the_estimator_gives(server: Server, tiny: Path, red: np.ndarray, png: bytes) -> None:
    poses = load(tiny, threads=1)(red)
    assert len(poses) == 1
    answer = server.post("/v1/detect", png)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(json.dumps(to_anchorpose([("image", poses)])))
    assert len(from_anchorpose(answer.json())) == 1
    form = server.post("/v1/detect", files={"file": ("c:\\photos\\red one.png", png)})
    assert form.json()["images"][0] == answer.json()["images"][0] | {"file": "red one.png"}
    assert server.post("/v1/detect?format=coco", png).json() == to_coco([("image", poses)], {"image": 1})
    assert server.post("/v1/detect?format=openpose", png).json() == to_openpose(poses)


def test_detect_draws_when_asked_for_a_picture(server: Server, tiny: Path, red: np.ndarray, png: bytes) -> None:
    answer = server.post("/v1/detect", png, headers={"Accept": "application/json;q=0.5, image/png"})
    assert answer.headers["content-type"] == "image/png"
    drawn = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(drawn, draw_overlay(red, load(tiny, threads=1)(red)))
    browser = server.post("/v1/detect", png, headers={"Accept": "text/html,*/*;q=0.8"})
    assert browser.headers["content-type"] == "application/json"
    assert_refused(server.post("/v1/detect", png, headers={"Accept": "text/html"}), 406, "not_acceptable")


def test_options_of_the_network(server: Server, png: bytes) -> None:
    def poses(query: str) -> dict:
        return server.post(f"/v1/detect?{query}", png).json()["images"][0]["poses"]

    assert not poses("fov=90")["camera"]["assumed"]
    assert poses("fov=90")["camera"]["fx"] == pytest.approx(128)
    assert poses("min_score=1.5")["people"] == []
    assert len(poses("max_side=128")["people"]) == 1
    for query in ("fov=0", "fov=5e-324", "fov=nan", "fov=x", "min_score=-1", "max_side=5", "max_side=9999", "format=a"):
        message = assert_refused(server.post(f"/v1/detect?{query}", png), 422, "bad_parameter")
        assert query.split("=")[0] in message


def test_each_limit_has_its_own_error(server: Server, png: bytes, jpeg: bytes) -> None:
    assert "1 megapixels" in assert_refused(server.post("/v1/detect", png_header(60000, 60000)), 413, "too_many_pixels")
    assert_refused(server.post("/v1/detect", bytes(600_000)), 413, "too_large")
    assert_refused(server.post("/v1/detect", data=iter([bytes(300_000)] * 3)), 413, "too_large")  # type: ignore[arg-type]
    assert_refused(server.post("/v1/detect", b"hello"), 415, "unsupported_picture")
    assert_refused(server.post("/v1/detect", b"II*\0" + bytes(99)), 415, "unsupported_picture")
    assert_refused(server.post("/v1/detect", jpeg[: len(jpeg) // 2]), 422, "damaged")
    assert_refused(server.post("/v1/detect", png_header(100, 100)), 422, "damaged")
    assert_refused(server.post("/v1/detect", b""), 422, "empty")
    assert_refused(server.post("/v1/detect", files={"other": (None, "x")}), 422, "bad_form")
    assert_refused(server.post("/v1/track", b"hello"), 415, "unsupported_video")
    assert_refused(server.get("/v1/nothing"), 404, "not_found")
    refused = server.get("/v1/detect")
    assert_refused(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "POST"
    assert server.ask("PUT", "/v1/jobs/x").headers["Allow"] == "DELETE, GET"


def test_the_body_of_an_answer_does_not_wait_for_its_head(server: Server) -> None:
    """Nagle's algorithm with delayed acknowledgements would add 40 ms to every answer on one connection."""
    connection, times = http.client.HTTPConnection(server.url.removeprefix("http://")), []
    for _ in range(15):
        begin = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        times.append(time.perf_counter() - begin)
    assert min(times[3:]) < 0.03


def test_request_ids(server: Server, png: bytes) -> None:
    given = server.post("/v1/detect", png, headers={"X-Request-ID": "my-request.7"})
    assert given.headers["X-Request-ID"] == "my-request.7"
    forged = server.post("/v1/detect", b"", headers={"X-Request-ID": "x" * 200})
    assert len(forged.headers["X-Request-ID"]) == 16
    assert server.get("/healthz").headers["X-Request-ID"] != server.get("/healthz").headers["X-Request-ID"]
    assert "my-request.7" in server.log.read_text()


def test_two_clients_at_once_get_their_own_people(server: Server, red: np.ndarray) -> None:
    def ask(shift: int) -> tuple[int, float]:
        encoded = cv2.imencode(".png", np.roll(red, shift, axis=1))[1].tobytes()
        people = server.post("/v1/detect", encoded).json()["images"][0]["poses"]["people"]
        return shift, people[0]["joints2d"][0][0]

    with ThreadPoolExecutor(4) as clients:
        found = list(clients.map(ask, [0, 20, 40, 60] * 4))
    first = found[0][1]
    for shift, x in found:
        assert x == pytest.approx(first + shift, abs=0.05)


def test_a_client_that_leaves_harms_nobody(server: Server, png: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for body in (b"", png[:100]):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(
                f"POST /v1/detect HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(png)}\r\n\r\n".encode()
            )
            raw.sendall(body)
    assert server.post("/v1/detect", png).status_code == 200
    end = time.monotonic() + 20
    while "anchorpose_pictures_under_way 0.0" not in server.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_queue_says_when_to_come_again(tiny: Path, tmp_path: Path, png: bytes) -> None:
    with Server(tiny, tmp_path, "--queue", "1", "--streams", "1", "--idle-seconds", "1") as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(f"POST /v1/detect HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 9\r\n\r\n".encode())
            end = time.monotonic() + 20
            while (refused := server.post("/v1/detect", png)).status_code == 200:
                assert time.monotonic() < end
            assert_refused(refused, 429, "busy")
            assert int(refused.headers["Retry-After"]) >= 1
            answer = slow.recv(4096)  # the upload without a byte is ended, and the place is free again
            assert answer.startswith(b"HTTP/1.1 408"), answer
        assert server.post("/v1/detect", png).status_code == 200
        with connect(server.url.replace("http", "ws") + "/v1/stream") as first:
            with pytest.raises(InvalidStatus) as full:
                connect(server.url.replace("http", "ws") + "/v1/stream")
            assert full.value.response.status_code == 429
            with pytest.raises(ConnectionClosed, match="no frame"):
                first.recv(timeout=20)
        assert server.stop() == 0


# --- who may come in


def test_a_token_is_needed_everywhere_but_for_the_page(tiny: Path, tmp_path: Path, png: bytes) -> None:
    with Server(tiny, tmp_path, token=TOKEN) as server:
        for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe4"):
            refused = server.post("/v1/detect", png, headers={"Authorization": wrong.encode("latin-1")})
            assert_refused(refused, 401, "unauthorized")
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert server.get("/metrics", headers={"Authorization": wrong.encode("latin-1")}).status_code == 401
        assert server.post("/v1/detect", png).status_code == 200
        for path in ("/", "/docs", "/openapi.json", "/healthz"):
            assert server.get(path, headers={"Authorization": ""}).status_code == 200
        address = server.url.replace("http", "ws") + "/v1/stream"
        with pytest.raises(InvalidStatus) as refused_stream:
            connect(address)
        assert refused_stream.value.response.status_code == 401
        with connect(address, subprotocols=["anchorpose", f"bearer.{TOKEN}"]) as stream:  # type: ignore[list-item]
            assert stream.subprotocol == "anchorpose"
            stream.send(png)
            assert len(json.loads(stream.recv(timeout=20))["poses"]["people"]) == 1
        assert TOKEN not in server.log.read_text()


def test_pages_of_other_sites_are_refused(server: Server, png: bytes) -> None:
    assert_refused(server.post("/v1/detect", png, headers={"Origin": "https://evil.example"}), 403, "wrong_origin")
    assert_refused(server.post("/v1/detect", png, headers={"Host": "evil.example"}), 421, "wrong_host")
    assert server.post("/v1/detect", png, headers={"Origin": server.url}).status_code == 200
    with pytest.raises(InvalidStatus) as refused:
        connect(server.url.replace("http", "ws") + "/v1/stream", origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


# --- streams


def test_streams_answer_frames_and_number_people(server: Server, red: np.ndarray, jpeg: bytes) -> None:
    with connect(server.url.replace("http", "ws") + "/v1/stream?track=true&fov=70") as stream:
        for number in range(3):
            stream.send(cv2.imencode(".jpg", np.roll(red, 2 * number, axis=1))[1].tobytes())
            reply = json.loads(stream.recv(timeout=20))
            assert (reply["frame"], reply["dropped"]) == (number, 0)
            assert (reply["width"], reply["height"]) == (256, 200)
            assert [p["track_id"] for p in reply["poses"]["people"]] == [1]
            assert not reply["poses"]["camera"]["assumed"]
        stream.send("text is no picture")
        assert json.loads(stream.recv(timeout=20))["error"]["code"] == "unsupported_picture"
        stream.send(jpeg[:200])
        assert json.loads(stream.recv(timeout=20))["error"]["code"] == "damaged"
        stream.send(jpeg)
        assert json.loads(stream.recv(timeout=20))["frame"] == 5
        stream.send(bytes(600_000))
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=20)
    with pytest.raises(InvalidStatus) as refused:
        connect(server.url.replace("http", "ws") + "/v1/stream?fov=0")
    assert refused.value.response.status_code in (403, 422)


def test_stale_frames_are_dropped(server: Server) -> None:
    """Of frames that come faster than they can be answered the newest is; the answers never fall behind."""
    noise = np.random.default_rng(0).integers(0, 255, (480, 480, 3), np.uint8)
    frame = cv2.imencode(".jpg", noise)[1].tobytes()
    with connect(server.url.replace("http", "ws") + "/v1/stream") as stream:
        replies: list[dict] = []

        def listen() -> None:
            while not replies or replies[-1]["frame"] < 149:
                replies.append(json.loads(stream.recv(timeout=30)))

        listener = threading.Thread(target=listen)
        listener.start()
        for _ in range(150):
            stream.send(frame)
        listener.join(40)
    frames = [reply["frame"] for reply in replies]
    assert frames == sorted(set(frames))
    assert frames[-1] == 149  # the newest is always answered
    assert len(frames) < 150
    assert len(frames) + replies[-1]["dropped"] == 150


# --- what is around


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("href", "src")]


def test_the_page_and_the_docs_need_nothing_from_the_net(server: Server) -> None:
    for path in ("/", "/docs"):
        answer = server.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        parser = _Addresses()
        parser.feed(answer.text)
        assert parser.found
        for address in parser.found:
            assert not address.startswith(("http:", "https:", "//")), address
            assert server.get("/" + address.lstrip("/")).status_code == 200
    for path in server.get("/openapi.json").json()["paths"]:
        assert path in server.get("/docs").text
    for path in ("/page/../service.py", "/page/%2e%2e/service.py", "/page/%2Fetc%2Fpasswd"):
        assert_refused(server.get(path), 404, "not_found")


def test_counters(server: Server, png: bytes) -> None:
    def count(line: str) -> float:
        found = [rest for rest in server.get("/metrics").text.splitlines() if rest.startswith(line + " ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    lines = ('anchorpose_requests_total{endpoint="/v1/detect",method="POST",status="200"}',
             'anchorpose_requests_total{endpoint="/v1/jobs/{number}",method="GET",status="404"}',
             "anchorpose_people_total", "anchorpose_estimate_seconds_count")  # fmt: skip
    before = [count(line) for line in lines]
    server.post("/v1/detect", png)
    for number in ("unknown", "another"):
        assert_refused(server.get(f"/v1/jobs/{number}"), 404, "no_job")
    assert [count(line) - b for line, b in zip(lines, before, strict=True)] == [1, 2, 1, 1]
    assert count("anchorpose_pictures_running") == 0
    assert server.get("/v1/info").json()["limits"]["megapixels"] == 1
