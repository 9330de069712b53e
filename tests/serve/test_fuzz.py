"""Hostile pictures at a running server: whatever comes, it answers in its one form and goes on."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchorpose.serve.errors import ServiceError
from anchorpose.serve.pictures import decode

from .servers import Server

ANSWERS = {200: None, 413: {"too_large", "too_many_pixels"}, 415: {"unsupported_picture"}, 422: {"damaged", "empty"}}


def encodings() -> list[bytes]:
    image = np.random.default_rng(5).integers(0, 255, (40, 50, 3), np.uint8)
    progressive = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    return [cv2.imencode(suffix, image)[1].tobytes() for suffix in (".jpg", ".png", ".webp", ".bmp", ".tiff")] + [
        progressive, cv2.imencode(".png", image[..., 0])[1].tobytes()]  # fmt: skip


def check(server: Server, data: bytes) -> int:
    answer = server.post("/v1/detect", data)
    assert answer.status_code in ANSWERS, (answer.status_code, answer.text, data[:80])
    if answer.status_code == 200:
        assert answer.json()["schema"] == "anchorpose/results/1"
    else:
        assert answer.json()["error"]["code"] in ANSWERS[answer.status_code]
    return answer.status_code


def deep_png(width: int, height: int) -> bytes:
    """A whole, valid PNG of one colour: kilobytes that become megabytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = zlib.compress(bytes((3 * width + 1) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_cut_and_mutated_pictures(server: Server) -> None:
    random = np.random.default_rng(0)
    seen = set()
    for data in encodings():
        for cut in (0, 1, 2, 9, 30, len(data) // 2, len(data) - 1):
            seen.add(check(server, data[:cut]))
        for _ in range(6):
            changed = np.frombuffer(data, np.uint8).copy()
            where = random.integers(0, len(changed), 8)
            changed[where] = random.integers(0, 256, 8)
            seen.add(check(server, changed.tobytes()))
    assert {200, 415, 422} <= seen
    assert server.get("/healthz").json()["status"] == "ok"


def test_bombs_are_refused_by_their_header(server: Server) -> None:
    bomb = deep_png(9000, 9000)
    assert len(bomb) < 400_000 < 9000 * 9000 * 3
    before = memory(server)
    for _ in range(5):
        assert check(server, bomb) == 413
    assert memory(server) - before < 100e6
    jpeg = bytearray(encodings()[0])
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    assert check(server, bytes(jpeg)) == 413
    assert check(server, deep_png(900, 900)) == 200


def test_a_jpeg_with_endless_scans_is_refused() -> None:
    data = encodings()[5]
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    endless = data[:second] + data[first:second] * 100 + data[second:]
    with pytest.raises(ServiceError, match="more scans"):
        decode(endless, 50)
    assert decode(data, 50).shape == (40, 50, 3)


def memory(server: Server) -> float:
    lines = server.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("process_resident_memory_bytes")).split()[1])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(range(7)), st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=12)),
                                           max_size=4), st.integers(0, 10_000))  # fmt: skip
def test_decoding_gives_a_picture_or_a_refusal(kind: int, patches: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(encodings()[kind])
    for at, patch in patches:
        data[at % len(data) : at % len(data) + len(patch)] = patch
    image, refused = None, None
    try:
        image = decode(bytes(data[: max(len(data) - cut % 50, 0)]), 0.1)
    except ServiceError as error:
        refused = error.status
    assert refused in (None, 413, 415, 422)
    assert refused or (image is not None and image.dtype == np.uint8 and 0 < image.size <= 300_000)
