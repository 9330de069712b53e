"""tracks.jsonl: written, read, and what else there is of it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anchorpose.app.tracks_file import TrackFile, frames_of, read_track_file, seen_by, to_clip, write_track_file
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.io.video.journal import read_results
from anchorpose.motion.gaps import fill_gaps
from tests.app.scene import COUNT, MISSED, frames, lines, write_run
from tests.motion.people import CAMERA, people_at


def test_a_run_reads_as_its_frames(tmp_path: Path) -> None:
    found = frames()
    file = read_track_file(write_run(tmp_path, found) / "results.jsonl")
    assert file.header["source"] == "scene.mp4"
    assert [p.id for p in file.tracks.people] == [1, 2, 3, 9]
    assert [len(p) for p in file.tracks.people] == [COUNT, COUNT - len(MISSED), COUNT, 2]
    assert not any(p.filled.any() for p in file.tracks.people)
    for (index, time, poses), (k, when, there) in zip(found, frames_of(file), strict=True):
        assert (index, time) == (k, when)
        order = np.argsort(there.track_ids)
        np.testing.assert_allclose(there.joints3d[order], poses.joints3d, atol=1e-5)
        np.testing.assert_allclose(there.joints2d[order], poses.joints2d, atol=1e-2)


def test_written_and_read_is_the_same_with_what_was_filled(tmp_path: Path) -> None:
    file = read_track_file(write_run(tmp_path) / "results.jsonl")
    joints3d = file.tracks[2].joints3d.copy()
    joints3d[3, 5] = np.nan
    people = tuple(replace(p, joints3d=joints3d) if p.id == 2 else p for p in file.tracks.people)
    filled = fill_gaps(replace(file.tracks, people=people), 0.5)
    file = TrackFile(file.header | {"extra": [1]}, file.indices, filled)
    write_track_file(tmp_path / "tracks.jsonl", file)
    again = read_track_file(tmp_path / "tracks.jsonl")
    assert again.header["extra"] == [1]
    assert again.indices.tolist() == file.indices.tolist()
    assert np.flatnonzero(again.tracks[2].filled).tolist() == list(MISSED)
    for before, after in zip(filled.people, again.tracks.people, strict=True):
        np.testing.assert_allclose(after.joints3d, before.joints3d, atol=1e-5)
        np.testing.assert_array_equal(after.states, before.states)
    write_track_file(tmp_path / "twice.jsonl", again)
    assert (tmp_path / "twice.jsonl").read_bytes() == (tmp_path / "tracks.jsonl").read_bytes()
    own = [person["filled"] for line in lines(tmp_path / "tracks.jsonl")[1:] for person in line["people"]]
    assert sum(own) == len(MISSED)
    assert len(list(read_results(tmp_path / "tracks.jsonl"))) == COUNT  # the schema of results.jsonl


def test_frames_without_anybody_count(tmp_path: Path) -> None:
    file = read_track_file(write_run(tmp_path, frames(people=(9,))) / "results.jsonl")
    assert len(file.tracks.times) == COUNT
    clip = to_clip(file)
    assert (len(clip), len(clip.people)) == (COUNT, 1)
    assert clip.people[0].present.sum() == 2
    nobody = read_track_file(write_run(tmp_path / "empty", frames(people=())) / "results.jsonl")
    assert len(to_clip(nobody)) == COUNT
    assert to_clip(nobody).people == ()


def test_a_picture_that_changes_its_size_keeps_its_rays(tmp_path: Path) -> None:
    large = Camera.from_fov(1280, 720, 75)
    found = frames(people=(1,))
    at = np.array([[0.3, 0.1, 4.0]])
    found[40] = (40, found[40][1], replace(people_at(at, camera=large), track_ids=np.array([1])))
    track = read_track_file(write_run(tmp_path, found) / "results.jsonl").tracks[1]
    np.testing.assert_allclose(track.joints2d[40], people_at(at).joints2d[0], atol=0.02)
    same = people_at(at)
    assert seen_by(same, CAMERA) is same


@pytest.mark.slow
def test_memory_is_that_of_the_poses(tmp_path: Path) -> None:
    """The lines are never all there at once: 350 bytes for each person in each frame, and one block beside them."""
    found = frames(people=(1, 2, 3))
    longer = [(k, k / 25, found[k % COUNT][2]) for k in range(8 * COUNT)]
    path = write_run(tmp_path, longer) / "results.jsonl"
    del longer, found
    tracemalloc.start()
    file = read_track_file(path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = sum(len(p) for p in file.tracks.people)
    assert kept < 400 * rows
    assert peak < 900 * rows + 4e6
    assert path.stat().st_size > 2 * kept


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), ('{"schema":"other"}\n', "found schema 'other'"), ("HEAD", "holds no frame"),
     ("HEAD{]\n{}\n", "line 2 is broken"), ('HEAD{"index":0,"time":0}\n', "line 2 is broken")],
)  # fmt: skip
def test_broken_files_are_told(tmp_path: Path, text: str, words: str) -> None:
    head = (write_run(tmp_path) / "results.jsonl").read_text().splitlines(keepends=True)[0]
    (tmp_path / "results.jsonl").write_text(text.replace("HEAD", head))
    with pytest.raises(InputError, match=words):
        read_track_file(tmp_path / "results.jsonl")


def test_people_without_numbers_are_told(tmp_path: Path) -> None:
    found = [(k, t, replace(p, track_ids=None)) for k, t, p in frames()]
    with pytest.raises(InputError, match="without track_ids"):
        read_track_file(write_run(tmp_path, found) / "results.jsonl")


def test_too_many_people_for_an_export_are_told(tmp_path: Path) -> None:
    file = read_track_file(write_run(tmp_path) / "results.jsonl")
    times = np.arange(3_100_000) / 25
    long = replace(file, indices=np.arange(len(times)), tracks=replace(file.tracks, times=times))
    with pytest.raises(InputError, match="more than an export can hold"):
        to_clip(long)
