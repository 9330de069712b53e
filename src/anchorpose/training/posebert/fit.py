"""The training of PoseBERT on motion capture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anchorpose.training.checkpoint import provenance
from anchorpose.training.loop import LoopOptions, Task, run
from anchorpose.training.posebert.batches import draw_batch
from anchorpose.training.posebert.clips import Clips
from anchorpose.training.posebert.losses import losses
from anchorpose.training.posebert.noise import DetectorNoise
from anchorpose.training.posebert.presets import PoseBertPreset


def fit(preset: PoseBertPreset, clips: Clips, noise: DetectorNoise, options: LoopOptions) -> Path:
    """Train, and write the last checkpoint into `options.out/last`; see `loop.run` for what it returns and raises."""
    torch.manual_seed(options.seed)
    network = preset.build().train()

    def loss(rng: np.random.Generator) -> Tensor:
        batch = draw_batch(clips, noise, preset.masking, preset.batch_size, preset.frames, rng)
        return torch.stack(list(losses(network, batch, preset).values())).sum()

    card = _card(preset, clips, noise, options.seed)
    return run(Task(network, loss, card, preset.steps, preset.learning_rate, preset.weight_decay, preset.warmup_steps,
                    preset.ema, preset.clip), options)  # fmt: skip


def _card(preset: PoseBertPreset, clips: Clips, noise: DetectorNoise, seed: int) -> dict[str, Any]:
    return {
        "schema": "anchorpose/card/1", "preset": json.loads(json.dumps(asdict(preset))), "seed": seed,
        "clips": len(clips), "frames": len(clips.poses), "noise": json.loads(json.dumps(asdict(noise))),
        **provenance(),
    }  # fmt: skip
