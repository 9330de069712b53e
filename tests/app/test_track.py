"""Videos from source to files, in one process and from outside."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import anchorpose
from anchorpose.app.cli import main
from anchorpose.app.estimator import Estimator, load
from anchorpose.app.finish import finish
from anchorpose.app.track import Outputs, track
from anchorpose.app.video import stream
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.io.video.journal import read_header, read_results
from anchorpose.io.video.source import VideoSource
from tests.app import inside
from tests.io.video.clips import damaged, moving, uneven_times, write_clip

WEIGHTS = Path(anchorpose.__file__).parent / "weights" / "lcrnet-lite.onnx"
needs_weights = pytest.mark.skipif(not WEIGHTS.exists(), reason="the embedded weights are not there yet")
SIZE = (128, 96)


def red_squares(count: int) -> list[np.ndarray]:
    """A square that walks to the right: what the tiny graph takes for a person; nobody in every seventh frame."""
    frames = []
    for i in range(count):
        image = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
        x = 20 + i * 80 // count
        if i % 7 != 6:
            image[40:56, x : x + 16] = (0, 0, 255)
        frames.append(image)
    return frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames at uneven times, with sound."""
    folder = tmp_path_factory.mktemp("clip")
    return write_clip(folder / "walk.mp4", red_squares(40), uneven_times(40), audio="aac")


@pytest.fixture(scope="module")
def estimator(tiny: Path) -> Estimator:
    return load(tiny, threads=1)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "anchorpose", "track", *map(str, arguments), "--threads", "1"]


def run(*arguments: object) -> inside.Done:
    """The command in this process; those that are killed or watched run outside."""
    return inside.run(*command(*arguments)[3:])


def pictures(path: Path) -> list[np.ndarray]:
    with VideoSource(path) as video:
        return [frame.image for frame in video]


# --- frames with their people


def test_stream_gives_what_the_estimator_gives_frame_by_frame(clip: Path, estimator: Estimator) -> None:
    frames = list(stream(estimator, VideoSource(clip)))
    with VideoSource(clip) as video:
        alone = [(frame, estimator(frame.image)) for frame in video]
    assert [(f.index, f.time) for f in frames] == [(f.index, f.time) for f, _ in alone]
    for frame, (source, poses) in zip(frames, alone, strict=True):
        assert np.array_equal(frame.image, source.image)
        assert len(frame.poses) == len(poses)
        np.testing.assert_allclose(frame.poses.joints2d, poses.joints2d, atol=2e-5)
        np.testing.assert_allclose(frame.poses.translation, poses.translation, atol=2e-5)
    ids = [frame.poses.track_ids for frame in frames if len(frame.poses)]
    assert {int(i[0]) for i in ids if i is not None} == {1}  # one person, also after the frames without anybody
    assert len(ids) == 35


def test_steps_run_side_by_side_and_keep_the_order(clip: Path) -> None:
    """While the taker holds a frame, the estimator is at work on the next."""
    begun = [threading.Event() for _ in range(40)]
    waiting = iter(begun)

    def estimate(image: np.ndarray) -> Poses:
        next(waiting).set()
        return Poses.empty(anchorpose.Camera.from_fov(*SIZE))

    indices = []
    for frame in stream(estimate, VideoSource(clip)):
        assert frame.index == 39 or begun[frame.index + 1].wait(20)
        indices.append(frame.index)
    assert indices == list(range(40))


def test_leaving_early_ends_the_threads(clip: Path, estimator: Estimator) -> None:
    before = threading.active_count()
    frames = stream(estimator, VideoSource(clip))
    assert next(frames).index == 0
    assert threading.active_count() > before
    frames.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_an_error_of_the_estimator_is_the_users(clip: Path) -> None:
    def fails(image: np.ndarray) -> Poses:
        raise InputError("found nothing, wanted something; do it")

    with pytest.raises(InputError, match="wanted something"):
        list(stream(fails, VideoSource(clip)))


def test_known_frames_are_not_estimated_again(clip: Path, estimator: Estimator) -> None:
    whole = list(stream(estimator, VideoSource(clip)))
    known = [(frame.index, frame.time, frame.poses) for frame in whole[:30]]
    asked = []

    def counting(image: np.ndarray) -> Poses:
        asked.append(1)
        return estimator(image)

    again = list(stream(counting, VideoSource(clip), known=known))
    assert len(asked) == 10
    assert [f.poses.to_dict() for f in again] == [f.poses.to_dict() for f in whole]
    with pytest.raises(InputError, match="it has changed since"):
        list(stream(estimator, VideoSource(clip, stride=2), known=known))


# --- a whole run


