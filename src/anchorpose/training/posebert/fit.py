"""The training loop of PoseBERT: one process, everything by seed, resumable."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.training.checkpoint import find_checkpoint, provenance, read_card, restore, save_checkpoint
from anchorpose.training.posebert.batches import draw_batch
from anchorpose.training.posebert.clips import Clips
from anchorpose.training.posebert.losses import losses
from anchorpose.training.posebert.noise import DetectorNoise
from anchorpose.training.posebert.presets import PoseBertPreset
from anchorpose.training.rates import warmup_cosine

SAVE_EVERY_SECONDS = 300.0
_SHOW_EVERY = 20


@dataclass(frozen=True)
class FitOptions:
    """How long and how a run is trained.

    Args:
        out: the run's folder. steps: None takes the preset's. minutes: stop after so much training time instead; the
            learning rate then falls with the time. seed: of everything random. resume: go on from `out/last`.
    """

    out: Path
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    resume: bool = True


@dataclass
class Progress:
    """Where a run is; goes into the card."""

    step: int = 0
    seconds: float = 0.0
    loss: float = 0.0


def fit(preset: PoseBertPreset, clips: Clips, noise: DetectorNoise, options: FitOptions) -> Path:
    """Train on motion capture, and write the last checkpoint into `options.out/last`.

    A run that was killed and goes on sees the same batches as one that was not.

    Returns:
        the checkpoint's folder.

    Raises:
        InputError: the checkpoint to resume from is damaged or of another preset. FloatingPointError: the loss is no
            number any more.
    """
    torch.manual_seed(options.seed)
    network = preset.build()
    optimizer = torch.optim.AdamW(network.parameters(), preset.learning_rate, weight_decay=preset.weight_decay)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(preset.ema))
    progress = _resume(options, preset, network, averaged, optimizer) if options.resume else Progress()
    network.train()
    card = _card(preset, clips, noise, options.seed)
    total, saved = options.steps or preset.steps, time.monotonic()

    def done() -> float:
        return progress.step / total if options.minutes is None else progress.seconds / (60 * options.minutes)

    def save() -> None:
        save_checkpoint(options.out / "last", network.state_dict(), averaged.module.state_dict(),
                        optimizer.state_dict() | {"averaged": int(averaged.n_averaged)},
                        {**card, "progress": asdict(progress)})  # fmt: skip

    with tqdm(total=100.0, unit="%", disable=None, mininterval=5, bar_format="{l_bar}{bar}{postfix}") as bar:
        while done() < 1:
            began = time.monotonic()
            rate = warmup_cosine(progress.step, preset.warmup_steps, done())
            for group in optimizer.param_groups:
                group["lr"] = preset.learning_rate * rate
            rng = np.random.default_rng([options.seed, progress.step])
            torch.manual_seed(int(rng.integers(1 << 62)))  # of dropout
            value = _step(network, averaged, optimizer, preset, clips, noise, rng)
            progress.loss = 0.98 * (progress.loss or value) + 0.02 * value
            progress.step, progress.seconds = progress.step + 1, progress.seconds + time.monotonic() - began
            if progress.step % _SHOW_EVERY == 0:
                bar.n = round(min(100.0, 100 * done()), 1)
                bar.set_postfix(step=progress.step, loss=f"{progress.loss:.4f}")
            if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                save()
                saved = time.monotonic()
    save()
    return options.out / "last"


def _step(
    network: nn.Module, averaged: AveragedModel, optimizer: torch.optim.Optimizer, preset: PoseBertPreset, clips: Clips,
    noise: DetectorNoise, rng: np.random.Generator,
) -> float:  # fmt: skip
    batch = draw_batch(clips, noise, preset.masking, preset.batch_size, preset.frames, rng)
    total = torch.stack(list(losses(network, batch, preset).values())).sum()  # type: ignore[arg-type]
    if not torch.isfinite(total):
        raise FloatingPointError(f"the loss became {float(total)}; lower the preset's learning rate")
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(network.parameters(), preset.clip)
    optimizer.step()
    averaged.update_parameters(network)
    return total.detach().item()


def _resume(
    options: FitOptions, preset: PoseBertPreset, network: nn.Module, averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
) -> Progress:  # fmt: skip
    folder = find_checkpoint(options.out)
    if folder is None:
        return Progress()
    card = read_card(folder)
    if card.get("preset") != json.loads(json.dumps(asdict(preset))):
        raise InputError(f"{folder} is of another preset than {preset.name}; give another --out or --no-resume")
    restore(folder, network, averaged, optimizer)
    return Progress(**card["progress"])


def _card(preset: PoseBertPreset, clips: Clips, noise: DetectorNoise, seed: int) -> dict[str, Any]:
    return {
        "schema": "anchorpose/card/1", "preset": json.loads(json.dumps(asdict(preset))), "seed": seed,
        "clips": len(clips), "frames": len(clips.poses), "noise": json.loads(json.dumps(asdict(noise))),
        **provenance(),
    }  # fmt: skip
