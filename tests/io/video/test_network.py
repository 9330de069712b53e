"""Streams from real servers on this computer: HTTP that drops, and RTSP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import av
import pytest

from anchorpose.core.errors import InputError
from anchorpose.io.video.frames import Part
from anchorpose.io.video.network import Reconnect, StreamReader
from anchorpose.io.video.source import VideoSource

from .clips import number, numbered, write_clip

QUICK = Reconnect(first=0.02, longest=0.05, tries=3, timeout=5)
OK = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n"
BUSY = b"HTTP/1.0 503 Busy\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MPEG transport stream of 60 numbered frames with a keyframe every 6."""
    return write_clip(tmp_path_factory.mktemp("stream") / "s.ts", numbered(60), gop=6, b_frames=0).read_bytes()


@contextmanager
def server(answers: list[bytes], pause: float = 0.0) -> Iterator[tuple[str, list[float]]]:
    """Answers each connection with the next of `answers`, then refuses all; gives address and times of connections."""
    asked: list[float] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            asked.append(time.monotonic())
            with connection:
                connection.recv(4096)
                for i in range(0, len(answer), 4096):
                    try:
                        connection.sendall(answer[i : i + 4096])
                    except OSError:
                        break
                    time.sleep(pause)
        listening.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/live", asked
    finally:
        with closing(listening):
            pass


def test_a_dropped_stream_comes_back(stream: bytes) -> None:
    half = len(stream) // 2 // 188 * 188
    with (
        server([OK + stream[:half], BUSY, OK + stream[half:]]) as (address, asked),
        VideoSource(address, reconnect=QUICK, drop=False) as video,
    ):
        frames = list(video)
        assert video.info.kind == "stream"
        assert video.info.live
        problems = video.problems()
    found = [number(frame.image) for frame in frames]
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] == 59
    assert len(found) >= 45  # what is lost lies between two keyframes
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert all(b.time > a.time for a, b in pairwise(frames))
    assert len(asked) == 3
    assert any("dropped once and came back" in line for line in problems)
    assert any("ended: " in line for line in problems)


def test_a_server_that_closes_at_once_is_not_asked_for_ever(stream: bytes) -> None:
    with (
        server([OK + stream, *[OK] * 20]) as (address, asked),
        VideoSource(address, reconnect=QUICK, drop=False) as video,
    ):
        assert len(list(video)) == 60
    assert len(asked) <= 1 + QUICK.tries


def test_the_first_connection_has_to_work() -> None:
    with server([BUSY]) as (address, _), pytest.raises(InputError, match="cannot open http"):
        VideoSource(address, reconnect=QUICK)
    with server([OK + b"no video at all" * 500]) as (address, _), pytest.raises(InputError, match="cannot open http"):
        VideoSource(address, reconnect=QUICK)


def test_waiting_grows_up_to_its_limit() -> None:
    plan = Reconnect(first=0.5, longest=15)
    assert [plan.delay(n) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 15, 15]
    assert plan.delay(10**6) == 15


def test_the_wait_follows_the_plan(stream: bytes) -> None:
    plan = Reconnect(first=0.1, longest=1, tries=3, timeout=5)
    with server([OK + stream, BUSY, BUSY, BUSY]) as (address, asked):
        reader = StreamReader(address, Part(), plan)
        assert len(list(reader.frames())) == 60
    assert len(asked) == 4
    gaps = [b - a for a, b in pairwise(asked[1:])]
    assert gaps[0] >= 0.2
    assert gaps[1] >= 0.4


def test_stop_ends_the_waiting(stream: bytes) -> None:
    slow = Reconnect(first=60, tries=5, timeout=5)
    with server([OK + stream]) as (address, _), VideoSource(address, reconnect=slow, drop=False) as video:
        frames = iter(video)
        for _ in range(60):
            next(frames)
        threading.Timer(0.1, video.stop).start()
        began = time.monotonic()
        assert list(frames) == []
        assert time.monotonic() - began < 10


def test_late_takers_lose_frames_not_time(stream: bytes) -> None:
    with (
        server([OK + stream], pause=0.002) as (address, _),
        VideoSource(address, reconnect=Reconnect(tries=0, timeout=5)) as video,
    ):
        frames = iter(video)
        taken = [next(frames)]
        time.sleep(1.0)
        taken += list(frames)
        assert video.dropped > 20
        assert len(taken) + video.dropped == 60
        assert any("left out" in line for line in video.problems())
    assert taken[-1].index == 59


def test_a_part_of_a_stream(stream: bytes) -> None:
    with server([OK + stream]) as (address, _):
        frames = list(StreamReader(address, Part(stride=2, start=0.4, end=1.2), QUICK).frames())
    assert [number(frame.image) for frame in frames] == list(range(10, 30, 2))


def test_a_whole_file_behind_an_address_is_a_file(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "f.mkv", numbered(20)).read_bytes()
    answer = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)
    with server([answer] * 6) as (address, _), VideoSource(address) as video:
        assert (video.info.kind, video.info.live) == ("file", False)
        assert [number(frame.image) for frame in video] == list(range(20))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def push_rtsp(clip: Path, address: str, done: Callable[[], None]) -> None:
    """Sends a clip as a camera would, in RTP over RTSP's own connection, as soon as somebody listens."""
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        for _ in range(50):
            time.sleep(0.1)
            try:
                with av.open(address, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as out:
                    target = out.add_stream_from_template(stream)
                    for packet in source.demux(stream):
                        if packet.dts is not None:
                            packet.stream = target
                            out.mux(packet)
                            time.sleep(0.005)
                break
            except (av.error.FFmpegError, OSError):
                continue
    done()


def test_rtsp(tmp_path: Path) -> None:
    """A real RTSP session. FFmpeg has no server that is asked, so here the reader listens and the camera calls."""
    clip = write_clip(tmp_path / "c.mp4", numbered(60), gop=6, b_frames=0)
    address = f"rtsp://127.0.0.1:{free_port()}/live"
    sent = threading.Event()
    threading.Thread(target=push_rtsp, args=(clip, address, sent.set), daemon=True).start()
    # FFmpeg's listener takes no other limit of time than its own
    wait = Reconnect(tries=0, timeout=None)  # type: ignore[arg-type]
    reader = StreamReader(address, Part(), wait, {"rtsp_flags": "listen", "listen_timeout": "8"})
    frames = list(reader.frames())
    found = [number(frame.image) for frame in frames]
    assert sent.wait(10)
    assert len(found) >= 45
    assert found == list(range(found[0], found[0] + len(found)))
    assert all(b.time > a.time for a, b in pairwise(frames))
    # the first times are guesses, until the camera has told its clock
    assert frames[-1].time - frames[20].time == pytest.approx((len(found) - 21) / 25, abs=0.01)
