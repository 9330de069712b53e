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


def export_and_detect(run, picture, folder):
    done = anchorpose("export", run, "--out", folder / "mine.onnx")
    assert done.returncode == 0, done.stderr
    done = anchorpose("detect", picture, "--model", folder / "mine.onnx", "--out", folder / "results")
    assert done.returncode == 0, done.stderr
    assert (folder / "results" / "poses.json").exists()


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
    export_and_detect(out, next(images.glob("*.png")), tmp_path)


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


@pytest.fixture(scope="module")
def thunder(tmp_path_factory):
    """MoveNet Thunder's file as its reader writes it, of random numbers."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from anchorpose.lcrnet.movenet import THUNDER, MoveNetTrunk

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("thunder") / "movenet_thunder.safetensors"
    save_file({name: tensor.half() for name, tensor in MoveNetTrunk(THUNDER).state_dict().items()}, path)
    return path


@pytest.mark.slow
def test_a_close_look_is_added_to_released_weights_and_exported(coco_folder, thunder, tmp_path):
    annotations, images = coco_folder
    out = tmp_path / "run"
    start = ("--close-look", "--start", "lcrnet-lite", "--trunk-weights", thunder)
    done = anchorpose("train", "lcrnet-base", *start, "--data", f"{annotations}={images}", "--out", out, "--minutes",
                      "0.05", "--workers", "0")  # fmt: skip
    assert done.returncode == 0, done.stderr
    card = json.loads((out / "last" / "card.json").read_text())
    assert card["close_stage"]["people"] >= 6
    assert card["progress"]["step"] >= 1
    assert card["trunk"].startswith("all of lcrnet-lite.onnx")
    assert "close look: movenet_thunder.safetensors (Google MoveNet SinglePose Thunder" in card["trunk"]
    assert "COCO val2017 subset (train split)" in card["data"], "the licences of the start stay"
    export_and_detect(out, next(images.glob("*.png")), tmp_path)


def test_a_close_look_needs_a_trunk_or_weights_that_have_one(coco_folder, thunder, tmp_path, capsys):
    annotations, images = coco_folder
    arguments = ["--close-look", "--start", "lcrnet-lite", "--data", f"{annotations}={images}", "--out", str(tmp_path)]
    assert main(["train", "lcrnet-base", *arguments]) == 2
    assert "give --trunk-weights movenet_thunder.safetensors" in capsys.readouterr().err
    assert main(["train", "lcrnet-lite", *arguments]) == 2
    assert "lcrnet-lite, which has no close look; take lcrnet-base" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", "--second-pass", *arguments]) == 2
    assert "found --second-pass and --close-look, wanted one of them" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", "--close-look", "--data", "x.json=y", "--decode-once", "384"]) == 2
    assert "found --decode-once, which the training of the close look does not take" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", *arguments[1:]]) == 2
    assert "train lcrnet-lite, then `anchorpose train lcrnet-base --close-look --start" in capsys.readouterr().err
    assert not (tmp_path / "people").exists()