def test_track_writes_results_and_overlay(clip: Path, estimator: Estimator, tmp_path: Path) -> None:
    assert track(estimator, VideoSource(clip), Outputs(tmp_path, audio=str(clip)), {"source": "walk.mp4"})
    results = list(read_results(tmp_path / "results.jsonl"))
    times = [float(t) for t in uneven_times(40)]
    assert [index for index, _, _ in results] == list(range(40))
    assert [when for _, when, _ in results] == times
    with VideoSource(tmp_path / "overlay.mp4") as video:
        drawn = list(video)
    assert [frame.time for frame in drawn] == pytest.approx(times, abs=1e-5)
    original = pictures(clip)
    for frame, image, (_, _, poses) in zip(drawn, original, results, strict=True):
        changed = np.abs(frame.image.astype(int) - image).sum(-1) > 150
        assert frame.image.shape == image.shape
        assert (changed.sum() > 60) == (len(poses) > 0) or len(poses) == 0  # trails stay where nobody is
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert len(container.streams.audio) == 1
    summary = finish(tmp_path)
    assert (summary.frames, summary.people) == (40, 1)
    assert summary.seconds == pytest.approx(times[-1])


def test_only_the_chosen_people_are_drawn(clip: Path, estimator: Estimator, tmp_path: Path) -> None:
    track(estimator, VideoSource(clip, end=0.5), Outputs(tmp_path, ids=(99,)), {})
    assert finish(tmp_path).people == 1
    for drawn, image in zip(pictures(tmp_path / "overlay.mp4"), pictures(clip), strict=False):
        assert np.abs(drawn.astype(int) - image).mean() < 5


