"""`anchorpose track` on streams from a server that runs in another process, is killed and comes back; and a webcam."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from anchorpose.io.video.journal import read_header, read_results
from tests.app.test_track import command, pictures, red_squares, wait_for_lines
from tests.app.test_track_exports import run
from tests.io.video.clips import write_clip

SERVER = """
import sys, time
import av

address, path = sys.argv[1:]
with av.open(address + "?listen=1", "w", format="mpegts") as out, av.open(path) as clip:
    source = clip.streams.video[0]
    target = out.add_stream_from_template(source)
    began, shift = time.monotonic(), 0
    while True:  # over and over, at its own pace, as a camera sends
        for packet in clip.demux(source):
            if packet.dts is None:
                continue
            packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
            late = float(packet.dts * packet.time_base) - (time.monotonic() - began)
            time.sleep(max(0.0, late))
            packet.stream, last = target, packet.dts
            out.mux(packet)
        shift = last + 512
        clip.seek(0)
"""


def serve(address: str, clip: Path) -> subprocess.Popen[bytes]:
    """A camera that takes one caller."""
    return subprocess.Popen([sys.executable, "-c", SERVER, address, str(clip)], stderr=subprocess.DEVNULL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_until_it_listens(port: int) -> None:
    """Without calling it, which would be its one caller."""
    wanted = f"0100007F:{port:04X}"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(row[1] in (wanted, f"00000000:{port:04X}") and row[3] == "0A" for row in rows):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {port}")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux' list of connections")
def test_a_camera_that_is_killed_and_comes_back(tiny: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", red_squares(50), gop=5, b_frames=0)
    port = free_port()
    address, results = f"tcp://user:secret@127.0.0.1:{port}", tmp_path / "o" / "results.jsonl"
    camera = serve(f"tcp://127.0.0.1:{port}", clip)
    process = None
    try:
        wait_until_it_listens(port)
        process = subprocess.Popen(command(address, "--model", tiny, "--out", tmp_path / "o"), stderr=subprocess.PIPE)
        wait_for_lines(results, 15, process)
        camera.kill()
        camera.wait()
        time.sleep(0.5)  # a camera that is back at once leaves no gap to see in the times
        before = results.read_bytes().count(b"\n")
        camera = serve(f"tcp://127.0.0.1:{port}", clip)
        wait_for_lines(results, before + 15, process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=90)
    finally:
        camera.kill()
        if process is not None:
            process.kill()
    assert process.returncode == 0, errors  # a live source has no other end
    assert b"dropped once and came back" in errors
    assert b"secret" not in errors + results.read_bytes()
    found = list(read_results(results))
    assert read_header(results)["source"] == f"tcp://127.0.0.1:{port}"
    assert all(b[0] > a[0] and b[1] > a[1] for a, b in pairwise(found))
    assert max(b[1] - a[1] for a, b in pairwise(found)) > 0.3  # times go on by the clock
    assert len(pictures(tmp_path / "o" / "overlay.mp4")) == len(found)
    tracked = list(read_results(tmp_path / "o" / "tracks.jsonl"))
    assert [(i, t) for i, t, _ in tracked] == [(i, t) for i, t, _ in found]
    assert sum(len(poses) for _, _, poses in tracked) > 10
    again = run("track", address, "--model", tiny, "--out", tmp_path / "o", "--resume")
    assert again.returncode == 2  # nobody answers, or it is live
    assert "secret" not in again.stderr


def test_webcams_are_numbers_and_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none here, so what is tested is that it was asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "OFF")
    for source, name in (("97", "webcam 97"), ("/dev/video97", "/dev/video97")):
        assert not os.path.exists(source)
        done = run("track", source)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{name} gives no picture" in done.stderr
    (tmp_path / "97").mkdir()  # a folder of this name goes before
    assert "97 holds no" in run("track", "97").stderr
