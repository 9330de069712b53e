"""`anchorpose data` from outside: checks and conversions of users' files."""

from __future__ import annotations

import json

import cv2
import pytest

from anchorpose.app.cli import main
from anchorpose.io.formats import from_anchorpose
from tests.app.test_cli import PHOTOS, Run, assert_one_line_error, run  # noqa: F401
from tests.datasets.conftest import coco_folder  # noqa: F401


def test_a_clean_file_is_said_to_be_clean_and_drawn(run: Run, tmp_path):  # noqa: F811
    done = run("data", "check", PHOTOS / "annotations.json", "--images", PHOTOS, "--out", "made/sheet.jpg",
               "--samples", "2")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "6 images, 6 annotations in 1 file(s): nothing wrong was found"
    assert cv2.imread(str(tmp_path / "made" / "sheet.jpg")) is not None


@pytest.fixture
def spoiled(coco_folder):  # noqa: F811
    """A joint outside, a box without width, a picture that is missing."""
    path, images = coco_folder
    data = json.loads(path.read_text())
    data["annotations"][0]["keypoints"][0] = -40
    data["annotations"][2]["bbox"][2] = 0
    (images / "3.png").unlink()
    path.write_text(json.dumps(data))
    return path, images


def test_problems_are_listed_drawn_and_counted(run: Run, tmp_path, spoiled):  # noqa: F811
    path, images = spoiled
    done = run("data", "check", path, "--images", images, "--out", "sheet.jpg", "--json", "made/found.json")
    assert done.returncode == 1, done.stderr
    assert "4 images, 10 annotations in 1 file(s): 3 problems" in done.stdout
    assert "outside: 1 " in done.stdout
    assert cv2.imread(str(tmp_path / "sheet.jpg")) is not None
    found = json.loads((tmp_path / "made" / "found.json").read_text())["problems"]
    assert {kind for kind in found if found[kind]["count"]} == {"outside", "zero_box", "missing_image"}
    assert found["missing_image"]["examples"] == [{"file": str(path), "what": "image", "id": 4}]
    done = run("data", "check", path, "--json", "-")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"]["missing_image"]["count"] == 0  # no folder was given


def test_splits_are_checked_together(run: Run, tmp_path, coco_folder):  # noqa: F811
    path, images = coco_folder
    (tmp_path / "val.json").write_text(path.read_text())
    done = run("data", "check", path, "val.json", "--images", images, "--out", "sheet.jpg", "--samples", "1")
    assert done.returncode == 1, done.stderr
    assert "duplicate_name: 4 " in done.stdout
    assert "duplicate_content: 4 " in done.stdout
    assert (tmp_path / "sheet-1-people.jpg").exists()
    assert (tmp_path / "sheet-2-val.jpg").exists()


def test_bad_input_is_one_line(run: Run, tmp_path, coco_folder, capsys):  # noqa: F811
    path, images = map(str, coco_folder)
    assert_one_line_error(run("data", "check", "nothing.json"), "nothing.json")
    out = str(tmp_path / "out.json")
    for words, arguments in (
        (["nowhere", "--images"], ["check", path, "--images", "nowhere"]),
        (["--images"], ["check", path, "--out", out]),
        (["no file"], ["check"]),
        (["one for each"], ["check", path, path, path, "--images", images, images]),
        (["MINE", "LCR13"], ["convert", path, "--from", "coco", "--to", "coco", "--out", out, "--skeleton", "MINE"]),
    ):
        assert main(["data", *arguments]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert all(word in said.err for word in words)
    assert not (tmp_path / "out.json").exists()


def test_conversions_say_what_is_lost(run: Run, tmp_path, coco_folder):  # noqa: F811
    path, _ = coco_folder
    done = run(
        "data", "convert", path, "--from", "coco", "--to", "anchorpose", "--skeleton", "LCR13", "--out", "a/b.json"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "a/b.json: 4 images, 10 people"
    assert "  lost: 6 joints nose, which LCR13 lacks" in done.stdout.splitlines()
    results = from_anchorpose(json.loads((tmp_path / "a" / "b.json").read_text()))
    assert [len(poses) for _, poses in results] == [2, 3, 2, 3]
    done = run("data", "convert", "a/b.json", "--from", "anchorpose", "--to", "openpose", "--out", "openpose")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "openpose").glob("*_keypoints.json"))) == 4
