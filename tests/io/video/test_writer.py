from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.io.video.source import VideoSource
from anchorpose.io.video.writer import VideoWriter

from .clips import Image, even_times, moving, number, numbered, uneven_times, write_clip


def write(path: Path, frames: list[Image], times: Iterable[float], **options: object) -> Path:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, 25, **options) as writer:  # type: ignore[arg-type]
        for frame, time in zip(frames, times, strict=True):
            writer.write(frame, time)
    return path


def raising(error: BaseException, after: int) -> Iterator[float]:
    """Times of frames, until it raises."""
    for i in range(after):
        yield i / 25
    raise error


def sound(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and values of the first audio stream."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    parts = [(frame.pts * frame.time_base, frame.to_ndarray().astype(float).mean(0), frame.rate) for frame in frames]
    return (np.concatenate([float(t) + np.arange(len(v)) / rate for t, v, rate in parts]),
            np.concatenate([v for _, v, _ in parts]))  # fmt: skip


def loudest(seconds: np.ndarray, values: np.ndarray) -> float:
    """Hertz."""
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values))))
    return float(np.fft.rfftfreq(len(values), float(np.median(np.diff(seconds))))[spectrum.argmax()])


@pytest.mark.parametrize("cut", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("first", [0.0, 5.25])
def test_what_is_written_reads_back_at_its_times(tmp_path: Path, cut: tuple[int, int], first: float) -> None:
    times = [float(t) for t in uneven_times(40, seed=3)]
    frames = [frame[: 48 - cut[0], : 64 - cut[1]] for frame in numbered(40)]
    path = write(tmp_path / "w.mp4", frames, [first + t for t in times])
    with VideoSource(path) as video:
        found = list(video)
        assert (video.info.width, video.info.height) == (64, 48)  # even
    assert [number(frame.image) for frame in found] == list(range(40))
    assert np.abs([f.time - t for f, t in zip(found, times, strict=True)]).max() <= 0.5 / 90000 + 1e-9


@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60, 120])
def test_usual_rates_are_exact(tmp_path: Path, rate: int) -> None:
    times = [float(t) for t in even_times(20, rate)]
    with VideoSource(write(tmp_path / "w.mp4", numbered(20), times)) as video:
        assert [frame.time for frame in video] == times


def test_browsers_play_it(tmp_path: Path) -> None:
    path = write(tmp_path / "w.mp4", moving(10), [i / 25 for i in range(10)])
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")  # it plays before it has come whole
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.profile) == ("h264", "yuv420p", "High")
        assert (context.color_range, context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1, 1)


def test_colours_stay(tmp_path: Path) -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 30, 120), (0, 0, 0), (255, 255, 255)):
        frame = np.full((48, 64, 3), colour, np.uint8)
        with VideoSource(write(tmp_path / "c.mp4", [frame], [0.0])) as video:
            assert np.abs(next(iter(video)).image.astype(int) - colour).max() <= 6


def test_pictures_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    tall = np.full((96, 32, 3), 255, np.uint8)
    with VideoWriter(tmp_path / "w.mp4", 64, 48) as writer:
        writer.write(np.full((48, 64, 3), 255, np.uint8), 0)
        writer.write(tall, 0.04)
    with VideoSource(tmp_path / "w.mp4") as video:
        _, fitted = list(video)
    assert fitted.image[:, 26:38].mean() > 240
    assert fitted.image[:, :18].mean() < 15
    assert fitted.image[:, 46:].mean() < 15


# --- sound


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("ts", "aac"), ("mkv", "libopus"), ("mkv", "flac"),
                                                  ("avi", "pcm_s16le"), ("mkv", "mp2")])  # fmt: skip
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_sound_comes_along(tmp_path: Path, container: str, codec: str, start: float) -> None:
    pictures = "mpeg4" if container == "avi" else "libx264"
    clip = write_clip(tmp_path / f"a.{container}", numbered(75), audio=codec, codec=pictures, b_frames=0)
    out = tmp_path / "o.mp4"
    with VideoSource(clip, start=start, end=start + 1.6) as video, VideoWriter(out, 64, 48, 25, str(clip)) as writer:
        for frame in video:
            writer.write(frame.image, frame.time)
    with av.open(str(out)) as container_:
        assert container_.streams.audio[0].codec_context.name == ("opus" if codec == "libopus" else "aac")
    seconds, values = sound(out)
    assert -0.03 < seconds[0] < 0.06
    assert seconds[-1] == pytest.approx(1.6, abs=0.06)
    middle = (seconds > 0.2) & (seconds < 1.4)
    assert loudest(seconds[middle], values[middle]) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("codec", ["flac", "aac"])
