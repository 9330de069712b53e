"""The command line from outside, as users call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import anchorpose
from anchorpose.app.commands_common import progress
from anchorpose.app.commands_detect import unique_stems
from anchorpose.core.poses import Poses
from anchorpose.io.formats import from_anchorpose

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
WEIGHTS = Path(anchorpose.__file__).parent / "weights" / "lcrnet-lite.onnx"
needs_weights = pytest.mark.skipif(not WEIGHTS.exists(), reason="the embedded weights are not there yet")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `anchorpose ARGUMENTS` in an empty folder."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "anchorpose", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    return call


@pytest.fixture(scope="session")
def model(tiny: Path) -> list[object]:
    """Options that choose a model: none where weights are embedded, else the tiny graph."""
    return [] if WEIGHTS.exists() else ["--model", tiny]


def red_square(width: int = 256, height: int = 200) -> np.ndarray:
    """What the tiny graph takes for a person."""
    image = np.full((height, width, 3), 200, np.uint8)
    image[40:60, 100:120] = (0, 0, 255)
    return image


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def assert_one_line_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("anchorpose: error: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def assert_finite(poses: Poses) -> None:
    for values in (poses.scores, poses.boxes, poses.joints2d, poses.joints3d):
        assert np.isfinite(values).all()


# --- detect: what it writes


def test_detect_writes_pictures_and_json(run: Run, tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "in" / "a.jpg", red_square())
    write(tmp_path / "in" / "b.png", red_square(120, 90))
    done = run("detect", "in", "--model", tiny, "--out", "new/folder")
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 images, 2 people" in done.stderr
    assert sorted(p.name for p in (tmp_path / "new/folder").iterdir()) == ["a.jpg", "b.png", "poses.json"]
    height, width, _ = cv2.imread(str(tmp_path / "new/folder/b.png")).shape
    assert height >= 480  # small pictures are drawn larger, so that lines and legend can be read
    assert width > 1.5 * height  # the 3D view is beside the photograph
    results = from_anchorpose(json.loads((tmp_path / "new/folder/poses.json").read_text()))
    assert [name for name, _ in results] == ["in/a.jpg", "in/b.png"]
    assert [len(poses) for _, poses in results] == [1, 1]


def test_detect_goes_to_results_unless_told(run: Run, tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "a.png", red_square())
    assert run("detect", "a.png", "--model", tiny).returncode == 0
    assert (tmp_path / "results" / "poses.json").exists()
    assert (tmp_path / "results" / "a.png").exists()


def test_json_on_stdout_is_all_there_is(run: Run, tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "ü.png", red_square())
    done = run("detect", "ü.png", "--model", tiny, "--json", "-", "--fov", "90", "--max-side", "128")
    [(name, poses)] = from_anchorpose(json.loads(done.stdout))
    assert (name, len(poses), done.returncode) == ("ü.png", 1, 0)
    assert poses.camera.fx == pytest.approx(128)
    assert [p.name for p in tmp_path.iterdir()] == ["ü.png"]


def test_formats(run: Run, tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "7.png", red_square())
    done = run("detect", "7.png", "--model", tiny, "--format", "coco", "--json", "sub/coco.json")
    [person] = json.loads((tmp_path / "sub/coco.json").read_text())
    assert (person["image_id"], len(person["keypoints"]), done.returncode) == (7, 51, 0)
    assert run("detect", "7.png", "--model", tiny, "--format", "openpose", "--out", "op").returncode == 0
    assert sorted(p.name for p in (tmp_path / "op").iterdir()) == ["7.png", "7_keypoints.json"]
    assert len(json.loads((tmp_path / "op/7_keypoints.json").read_text())["people"]) == 1
    assert_one_line_error(run("detect", "7.png", "--format", "openpose", "--json", "-"), "--out")


def test_equal_names_do_not_overwrite_each_other(run: Run, tmp_path: Path, tiny: Path) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder / "x.png", red_square())
    assert run("detect", "a", "b", "--model", tiny, "--out", "o").returncode == 0
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["poses.json", "x.png", "x_2.png"]


def test_unique_stems() -> None:
    paths = [Path(p) for p in ("a/x.jpg", "b/x.png", "c/X.jpg", "x_2.jpg", "y.jpg")]
    assert unique_stems(paths) == ["x", "x_2", "X_3", "x_2_2", "y"]


def test_photographs_are_never_overwritten(run: Run, tmp_path: Path, tiny: Path) -> None:
    before = write(tmp_path / "a.png", red_square()).read_bytes()
    assert_one_line_error(run("detect", "a.png", "--model", tiny, "--out", "."), "another folder")
    assert (tmp_path / "a.png").read_bytes() == before


def test_min_score(run: Run, tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "a.png", red_square())
    done = run("detect", "a.png", "--model", tiny, "--json", "-", "--min-score", "0.95")
    [(_, poses)] = from_anchorpose(json.loads(done.stdout))
    assert len(poses) == 0


# --- detect: what just works


def test_every_kind_of_picture_works(run: Run, tmp_path: Path, model: list[object]) -> None:
    image = red_square()
    folder = tmp_path / "in"
    write(folder / "grey.png", image[..., 1])
    write(folder / "rgba.png", np.dstack([image, np.full(image.shape[:2], 100, np.uint8)]))
    write(folder / "deep.png", image.astype(np.uint16) * 257)
    write(folder / "pixel.png", image[:1, :1])
    write(folder / "wide.jpg", cv2.resize(image, (12000, 40)))
    write(folder / "nobody.png", np.zeros((300, 200, 3), np.uint8))
    plain = write(folder / "turned.jpg", image).read_bytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: a quarter turn
    (folder / "turned.jpg").write_bytes(plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + plain[2:])
    done = run("detect", "in", *model, "--out", "out", "--json", "-")
    assert done.returncode == 0, done.stderr
    results = {Path(name).stem: poses for name, poses in from_anchorpose(json.loads(done.stdout))}
    sizes = {name: (poses.camera.width, poses.camera.height) for name, poses in results.items()}
    assert sizes == {"deep": (256, 200), "grey": (256, 200), "nobody": (200, 300), "pixel": (1, 1), "rgba": (256, 200),
                     "turned": (200, 256), "wide": (12000, 40)}  # fmt: skip
    assert len(results["nobody"]) == 0
    for poses in results.values():
        assert_finite(poses)
    for name, (width, height) in sizes.items():
        suffix = ".jpg" if name in ("turned", "wide") else ".png"
        drawn = cv2.imread(str(tmp_path / "out" / f"{name}{suffix}"))
        assert drawn is not None
        # The photograph keeps its shape on the left, over the legend; the 3D view takes more width beside it.
        assert drawn.shape[1] > drawn.shape[0] * min(1.0, width / height)


# --- detect: bad input


def test_bad_pictures_are_named_and_the_others_are_done(run: Run, tmp_path: Path, model: list[object]) -> None:
    whole = write(tmp_path / "good.jpg", np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)).read_bytes()
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("hello, I am a letter")
    (tmp_path / "hollow").mkdir()
    bad = ["missing.jpg", "empty.jpg", "cut.jpg", "text.jpg", "hollow"]
    done = run("detect", *bad, "good.jpg", *model, "--json", "-")
    assert done.returncode == 2
    assert [name for name, _ in from_anchorpose(json.loads(done.stdout))] == ["good.jpg"]
    assert "5 of 6 inputs failed" in done.stderr
    assert "Traceback" not in done.stderr
    for name in bad:
        assert sum(line.startswith("  ") and name in line for line in done.stderr.splitlines()) == 1


def test_only_bad_pictures(run: Run, model: list[object]) -> None:
    done = run("detect", "missing.jpg", *model)
    assert (done.returncode, done.stdout) == (2, "")
    assert "missing.jpg" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder(run: Run, tmp_path: Path, model: list[object]) -> None:
    folder = tmp_path / "locked"
    write(folder / "a.png", red_square())
    folder.chmod(0)
    try:
        done = run("detect", "locked", *model)
    finally:
        folder.chmod(0o700)
    assert done.returncode == 2
    assert "locked" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_models_and_options(run: Run, tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "a.png", red_square())
    assert_one_line_error(run("detect", "a.png", "--model", "lcrnet-lyte"), "unknown model", "lcrnet-lyte")
    (tmp_path / "broken.onnx").write_bytes(b"no graph" * 100)
    assert_one_line_error(run("detect", "a.png", "--model", "broken.onnx"), "broken.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert_one_line_error(run("detect", "a.png", "--model", "empty.onnx"), "empty.onnx", "empty")
    assert_one_line_error(run("detect", "a.png", "--model", tiny, "--fov", "200"), "fov")
    assert_one_line_error(run("detect", "a.png", "--model", tiny, "--out", "a.png"), "a.png", "folder")
    assert_one_line_error(run("detect"), "no photographs")
    assert list(tmp_path.glob("results*")) == []


def test_wrong_options_show_how_to_get_help(run: Run) -> None:
    for arguments in (["detect", "--nonsense"], ["frobnicate"], []):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--help" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away(tmp_path: Path, tiny: Path) -> None:
    write(tmp_path / "a.png", red_square())
    process = subprocess.Popen(
        [sys.executable, "-m", "anchorpose", "detect", "a.png", "--model", str(tiny), "--json", "-"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_a_bar_only_where_someone_watches(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(9), "detect")) == list(range(9))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(range(3), "detect")) == list(range(3))
    assert capsys.readouterr().err == ""
    assert list(progress(range(9), "detect")) == list(range(9))
    out, err = capsys.readouterr()
    assert (out, "9/9" in err) == ("", True)


# --- evaluate, info, train


def coco_file(folder: Path, poses: Poses, name: str) -> Path:
    """Annotations that agree with `poses` where COCO and LCR13 share joints."""
    from anchorpose import COCO17

    joints = poses.to_skeleton(COCO17).joints2d[0]
    known = np.isfinite(joints).all(-1)
    keypoints = np.where(known[:, None], np.column_stack([joints, np.full(17, 2)]), 0)
    person = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": keypoints.ravel().tolist(), "iscrowd": 0,
              "num_keypoints": int(known.sum()), "bbox": [80, 10, 60, 120], "area": 5000.0}  # fmt: skip
    data = {"images": [{"id": 1, "file_name": name, "width": 256, "height": 200}], "annotations": [person],
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]}  # fmt: skip
    path = folder / "annotations.json"
    path.write_text(json.dumps(data))
    return path


def test_evaluate(run: Run, tmp_path: Path, tiny: Path) -> None:
    image = write(tmp_path / "in" / "a.png", red_square())
    coco_file(tmp_path, anchorpose.load(tiny)(image), "a.png")
    options = ["--annotations", "annotations.json", "--images", "in", "--model", tiny]
    done = run("evaluate", "coco", *options, "--json", "table.json")
    assert done.returncode == 0, done.stderr
    assert "AP50" in done.stdout
    assert "tiny" in done.stdout
    assert json.loads((tmp_path / "table.json").read_text())["AP"] == pytest.approx(1)
    done = run("evaluate", "lsp", *options, "--json", "-")
    assert json.loads(done.stdout)["PCK@0.2"] == pytest.approx(1)
    image.write_bytes(b"")
    done = run("evaluate", "coco", *options, "--json", "-")
    assert (done.returncode, json.loads(done.stdout)["AP"]) == (2, 0)
    assert "a.png" in done.stderr
    image.unlink()
    assert_one_line_error(run("evaluate", "coco", *options), "1 of 1 images", "--images")
    assert_one_line_error(run("evaluate", "coco", "--annotations", "no.json", "--images", "in"), "no.json")


def test_info_shows_versions_and_the_card(run: Run, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(tiny.read_bytes())
    (tmp_path / "m.json").write_text(json.dumps({"results": {"AP": 0.5}, "licence": "Apache-2.0", "data": ["a", "b"]}))
    done = run("info", "--model", "m.onnx")
    assert done.returncode == 0, done.stderr
    for words in (
        anchorpose.__version__,
        "CPUExecutionProvider",
        "AP: 0.5",
        "licence: Apache-2.0",
        "tiny",
        "256 pixel",
    ):
        assert words in done.stdout


def test_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("detect", "evaluate", "train", "export", "info"):
        assert command in done.stdout
        assert run(command, "--help").returncode == 0


@needs_weights
def test_photographs_have_people(run: Run, tmp_path: Path) -> None:
    done = run("detect", PHOTOS, "--out", "out")
    assert done.returncode == 0, done.stderr
    results = from_anchorpose(json.loads((tmp_path / "out" / "poses.json").read_text()))
    assert len(results) == len(list(PHOTOS.glob("*.jpg")))
    for name, poses in results:
        assert len(poses) >= 1, name
        assert_finite(poses)
        assert (poses.joints3d_camera[..., 2] > 0).all()
        assert (tmp_path / "out" / Path(name).name).exists()


@needs_weights
def test_info_of_the_embedded_weights(run: Run) -> None:
    done = run("info")
    assert done.returncode == 0, done.stderr
    assert "lcrnet-lite" in done.stdout
