from __future__ import annotations

import gc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.io.video.decoding import Decoder, open_container, without_password
from anchorpose.io.video.frames import Part, VideoFrame
from anchorpose.io.video.source import VideoSource
from anchorpose.io.video.webcam import WebcamReader

from .clips import (
    PHOTOS,
    damaged,
    moving,
    number,
    numbered,
    truncated,
    uneven_times,
    write_clip,
)

CONTAINERS = ("mp4", "mkv", "ts", "mov", "avi")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips whose frames carry their numbers."""
    where = tmp_path_factory.mktemp("clips")
    frames = numbered(60)
    for container in CONTAINERS[:4]:
        write_clip(where / f"n.{container}", frames)
    write_clip(where / "n.avi", frames, codec="mpeg4", b_frames=0)
    write_clip(where / "vfr.mp4", frames, uneven_times(60))
    write_clip(where / "late.ts", frames, begin=Fraction(7, 2), audio="aac")
    return where


def read(source: object, **options: object) -> list[VideoFrame]:
    with VideoSource(source, **options) as video:  # type: ignore[arg-type]
        return list(video)


def numbers(frames: list[VideoFrame]) -> list[int]:
    return [number(frame.image) for frame in frames]


# --- files


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_frame_in_order_at_its_time(folder: Path, container: str) -> None:
    frames = read(folder / f"n.{container}")
    assert numbers(frames) == [frame.index for frame in frames] == list(range(60))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(60)], abs=1e-9)
    assert all(frame.image.flags.c_contiguous and frame.image.dtype == np.uint8 for frame in frames)


def test_what_is_known_before(folder: Path) -> None:
    for container in CONTAINERS:
        with VideoSource(folder / f"n.{container}", start=1, stride=2) as video:
            info = video.info
            assert (info.width, info.height, info.kind, info.live) == (64, 48, "file", False)
            assert info.fps == pytest.approx(25)
            assert info.frames == pytest.approx(len(list(video)), abs=1)


def test_variable_frame_rate(folder: Path) -> None:
    times = [float(t) for t in uneven_times(60)]
    assert [frame.time for frame in read(folder / "vfr.mp4")] == times
    assert np.ptp(np.diff(times)) > 0.05


def test_times_count_from_where_the_file_begins(folder: Path) -> None:
    frames = read(folder / "late.ts")
    assert numbers(frames) == list(range(60))
    # the sound of this file begins a little before its pictures
    assert 0 <= frames[0].time < 0.05
    assert frames[-1].time - frames[0].time == pytest.approx(59 / 25, abs=1e-6)


@pytest.mark.parametrize("name", ["n.mp4", "n.mkv", "n.ts", "n.avi", "vfr.mp4", "late.ts"])
@pytest.mark.parametrize("start", [0.0, 0.2, 1.0, 1.01, 2.3])
def test_a_part_is_what_reading_all_gives(folder: Path, name: str, start: float) -> None:
    whole = read(folder / name)
    end = start + 0.5
    wanted = [frame for frame in whole if start <= frame.time < end]
    found = read(folder / name, start=start, end=end, stride=3)
    assert len(wanted) >= 2
    assert [frame.time for frame in found] == [frame.time for frame in wanted[::3]]
    assert [frame.index for frame in found] == list(range(0, len(wanted), 3))
    assert numbers(found) == numbers(wanted[::3])
    assert all(np.array_equal(a.image, b.image) for a, b in zip(found, wanted[::3], strict=True))


def test_a_stream_without_an_index_is_read_from_its_beginning(folder: Path, tmp_path: Path) -> None:
    raw = write_clip(tmp_path / "raw.h264", numbered(60), b_frames=0)
    whole, part = read(raw), read(raw, start=1.0)
    assert numbers(whole) == list(range(60))
    assert [f.time for f in part] == [f.time for f in whole if f.time >= 1]
    assert numbers(part) == numbers([f for f in whole if f.time >= 1])


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pictures_are_upright(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    frames = moving(3, 96, 64)
    path = write_clip(tmp_path / "r.mp4", frames, rotation=rotation, mirrored=mirrored)
    plain = read(write_clip(tmp_path / "p.mp4", frames))
    for shown, stored in zip(read(path), plain, strict=True):
        turned = np.rot90(stored.image, rotation // 90)  # anticlockwise, as FFmpeg's documentation has it
        candidates = [turned[:, ::-1], np.rot90(stored.image[:, ::-1], rotation // 90)] if mirrored else [turned]
        assert any(np.array_equal(shown.image, picture) for picture in candidates)


def test_turned_and_mirrored_is_what_opencv_says(tmp_path: Path) -> None:
    """Another reader of the same metadata (rotation only, which is what it knows)."""
    for rotation in (90, 180, -90):
        path = write_clip(tmp_path / "r.mp4", moving(2, 96, 64), rotation=rotation)
        done, picture = cv2.VideoCapture(str(path)).read()
        assert done
        found = read(path)[0].image
        assert found.shape == picture.shape
        assert np.abs(found.astype(int) - picture).mean() < 3


def test_pixels_are_made_square(tmp_path: Path) -> None:
    frames = moving(2, 96, 64)
    wide = read(write_clip(tmp_path / "w.mp4", frames, pixels=(4, 3)))[0].image
    assert wide.shape == (64, 128, 3)
    expected = cv2.resize(frames[0], (128, 64), interpolation=cv2.INTER_CUBIC)
    assert np.abs(wide.astype(int) - expected).mean() < 6


# --- damage


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips of real photographs, whose frames are large enough to be hit."""
    where = tmp_path_factory.mktemp("photographs")
    for container in ("mp4", "mkv", "ts"):
        write_clip(where / f"p.{container}", moving(60))
    write_clip(where / "p.avi", moving(60), codec="mpeg4", b_frames=0)
    return where


