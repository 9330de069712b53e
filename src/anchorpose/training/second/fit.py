"""The training of the second pass on people who were collected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.second_losses import second_losses
from anchorpose.lcrnet.second_pass import SecondOutput, SecondPass
from anchorpose.training.data import Data
from anchorpose.training.fit import card_of
from anchorpose.training.loop import LoopOptions, Task, run
from anchorpose.training.presets import Preset
from anchorpose.training.release import Start
from anchorpose.training.second.pooled import Pooled
from anchorpose.training.second.stored import Stored, StoredPeople


@dataclass(frozen=True)
class SecondStage:
    """How the second pass is trained alone.

    Args:
        batch_size: people a step. steps: where no minutes are given. before_noise: standard deviation by which the
            joints of the pass before are moved, shares of the region's side. The others are the optimiser's.
    """

    batch_size: int = 64
    steps: int = 3000
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    warmup_steps: int = 100
    ema: float = 0.999
    clip: float = 5.0
    before_noise: float = 0.01


def fit_second(
    preset: Preset, model: LCRNet, people: StoredPeople, data: Data, start: Start, options: LoopOptions,
    stage: SecondStage | None = None,
) -> Path:  # fmt: skip
    """Train the second pass of a network whose other parts stay as they are.

    Args:
        preset, data, start: for the card. model: with a second pass. people: of `collect`, by the same network.
        options: of the run. stage: how; the numbers of `SecondStage` unless given.

    Returns:
        the last checkpoint's folder, of the whole network. Raises as `loop.run`.
    """
    stage = stage or SecondStage()
    second = model.second
    assert second is not None
    model.requires_grad_(False).eval()
    second.requires_grad_(True)

    def loss(rng: np.random.Generator) -> Tensor:
        batch = moved(people.take(drawn(people, stage, rng)), stage, rng)
        with torch.autocast("cpu", torch.bfloat16):
            output = judge(second, Pooled.read(batch))
        return weighted(second_losses(output, batch.target, preset.smooth_l1_beta), preset)

    card = card_of(preset, data, start) | {"second_stage": asdict(stage) | {"people": len(people)}}
    return run(Task(model, loss, card, stage.steps, stage.learning_rate, stage.weight_decay, stage.warmup_steps,
                    stage.ema, stage.clip), options)  # fmt: skip


def drawn(people: StoredPeople, stage: SecondStage, rng: np.random.Generator) -> NDArray[np.int64]:
    """Who is in the next batch, in order."""
    return np.sort(rng.choice(len(people), min(stage.batch_size, len(people)), replace=False))


def moved(batch: Stored, stage: SecondStage, rng: np.random.Generator) -> Stored:
    """People whose poses before are a little off."""
    side = (batch.regions[:, 2:] - batch.regions[:, :2])[:, None]
    noise = stage.before_noise * torch.from_numpy(rng.standard_normal((len(side), 13, 2)).astype(np.float32))
    return batch._replace(target=batch.target._replace(joints2d=batch.target.joints2d + noise * side))


def weighted(losses: dict[str, Tensor], preset: Preset) -> Tensor:
    """Their sum with the preset's weights."""
    return sum((preset.loss_weights.get(n, 1.0) * v for n, v in losses.items()), torch.zeros(()))


def judge(second: SecondPass, batch: Pooled) -> SecondOutput:
    """What the second pass says of collected people; as if it had pooled them itself."""
    maps = []
    for project, values, inside in zip(second.project, batch.maps, batch.inside, strict=True):
        convolution = project[1]  # type: ignore[index]
        # A 1x1 convolution and pooling change places; its bias counts only inside of the picture.
        maps.append(F.conv2d(values, convolution.weight) + convolution.bias[:, None, None] * inside)
    return second.judge(maps, batch.regions, batch.target.joints2d, batch.target.joints3d).in_float32()
