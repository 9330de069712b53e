"""`anchorpose train --second-pass`, `--close-look` and `--lift` from outside, on the released weights."""

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
def trunks(tmp_path_factory):
    """MoveNet Thunder's and Lightning's files as their reader writes them, of random numbers."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from anchorpose.lcrnet.movenet import LIGHTNING, THUNDER, MoveNetTrunk

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("trunks")
    for name, channels in (("thunder", THUNDER), ("lightning", LIGHTNING)):
        tensors = {n: t.half() for n, t in MoveNetTrunk(channels).state_dict().items()}
        save_file(tensors, folder / f"movenet_{name}.safetensors")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "trunk", "more", "said"),
    [("lcrnet-base", "thunder", (), "Thunder, Apache-2.0)"),
     ("lcrnet-lite", "lightning", ("--teacher", "lcrnet-base"), "Lightning, Apache-2.0); taught by lcrnet-base.onnx")],
)  # fmt: skip
def test_a_close_look_is_added_to_released_weights_and_exported(
    coco_folder, trunks, tmp_path, preset, trunk, more, said
):
    annotations, images = coco_folder
    out, weights = tmp_path / "run", trunks / f"movenet_{trunk}.safetensors"
    start = ("--close-look", "--start", "lcrnet-lite", "--trunk-weights", weights, *more)
    done = anchorpose("train", preset, *start, "--data", f"{annotations}={images}", "--out", out, "--minutes",
                      "0.05", "--workers", "0")  # fmt: skip
    assert done.returncode == 0, done.stderr
    card = json.loads((out / "last" / "card.json").read_text())
    assert card["close_stage"]["people"] >= 6
    assert card["progress"]["step"] >= 1
    assert card["trunk"].startswith("all of lcrnet-lite.onnx")
    assert card["trunk"].endswith(f"close look: movenet_{trunk}.safetensors (Google MoveNet SinglePose {said}")
    assert "COCO val2017 subset (train split)" in card["data"], "the licences of the start stay"
    assert len(list((out / "people").glob("taught-*/*.npz"))) == len(more) // 2
    export_and_detect(out, next(images.glob("*.png")), tmp_path)


@pytest.fixture
def known_folder(tmp_path):
    """(annotations, images): photographs; what the released network says of their people counts as the truth."""
    import shutil

    import anchorpose as library
    from anchorpose.core.skeleton import LCR13
    from anchorpose.io.images import read_image
    from tests.training.test_export import PHOTOS

    images, entries, people = tmp_path / "photos", [], []
    images.mkdir()
    network = library.load("lcrnet-lite")
    for number, photo in enumerate(sorted(PHOTOS.glob("*.jpg"))[:3], 1):
        shutil.copy(photo, images)
        picture = read_image(photo)
        height, width = picture.shape[:2]
        entries.append({"id": number, "file_name": photo.name, "width": width, "height": height})
        for pose in network(picture):
            x1, y1, x2, y2 = map(float, pose.boxes[0])
            flagged = [value for x, y in pose.joints2d[0].tolist() for value in (x, y, 2)]
            people.append({"id": len(people) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                           "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "num_keypoints": 13,
                           "keypoints": flagged, "joints2d": pose.joints2d[0].tolist(),
                           "joints3d": pose.joints3d[0].tolist()})  # fmt: skip
    path = tmp_path / "known.json"
    path.write_text(json.dumps({"images": entries, "annotations": people, "categories": [
        {"id": 1, "name": "person", "keypoints": list(LCR13.joints)}]}))  # fmt: skip
    return path, images


@pytest.mark.slow
def test_the_lift_of_released_weights_goes_on_and_exports(known_folder, coco_folder, tmp_path):
    annotations, images = known_folder
    out = tmp_path / "run"
    start = ("train", "lcrnet-lite", "--lift", "--start", "lcrnet-lite", "--workers", "0")
    done = anchorpose(*start, "--data", f"{annotations}={images}", "--out", out, "--minutes", "0.05")
    assert done.returncode == 0, done.stderr
    card = json.loads((out / "last" / "card.json").read_text())
    assert card["lift_stage"]["looks"] >= 3
    assert card["lift_stage"]["bodies"] >= 3
    assert "COCO val2017 subset (train split)" in card["data"], "the licences of the start stay"
    export_and_detect(out, next(images.glob("*.jpg")), tmp_path)
    annotations, images = coco_folder
    done = anchorpose(*start, "--data", f"{annotations}={images}", "--out", tmp_path / "flat", "--minutes", "0.05")
    assert done.returncode == 2
    assert "found nobody among" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_weights_without_a_close_look_are_whole_but_teach_none(coco_folder, tmp_path, capsys):
    """What the first stages of a training from scratch export."""
    from safetensors.torch import save_file

    from anchorpose.app.estimator import find_model
    from anchorpose.training.presets import find_preset
    from anchorpose.training.release import Release

    release = Release(find_model("lcrnet-lite"))
    model = find_preset("lcrnet-lite").build(release.anchors)
    release.fill(model)
    model.close = None
    checkpoint = tmp_path / "run" / "last"
    checkpoint.mkdir(parents=True)
    save_file(model.state_dict(), checkpoint / "ema.safetensors")
    (checkpoint / "card.json").write_text(json.dumps({"preset": {"name": "lcrnet-lite"}}))
    annotations, images = coco_folder
    export_and_detect(tmp_path / "run", next(images.glob("*.png")), tmp_path)
    mine, data = str(tmp_path / "mine.onnx"), ["--data", f"{annotations}={images}", "--out", str(tmp_path / "more")]
    assert not any(name.startswith("close.") for name in Release(tmp_path / "mine.onnx").tensors)
    assert main(["train", "lcrnet-lite", "--close-look", "--start", mine, *data]) == 2
    assert "give --trunk-weights movenet_lightning.safetensors" in capsys.readouterr().err
    again = ["--close-look", "--start", "lcrnet-lite", "--teacher", mine, "--workers", "0", "--minutes", "0.01"]
    assert main(["train", "lcrnet-lite", *again, *data]) == 2
    assert "found no close look in" in capsys.readouterr().err
    # Without --close-look such weights are trained on as they are.
    assert main(["train", "lcrnet-lite", "--start", mine, *data[:2], "--out", str(tmp_path / "on"), "--workers", "0",
                 "--minutes", "0.02", "--batch-size", "2"]) == 0  # fmt: skip
    export_and_detect(tmp_path / "on", next(images.glob("*.png")), tmp_path)
    assert not any(name.startswith("close.") for name in Release(tmp_path / "mine.onnx").tensors)


def test_a_close_look_needs_a_trunk_or_weights_that_have_one(coco_folder, tmp_path, capsys):
    annotations, images = coco_folder
    arguments = ["--close-look", "--start", "lcrnet-lite", "--data", f"{annotations}={images}", "--out", str(tmp_path)]
    assert main(["train", "lcrnet-base", *arguments]) == 2
    assert "give --trunk-weights movenet_thunder.safetensors" in capsys.readouterr().err
    assert main(["train", "lcrnet-vgg16", *arguments]) == 2
    assert "lcrnet-vgg16, which has no close look; take lcrnet-lite" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", "--second-pass", *arguments]) == 2
    assert "found --second-pass and --close-look, wanted one of them" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", "--close-look", "--data", "x.json=y", "--decode-once", "384"]) == 2
    assert "found --decode-once, which the training of the close look does not take" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", *arguments[1:], "--teacher", "lcrnet-base"]) == 2
    assert "found --teacher without --close-look, which alone learns from one" in capsys.readouterr().err
    assert main(["train", "lcrnet-base", "--second-pass", *arguments[1:], "--teacher", "lcrnet-base"]) == 2
    assert "found --teacher, which the training of the second pass does not take" in capsys.readouterr().err
    assert not (tmp_path / "people").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--lift"], "found no --start"),
     (["--lift", "--start", "lcrnet-lite", "--teacher", "lcrnet-base"], "found --teacher, which the training of"),
     (["--lift", "--close-look", "--start", "lcrnet-lite"], "found --close-look and --lift, wanted one")],
)  # fmt: skip
def test_what_the_lift_does_not_take(more, said, capsys):
    assert main(["train", "lcrnet-lite", "--data", "x.json=y", *more]) == 2
    assert said in capsys.readouterr().err


def test_a_network_without_a_lift(capsys, coco_folder):
    annotations, images = coco_folder
    arguments = ["--lift", "--start", "lcrnet-lite", "--data", f"{annotations}={images}"]
    assert main(["train", "lcrnet-vgg16", *arguments]) == 2
    assert "lcrnet-vgg16, which has no lift" in capsys.readouterr().err
