"""Real runs of the loop on a few drawn people: it learns, resumes after a kill, and its weights export."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")

from anchorpose.app.cli import main  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.datasets.decoded import Photographs, PlannedDataset  # noqa: E402
from anchorpose.datasets.loader import PoseDataset, collate  # noqa: E402
from anchorpose.datasets.transforms import Augmentation  # noqa: E402
from anchorpose.lcrnet.anchors import build_anchors  # noqa: E402
from anchorpose.training.checkpoint import find_checkpoint, read_card, read_weights, save_checkpoint  # noqa: E402
from anchorpose.training.data import read_data  # noqa: E402
from anchorpose.training.fit import FitOptions, fit  # noqa: E402
from anchorpose.training.presets import PRESETS, find_preset  # noqa: E402
from anchorpose.training.release import Start  # noqa: E402
from anchorpose.training.replay import FeatureReplay  # noqa: E402
from tests.datasets.conftest import coco_folder  # noqa: E402, F401
from tests.lcrnet.conftest import body  # noqa: E402

ROOT = Path(__file__).parents[2]
TINY = replace(PRESETS["lcrnet-efficientnet"], backbone="mobilenetv3_small_050", hidden=128, width=32, anchors=4,
               warmup_steps=5, batch_size=4, learning_rate=2e-3, regions=24, dropout=0.0,
               augmentation=Augmentation(192, (1.0, 1.01), 0.0, flip=0.0, colour=0.0, occluder=0.0))  # fmt: skip


@pytest.fixture
def drawn(coco_folder):  # noqa: F811
    """(data, anchors, dataset of eight pictures)."""
    annotations, images = coco_folder
    data = read_data([f"{annotations}={images}"])
    anchors = build_anchors(body(np.random.default_rng(0), 100), 4)
    return data, anchors, PoseDataset(data.samples() * 2, anchors, TINY.augmentation, seed=0)


def run(drawn, out, **options):
    data, anchors, dataset = drawn
    torch.manual_seed(0)
    chosen = FitOptions(out, workers=0, **{"mixed_precision": "no"} | options)
    return fit(TINY, TINY.build(anchors), data, dataset, chosen, Start("random"))


def read_losses(out):
    with (out / "losses.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_eight_pictures_are_learnt_by_heart(drawn, tmp_path):
    _, anchors, dataset = drawn
    torch.manual_seed(0)
    model = TINY.build(anchors)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    images, joined = collate([dataset[i] for i in range(8)])
    targets = joined.split()
    generator = torch.Generator().manual_seed(0)
    history = []
    model.train()
    for _ in range(60):
        losses = model.losses(model.features(images), targets, (192, 192), generator)
        total = sum(TINY.loss_weights.get(n, 1.0) * v for n, v in losses.items())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append({n: float(v.detach()) for n, v in losses.items()})
    first, last = history[0], {n: np.mean([h[n] for h in history[-5:]]) for n in history[0]}
    assert last["classification"] < 0.35 * first["classification"]
    assert last["regression2d"] < 0.5 * first["regression2d"]
    assert last["objectness"] < 0.35 * first["objectness"]


def test_a_run_writes_everything_and_goes_on_where_it_stopped(drawn, tmp_path):
    folder = run(drawn, tmp_path / "run", epochs=3)
    card = read_card(folder)
    assert card["progress"]["step"] == 6
    assert card["preset"]["name"] == TINY.name
    assert list(card["data"]) == ["people"]
    assert {p.name for p in folder.iterdir()} == {"model.safetensors", "ema.safetensors", "optimizer.pt", "card.json"}
    before = read_weights(folder / "model.safetensors")
    # The run is complete, so resuming trains no step and keeps every weight.
    run(drawn, tmp_path / "run", epochs=3)
    after = read_weights(folder / "model.safetensors")
    assert all(torch.equal(before[k], after[k]) for k in before)
    run(drawn, tmp_path / "run", epochs=5)
    assert read_card(folder)["progress"]["step"] == 10
    assert any(not torch.equal(before[k], v) for k, v in read_weights(folder / "model.safetensors").items())
    assert (tmp_path / "run" / "tensorboard").is_dir()


def test_views_made_in_memory_teach_what_those_of_files_do(drawn, tmp_path):
    """The same pictures but for the rounding of pixels, so the same losses to a few percent, and it goes on alike."""
    data, anchors, dataset = drawn
    run(drawn, tmp_path / "files", epochs=2)
    photographs = Photographs([s.image for s in dataset.samples], 192)
    assert len(photographs.pixels) * 2 == len(dataset), "each photograph is in the data twice and in memory once"
    planned = PlannedDataset(dataset.samples, anchors, TINY.augmentation, 0, photographs)
    for epochs in (1, 2):
        torch.manual_seed(0)
        fit(TINY, TINY.build(anchors), data, planned,
            FitOptions(tmp_path / "memory", epochs=epochs, workers=1, mixed_precision="no"), Start("random"),
            photographs)  # fmt: skip
    losses = [read_card(tmp_path / name / "last")["progress"]["losses"] for name in ("files", "memory")]
    for name, value in losses[0].items():
        assert losses[1][name] == pytest.approx(value, rel=0.1), name


def test_runs_of_one_process_may_differ_in_precision(drawn, tmp_path):
    for precision in ("bf16", "no"):
        folder = run(drawn, tmp_path / precision, epochs=1, mixed_precision=precision)
        assert read_card(folder)["progress"]["step"] == 2


def test_damaged_or_foreign_checkpoints_are_named(drawn, tmp_path):
    folder = run(drawn, tmp_path / "run", epochs=1)
    (folder / "ema.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot read the weights"):
        run(drawn, tmp_path / "run", epochs=2)
    card = read_card(folder)
    card["preset"]["name"] = "another"
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="is of preset 'another'"):
        run(drawn, tmp_path / "run", epochs=2)
    with pytest.raises(InputError, match="found no preset"):
        find_preset("nonsense")


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path):
    tensors = {"a": torch.ones(3)}
    save_checkpoint(tmp_path / "last", tensors, tensors, {}, {"step": 1})
    # A kill while writing leaves a partial folder beside the complete one.
    (tmp_path / "last.partial").mkdir()
    (tmp_path / "last.partial" / "card.json").write_text("{")
    assert find_checkpoint(tmp_path) == tmp_path / "last"
    save_checkpoint(tmp_path / "last", tensors, tensors, {}, {"step": 2})
    assert read_card(tmp_path / "last")["step"] == 2
    # A kill between the two renames leaves only the old one.
    (tmp_path / "last").rename(tmp_path / "last.old")
    assert find_checkpoint(tmp_path) == tmp_path / "last.old"
    assert find_checkpoint(tmp_path / "nowhere") is None


def test_replay_keeps_the_newest_and_gives_them_back():
    from anchorpose.lcrnet.trunks import TrunkFeatures

    replay = FeatureReplay(3, torch.Generator().manual_seed(0))
    for i in range(5):
        replay.add(TrunkFeatures([torch.full((1, 2, 4, 4), float(i))], None), [i])
    features, targets = replay.draw(50)
    assert set(targets) == {2, 3, 4}
    for value, target in zip(features.levels[0][:, 0, 0, 0].tolist(), targets, strict=True):
        assert value == target


def write_card(folder, tmp_path):
    """A data card of the drawn people with invented 3D."""
    annotations, images = folder
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "lifted.npz", annotation_id=np.arange(1, 7), xy=rng.random((6, 33, 2)) * 100,
             xyz=rng.normal(size=(6, 33, 3)), visibility=np.ones((6, 33)), agreement=np.ones(6))  # fmt: skip
    card = {"sources": [{"name": "drawn", "annotations": str(annotations), "images": str(images), "repeat": 8,
                         "lifted": str(tmp_path / "lifted.npz"), "licence": "own"}]}  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(card))


def write_launcher(tmp_path):
    """The command line with one small preset more, a checkpoint after every step, and a digest of the last weights."""
    (tmp_path / "launch.py").write_text(
        "import dataclasses, json, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import anchorpose.training.fit as f, anchorpose.training.presets as p\n"
        "from tests.training.test_fit import TINY\n"
        "from anchorpose.app.cli import main\n"
        "f.SAVE_EVERY_SECONDS = 0\n"
        "p.PRESETS['tiny'] = dataclasses.replace(TINY, name='tiny')\n"
        "save = f._Run.save\n"
        "def digest(run):\n"
        "    weights = float(sum(p.double().abs().sum() for p in run.model.parameters()))\n"
        "    if run.done >= 1:\n"
        f"        with open({str(tmp_path / 'digests')!r}, 'a') as file:\n"
        "            print(json.dumps({'rank': run.accelerator.process_index, 'weights': weights}), file=file)\n"
        "    save(run)\n"
        "f._Run.save = digest\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    return str(tmp_path / "launch.py")


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--decode-once", "256"]], ids=["files", "memory"])
def test_a_killed_process_resumes_from_the_command_line(coco_folder, tmp_path, more):  # noqa: F811
    """`anchorpose train`, killed with SIGKILL after its first checkpoint, goes on from it."""
    write_card(coco_folder, tmp_path)
    out = tmp_path / "run"
    command = [sys.executable, write_launcher(tmp_path), "train", "tiny", "--data", str(tmp_path / "data.json"),
               "--out", str(out), "--workers", "0", "--epochs", "4", *more]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if (out / "last" / "card.json").exists() or process.poll() is not None:
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = find_checkpoint(out)
    assert folder is not None
    killed_at = read_card(folder)["progress"]["step"]
    assert 1 <= killed_at < 32
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert read_card(out / "last")["progress"]["step"] == 32


def test_photographs_kept_too_small_are_refused(coco_folder, tmp_path, capsys):  # noqa: F811
    annotations, images = coco_folder
    assert main(["train", "lcrnet-lite", "--start", "lcrnet-lite", "--data", f"{annotations}={images}", "--out",
                 str(tmp_path / "run"), "--decode-once", "64"]) == 2  # fmt: skip
    assert "found --decode-once 64, wanted at least 192 px" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_share_the_pictures_and_agree(coco_folder, tmp_path):  # noqa: F811
    """The same command under torchrun: each process takes half of every step's pictures (gloo on the CPU)."""
    write_card(coco_folder, tmp_path)
    out = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29613",
               write_launcher(tmp_path), "train", "tiny", "--data", str(tmp_path / "data.json"), "--out", str(out),
               "--workers", "0", "--epochs", "2"]  # fmt: skip
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    card = read_card(out / "last")
    assert card["processes"] == 2
    # 32 pictures, two processes with four each: four steps an epoch, where one process alone needs eight.
    assert card["progress"]["step"] == 8
    digests = [json.loads(line) for line in (tmp_path / "digests").read_text().splitlines()]
    assert {d["rank"] for d in digests} == {0, 1}
    # Gradients were averaged: both processes end with the same weights.
    assert len({d["weights"] for d in digests}) == 1


def test_fewer_photographs_than_a_step_takes_are_refused(drawn, tmp_path):
    with pytest.raises(InputError, match=r"found 8 photographs .* at least the 9 of one step; .*--batch-size"):
        run(drawn, tmp_path, epochs=1, batch_size=9)
