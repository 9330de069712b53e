"""`anchorpose batch`: what it refuses, before Ray starts. tests/app/batch/test_fleet.py runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")
pytest.importorskip("ray")

from anchorpose.app.cli import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nowhere", "out"), "does not exist"), (("empty", "out"), "holds no photographs or videos"),
     (("in", "in"), "wanted two folders"), (("in", "out", "--stride", "0"), "--stride 0"),
     (("in", "out", "--shard-size", "0"), "--shard-size 0"), (("in", "out", "--actors", "-1"), "--actors -1"),
     (("in", "out", "--model", "none"), "unknown model"), (("memory://x", "out"), "memory of this process"),
     (("in", "memory://x"), "memory of this process"), (("nothing-knows-this://x", "out"), "cannot open"),
     (("in", "in/0/text.jpg"), "cannot write")],
)  # fmt: skip
def test_errors_are_one_line(photos: Path, tmp_path: Path, arguments: tuple[str, ...], words: str,
                             capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["batch", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("anchorpose: error: ")
    assert output.err.count("\n") == 1
    assert words in output.err
    assert not list((tmp_path / "empty").iterdir())


def test_another_job_in_the_output_is_refused(photos: Path, tiny: Path, tmp_path: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_text(json.dumps({"schema": "anchorpose/batch/1", "fov": 70.0}))
    assert main(["batch", str(photos), str(tmp_path / "out"), "--model", str(tiny)]) == 2
    assert "made with fov 70.0, now it is None" in capsys.readouterr().err
