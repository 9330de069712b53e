"""Videos as jobs, from outside: results, cancel, kill -9, restart, shutdown, limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from .servers import Server, assert_refused

HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n"


def alone(tiny: Path, folder: Path, clip: bytes, *arguments: str) -> bytes:
    """results.jsonl of the command, without a server; in a folder of its own, so that the source has the same name."""
    (folder / "input.mp4").write_bytes(clip)
    command = [sys.executable, "-m", "anchorpose", "track", "input.mp4", "--out", "out", "--model", str(tiny),
               "--threads", "1", *arguments]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "results.jsonl").read_bytes()


def test_a_video_becomes_a_job_with_files(server: Server, tiny: Path, tmp_path: Path, clip: bytes) -> None:
    query = "start=0.1&end=0.7&fov=70&filter=none&export=csv&export=npz&html=true&name=a/b/Walk.mp4"
    accepted = server.post(f"/v1/track?{query}", clip, headers={"Content-Type": "video/mp4"})
    assert accepted.status_code == 202, accepted.text
    job = accepted.json()
    assert accepted.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["name"], job["progress"]["of"]) == ("Walk.mp4", 15)
    assert job["video"] == {"width": 128, "height": 96, "fps": 25.0, "frames": 20, "seconds": 0.8}
    done = server.wait_until(job["id"], "done")
    assert done["progress"] == {"frames": 15, "of": 15, "share": 1.0}
    assert done["created"] <= done["started"] <= done["ended"]
    files = {file["name"]: server.get(file["url"]) for file in done["files"]}
    assert {"results.jsonl", "tracks.jsonl", "overlay.mp4", "view.html"} < set(files)
    assert {Path(name).suffix for name in files if name.startswith("exports/")} == {".csv", ".npz"}
    for file in done["files"]:
        assert len(files[file["name"]].content) == file["bytes"]
    part = ("--start", "0.1", "--end", "0.7", "--fov", "70", "--filter", "none", "--no-overlay")
    assert files["results.jsonl"].content == alone(tiny, tmp_path, clip, *part)
    (tmp_path / "overlay.mp4").write_bytes(files["overlay.mp4"].content)
    with av.open(str(tmp_path / "overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 15
    assert "sandbox" in files["view.html"].headers["Content-Security-Policy"]
    some = server.get(f"/v1/jobs/{job['id']}/files/results.jsonl", headers={"Range": "bytes=2-9"})
    assert (some.status_code, some.content) == (206, files["results.jsonl"].content[2:10])
    for name in ("nothing", "../job.json", "..%2Fjob.json", "/etc/passwd", "exports", ".lock"):
        assert server.get(f"/v1/jobs/{job['id']}/files/{name}").status_code == 404, name
    assert server.ask("DELETE", f"/v1/jobs/{job['id']}").status_code == 204
    assert_refused(server.get(f"/v1/jobs/{job['id']}"), 404, "no_job")
    assert not (server.jobs / job["id"]).exists()


def test_videos_that_are_refused_leave_nothing(server: Server, clip: bytes) -> None:
    assert_refused(server.post("/v1/track", HLS), 415, "unsupported_video")
    assert_refused(server.post("/v1/track", clip[:30] + HLS), 415, "unsupported_video")
    assert_refused(server.post("/v1/track", clip[:64] + bytes(5000)), 422, "damaged")
    assert_refused(server.post("/v1/track", bytes(3_100_000)), 413, "too_large")
    assert_refused(server.post("/v1/track?start=5", clip), 422, "bad_parameter")
    for query in ("stride=0", "end=0.5&start=1", "export=xml", "export=html", "overlay=false&audio=true"):
        assert_refused(server.post(f"/v1/track?{query}", clip), 422, "bad_parameter")
    assert server.get("/v1/jobs").json() == {"jobs": []}
    assert [path.name for path in server.jobs.iterdir()] == [".lock"]


@pytest.mark.slow
def test_killed_in_the_middle_of_jobs_nothing_is_lost(
    tiny: Path, tmp_path: Path, clip: bytes, long_clip: bytes
) -> None:
    """kill -9 of the server while one job runs, one waits and one was done; its orphan is still at work."""
    with Server(tiny, tmp_path) as server:
        first = server.post("/v1/track?overlay=false", clip).json()["id"]
        server.wait_until(first, "done")
        running, waiting = (server.post("/v1/track?overlay=false", video).json()["id"] for video in (long_clip, clip))
        server.wait_until(running, "running", frames=40)
        (server.jobs / ("0" * 24)).mkdir()  # an upload that the kill cut off
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        assert json.loads((server.jobs / running / "job.json").read_text())["state"] == "running"
        with Server(tiny, tmp_path) as again:
            assert [job["id"] for job in again.get("/v1/jobs").json()["jobs"]] == [first, running, waiting]
            assert again.job(first)["state"] == "done"
            for number in (running, waiting):
                assert again.wait_until(number, "done")["error"] is None
            results = [again.get(f"/v1/jobs/{n}/files/results.jsonl").content for n in (first, running, waiting)]
            assert not (again.jobs / ("0" * 24)).exists()
            second = subprocess.run(server._command, capture_output=True, text=True, check=False)
            assert second.returncode == 2
            assert "another server uses" in second.stderr
    assert results[0] == results[2]
    assert results[1] == alone(tiny, tmp_path, long_clip, "--end", "600.0", "--no-overlay")


@pytest.mark.slow
def test_shutdown_leaves_jobs_to_the_next_server_and_cancel_ends_them(
    tiny: Path, tmp_path: Path, clip: bytes, long_clip: bytes
) -> None:
    with Server(tiny, tmp_path, "--jobs", "2", "--stored-jobs", "3") as server:
        running, waiting = (server.post("/v1/track", video).json()["id"] for video in (long_clip, clip))
        full = server.post("/v1/track", clip)
        assert_refused(full, 429, "too_many_jobs")
        assert int(full.headers["Retry-After"]) > 0
        server.wait_until(running, "running", frames=5)
        assert server.stop() == 0
        state = json.loads((server.jobs / running / "job.json").read_text())
        assert (state["state"], state["pid"]) == ("queued", None)
    with Server(tiny, tmp_path, "--jobs", "2", "--stored-jobs", "2") as server:
        server.wait_until(running, "running")
        assert server.post(f"/v1/jobs/{running}/cancel").json()["state"] == "cancelled"
        assert server.wait_until(waiting, "done")["state"] == "done"
        assert server.post(f"/v1/jobs/{waiting}/cancel").json()["state"] == "done"
        assert server.post(f"/v1/jobs/{running}/cancel").json()["state"] == "cancelled"
        kept = {file["name"] for file in server.job(running)["files"]}
        assert "results.jsonl" in kept  # what was found until then
        assert_refused(server.post("/v1/track", clip), 429, "too_many_stored")
        assert server.ask("DELETE", f"/v1/jobs/{running}").status_code == 204
        assert server.post("/v1/track", clip).status_code == 202
        assert server.stop(signal.SIGINT) == 0


@pytest.mark.slow
def test_a_process_that_dies_is_started_again(tiny: Path, tmp_path: Path, long_clip: bytes) -> None:
    with Server(tiny, tmp_path) as server:
        number = server.post("/v1/track?overlay=false", long_clip).json()["id"]
        server.wait_until(number, "running", frames=10)
        os.kill(json.loads((server.jobs / number / "job.json").read_text())["pid"], signal.SIGKILL)
        assert server.wait_until(number, "done")["progress"]["frames"] == 250
        assert json.loads((server.jobs / number / "job.json").read_text())["attempts"] == 2


@pytest.mark.parametrize(("arguments", "words"), [
    (("--port", "99999"), "cannot listen"), (("--host", "256.1.1.1"), "cannot listen"),
    (("--queue", "0"), "--queue"), (("--workers", "0"), "--workers"),
    (("--model", "nothing"), "unknown model"), (("--token-file", "nothing"), "cannot read"),
    (("--jobs-folder", "/dev/null/x"), "cannot make"),
])  # fmt: skip
def test_bad_arguments_are_one_line(
    arguments: tuple[str, ...], words: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from anchorpose.app.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert main(["serve", "--model", str(tiny), "--port", "0", *arguments]) == 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers  # Ctrl-C still works
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert sum(line.startswith("anchorpose: error:") for line in error.splitlines()) == 1


def test_the_package_loads_nothing_of_the_service() -> None:
    code = ("import sys, anchorpose.app.cli; print([m for m in ('fastapi', 'uvicorn', 'starlette', 'pydantic', "
            "'prometheus_client', 'python_multipart', 'onnxruntime') if m in sys.modules])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
