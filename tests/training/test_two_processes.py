"""`accelerate launch` with two processes on gloo: the loss curve of one process with the same global batch."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")

from tests.datasets.conftest import coco_folder  # noqa: E402, F401
from tests.training.test_fit import write_card  # noqa: E402

ROOT = Path(__file__).parents[2]
STEPS, GLOBAL_BATCH, PICTURES = 10, 4, 16
TOLERANCE = 1e-4
"""Of a loss, relative. Sums in another order move the 7th digit, and AdamW makes more of it where gradients are 0."""

# What a process does: the shipped loop on real files, with the process's own losses of each step written down.
# What is of a process and not of a picture differs between the two by design, and is set aside:
# - the statistics of BatchNorm: kept as they were on the first four pictures;
# - the random choice of anchors and regions: from a seed of the picture instead of the process's own stream;
WORKER = """
import dataclasses, json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
import torch
import anchorpose.lcrnet.model as network, anchorpose.training.fit as loop
from anchorpose.datasets.loader import PoseDataset, collate
from anchorpose.training.data import read_data
from anchorpose.training.fit import FitOptions, fit
from anchorpose.training.release import Start
from tests.training.test_fit import TINY

data, folder, batch, epochs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
torch.set_num_threads(1)
views = dataclasses.replace(TINY.augmentation, scale=(0.6, 1.0), flip=0.5, colour=0.3)  # whole, everyone inside
preset = dataclasses.replace(TINY, regions=8, positive_share=0.5, anchors=2, learning_rate=5e-4, augmentation=views)
read = read_data([str(data)])
samples = read.samples()[:{pictures}]
assert len({{sum(p.labelled.sum() for p in s.people) for s in samples}}) > 1, "every picture has as many labels"
anchors = read.anchors(samples, preset.anchors, 0)
dataset = PoseDataset(samples, anchors, preset.augmentation, seed=0)
torch.manual_seed(0)
model = preset.build(anchors)

norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
for norm in norms:
    norm.momentum = 1.0
model.train()
with torch.no_grad():
    model.pyramid(model.features(collate([dataset[i] for i in range(4)])[0]).levels)
for norm in norms:
    norm.eval()
    norm.train = lambda mode=True: None

chosen = network.sample_regions
def by_picture(proposals, target, *rest):
    own = torch.Generator().manual_seed(int(1000 * target.joints2d.nansum()) % 2**31)
    return chosen(proposals, target, *rest[:-1], own)
network.sample_regions = by_picture
sampler = model.localization.fg_bg_sampler
def of_picture(labels):
    torch.manual_seed(int((labels > 0).sum()))
    return tuple(part[0] for part in sampler([labels]))
model.localization.fg_bg_sampler = lambda labels: tuple(zip(*map(of_picture, labels)))

advance = loop._Run._advance
def noted(run, losses, started):
    rank = run.accelerator.process_index
    told = {{"processes": run.accelerator.num_processes, "losses": {{n: v.item() for n, v in losses.items()}}}}
    with open(folder / f"{{rank}}.jsonl", "a") as file:
        print(json.dumps(told), file=file)
    return advance(run, losses, started)
loop._Run._advance = noted
fit(preset, model, read, dataset,
    FitOptions(folder, epochs=epochs, batch_size=batch, workers=0, mixed_precision="no"), Start("random"))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(tmp_path, processes):
    """(steps, processes) of each loss, by name, of a run of so many processes."""
    folder = tmp_path / f"run{processes}"
    folder.mkdir()
    (tmp_path / "worker.py").write_text(WORKER.format(root=str(ROOT), pictures=PICTURES))
    epochs = STEPS * GLOBAL_BATCH / PICTURES
    own = ["--multi_gpu", "--main_process_port", str(free_port())] if processes > 1 else []  # torchrun, also on cores
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(processes),
               "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", *own,
               str(tmp_path / "worker.py"), str(tmp_path / "data.json"), str(folder), str(GLOBAL_BATCH // processes),
               str(epochs)]  # fmt: skip
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [[json.loads(line) for line in (folder / f"{r}.jsonl").read_text().splitlines()] for r in range(processes)]
    assert sorted(p.name for p in folder.glob("*.jsonl")) == [f"{r}.jsonl" for r in range(processes)]
    for rank in ranks:
        assert [told["processes"] for told in rank] == [processes] * STEPS
    return {name: np.array([[told["losses"][name] for told in rank] for rank in ranks]).T
            for name in ranks[0][0]["losses"]}  # fmt: skip


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(coco_folder, tmp_path):  # noqa: F811
    write_card(coco_folder, tmp_path)
    one, two = launch(tmp_path, 1), launch(tmp_path, 2)
    assert one["classification"].shape == (STEPS, 1)
    assert two["classification"].shape == (STEPS, 2)
    assert set(one) == set(two) > {"objectness", "rpn_box", "classification", "regression2d", "regression3d"}
    for name in one:
        np.testing.assert_allclose(two[name].mean(1), one[name][:, 0], rtol=TOLERANCE, atol=1e-6, err_msg=name)
    # Else equal curves would say nothing: the processes had other pictures, and the weights changed by far more.
    assert (np.abs(two["classification"][:, 0] - two["classification"][:, 1]) > 1e-3).any()
    assert one["visibility"][-1, 0] < 0.98 * one["visibility"][0, 0]
