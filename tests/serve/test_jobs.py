"""Jobs on the disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from anchorpose.app.finish import OVERLAY
from anchorpose.app.tracks_file import RESULTS as RESULTS_OF_TRACK
from anchorpose.core.errors import InputError
from anchorpose.serve.job_views import view
from anchorpose.serve.jobs import OUT, RESULTS, Job, JobStore
from anchorpose.serve.runner import last_error, track_command

VIDEO = {"width": 64, "height": 48, "fps": 25.0, "frames": 4, "seconds": 0.16}


def new(store: JobStore, **changes: object) -> Job:
    fields = {"id": store.begin(), "name": "walk.mp4", "input": "input.mp4", "arguments": ("--stride", "1"),
              "options": {"stride": 1}, "video": VIDEO, "frames": 4, "created": time.time()}  # fmt: skip
    return store.put(Job(**fields | changes))  # type: ignore[arg-type]


def test_jobs_come_back_and_cut_off_uploads_do_not(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs")
    jobs = [new(store, created=float(i), state=state) for i, state in enumerate(("done", "running", "queued"))]
    upload = store.path(store.begin())
    (upload / "upload").write_bytes(b"half a video")
    with pytest.raises(InputError, match="another server uses"):
        JobStore(tmp_path / "jobs")
    store.close()
    again = JobStore(tmp_path / "jobs")
    assert list(again) == jobs
    assert again.counts() == {"queued": 1, "running": 1, "done": 1, "failed": 0, "cancelled": 0}
    assert not upload.exists()
    assert again.change(jobs[1].id, state="failed", error="x").error == "x"
    assert again.remove_old(3600) == 2  # those that are over; created long ago
    assert [job.state for job in again] == ["queued"]
    assert again.path(jobs[2].id).stat().st_mode & 0o077 == 0
    again.close()


def test_a_broken_job_is_one_line(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = new(store)
    store.close()
    path = tmp_path / job.id / "job.json"
    whole = path.read_text()
    for text in ("", "{}", whole.replace("queued", "sleeping"), whole.replace(job.id, "0" * 24), "[]"):
        path.write_text(text)
        with pytest.raises(InputError) as refused:
            JobStore(tmp_path)
        assert len(str(refused.value).splitlines()) == 1
        assert str(path) in str(refused.value)
    path.write_text(json.dumps(json.loads(whole)))


def test_progress_counts_whole_frames(tmp_path: Path) -> None:
    assert RESULTS == RESULTS_OF_TRACK
    store = JobStore(tmp_path)
    job = new(store)
    out = store.path(job.id) / OUT
    assert store.frames_done(job.id) == 0
    with open(out / RESULTS, "ab") as file:
        for line, expected in ((b"header\n", 0), (b"frame 0\n", 1), (b"frame 1\nfra", 2), (b"me 2\n", 3)):
            file.write(line)
            file.flush()
            assert store.frames_done(job.id) == expected
    (out / RESULTS).write_bytes(b"header\nframe 0\n")  # cut back by a resumed run
    assert store.frames_done(job.id) == 1
    assert view(store, job).progress.share == 0.25
    (out / "exports").mkdir()
    (out / "exports" / "a.csv").write_text("x")
    (out / f".{OVERLAY}").write_text("being written")
    (out / "link").symlink_to("/etc/passwd")
    assert list(store.files(job.id)) == ["exports/a.csv", RESULTS]
    store.close()


def test_the_process_is_the_command_with_resume(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    command = track_command(new(store))
    assert command[1:] == ("-m", "anchorpose", "track", "input.mp4", "--out", OUT, "--resume", "--stride", "1")
    (tmp_path / "log").write_text("warning\nanchorpose: error: the disk is full\n")
    assert last_error(tmp_path / "log") == "the disk is full"
    assert last_error(tmp_path / "nothing") == "its process ended without a word"
    store.close()
