"""One shard after the other in this process: tables, failures, resuming, and workers that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")

import pyarrow as pa
from pyarrow import parquet

from anchorpose.app.batch.job import PLAN, missing, pending, settle, settle_settings
from anchorpose.app.batch.shards import Shard, find_inputs
from anchorpose.app.batch.storage import Folder
from anchorpose.app.batch.tables import ShardTables
from anchorpose.app.batch.worker import Report, ShardWorker, Work
from anchorpose.app.estimator import Estimator, load
from anchorpose.app.finish import finish
from anchorpose.app.track import Outputs, track
from anchorpose.app.tracks_file import read_track_file, to_clip
from anchorpose.core.errors import InputError
from anchorpose.io.exports.tables import joint_table
from anchorpose.io.video.source import VideoSource

from .conftest import picture, walking

SIZE = 4


@pytest.fixture(scope="session")
def estimator(tiny: Path) -> Estimator:
    return load(tiny, threads=1)


def run(work: Work, estimator: Estimator) -> list[Report]:
    """A whole job in this process."""
    reports = [ShardWorker(work, estimator).run(shard) for shard in pending(work, SIZE)]
    settle(work.output)
    return reports


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    files = sorted((folder / name).glob("*.parquet"))
    return [row for file in files for row in parquet.read_table(file).to_pylist()]


def test_every_input_has_one_result(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out = tmp_path / "out"
    reports = run(Work(Folder(str(photos)), Folder(str(out))), estimator)
    names = sorted(str(p.relative_to(photos)) for p in photos.rglob("*.*"))
    done, failed = table(out, "inputs"), table(out, "failed")
    assert sorted(r["input"] for r in done + failed) == names
    assert {r["input"]: r["reason"].split(";")[0] for r in failed} == {
        "empty.jpg": "empty (0 bytes), wanted a picture (JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000 or PNM)",
        "0/text.jpg": "found text ('this is no picture'), wanted a picture (JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, "
                      "JPEG 2000 or PNM)"}  # fmt: skip
    assert {r["input"] for r in done if r["people"] == 0} == {"nobody.png"}
    assert (sum(r.done for r in reports), sum(r.failed for r in reports)) == (31, 2)
    assert sum(r.people for r in reports) == 30
    assert {p.name for p in out.iterdir()} == {"inputs", "joints", "failed", "_started", PLAN}
    assert not list(out.rglob(".*"))


def test_joints_are_what_the_estimator_finds(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out = tmp_path / "out"
    run(Work(Folder(str(photos)), Folder(str(out))), estimator)
    rows = table(out, "joints")
    assert len(rows) == 30 * 13
    for name in ("0/0.png", "1/13.png", "2/29.png"):
        poses = estimator(photos / name)
        mine = [r for r in rows if r["input"] == name]
        assert [r["joint"] for r in mine] == list(poses.skeleton.joints)
        found = np.array([[r["x_px"], r["y_px"]] for r in mine])
        np.testing.assert_array_equal(found, poses.joints2d[0].astype(np.float64))
        space = np.array([[r[f"{a}_m"] for a in "xyz"] for r in mine])
        np.testing.assert_allclose(space, poses.joints3d_camera[0], atol=1e-6)
        assert {r["person_score"] for r in mine} == {float(poses.scores[0])}
        assert {(r["frame"], r["time"], r["id"]) for r in mine} == {(0, None, 0)}


def test_columns_tell_their_units(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out = tmp_path / "out"
    run(Work(Folder(str(photos)), Folder(str(out))), estimator)
    schemas = {name: [parquet.read_schema(f) for f in (out / name).glob("*.parquet")]
               for name in ("joints", "inputs", "failed")}  # fmt: skip
    for name, found in schemas.items():
        assert all(s == found[0] for s in found), name  # also of the shard in which there is nobody
        assert json.loads(found[0].metadata[b"anchorpose"]) == {"schema": "anchorpose/batch/1"}
    units = {f.name: f.metadata[b"unit"].decode() for f in schemas["joints"][0]}
    assert {n: u for n, u in units.items() if u} == {
        "time": "s",
        "x_px": "px",
        "y_px": "px",
        "x_m": "m",
        "y_m": "m",
        "z_m": "m",
        "x_rel_m": "m",
        "y_rel_m": "m",
        "z_rel_m": "m",
    }
    whole = pa.concat_tables([parquet.read_table(f) for f in (out / "joints").glob("*.parquet")])
    assert whole.schema.field("x_m").type == pa.float32()


def test_a_second_run_does_nothing(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out = tmp_path / "out"
    work = Work(Folder(str(photos)), Folder(str(out)))
    run(work, estimator)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")}
    assert run(work, estimator) == []
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")} == before


def test_changed_new_and_removed_inputs(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out, clean = tmp_path / "out", tmp_path / "clean"
    work = Work(Folder(str(photos)), Folder(str(out)))
    all_shards = len(run(work, estimator))
    assert cv2.imwrite(str(photos / "1" / "13.png"), picture(90, 90))
    assert cv2.imwrite(str(photos / "2" / "new.png"), picture(10, 10))
    (photos / "0" / "text.jpg").unlink()
    assert 0 < len(run(work, estimator)) < all_shards
    run(Work(Folder(str(photos)), Folder(str(clean))), estimator)
    for name in ("joints", "inputs", "failed"):
        assert table(out, name) == table(clean, name), name
    assert sorted(p.name for p in out.rglob("*")) == sorted(p.name for p in clean.rglob("*"))


def test_failed_inputs_are_tried_again_only_when_asked(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out = tmp_path / "out"
    source, output = Folder(str(photos)), Folder(str(out))
    run(Work(source, output), estimator)
    text = photos / "0" / "text.jpg"
    stamp = text.stat()
    data = cv2.imencode(".png", picture(50, 50))[1].tobytes()
    with pytest.MonkeyPatch.context() as patch:  # as if the bucket had been out of reach the first time
        patch.setattr(source.fs, "cat_file",
                      lambda path: data if str(path).endswith("text.jpg") else Path(path).read_bytes())  # fmt: skip
        assert run(Work(source, output), estimator) == []
        again = run(Work(source, output, retry=True), estimator)
    assert text.stat().st_mtime_ns == stamp.st_mtime_ns
    assert len(again) == 2  # the shards with failed inputs
    assert [r["input"] for r in table(out, "failed")] == ["empty.jpg"]
    assert "0/text.jpg" in {r["input"] for r in table(out, "inputs")}
    assert len(table(out, "inputs")) == 32


def test_what_the_storage_says_is_the_reason(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    out = tmp_path / "out"
    work = Work(Folder(str(photos)), Folder(str(out)))
    shards = list(pending(work, SIZE))
    (photos / "1" / "4.png").unlink()  # after the listing
    for shard in shards:
        ShardWorker(work, estimator).run(shard)
    reasons = {r["input"]: r["reason"] for r in table(out, "failed")}
    assert reasons["1/4.png"] == "FileNotFoundError: No such file or directory"


def test_memory_of_fsspec_works_as_a_disk_does(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    source, output = Folder(f"memory:/{tmp_path}/in"), Folder(f"memory:/{tmp_path}/out")
    for path in photos.rglob("*.*"):
        source.write(str(path.relative_to(photos)), path)
    walking(tmp_path / "w.mp4")
    source.write("w.mp4", tmp_path / "w.mp4")
    (tmp_path / "w.mp4").rename(photos / "w.mp4")
    run(Work(source, output), estimator)
    run(Work(Folder(str(photos)), Folder(str(tmp_path / "out"))), estimator)
    output.fs.get(output.root, str(tmp_path / "copy"), recursive=True)
    for name, columns in (("joints", ("input", "frame", "x_px", "z_m")), ("inputs", ("input", "people"))):
        rows = [sorted(tuple(r[c] for c in columns) for r in table(tmp_path / folder, name))
                for folder in ("copy", "out")]  # fmt: skip
        assert rows[0] == rows[1], name


# --- videos


def test_videos_frame_by_frame_and_tracked(tmp_path: Path, estimator: Estimator) -> None:
    (tmp_path / "in").mkdir()
    clip = walking(tmp_path / "in" / "w.mp4")
    (tmp_path / "in" / "bad.mp4").write_bytes(b"no video")
    for name, tracked in (("frames", False), ("tracked", True)):
        [bad, good] = run(Work(Folder(str(tmp_path / "in")), Folder(str(tmp_path / name)), track=tracked), estimator)
        assert (bad.failed, good.done, good.people) == (1, 1, 1)
        [row] = table(tmp_path / name, "inputs")
        assert (row["kind"], row["width"], row["height"], row["frames"]) == ("video", 160, 120, 12)
        assert "cannot open" in table(tmp_path / name, "failed")[0]["reason"]
    with VideoSource(clip) as video:
        frames = [(f.index, f.time, estimator(f.image)) for f in video]
    rows = table(tmp_path / "frames", "joints")
    assert [(r["frame"], r["time"]) for r in rows[::13]] == [(i, t) for i, t, _ in frames]
    np.testing.assert_array_equal([r["x_px"] for r in rows],
                                  np.concatenate([p.joints2d[0, :, 0] for _, _, p in frames]))  # fmt: skip

    (tmp_path / "alone").mkdir()
    track(estimator, VideoSource(clip), Outputs(tmp_path / "alone", overlay=False), {})
    finish(tmp_path / "alone")
    alone = joint_table(to_clip(read_track_file(tmp_path / "alone" / "tracks.jsonl")))
    rows = table(tmp_path / "tracked", "joints")
    assert len(rows) == len(alone["id"]) == 12 * 13
    for name in ("frame", "time", "id", "joint", "x_px", "x_m"):
        wanted = alone[name].astype(np.float32) if name.startswith("x") else alone[name]
        assert [r[name] for r in rows] == wanted.tolist(), name


def test_a_stride_leaves_frames_out(tmp_path: Path, estimator: Estimator) -> None:
    (tmp_path / "in").mkdir()
    walking(tmp_path / "in" / "w.mp4")
    run(Work(Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out")), stride=5), estimator)
    assert [r["frame"] for r in table(tmp_path / "out", "joints")[::13]] == [0, 5, 10]


def test_a_video_that_fails_on_the_way_leaves_no_rows(tmp_path: Path, estimator: Estimator) -> None:
    (tmp_path / "in").mkdir()
    walking(tmp_path / "in" / "w.mp4", 100)
    left = iter(range(70))

    def fails(image: np.ndarray) -> Any:
        if next(left, None) is None:
            raise MemoryError("no more")
        return estimator(image)

    work = Work(Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out")))
    [report] = run(work, fails)  # type: ignore[arg-type]
    assert report.failures == ("w.mp4: MemoryError: no more",)
    assert table(tmp_path / "out", "joints") == []


def test_rows_are_written_in_groups(tmp_path: Path, estimator: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anchorpose.app.batch.tables._BLOCK", 40)
    (tmp_path / "in").mkdir()
    for i in range(8):
        assert cv2.imwrite(str(tmp_path / "in" / f"{i}.png"), picture(10 * i, 20))
    work = Work(Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out")))
    shard = Shard.of(find_inputs(work.source))
    ShardWorker(work, estimator).run(shard)
    [file] = (tmp_path / "out" / "joints").glob("*.parquet")
    assert parquet.ParquetFile(file).num_row_groups == 2
    assert [r["input"] for r in table(tmp_path / "out", "joints")[::13]] == [f"{i}.png" for i in range(8)]
    assert ShardTables(tmp_path).people == 0


# --- workers that die


DIES = """
import os, signal, sys
from anchorpose.app.batch.shards import Shard
from anchorpose.app.batch.storage import Folder
from anchorpose.app.batch.worker import ShardWorker, Work
from anchorpose.app.estimator import load
estimator = load(sys.argv[1], threads=1)
def dies(image):
    if image.shape[0] == 77:
        os.kill(os.getpid(), signal.SIGKILL)
    return estimator(image)
