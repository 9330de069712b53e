"""A bucket: the same job over S3's protocol, from a server on this machine, gives what the disk gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")

from anchorpose.app.batch.storage import Folder  # noqa: E402
from anchorpose.app.batch.worker import Work  # noqa: E402
from anchorpose.app.estimator import load  # noqa: E402

from .conftest import walking  # noqa: E402
from .test_worker import run, table  # noqa: E402


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of an empty bucket."""
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in (("AWS_ENDPOINT_URL", f"http://{host}:{port}"), ("AWS_ACCESS_KEY_ID", "test"),
                        ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    folder = Folder("s3://photos")
    folder.fs.mkdir("photos")
    yield "s3://photos"
    running.stop()


@pytest.mark.slow
def test_a_bucket_gives_what_the_disk_gives(bucket: str, photos: Path, tiny: Path, tmp_path: Path) -> None:
    walking(photos / "w.mp4")
    source, output = Folder(f"{bucket}/in"), Folder(f"{bucket}/out")
    for path in photos.rglob("*.*"):
        source.write(str(path.relative_to(photos)), path)
    estimator = load(tiny, threads=1)
    reports = run(Work(source, output), estimator)
    assert run(Work(source, output), estimator) == []  # it goes on where it was
    run(Work(Folder(str(photos)), Folder(str(tmp_path / "disk"))), estimator)
    output.fs.get(output.root, str(tmp_path / "copy"), recursive=True)
    assert sum(r.done + r.failed for r in reports) == 34
    for name in ("joints", "inputs", "failed"):
        by_input = [sorted(table(tmp_path / folder, name), key=lambda r: (r["input"], r.get("frame", 0)))
                    for folder in ("copy", "disk")]  # fmt: skip
        assert by_input[0] == by_input[1], name
    names = [Path(p).name for p in output.fs.find(output.root)]
    assert not [name for name in names if name.startswith(".")]
