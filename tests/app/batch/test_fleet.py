"""A real Ray cluster of several node processes on this machine; one is killed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")
ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")

from ray.cluster_utils import Cluster  # noqa: E402

from anchorpose.app.batch.job import pending, settle  # noqa: E402
from anchorpose.app.batch.shards import cut, find_inputs  # noqa: E402
from anchorpose.app.batch.storage import Folder  # noqa: E402
from anchorpose.app.batch.worker import ShardWorker, Work  # noqa: E402
from anchorpose.app.estimator import load  # noqa: E402

from .conftest import picture, walking  # noqa: E402
from .test_worker import table  # noqa: E402

pytestmark = pytest.mark.slow
TABLES = ("joints", "inputs", "failed")
STORE = 100 << 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes with a core each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE})
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, videos that take a while, and inputs that fail."""
    folder = tmp_path_factory.mktemp("fleet") / "in"
    for i in range(60):
        path = folder / f"{i % 4}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture(10 + 2 * i, 20 + i))
    for i in range(8):  # the square walks out of the picture and stays away
        walking(folder / f"{i}.mp4", 600)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "no-video.mp4").write_bytes(b"no video")
    return folder


def alone(source: Path, out: Path, tiny: Path, track: bool = False) -> Path:
    """The same job in this process."""
    work = Work(Folder(str(source)), Folder(str(out)), track)
    worker = ShardWorker(work, load(tiny, threads=1))
    for shard in pending(work, 4):
        worker.run(shard)
    settle(work.output)
    return out


def start(source: Path, out: Path, tiny: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "anchorpose", "batch", str(source), str(out), "--model", str(tiny),
               "--shard-size", "4", *options]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def notes(out: Path) -> dict[str, dict[str, Any]]:
    """What is noted on each shard that is not done, by its key."""
    found = {}
    for path in (out / "_started").glob("[!.]*.json"):
        with contextlib.suppress(FileNotFoundError):  # it is done by now
            found[path.stem] = json.loads(path.read_text())
    return found


def at_work(out: Path) -> dict[str, int]:
    """Attempts at each shard that is not done, by its key."""
    return {key: int(told["count"]) for key, told in notes(out).items()}


class Watch(threading.Thread):
    """Notes the most attempts at any shard while a job runs."""

    def __init__(self, out: Path) -> None:
        super().__init__(daemon=True)
        self.out, self.most, self.over = out, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.005):
            self.most = max(self.most, *at_work(self.out).values(), 0)


def both_busy(out: Path) -> bool:
    """Two shards are at work, and not only for a moment."""
    before = set(at_work(out))
    time.sleep(0.3)
    return len(before) == 2 and before == set(at_work(out))