def test_sound_stays_with_its_picture(tmp_path: Path, codec: str) -> None:
    """The sine begins at 1.2 s of the source; with the video cut at 1 s it has to begin at 0.2 s."""
    clip = write_clip(tmp_path / "a.mkv", numbered(75), audio=codec, b_frames=0)
    silent = tmp_path / "late.mkv"
    _delay_sound(clip, silent, 1.2)
    out = tmp_path / "o.mp4"
    with VideoSource(silent, start=1.0) as video, VideoWriter(out, 64, 48, 25, str(silent)) as writer:
        for frame in video:
            writer.write(frame.image, frame.time)
    seconds, values = sound(out)
    heard = seconds[np.abs(values) > 0.1]
    assert heard[0] == pytest.approx(0.2, abs=0.05)


def _delay_sound(clip: Path, out: Path, delay: float) -> None:
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                if packet.stream.type == "audio":
                    packet.pts += round(delay / packet.time_base)
                    packet.dts = packet.pts
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def test_a_source_without_sound_gives_none(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", numbered(5))
    with av.open(str(write(tmp_path / "o.mp4", numbered(5), [0, 0.1, 0.2, 0.3, 0.4], audio=str(clip)))) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 0)


# --- how it ends


def test_after_an_error_nothing_is_left_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "w.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="mine"):
        write(path, numbered(5), raising(RuntimeError("mine"), 3))
    assert [p.name for p in tmp_path.iterdir()] == ["w.mp4"]
    assert path.read_bytes() == b"old"


def test_after_ctrl_c_it_plays(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "w.mp4", numbered(30), raising(KeyboardInterrupt(), 20))
    with VideoSource(tmp_path / "w.mp4") as video:
        assert [number(frame.image) for frame in video] == list(range(20))
    assert [p.name for p in tmp_path.iterdir()] == ["w.mp4"]


SLOW_WRITER = """
import itertools, sys, time
import numpy as np
from anchorpose.io.video.writer import VideoWriter
with VideoWriter(sys.argv[1], 64, 48, 25) as writer:
    for i in itertools.count():
        writer.write(np.full((48, 64, 3), i % 256, np.uint8), i / 25)
        print(i, flush=True)
        time.sleep(0.002)
"""


def test_a_real_sigint_leaves_a_whole_file(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(tmp_path / "w.mp4")], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 40:
            os.kill(process.pid, signal.SIGINT)
            break
    written = [int(line) for line in process.stdout]
    assert process.wait(30) != 0
    with VideoSource(tmp_path / "w.mp4") as video:
        assert abs(len(list(video)) - (written[-1] if written else 40) - 1) <= 1
    assert [p.name for p in tmp_path.iterdir()] == ["w.mp4"]


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.mp4"):
        VideoWriter(tmp_path / "w.avi", 64, 48)
    with pytest.raises(InputError, match="2 to 8192"):
        VideoWriter(tmp_path / "w.mp4", 64, 9000)
    with pytest.raises(InputError, match="does not exist"):
        VideoWriter(tmp_path / "no" / "w.mp4", 64, 48)
    with pytest.raises(InputError, match="cannot open"):
        VideoWriter(tmp_path / "w.mp4", 64, 48, audio=str(tmp_path / "no.mp4"))
    with pytest.raises(InputError, match="no frame"), VideoWriter(tmp_path / "w.mp4", 64, 48):
        pass
    with pytest.raises(ValueError, match="after one at"):
        write(tmp_path / "w.mp4", numbered(2), [1.0, 1.0])
    assert list(tmp_path.iterdir()) == []
