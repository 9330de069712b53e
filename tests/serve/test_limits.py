"""Limits of videos, from outside: length, frame size, time, disk; and where bytes of strangers may come to lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from ..app.test_track import red_squares
from .servers import Server, assert_refused

MOST_BLOCKS = 100
"""Of 1024 bytes, that a file of the starved server may have."""


def slow_film(path: Path, seconds: int, size: tuple[int, int] = (64, 48), **options: str) -> bytes:
    """A frame a second."""
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=Fraction(1))
        stream.width, stream.height = size
        for image in red_squares(seconds):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            out.mux(stream.encode(frame.reformat(*size, format="yuv420p")))
        out.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture(scope="module")
def starved(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its files can hardly grow, as on a full disk, and its jobs have no time."""
    server = Server(tiny, tmp_path_factory.mktemp("starved"), "--job-hours", "0.0001")
    server._command = ["bash", "-c", f'ulimit -f {MOST_BLOCKS}; exec "$0" "$@"', *server._command]
    with server as running:
        yield running


def test_too_long_and_too_large_videos_are_refused(server: Server, tmp_path: Path) -> None:
    long = slow_film(tmp_path / "long.mp4", 30)  # this server takes 20 seconds of 0.1 megapixels
    message = assert_refused(server.post("/v1/track", long), 422, "too_long")
    assert "30 s were asked for, at most 20 may be" in message
    assert_refused(server.post("/v1/track?start=5", long), 422, "too_long")
    large = slow_film(tmp_path / "large.mp4", 3, (640, 480))
    assert "640 x 480" in assert_refused(server.post("/v1/track", large), 413, "too_many_pixels")
    assert [path.name for path in server.jobs.iterdir()] == [".lock"]
    part = server.post("/v1/track?start=5&end=8&overlay=false", long)
    assert part.status_code == 202
    assert server.wait_until(part.json()["id"], "done")["progress"]["frames"] == 3
    assert server.ask("DELETE", f"/v1/jobs/{part.json()['id']}").status_code == 204


def test_a_video_that_does_not_tell_its_length_is_cut(server: Server, tmp_path: Path) -> None:
    film = slow_film(tmp_path / "live.mkv", 30, live="1")  # as if it came from a camera: no length in its head
    job = server.post("/v1/track?overlay=false", film).json()
    assert (job["video"]["seconds"], job["progress"]["of"]) == (None, None)
    assert server.wait_until(job["id"], "done")["progress"] == {"frames": 20, "of": None, "share": 1.0}
    assert server.ask("DELETE", f"/v1/jobs/{job['id']}").status_code == 204


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing(starved: Server, clip: bytes) -> None:
    before = sorted(starved.jobs.iterdir())
    refused = starved.post("/v1/track", clip + bytes(1024 * MOST_BLOCKS))
    assert "cannot be stored" in assert_refused(refused, 507, "no_space")
    assert sorted(starved.jobs.iterdir()) == before
    assert starved.get("/healthz").status_code == 200


@pytest.mark.slow
def test_a_job_that_takes_too_long_is_ended(starved: Server, clip: bytes) -> None:
    number = starved.post("/v1/track?overlay=false", clip).json()["id"]
    failed = starved.wait_until(number, "failed")
    assert failed["error"] == "it took more than 0.0001 hours; send a shorter part"
    assert json.loads((starved.jobs / number / "job.json").read_text())["attempts"] == 1
    assert 'anchorpose_jobs_ended_total{state="failed"} 1.0' in starved.get("/metrics").text


@pytest.mark.slow
def test_nothing_is_written_outside_of_the_job(tiny: Path, tmp_path: Path, clip: bytes, png: bytes) -> None:
    """Whatever clients call their files; neither the current folder nor that for temporary files is used."""
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    server = Server(tiny, tmp_path, "--jobs", "9")
    server._command = ["bash", "-c", f'cd "{tmp_path}/here"; TMPDIR="{tmp_path}/temporary" exec "$0" "$@"',
                       *server._command]  # fmt: skip
    names = ("../../evil.mp4", "/tmp/../evil.mp4", f"{tmp_path}/evil.mp4", "..\\evil.mp4", "job.json", "")
    with server as running:
        ids = []
        for name in names:
            accepted = running.post("/v1/track?overlay=false", files={"file": (name or "x", clip)},
                                    params={"name": name})  # fmt: skip
            assert accepted.status_code == 202, accepted.text
            ids.append(accepted.json()["id"])
            assert accepted.json()["name"] == {"job.json": "job.json", "": "x"}.get(name, "evil.mp4")
            assert running.post("/v1/detect", files={"file": (name or "x", png)}).status_code == 200
        for number in ids:
            running.wait_until(number, "done")
        inside = {str(p.relative_to(running.jobs / n)) for n in ids for p in (running.jobs / n).iterdir()}
        assert inside == {"job.json", "input.mp4", "log.txt", "out", ".lock"}
        assert sorted(os.listdir(running.jobs)) == sorted([*ids, ".lock"])
        assert sorted(os.listdir(tmp_path)) == ["here", "jobs", "server.log", "temporary"]
        assert os.listdir(tmp_path / "here") == []
        assert os.listdir(tmp_path / "temporary") == []
