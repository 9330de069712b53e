"""`anchorpose view`: what it reads, the page it writes and the scene it serves."""

from __future__ import annotations

import json
import select
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from anchorpose.app.commands_view import find_results, read_clip
from anchorpose.app.finish import FinishOptions, finish
from anchorpose.core.errors import InputError
from anchorpose.io.formats import to_anchorpose
from tests.app.scene import COUNT, write_run
from tests.app.test_track_exports import run
from tests.io.people import people


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_run(tmp_path_factory.mktemp("view") / "run")
    finish(path, FinishOptions())
    return path


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """poses.json of two photographs with two people and nobody."""
    path = tmp_path / "poses.json"
    path.write_text(json.dumps(to_anchorpose([("a.jpg", people((0.5, 0, 3), (-0.5, 0, 4))), ("b.jpg", people())])))
    return path


def test_the_finished_tracks_go_before_the_raw_results(folder: Path, tmp_path: Path) -> None:
    assert find_results(folder) == folder / "tracks.jsonl"
    assert find_results(folder / "results.jsonl") == folder / "results.jsonl"
    assert find_results(write_run(tmp_path / "raw")) == tmp_path / "raw" / "results.jsonl"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds none of tracks.jsonl, results.jsonl, poses.json"):
        find_results(tmp_path / "empty")


def test_clips_of_every_kind_of_file(folder: Path, photographs: Path) -> None:
    raw, done = read_clip(folder / "results.jsonl"), read_clip(folder / "tracks.jsonl")
    assert [p.id for p in raw.people] == [1, 2, 3, 9]
    assert [p.id for p in done.people] == [1, 2, 3]
    assert len(raw) == len(done) == COUNT
    ankles = done.person(1).in_camera()[:, :2, 1].mean(), done.person(3).in_camera()[:, :2, 1].mean()
    assert ankles[0] == pytest.approx(ankles[1], abs=0.05)  # level: who stands further away stands as high
    tilted = raw.person(1).in_camera()[:, :2, 1].mean() - raw.person(3).in_camera()[:, :2, 1].mean()
    assert tilted > 0.3
    clip = read_clip(photographs)
    assert (len(clip), clip.times.tolist()) == (2, [0.0, 1.0])
    assert [p.present.tolist() for p in clip.people] == [[True, False]] * 2


def test_a_page_from_outside(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = subprocess.run([sys.executable, "-m", "anchorpose", "view", str(folder), "--html", str(page)],
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"{COUNT} frames -> {page}" in done.stderr
    assert "http" not in page.read_text().replace("http://www.w3.org", "")


def test_a_page_of_photographs(photographs: Path, tmp_path: Path) -> None:
    assert run("view", photographs, "--html", tmp_path / "page.html").returncode == 0
    assert (tmp_path / "page.html").stat().st_size > 1000
    assert run("view", photographs.parent, "--html", tmp_path / "again.html").returncode == 0


@pytest.mark.slow
def test_the_page_shows_people_in_a_browser(folder: Path, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the PyPI package playwright")
    if (program := shutil.which("chromium") or shutil.which("google-chrome")) is None:
        pytest.skip("needs Chromium")
    assert run("view", folder, "--html", tmp_path / "page.html").returncode == 0
    with sync_api.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(offline=True)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function("document.querySelector('#clock').innerText.includes('frame')")
        names = page.inner_text("body")
        picture = page.locator("#scene").screenshot()
        browser.close()
    assert faults == []
    assert all(f"#{number}" in names for number in (1, 2, 3))
    import cv2

    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).reshape(-1, 3).astype(int)
    assert (np.ptp(pixels, axis=1) > 80).sum() > 200  # coloured limbs on a grey floor


def test_a_live_scene_answers_and_ends_with_ctrl_c(folder: Path) -> None:
    pytest.importorskip("viser", reason="needs the extra view")
    command = [sys.executable, "-m", "anchorpose", "view", str(folder), "--port", "18080", "--no-play"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 120)[0]
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:180")
        with urllib.request.urlopen(line.split()[0], timeout=60) as answer:
            assert b"<html" in answer.read().lower()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nowhere",), "nowhere"), (("EMPTY",), "holds none of"), (("BROKEN",), "broken.json"),
     (("NOBODY",), "no picture"), (("TEXT",), "schema"), (("EMPTY", "--port", "0"), "wanted 1 to 65535"),
     (("RUN", "--html", "no/such/folder/p.html"), "no/such/folder")],
)  # fmt: skip
def test_errors_are_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "nobody.json").write_text(json.dumps(to_anchorpose([])))
    (tmp_path / "text.jsonl").write_text('{"a": 1}\n')
    names = {"EMPTY": "empty", "BROKEN": "broken.json", "NOBODY": "nobody.json", "TEXT": "text.jsonl", "RUN": folder}
    done = run("view", *(names.get(word, word) for word in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("anchorpose: error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
