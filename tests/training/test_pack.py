"""Packed data is the data: the same people on the same pictures, smaller and in one place."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")
pytest.importorskip("sklearn")

from anchorpose.app.cli import main  # noqa: E402
from anchorpose.datasets.decoded import Photographs, PlannedDataset  # noqa: E402
from anchorpose.datasets.loader import PoseDataset  # noqa: E402
from anchorpose.datasets.shards import read_picture  # noqa: E402
from anchorpose.datasets.transforms import Augmentation  # noqa: E402
from anchorpose.synthesis.library import read_clip  # noqa: E402
from anchorpose.training.checkpoint import read_card  # noqa: E402
from anchorpose.training.data import MOCAP_STRIDE, read_data  # noqa: E402
from anchorpose.training.pack import pack  # noqa: E402
from tests.datasets.conftest import coco_folder  # noqa: E402, F401
from tests.synthesis.test_bvh import person_bvh  # noqa: E402
from tests.training.test_fit import write_card, write_launcher  # noqa: E402

SIDE = 160
"""Of pictures of 240 x 200."""


@pytest.fixture
def card(coco_folder, tmp_path):  # noqa: F811
    """Drawn people with invented 3D, and the same without."""
    write_card(coco_folder, tmp_path)
    card = json.loads((tmp_path / "data.json").read_text())
    annotations, images = (str(p) for p in coco_folder)
    card["sources"].append({"name": "flat", "annotations": annotations, "images": images, "exhaustive": False})
    (tmp_path / "data.json").write_text(json.dumps(card))
    return tmp_path / "data.json"


def test_people_and_pictures_are_those_of_the_data(card, tmp_path):
    done = pack(read_data([str(card)]), tmp_path / "packed", SIDE, 1 << 20)
    before, after = read_data([str(card)]), read_data([str(done.card)])
    assert before.licences() == after.licences()
    assert [(s.name, s.exhaustive, s.repeat) for s in before.sources] == [
        (s.name, s.exhaustive, s.repeat) for s in after.sources
    ]
    pairs = list(zip(before.samples(), after.samples(), strict=True))
    assert len(pairs) == 4 * 8 + 4
    assert (done.pictures, done.shards) == (8, 1)
    for old, new in pairs:
        assert old.exhaustive == new.exhaustive
        for was, now in zip(old.people, new.people, strict=True):
            np.testing.assert_allclose(now.box, was.box * SIDE / 240, atol=0.35)  # 133 rows of 133.3
            np.testing.assert_allclose(now.joints2d[:, 0], was.joints2d[:, 0] * SIDE / 240, atol=0.006)
            np.testing.assert_allclose(now.joints2d[:, 1], was.joints2d[:, 1] * 133 / 200, atol=0.006)
            np.testing.assert_array_equal(now.visible, was.visible)
            np.testing.assert_allclose(now.joints3d, was.joints3d, atol=6e-5)
            np.testing.assert_allclose(now.centre3d, was.centre3d, atol=6e-5)
        large, small = read_picture(old.image), read_picture(new.image)
        assert small.shape == (133, 160, 3)
        wanted = cv2.resize(large, (160, 133), interpolation=cv2.INTER_AREA).astype(float)
        assert np.abs(small - wanted).mean() < 3


def test_packed_people_are_learnt_as_seen_straight_on(coco_folder, tmp_path):  # noqa: F811
    annotations, images = coco_folder
    data, rng = json.loads(Path(annotations).read_text()), np.random.default_rng(0)
    for person in data["annotations"]:
        person |= {"joint_state": ["visible"] * 13, "joints2d": rng.uniform(9, 190, (13, 2)).tolist(),
                   "joints3d": rng.normal(0, 0.4, (13, 3)).tolist(),
                   "translation": rng.uniform(1, 3, 3).tolist()}  # fmt: skip
    data["annotations"][0]["translation"] = None
    (tmp_path / "placed.json").write_text(json.dumps(data))
    before = read_data([f"{tmp_path / 'placed.json'}={images}"])
    after = read_data([str(pack(before, tmp_path / "packed", SIDE, 1 << 20).card)])
    pairs = [pair for s, t in zip(before.samples(), after.samples(), strict=True)
             for pair in zip(s.people, t.people, strict=True)]  # fmt: skip
    for old, new in pairs:
        np.testing.assert_allclose(new.facing3d, old.facing3d, atol=3e-4)
    turned = [np.abs(old.facing3d - old.joints3d).max() > 0.05 for old, _ in pairs]
    assert turned.count(False) == 1  # whose place is not known


def test_packed_data_can_be_carried_and_trained_on(card, tmp_path):
    done = pack(read_data([str(card)]), tmp_path / "packed", SIDE, 1 << 20)
    shutil.move(done.card.parent, tmp_path / "elsewhere")
    data = read_data([str(tmp_path / "elsewhere" / "card.json")])
    samples = data.samples()
    anchors = data.anchors(samples, 4, 0)
    options = Augmentation(size=96)
    files = PoseDataset(samples, anchors, options, 0)
    plans = PlannedDataset(samples, anchors, options, 0, Photographs([s.image for s in samples], SIDE))
    spread = []
    for i in range(len(samples)):
        (picture, target), (_, other) = files[i], plans[i]
        assert picture.shape == (3, 96, 96)
        spread.append(picture.float().std())
        torch.testing.assert_close(target.joints2d, other.joints2d, equal_nan=True)
    assert np.median(spread) > 5  # some views show the plain ground alone


def test_motion_capture_travels_too(card, tmp_path):
    person_bvh(tmp_path / "walk.bvh", 200, np.random.default_rng(0))
    content = json.loads(card.read_text()) | {"mocap": ["*.bvh"], "mocap_licence": "own"}
    card.write_text(json.dumps(content))
    done = pack(read_data([str(card)]), tmp_path / "packed", SIDE, 1 << 20)
    before, after = read_data([str(card)]), read_data([str(done.card)])
    assert after.mocap == (tmp_path / "packed" / "mocap.npz",)
    wanted = read_clip(before.mocap[0], MOCAP_STRIDE).poses
    assert len(wanted) == 20
    np.testing.assert_array_equal(read_clip(after.mocap[0], MOCAP_STRIDE).poses, wanted)
    assert len(after.anchors(after.samples(), 4, 0)) == 4


def test_the_command_and_its_errors(card, coco_folder, tmp_path, capsys):  # noqa: F811
    annotations, images = coco_folder
    command = ["data", "pack", str(card), f"{annotations}={images}", "--side", str(SIDE), "--out"]
    assert main([*command, str(tmp_path / "packed")]) == 0
    assert "card.json: 12 photographs in 1 files, 30 people" in capsys.readouterr().out
    for more, message in (
        ([str(tmp_path / "packed")], "wanted a new or empty folder"),
        ([str(tmp_path / "p"), "--shard", "0.5"], "found --shard 0.5, wanted 1 MiB or more"),
        ([str(tmp_path / "p"), "--quality", "0"], "found --quality 0, wanted 1 to 100"),
        ([str(tmp_path / "p"), "--side", "5"], "found --side 5, wanted 32 pixels or more"),
    ):
        assert main([*command, *more]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "p").exists()
    fresh = {"sources": [], "fresh": [{"name": "made", "kind": "render", "count": 3}]}
    card.write_text(json.dumps(fresh))
    assert main(["data", "pack", str(card), "--out", str(tmp_path / "p")]) == 2


@pytest.mark.slow
def test_a_training_reads_shards(card, tmp_path):
    done = pack(read_data([str(card)]), tmp_path / "packed", SIDE, 1 << 20)
    command = [sys.executable, write_launcher(tmp_path), "train", "tiny", "--data", str(done.card), "--out",
               str(tmp_path / "run"), "--workers", "2", "--epochs", "1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    trained = read_card(tmp_path / "run" / "last")
    assert trained["progress"]["step"] >= 8
    assert set(trained["data"]) == {"drawn", "flat"}
    assert Path(done.card).parent.joinpath("photographs-000.tar").exists()