@pytest.mark.parametrize("name", ["p.mp4", "p.mkv", "p.ts", "p.avi"])
@pytest.mark.parametrize("seed", range(3))
def test_damage_is_skipped_and_counted(photographs: Path, name: str, seed: int) -> None:
    clean = read(photographs / name)
    with VideoSource(damaged(photographs / name, seed=seed)) as video:
        frames = list(video)
        assert 0 < video.damaged < 30
        assert f"{video.damaged} damaged frame" in video.problems()[0]
    assert 30 <= len(frames) < 60
    assert all(b.index > a.index and b.time > a.time for a, b in pairwise(frames))
    # what lies well before the damage is whole and where it was, and frames keep coming after it
    assert all(np.array_equal(a.image, b.image) and a.time == b.time for a, b in zip(frames[:8], clean, strict=False))
    assert frames[-1].time == pytest.approx(clean[-1].time, abs=0.1)
    if name == "p.mp4":
        times = {frame.index: frame.time for frame in clean}
        assert {frame.time for frame in frames} < set(times.values())
        assert frames[-1].index == 59  # damaged frames count


def test_damage_before_the_start_is_not_reported(photographs: Path) -> None:
    path = damaged(photographs / "p.ts", 0.1, 0.3, seed=1)
    with VideoSource(path) as video:
        assert len(list(video)) < 60
        assert video.damaged > 0
    with VideoSource(path, start=2.0) as video:
        assert [frame.time for frame in video] == [f.time for f in read(photographs / "p.ts") if f.time >= 2]
        assert (video.damaged, video.problems()) == (0, [])


def test_a_file_cut_short_gives_what_it_has(folder: Path) -> None:
    found = numbers(read(truncated(folder / "n.ts")))
    assert found == sorted(found)
    assert found[:20] == list(range(20))
    assert len(found) < 40
    with VideoSource(truncated(folder / "n.mkv")) as video:
        assert 15 < len(list(video)) < 40
        assert "should have 2.40 s: it is cut short" in video.problems()[-1]
    with pytest.raises(InputError, match=r"cannot open .*n-cut\.mp4 as video: .*check it with a player"):
        VideoSource(truncated(folder / "n.mp4"))


def test_a_slow_video_is_not_cut_short_by_its_last_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "slow.mkv", numbered(4), [Fraction(2 * i) for i in range(4)], b_frames=0)
    with VideoSource(clip) as video:
        assert len(list(video)) == 4
        assert video.problems() == []


def test_decoded_frames_do_not_wait_for_the_garbage_collection(folder: Path) -> None:
    """Each of 1080p has 3 MB, and no collection may come for a thousand of them."""
    container = open_container(str(folder / "n.mp4"))
    decoder, frames = Decoder(container), []
    gc.disable()
    try:
        for _, frame in decoder.frames():
            decoder.to_bgr(frame)
            frames.append(id(frame))
            del frame
    finally:
        gc.enable()
        container.close()
    # where a frame goes at once, its place in memory is used again
    assert len(frames) == 60
    assert len(set(frames)) < 20


