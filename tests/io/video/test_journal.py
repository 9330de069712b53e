from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import COCO17
from anchorpose.io.video.journal import SCHEMA, Journal, read_header, read_results

from ..people import people

SETTINGS = {"source": "ü.mp4", "fps": 29.97, "stride": 2, "end": None}


def frame(number: int) -> Poses:
    """0 to 2 people with identities."""
    found = people(*[(0.3 * i, 0.1, 3.0 + i) for i in range(number % 3)], seed=number)
    return replace(found, track_ids=np.arange(len(found)) + number % 5) if len(found) else found


def write(path: Path, first: int, last: int, resume: bool = False) -> Path:
    with Journal(path, SETTINGS, resume) as journal:
        for i in range(first, last):
            journal.append(2 * i, i / 29.97, frame(i))
    return path


def test_results_come_back_as_they_went_in(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", 0, 12)
    found = list(read_results(path))
    assert [index for index, _, _ in found] == list(range(0, 24, 2))
    assert [time for _, time, _ in found] == [i / 29.97 for i in range(12)]
    for i, (_, _, poses) in enumerate(found):
        assert poses.to_dict() == Poses.from_dict(frame(i).to_dict()).to_dict()
        assert (poses.track_ids is None) == (i % 3 == 0)
    header = read_header(path)
    assert {name: header[name] for name in SETTINGS} == SETTINGS
    assert header["schema"] == SCHEMA
    assert header["skeleton"]["name"] == "LCR13"
    assert header["camera"]["width"] == 400


def test_every_line_is_json_without_nan(tmp_path: Path) -> None:
    nowhere = replace(frame(1), translation=np.full((1, 3), np.nan, np.float32))
    with Journal(tmp_path / "r.jsonl", SETTINGS) as journal:
        journal.append(0, 0.0, nowhere)
    text = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert text.endswith("\n")
    assert len([json.loads(line) for line in text.splitlines()]) == 2
    [(_, _, poses)] = read_results(tmp_path / "r.jsonl")
    assert np.isnan(poses.translation).all()


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "r.jsonl", SETTINGS) as journal:
        for i in range(5):
            journal.append(i, i / 25, frame(i))
            assert len(list(read_results(tmp_path / "r.jsonl"))) == i + 1


def test_resuming_after_any_tear_ends_with_the_same_file(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl", 0, 6).read_bytes()
    path = tmp_path / "torn.jsonl"
    ends = [i for i, byte in enumerate(whole) if byte == 10]
    cuts = {0, 1, len(whole)} | {end + d for end in ends for d in (-1, 0, 1, 2, 40)}
    for cut in sorted(c for c in cuts if 0 <= c <= len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, SETTINGS, resume=True) as journal:
            done = journal.count
            assert done == max(0, whole[:cut].count(b"\n") - 1)
            assert journal.last == (2 * (done - 1) if done else None)
        write(path, done, 6, resume=True)
        assert path.read_bytes() == whole, cut


def test_zeros_of_a_power_cut_are_a_tear(tmp_path: Path) -> None:
    whole = write(tmp_path / "r.jsonl", 0, 4).read_bytes()
    (tmp_path / "r.jsonl").write_bytes(whole + b"\0" * 300 + b"\n")
    assert len(list(read_results(tmp_path / "r.jsonl"))) == 4
    write(tmp_path / "r.jsonl", 4, 5, resume=True)
    assert (tmp_path / "r.jsonl").read_bytes() == write(tmp_path / "w.jsonl", 0, 5).read_bytes()


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl", 0, 9)
    write(tmp_path / "r.jsonl", 0, 3)
    assert len(list(read_results(tmp_path / "r.jsonl"))) == 3


def test_another_camera_is_kept_with_its_frame(tmp_path: Path) -> None:
    with Journal(tmp_path / "r.jsonl", SETTINGS) as journal:
        journal.append(0, 0.0, people((0, 0, 3)))
        journal.append(1, 0.1, people((0, 0, 3), width=200, height=100))
        journal.append(2, 0.2, people((0, 0, 3)))
    assert [poses.camera.width for _, _, poses in read_results(tmp_path / "r.jsonl")] == [400, 200, 400]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for count in (20, 400):
        path = write(tmp_path / "r.jsonl", 0, count)
        tracemalloc.start()
        assert sum(1 for _ in read_results(path)) == count
        with Journal(path, SETTINGS, resume=True):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert path.stat().st_size > 400_000
    assert peaks[1] < peaks[0] + 100_000


KILLED = """
import sys
from tests.io.video.test_journal import SETTINGS, frame
from anchorpose.io.video.journal import Journal
with Journal(sys.argv[1], SETTINGS, resume=True) as journal:
    for i in range(journal.count, 100000):
        journal.append(2 * i, i / 29.97, frame(i))
        print(i, flush=True)
"""


def test_after_sigkill_only_whole_lines_count(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    for most in (20, 60):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "r.jsonl")], cwd=root, text=True,
                                   stdout=subprocess.PIPE)  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= most:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait(30) == -signal.SIGKILL
        found = list(read_results(tmp_path / "r.jsonl"))
        assert len(found) > most
        (tmp_path / "r.jsonl").open("ab").write(b'{"index":9')
    count = len(list(read_results(tmp_path / "r.jsonl")))
    with Journal(tmp_path / "r.jsonl", SETTINGS, resume=True):
        pass
    assert (tmp_path / "r.jsonl").read_bytes() == write(tmp_path / "w.jsonl", 0, count).read_bytes()


def test_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", 0, 4)
    with pytest.raises(InputError, match=r"made with stride 2, now it is 3; use the same options"):
        Journal(path, SETTINGS | {"stride": 3}, resume=True)
    with pytest.raises(InputError, match=r"made with max_side None, now it is 256"):
        Journal(path, SETTINGS | {"max_side": 256}, resume=True)
    assert len(list(read_results(path))) == 4
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{}\n", *lines[3:]]))
    with pytest.raises(InputError, match="line 3 is broken"):
        list(read_results(path))
    path.write_bytes(b"".join([*lines[:2], b"{torn", *lines[3:]]))
    with pytest.raises(InputError, match=r"line 3 is broken \(no JSON"):
        Journal(path, SETTINGS, resume=True)
    path.write_text('{"schema": "other/1"}\n')
    with pytest.raises(InputError, match="found schema 'other/1', wanted 'anchorpose/video/1'"):
        read_header(path)
    path.write_text("")
    with pytest.raises(InputError, match="is empty"):
        list(read_results(path))
    with pytest.raises(InputError, match="cannot read"):
        list(read_results(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="cannot write"):
        Journal(tmp_path / "no" / "r.jsonl", SETTINGS)


def test_frames_have_to_go_on(tmp_path: Path) -> None:
    with Journal(tmp_path / "r.jsonl", SETTINGS) as journal:
        journal.append(3, 0.0, frame(1))
        with pytest.raises(ValueError, match="found frame 3 after frame 3"):
            journal.append(3, 0.1, frame(1))
        with pytest.raises(ValueError, match="found skeleton COCO17"):
            journal.append(4, 0.1, frame(1).to_skeleton(COCO17))
    assert len(list(read_results(tmp_path / "r.jsonl"))) == 1


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "r.jsonl").symlink_to("/dev/full")
    with pytest.raises(InputError, match="cannot write"), Journal(tmp_path / "r.jsonl", SETTINGS) as journal:
        journal.append(0, 0.0, frame(1))