print(ShardWorker(Work(Folder(sys.argv[2]), Folder(sys.argv[3])), dies).run(Shard.from_json(sys.argv[4])).failed)
"""


def test_an_input_that_kills_its_workers_is_given_up(tiny: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for i in range(4):
        assert cv2.imwrite(str(source / f"{i}.png"), picture() if i != 2 else picture()[:77])
    shard = Shard.of(find_inputs(Folder(str(source))))
    command = [sys.executable, "-c", DIES, str(tiny), str(source), str(out), shard.to_json()]
    codes = []
    for _ in range(4):  # as Ray does: the same shard to the next worker
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        codes.append(done.returncode)
        if done.returncode == 0:
            break
        assert not list((out / "inputs").glob("*"))
    assert codes == [-signal.SIGKILL] * 3 + [0], done.stderr
    assert [r["input"] for r in table(out, "inputs")] == ["0.png", "1.png", "3.png"]
    [row] = table(out, "failed")
    assert (row["input"], row["attempts"]) == ("2.png", 4)
    assert "the worker died 2 times at this input" in row["reason"]
    assert os.listdir(out / "_started") == []


# --- what a job is made with


def test_other_settings_are_refused(tmp_path: Path) -> None:
    output = Folder(str(tmp_path))
    settle_settings(output, {"input": "a", "stride": 1})
    settle_settings(output, {"input": "a", "stride": 1})
    with pytest.raises(InputError, match="made with stride 1, now it is 2"):
        settle_settings(output, {"input": "a", "stride": 2})
    output.write("settings.json", b"[1")
    with pytest.raises(InputError, match="not that of a batch job"):
        settle_settings(output, {})


def test_a_missing_shard_is_never_passed_over(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    work = Work(Folder(str(photos)), Folder(str(tmp_path / "out")))
    shards = list(pending(work, SIZE))
    for shard in shards[1:]:
        ShardWorker(work, estimator).run(shard)
    assert missing(work.output) == 1
    with pytest.raises(InputError, match=f"1 of {len(shards)} shards are not done"):
        settle(work.output)
    again = pending(work, SIZE)
    assert next(again) == shards[0]
    assert missing(work.output) is None  # until all is listed once more
    with pytest.raises(InputError, match="not listed to their end"):
        settle(work.output)
    assert list(again) == []
    ShardWorker(work, estimator).run(shards[0])
    assert (missing(work.output), settle(work.output).shards) == (0, len(shards))


def test_nothing_to_do_removes_nothing(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    (tmp_path / "none").mkdir()
    output = Folder(str(tmp_path / "out"))
    run(Work(Folder(str(photos)), output), estimator)
    with pytest.raises(InputError, match="holds no photographs or videos"):
        list(pending(Work(Folder(str(tmp_path / "none")), output), SIZE))
    with pytest.raises(InputError, match="not listed to their end"):
        settle(output)
    assert len(table(tmp_path / "out", "inputs")) == 31


def test_a_full_disk_is_told_and_nothing_counts_as_done(photos: Path, tmp_path: Path, estimator: Estimator) -> None:
    (tmp_path / "out").write_text("a file in the way")
    work = Work(Folder(str(photos)), Folder(str(tmp_path / "out")))
    with pytest.raises(InputError, match="cannot write"):
        ShardWorker(work, estimator).run(Shard.of(find_inputs(work.source)))