def test_a_crash_keeps_the_results_and_resuming_completes_them(
    clip: Path, estimator: Estimator, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    track(estimator, VideoSource(clip), Outputs(whole), {})
    left = iter(range(25))

    def dies(image: np.ndarray) -> Poses:
        if next(left, None) is None:
            raise RuntimeError("power cut")
        return estimator(image)

    with pytest.raises(RuntimeError, match="power cut"):
        track(dies, VideoSource(clip), Outputs(broken), {})
    assert [p.name for p in broken.iterdir()] == ["results.jsonl"]
    assert 15 <= len(list(read_results(broken / "results.jsonl"))) <= 25
    (broken / f".overlay.{'a' * 12}.mp4").write_bytes(b"left by a killed run")
    track(estimator, VideoSource(clip), Outputs(broken), {}, resume=True)
    assert (broken / "results.jsonl").read_bytes() == (whole / "results.jsonl").read_bytes()
    assert sorted(p.name for p in broken.iterdir()) == ["overlay.mp4", "results.jsonl"]
    for a, b in zip(pictures(broken / "overlay.mp4"), pictures(whole / "overlay.mp4"), strict=True):
        assert np.array_equal(a, b)


# --- the command, from outside


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") > count:
            return
        time.sleep(0.005)
    raise AssertionError(f"the run ended or hung before line {count}: {process.poll()}")


def test_a_killed_command_resumes_to_the_same_file(tiny: Path, tmp_path: Path) -> None:
    long = write_clip(tmp_path / "long.mp4", red_squares(300))
    arguments = (long, "--model", tiny, "--no-overlay", "--out")
    assert run(*arguments, tmp_path / "whole").returncode == 0
    results = tmp_path / "killed" / "results.jsonl"
    process = subprocess.Popen(command(*arguments, tmp_path / "killed"), stderr=subprocess.PIPE)
    wait_for_lines(results, 40, process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    process.communicate()
    done = results.read_bytes()
    assert 40 < done.count(b"\n") < 301
    results.write_bytes(done[: done.rstrip(b"\n").rfind(b"\n") + 200])  # and in the middle of a line
    again = run(*arguments, tmp_path / "killed", "--resume")
    assert again.returncode == 0, again.stderr
    assert results.read_bytes() == (tmp_path / "whole" / "results.jsonl").read_bytes()


def test_ctrl_c_finishes_the_files(tiny: Path, tmp_path: Path) -> None:
    long = write_clip(tmp_path / "long.mp4", red_squares(600))
    process = subprocess.Popen(command(long, "--model", tiny, "--out", tmp_path / "o"), stderr=subprocess.PIPE)
    wait_for_lines(tmp_path / "o" / "results.jsonl", 30, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"--resume goes on from here" in errors
    assert b"Traceback" not in errors
    results = list(read_results(tmp_path / "o" / "results.jsonl"))
    assert 30 <= len(results) < 600
    assert len(pictures(tmp_path / "o" / "overlay.mp4")) == len(results)
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["overlay.mp4", "results.jsonl", "tracks.jsonl"]
    assert len(list(read_results(tmp_path / "o" / "tracks.jsonl"))) == len(results)


def test_parts_damage_and_the_header(clip: Path, tiny: Path, tmp_path: Path) -> None:
    broken = damaged(write_clip(tmp_path / "b.ts", moving(50)), seed=2)
    done = run(broken, "--model", tiny, "--out", tmp_path / "o", "--stride", "2", "--start", "0.2", "--end", "1.9",
               "--no-overlay", "--fov", "70")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "damaged frame" in done.stderr
    assert done.stdout == ""
    times = [when for _, when, _ in read_results(tmp_path / "o" / "results.jsonl")]
    assert times[0] >= 0.2
    assert times[-1] < 1.9
    header = read_header(tmp_path / "o" / "results.jsonl")
    assert (header["stride"], header["start"], header["end"], header["fov"]) == (2, 0.2, 1.9, 70)
    assert not (tmp_path / "o" / "overlay.mp4").exists()
    other = run(broken, "--model", tiny, "--out", tmp_path / "o", "--stride", "3", "--start", "0.2", "--end", "1.9",
                "--no-overlay", "--fov", "70", "--resume")  # fmt: skip
    assert other.returncode == 2
    assert "made with stride 2, now it is 3" in other.stderr


def test_a_folder_of_frames(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i, frame in enumerate(red_squares(6)):
        assert cv2.imwrite(str(tmp_path / "in" / f"{i}.png"), frame)
    done = run(tmp_path / "in", "--model", tiny, "--out", tmp_path / "o", "--fps", "10")
    assert done.returncode == 0, done.stderr
    assert "6 frames (0.5 s), 1 person" in done.stderr
    assert len(pictures(tmp_path / "o" / "overlay.mp4")) == 6


def test_nobody_is_followed_who_is_not_sure_enough(clip: Path, tiny: Path, tmp_path: Path) -> None:
    for new_score, expected in (("0.9", {1}), ("5", set())):
        done = run(clip, "--model", tiny, "--out", tmp_path / new_score, "--new-score", new_score, "--no-overlay")
        assert done.returncode == 0, done.stderr
        found = [poses.track_ids for _, _, poses in read_results(tmp_path / new_score / "results.jsonl")]
        assert {int(i) for ids in found if ids is not None for i in ids} == expected
        assert read_header(tmp_path / new_score / "results.jsonl")["new_score"] == float(new_score)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nowhere.mp4",), "does not exist"), (("CLIP", "--new-score", "-1"), "wanted 0 or more"),
     (("CLIP", "--stride", "0"), "stride 0"),
     (("CLIP", "--start", "99"), "nothing from 99 s"),
     (("CLIP", "--audio", "--no-overlay"), "choose one"), (("CLIP", "--model", "none"), "unknown model"),
     (("CLIP", "--out", "CLIP"), "a file has this name")],
)  # fmt: skip
def test_errors_are_one_line(clip: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str],
                             monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["track", *(str(clip) if word == "CLIP" else word for word in arguments)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("anchorpose: error: ")
    assert output.err.count("\n") == 1
    assert words in output.err


def test_the_source_is_never_overwritten(tiny: Path, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "overlay.mp4", red_squares(3))
    before = source.read_bytes()
    done = run(source, "--model", tiny, "--out", tmp_path)
    assert (done.returncode, source.read_bytes()) == (2, before)
    assert "would be replaced" in done.stderr


def test_progress_shows_the_rate_and_the_time_left(clip: Path, tiny: Path, tmp_path: Path) -> None:
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 100))
    process = subprocess.Popen(command(clip, "--model", tiny, "--out", tmp_path, "--no-overlay"), stderr=child)
    os.close(child)
    text = b"".join(_read_all(parent)).decode()
    assert process.wait(60) == 0
    assert "40/40" in text
    assert "frame/s" in text
    assert "<" in text  # elapsed<left


def _read_all(terminal: int) -> Iterator[bytes]:
    try:
        while data := os.read(terminal, 4096):
            yield data
    except OSError:  # how Linux says that the other side has closed
        return
    finally:
        os.close(terminal)


@pytest.mark.slow
@needs_weights
def test_people_in_photographs_keep_their_number(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "p.mp4", moving(24, 256, 192, (3,)), [Fraction(i, 12) for i in range(24)])
    done = run(clip, "--out", tmp_path / "o", "--max-side", "256")
    assert done.returncode == 0, done.stderr
    found = [poses for _, _, poses in read_results(tmp_path / "o" / "results.jsonl")]
    assert sum(len(poses) > 0 for poses in found) >= 20
    best = [int(poses.track_ids[poses.scores.argmax()]) for poses in found if poses.track_ids is not None]
    assert len(set(best)) == 1
    lines = (tmp_path / "o" / "results.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["model"] == "lcrnet-lite"


# --- memory


PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(tiny: Path, tmp_path: Path) -> None:
    peaks = []
    for seconds in (10, 200):
        frames = red_squares(50) * (seconds // 10)
        times = [Fraction(i, 5) for i in range(len(frames))]
        clip = write_clip(tmp_path / f"{seconds}.mp4", frames, times)
        done = subprocess.run([sys.executable, "-c", PEAK, *command(clip, "--model", tiny, "--out", tmp_path / "o")],
                              capture_output=True, text=True, timeout=300, check=True)  # fmt: skip
        code, peak = map(int, done.stdout.split())
        assert code == 0
        assert finish(tmp_path / "o").frames == len(frames)
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0]
