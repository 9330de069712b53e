"""The training of the close look: people are cut out of the pictures once, and looked at as often as there is time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anchorpose.datasets.loader import Target
from anchorpose.lcrnet.close_look import cut_out
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.second_losses import jittered_regions, second_losses
from anchorpose.training.data import Data
from anchorpose.training.depthwise import depthwise_in_float32
from anchorpose.training.fit import card_of
from anchorpose.training.loop import LoopOptions, Task, run
from anchorpose.training.presets import Preset
from anchorpose.training.release import Start
from anchorpose.training.second.collect import people_and_maps
from anchorpose.training.second.fit import SecondStage, drawn, moved, weighted
from anchorpose.training.second.stored import Stored, StoredPeople
from anchorpose.training.second.taught import Taught, taught_losses
from anchorpose.training.second.turned import Turned, Turning, recoloured


@dataclass(frozen=True)
class CloseStage(SecondStage):
    """How the close look is trained alone.

    Args:
        trunk_rate: learning rate of its trunk over that of the rest; 0 keeps the trunk as it is. frozen_blocks: so many
            of its blocks stay as they are anyway. turning: of each view of a cut-out. The others as for `SecondStage`.
    """

    batch_size: int = 32
    before_noise: float = 0.02
    ema: float = 0.998
    trunk_rate: float = 0.1
    frozen_blocks: int = 6
    turning: Turning = field(default_factory=Turning)


def look_closely(model: LCRNet, images: Tensor, targets: list[Target], generator: torch.Generator) -> Stored:
    """The people whom the second pass would be trained on, as it leaves them, cut out of pictures (b, 3, h, w)."""
    return cut_people(model, images, targets, generator)[0]


def cut_people(
    model: LCRNet, images: Tensor, targets: list[Target], generator: torch.Generator
) -> tuple[Stored, list[Tensor], Tensor]:
    """As `look_closely`; with the maps that the second pass looks at, and (s,) the index of each person's picture."""
    assert model.second is not None
    before, around, whole = people_and_maps(model, images, targets, generator)
    maps = model.second.look_at(whole)
    found = model.second.look(maps, before.joints2d, before.joints3d, before.picture, around)
    regions = jittered_regions(found.pixels, generator)
    cut = cut_out(images.float(), regions, before.picture).round().to(torch.uint8)
    moved = before._replace(joints2d=found.pixels, joints3d=found.joints3d)
    return Stored([cut], regions, moved), maps, before.picture


def has_close_look(start: Start) -> bool:
    """Whether released weights hold a close look."""
    return any(name.startswith("close.") for name in start.released)


def fit_close(
    preset: Preset, model: LCRNet, people: StoredPeople, data: Data, start: Start, options: LoopOptions,
    stage: CloseStage | None = None, taught: Taught | None = None,
) -> Path:  # fmt: skip
    """Train the close look of a network whose other parts stay as they are.

    Args:
        preset, data, start: for the card. model: with a close look, released or of `begin_close_look`.
        people: of `collect` with `look_closely`. options: of the run.
        stage: how; the numbers of `CloseStage` unless given. taught: of `taught.ask`, by the close look of other
            weights; None trains on what is labelled alone.

    Returns:
        the last checkpoint's folder, of the whole network. Raises as `loop.run`.
    """
    stage, close = stage or CloseStage(), model.close
    assert close is not None
    model.requires_grad_(False).eval()
    close.requires_grad_(True).to(memory_format=torch.channels_last)
    if stage.trunk_rate:
        close.trunk.freeze_early(stage.frozen_blocks)
    else:
        close.trunk.requires_grad_(False)
    depthwise_in_float32(close)

    def loss(rng: np.random.Generator) -> Tensor:
        rows = drawn(people, stage, rng)
        batch = moved(people.take(rows), stage, rng)
        view = Turned.draw(len(rows), stage.turning, rng)
        target = view.target(batch.target, batch.regions)
        cut = view.cut(recoloured(batch.maps[0].float().div(255), stage.turning, rng), close.side)
        with torch.autocast("cpu", torch.bfloat16):
            cut = cut.contiguous(memory_format=torch.channels_last)
            output = close.judge(cut, batch.regions, target.joints2d, target.joints3d).in_float32()
        if taught is None:
            return weighted(second_losses(output, target, preset.smooth_l1_beta), preset)
        said = taught.take(rows).turned(view, batch.regions)
        return weighted(taught_losses(output, target, said, preset.smooth_l1_beta), preset)

    card = card_of(preset, data, start) | {"close_stage": asdict(stage) | {"people": len(people)}}
    task = Task(model, loss, card, stage.steps, stage.learning_rate, stage.weight_decay, stage.warmup_steps,
                stage.ema, stage.clip, slow={"close.trunk.": stage.trunk_rate})  # fmt: skip
    return run(task, options)
