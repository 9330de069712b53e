"""`anchorpose train --second-pass` from outside, on the released weights."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("accelerate")
pytest.importorskip("onnxscript")

from anchorpose.app.cli import main


def anchorpose(*arguments):
    command = [sys.executable, "-m", "anchorpose", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_released_weights_go_on_and_export(coco_folder, tmp_path):
    annotations, images = coco_folder
    out = tmp_path / "run"
    done = anchorpose("train", "lcrnet-lite", "--second-pass", "--start", "lcrnet-lite", "--data",
                      f"{annotations}={images}", "--out", out, "--minutes", "0.05", "--workers", "0")  # fmt: skip
    assert done.returncode == 0, done.stderr
    card = json.loads((out / "last" / "card.json").read_text())
    assert card["second_stage"]["people"] >= 6
    assert card["progress"]["step"] >= 1
    assert card["trunk"].startswith("all of lcrnet-lite.onnx")
    assert "COCO val2017 subset (train split)" in card["data"], "the licences of the start stay"
    done = anchorpose("export", out, "--out", tmp_path / "mine.onnx")
    assert done.returncode == 0, done.stderr
    picture = next(images.glob("*.png"))
    done = anchorpose("detect", picture, "--model", tmp_path / "mine.onnx", "--out", tmp_path / "results")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [([], "found no --start"),
     (["--start", "lcrnet-lite", "--batch-size", "3"], "found --batch-size, which the training of"),
     (["--start", "lcrnet-lite", "--batch-size", "0"], "found --batch-size, which the training of"),
     (["--start", "lcrnet-lite", "--epochs", "1.5"], "found --epochs 1.5, wanted a whole number"),
     (["--start", "lcrnet-lite", "--epochs", "0"], "found --epochs 0, wanted a whole number"),
     (["--start", "lcrnet-lite", "--trunk-weights", "x"], "found --trunk-weights, which the training of")],
)  # fmt: skip
def test_what_it_does_not_take(more, said, capsys):
    assert main(["train", "lcrnet-lite", "--second-pass", "--data", "x.json=y", *more]) == 2
    assert said in capsys.readouterr().err


def test_a_network_without_a_second_pass(capsys, coco_folder):
    annotations, images = coco_folder
    arguments = ["--second-pass", "--start", "lcrnet-lite", "--data", f"{annotations}={images}"]
    assert main(["train", "lcrnet-vgg16", *arguments]) == 2
    assert "lcrnet-vgg16, which has no second pass" in capsys.readouterr().err
