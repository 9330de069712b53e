"""`anchorpose synthesize sequences`, with tiny bodies in the place of Anny's."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from anchorpose.app.cli import main
from anchorpose.synthesis.sequences import read_sequence
from tests.synthesis.test_walking import write_bvh
from tests.synthesis.tiny_body import tiny_pool

pytest.importorskip("warp", reason="needs the extra synthesis")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two sequences of four frames."""
    rng = np.random.default_rng(0)
    for name in ("backgrounds", "textures"):
        (tmp_path / name).mkdir()
        for i in range(3):
            noise = cv2.GaussianBlur(rng.integers(0, 255, (60, 70, 3), np.uint8), (0, 0), 3)
            cv2.imwrite(str(tmp_path / name / f"{i}.png"), noise)
    (tmp_path / "cache" / "anchorpose").mkdir(parents=True)
    tiny_pool().save(tmp_path / "cache" / "anchorpose" / "bodies-2-0.npz")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_bvh(tmp_path / "walk.bvh", 150, 1 / 60)
    return ["synthesize", "sequences", "walk.bvh", "--backgrounds", "backgrounds", "--textures", "textures", "--out",
            "made", "--count", "2", "--frames", "4", "--fps", "10", "--size", "96", "72", "--people", "2", "3",
            "--bodies", "2"]  # fmt: skip


def run(arguments: list[str]) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main(arguments)
    return code, out.getvalue(), errors.getvalue()


def test_sequences_and_their_preview(command: list[str], tmp_path: Path) -> None:
    code, out, errors = run([*command, "--preview", "2"])
    assert code == 0, errors
    assert "2 sequences (2 of them new), 8 frames" in out
    frames = list(read_sequence(tmp_path / "made" / "001"))
    assert [round(f.time, 3) for f in frames] == [0.0, 0.1, 0.2, 0.3]
    assert frames[0].image.shape == (72, 96, 3)
    sheet = cv2.imread(str(tmp_path / "made" / "preview.jpg"))
    assert sheet is not None
    assert sheet.shape == (2 * 72, 6 * 96, 3)
    first = frames[0].image.astype(int)
    assert np.abs(sheet[72:, :96].astype(int) - first).mean() < 40  # the frame, with people drawn on it
    code, out, _ = run([*command, "--preview", "1"])
    assert (code, "(0 of them new)" in out) == (0, True)


def test_errors_are_one_line(command: list[str]) -> None:
    for changed, words in ((["--frames", "0"], "frames"), (["--people", "4", "2"], "people")):
        code, _, errors = run([*command, *changed])
        assert code == 2, errors
        assert errors.startswith("anchorpose: error: ")
        assert errors.count("\n") == 1
        assert words in errors
    code, _, errors = run([*command[:2], "nothing.bvh", *command[3:]])
    assert (code, errors.count("\n")) == (2, 1)