def power_cut(node: Any) -> None:
    """SIGKILL for the node and all of its workers at once, as when a machine goes away."""
    [raylet] = node.all_processes["raylet"]
    for process in [*psutil.Process(raylet.process.pid).children(recursive=True), psutil.Process(raylet.process.pid)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def wait_for(condition: Any, process: subprocess.Popen[str], seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_node_is_killed_and_nothing_is_lost_or_twice(
    cluster: Cluster, inputs: Path, tiny: Path, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    out = tmp_path / "fleet"
    process, watch = start(inputs, out, tiny, "--address", cluster.address), Watch(out)
    watch.start()
    try:
        wait_for(lambda: both_busy(out), process)
        power_cut(node)
        stdout, stderr = process.communicate(timeout=500)
    finally:
        process.kill()
        watch.over.set()
    cluster.remove_node(node, allow_graceful=False)
    assert watch.most > 1  # the shard went to another worker
    assert process.returncode == 2, stderr  # two inputs fail
    assert stdout == ""
    assert "2 of 70 inputs failed" in stderr
    assert "empty.jpg: empty (0 bytes)" in stderr
    assert "Traceback" not in stderr
    one = alone(inputs, tmp_path / "one", tiny)
    assert [sorted(p.name for p in (out / name).iterdir()) for name in TABLES] == [
        sorted(p.name for p in (one / name).iterdir()) for name in TABLES]  # fmt: skip
    for name in ("joints", "inputs"):
        assert table(out, name) == table(one, name), name
    names = [r["input"] for name in ("inputs", "failed") for r in table(out, name)]
    assert sorted(names) == sorted(str(p.relative_to(inputs)) for p in inputs.rglob("*.*"))


def test_a_killed_command_goes_on_where_it_was(cluster: Cluster, inputs: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    process = start(inputs, out, tiny, "--address", cluster.address)
    wait_for(lambda: len(list((out / "inputs").glob("[!.]*"))) >= 3, process)
    process.kill()
    process.communicate()
    before = {p.name: p.stat().st_mtime_ns for p in (out / "inputs").glob("[!.]*")}
    assert 3 <= len(before) < len(list(pending(Work(Folder(str(inputs)), Folder(str(tmp_path / "x"))), 4)))
    again = start(inputs, out, tiny, "--address", cluster.address)
    _, stderr = again.communicate(timeout=500)
    assert again.returncode == 2, stderr
    assert "of them in an earlier run" in stderr
    after = {p.name: p.stat().st_mtime_ns for p in (out / "inputs").glob("[!.]*")}
    assert all(after[name] == when for name, when in before.items())
    one = alone(inputs, tmp_path / "one", tiny)
    for name in ("joints", "inputs"):
        assert table(out, name) == table(one, name), name


class Killer(threading.Thread):
    """Kills the job's actors once in each of the first three attempts at the shard `key`, while it is at an input.

    The first attempt does not note its input; a death before the later ones do is nobody's.
    """

    def __init__(self, out: Path, key: str, command: int) -> None:
        super().__init__(daemon=True)
        self.out, self.key, self.command, self.killed, self.over = out, key, command, set[int](), threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.005):
            told = notes(self.out).get(self.key, {"count": 0, "at": None})
            attempt = int(told["count"])
            if attempt in {1, 2, 3} - self.killed and (attempt == 1 or told["at"] is not None):
                self.killed.add(attempt)
                for process in psutil.Process(self.command).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                        if "ray::MapWorker" in " ".join(process.cmdline()):
                            process.kill()


def test_an_input_that_kills_its_workers_stops_no_job(tiny: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for i in range(6):
        assert cv2.imwrite(str(source / f"{i}.png"), picture(10 + 2 * i, 20 + i))
    walking(source / "heavy.mp4", 900)
    shards = cut(find_inputs(Folder(str(source))), 4)
    [key] = [shard.key for shard in shards if shard.inputs[0].video]
    process = start(source, out, tiny, "--actors", "1")
    killer = Killer(out, key, process.pid)
    killer.start()
    try:
        _, stderr = process.communicate(timeout=500)
    finally:
        process.kill()
        killer.over.set()
    assert process.returncode == 2, stderr
    assert "1 of 7 inputs failed" in stderr
    assert killer.killed == {1, 2, 3}
    [row] = table(out, "failed")
    assert (row["input"], row["kind"], row["attempts"]) == ("heavy.mp4", "video", 4)
    assert "the worker died 2 times at this input" in row["reason"]
    assert sorted(r["input"] for r in table(out, "inputs")) == [f"{i}.png" for i in range(6)]
    assert {r["input"] for r in table(out, "joints")} == {f"{i}.png" for i in range(6)}


def test_the_same_command_without_a_cluster(inputs: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "local"
    _, stderr = (process := start(inputs, out, tiny, "--track", "--actors", "1")).communicate(timeout=500)
    assert process.returncode == 2, stderr
    one = alone(inputs, tmp_path / "one", tiny, track=True)
    for name in ("joints", "inputs"):
        assert table(out, name) == table(one, name), name
    assert os.listdir(out / "_started") == []
