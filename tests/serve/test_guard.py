"""Who may come in; what an Accept header asks for; which containers pass."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from anchorpose.core.errors import InputError
from anchorpose.serve.errors import ServiceError
from anchorpose.serve.guard import Access, own_names
from anchorpose.serve.limits import Limits
from anchorpose.serve.pictures import MEDIA_TYPES, choose
from anchorpose.serve.probe import HEAD, probe, suffix_of

from ..app.test_track import red_squares
from ..io.video.clips import write_clip

TOKEN = "0123456789abcdef"


def status(access: Access, path: str = "/v1/detect", kind: str = "http", **headers: str) -> int:
    """200 for a request that passes."""
    scope = {"type": kind, "path": path, "subprotocols": headers.pop("offered", "").split()}
    try:
        access.check(scope, Headers(headers))
    except ServiceError as error:
        return error.status
    return 200


def test_hosts_and_origins() -> None:
    access = Access(hosts=own_names("127.0.0.1"))
    for host in ("127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765"):
        assert status(access, host=host) == 200
        assert status(access, host=host, origin=f"http://{host.lower()}") == 200
        assert status(access, host=host, origin="http://evil.example") == 403
        assert status(access, host=host, origin="null") == 403
    for host in ("", "evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[::1", "a b"):
        assert status(access, host=host) == 421
    assert own_names("::1") is not None
    assert own_names("0.0.0.0") is None
    assert own_names("example.com") is None
    assert status(Access(), host="anything.example") == 200


def test_tokens() -> None:
    access = Access(TOKEN)
    assert status(access, authorization=f"Bearer {TOKEN}") == 200
    assert status(access, authorization=f"bearer {TOKEN}") == 200
    for wrong in (TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}é", "Bearer", ""):
        assert status(access, authorization=wrong) == 401
    assert status(access, kind="websocket", offered=f"anchorpose bearer.{TOKEN}") == 200
    assert status(access, kind="websocket", offered="anchorpose bearer.x") == 401
    assert status(access, kind="http", offered=f"bearer.{TOKEN}") == 401
    for path, expected in (("/", 200), ("/page/a.js", 200), ("/healthz", 200), ("/healthz/x", 401), ("//", 401),
                           ("/pages", 401), ("/metrics", 401), ("/v1/jobs", 401), ("/page\n/x", 401)):  # fmt: skip
        assert status(access, path) == expected, path
    for bad in ("short", "x" * 300, "with a space in it", "é" * 20):
        with pytest.raises(InputError, match="token"):
            Access(bad)


def test_limits_are_above_nothing() -> None:
    Limits().check()
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="--job-hours"):
            Limits(job_hours=wrong).check()


@pytest.mark.parametrize(("accept", "expected"), [
    ("", "application/json"), ("*/*", "application/json"), ("image/png", "image/png"), ("image/*", "image/jpeg"),
    ("text/html, */*;q=0.1", "application/json"), ("application/json;q=0.2, image/png;q=0.9", "image/png"),
    ("*/*, application/json;q=0", "image/jpeg"), ("IMAGE/PNG; q=1.0", "image/png"),
    ("image/*;q=0.5, image/png", "image/png"), ("text/html", None), ("application/json;q=0", None),
    ("image/jpeg;q=x", None), ("image/png;q=nan", None), (";;,", None),
])  # fmt: skip
def test_accept(accept: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ServiceError) as refused:
            choose(accept)
        assert refused.value.status == 406
    else:
        assert choose(accept) == expected


@given(st.text(max_size=60))
def test_any_accept_is_answered_or_refused(accept: str) -> None:
    try:
        found = choose(accept)
    except ServiceError as error:
        found = error.status
    assert found in (*MEDIA_TYPES, 406)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".flv"])
def test_real_videos_pass(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    codec = {".webm": "libvpx", ".mpg": "mpeg2video", ".avi": "mpeg4", ".flv": "flv"}.get(suffix, "h264")
    if suffix in (".mp4", ".mov"):
        write_clip(tmp_path / f"clip{suffix}", red_squares(5))
    else:
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            for image in red_squares(5):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            out.mux(stream.encode())
    ours = suffix_of(path.read_bytes()[:HEAD])
    assert ours is not None
    renamed = path.rename(tmp_path / f"input{ours}")
    found = probe(renamed, 1)
    assert (found["width"], found["height"]) == (128, 96)
    assert probe(renamed, 0.001)["fps"] is None  # refused by its size


def test_lists_of_other_files_do_not_pass(tmp_path: Path) -> None:
    """FFmpeg would open what they name."""
    other = write_clip(tmp_path / "secret.mp4", red_squares(3))
    lists = {
        "hls": f"#EXTM3U\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile {other}\n".encode(),
        "dash": b'<?xml version="1.0"?><MPD><Period/></MPD>',
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    }
    for name, text in lists.items():
        for data in (text, b"\xef\xbb\xbf" + text, b"\n" + text, b"RIFF\1\2\3\4AVI " + text):
            if suffix_of(data) is None:
                continue
            path = tmp_path / f"input{suffix_of(data)}"
            path.write_bytes(data)
            with pytest.raises(InputError):
                probe(path, 1)
        assert suffix_of(text) is None, name
    for number in range(0, 400, 13):
        assert suffix_of(bytes([number % 256]) * number) in (None, ".ts")