def test_garbage_never_crashes(folder: Path, tmp_path: Path) -> None:
    data, messages = bytearray((folder / "n.mp4").read_bytes()), []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        spoiled = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 40)):
            spoiled[at] = rng.integers(256)
        path = tmp_path / "g.mp4"
        path.write_bytes(spoiled)
        try:
            frames = read(path)
        except InputError as error:
            messages.append(str(error))
            continue
        times = [frame.time for frame in frames]
        assert times == sorted(set(times))
    assert not any("\n" in message for message in messages)


# --- pictures


def test_a_folder_of_frames(tmp_path: Path) -> None:
    for i, frame in enumerate(numbered(12)):
        assert cv2.imwrite(str(tmp_path / f"f{i}.png"), frame)  # f10 comes after f9
    found = read(tmp_path, fps=10, start=0.2, end=1.0, stride=2)
    assert numbers(found) == [2, 4, 6, 8]
    assert [frame.index for frame in found] == [0, 2, 4, 6]
    assert [frame.time for frame in found] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert numbers(read(str(tmp_path / "f1*.png"))) == [1, 10, 11]
    with VideoSource(tmp_path) as video:
        assert (video.info.kind, video.info.fps, video.info.frames) == ("pictures", 25.0, 12)


def test_broken_pictures_are_skipped_with_the_reason(tmp_path: Path) -> None:
    for i, frame in enumerate(numbered(5)):
        assert cv2.imwrite(str(tmp_path / f"{i}.jpg"), frame)
    (tmp_path / "0.jpg").write_bytes(b"")
    (tmp_path / "3.jpg").write_bytes((tmp_path / "3.jpg").read_bytes()[:200])
    with VideoSource(tmp_path) as video:
        assert numbers(list(video)) == [1, 2, 4]
        problems = video.problems()
    assert problems[0] == "2 damaged frames were skipped"
    assert "3.jpg" in problems[2]


def test_one_photograph_is_a_short_video() -> None:
    [frame] = read(sorted(PHOTOS.glob("*.jpg"))[0])
    assert (frame.index, frame.time) == (0, 0.0)


# --- webcam: OpenCV's capture of a file stands in for the driver


def test_webcam_reads_what_opencv_captures(folder: Path) -> None:
    reader = WebcamReader(str(folder / "n.mp4"), Part(stride=2))
    frames = list(reader.frames())
    assert numbers(frames) == list(range(0, 60, 2))
    assert [frame.index for frame in frames] == list(range(0, 60, 2))
    assert reader.info.live
    assert all(b.time > a.time for a, b in pairwise(frames))
    assert "stopped giving pictures" in reader.problems()[0]


def test_webcam_stops_when_told(folder: Path) -> None:
    reader = WebcamReader(str(folder / "n.mp4"), Part())
    frames = reader.frames()
    next(frames)
    reader.stop()
    assert list(frames) == []
    assert reader.problems() == []


# --- life of a source


def test_closing_early_and_without_reading(folder: Path) -> None:
    with VideoSource(folder / "n.mp4") as video:
        assert number(next(iter(video)).image) == 0
    assert list(video) == []
    with VideoSource(folder / "n.mp4") as video:
        pass
    assert list(video) == []


def test_stop_ends_the_frames(folder: Path) -> None:
    video = VideoSource(folder / "n.mp4")
    frames = iter(video)
    next(frames)
    video.stop()
    assert list(frames) == []
    video.close()


# --- what cannot be read


@pytest.mark.parametrize(
    ("source", "words"),
    [("", "source is empty"), ("nowhere.mp4", "does not exist"), ("/dev/video97", "gives no picture"),
     (97, "webcam 97"), ("http://127.0.0.1:9/x.mp4", "cannot open http"), ("rtsp://user:secret@127.0.0.1:9/live", "rtsp://127.0.0.1:9")],
)  # fmt: skip
def test_errors_are_one_line(source: str | int, words: str) -> None:
    with pytest.raises(InputError) as error:
        VideoSource(source)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_files_that_are_no_video(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        VideoSource(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_text("no video\n" * 100)
    with pytest.raises(InputError, match="cannot open"):
        VideoSource(tmp_path / "b.mp4")
    with pytest.raises(InputError, match=r"is 2\.40 s long and has nothing from 9 s on"):
        VideoSource(folder / "n.mp4", start=9)
    with pytest.raises(InputError, match="no whole frame in the part"):
        VideoSource(folder / "n.mp4", start=0.01, end=0.02)
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        VideoSource(tmp_path / "c")


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://me:pass@cam.local:554/a@b") == "rtsp://cam.local:554/a@b"
    assert without_password("http://cam.local/x?mail=a@b") == "http://cam.local/x?mail=a@b"
    assert without_password("clip@home.mp4") == "clip@home.mp4"
