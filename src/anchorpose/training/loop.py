"""A training loop in one process for what fits there: everything by seed, resumable, averaged weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.training.checkpoint import find_checkpoint, progress_of, read_card, restore, save_checkpoint
from anchorpose.training.rates import warmup_cosine

SAVE_EVERY_SECONDS = 300.0
_SHOW_EVERY = 20


@dataclass(frozen=True)
class LoopOptions:
    """How long and where a run is trained.

    Args:
        out: the run's folder. steps: None takes the task's. minutes: stop after so much training time instead; the
            learning rate then falls with the time. seed: of everything random. resume: go on from `out/last`.
    """

    out: Path
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    resume: bool = True


@dataclass(frozen=True)
class Task:
    """What is trained.

    Args:
        network: its parameters that require gradients are trained, and all of it is saved.
        loss: of the next batch, drawn with the given generator.
        card: of the run; a checkpoint is resumed only where its `preset` is the same.
        steps, learning_rate, weight_decay, warmup_steps, ema, clip: of the optimiser.
        slow: beginning of the names of parameters -> their learning rate over that of the others.
    """

    network: nn.Module
    loss: Callable[[np.random.Generator], Tensor]
    card: dict[str, Any]
    steps: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    ema: float
    clip: float
    slow: dict[str, float] = field(default_factory=dict)

    def by_rate(self) -> dict[float, list[nn.Parameter]]:
        """The parameters that are trained, by their learning rate over the full one."""
        found: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                rate = next((r for first, r in self.slow.items() if name.startswith(first)), 1.0)
                found.setdefault(rate, []).append(parameter)
        return found


@dataclass
class Progress:
    """Where a run is; goes into the card."""

    step: int = 0
    seconds: float = 0.0
    loss: float = 0.0


def run(task: Task, options: LoopOptions) -> Path:
    """Train, and write the last checkpoint into `options.out/last`.

    A run that was killed and goes on sees the same batches as one that was not.

    Returns:
        the checkpoint's folder.

    Raises:
        InputError: the checkpoint to resume from is damaged or of another preset. FloatingPointError: the loss is no
            number any more.
    """
    loop = _Loop(task, options)
    with tqdm(total=100.0, unit="%", disable=None, mininterval=5, bar_format="{l_bar}{bar}{postfix}") as bar:
        while loop.done < 1:
            loop.step()
            if loop.progress.step % _SHOW_EVERY == 0:
                bar.n = round(min(100.0, 100 * loop.done), 1)
                bar.set_postfix(step=loop.progress.step, loss=f"{loop.progress.loss:.4f}")
            if time.monotonic() - loop.saved > SAVE_EVERY_SECONDS:
                loop.save()
    loop.save()
    return options.out / "last"


class _Loop:
    """The state of a run."""

    def __init__(self, task: Task, options: LoopOptions) -> None:
        self.task, self.options, self.progress, self.saved = task, options, Progress(), time.monotonic()
        groups = task.by_rate()
        self.trained, self.rates = [p for group in groups.values() for p in group], list(groups)
        own = [{"params": group} for group in groups.values()]
        self.optimizer = torch.optim.AdamW(own, task.learning_rate, weight_decay=task.weight_decay)
        self.averaged = AveragedModel(task.network, multi_avg_fn=get_ema_multi_avg_fn(task.ema))
        if options.resume and (folder := find_checkpoint(options.out)) is not None:
            card = read_card(folder)
            if card.get("preset") != task.card["preset"]:
                name = task.card["preset"]["name"]
                raise InputError(f"{folder} is of another preset than {name}; give another --out or --no-resume")
            self.progress = progress_of(folder, card, Progress)
            restore(folder, task.network, self.averaged, self.optimizer)

    @property
    def done(self) -> float:
        """Share of the run that is behind us."""
        if self.options.minutes is not None:
            return self.progress.seconds / (60 * self.options.minutes)
        return self.progress.step / (self.options.steps or self.task.steps)

    def step(self) -> None:
        """One batch."""
        task, progress, began = self.task, self.progress, time.monotonic()
        rate = task.learning_rate * warmup_cosine(progress.step, task.warmup_steps, self.done)
        for group, share in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = share * rate
        rng = np.random.default_rng([self.options.seed, progress.step])
        torch.manual_seed(int(rng.integers(1 << 62)))  # of dropout
        total = task.loss(rng)
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss became {float(total)}; lower the preset's learning rate")
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.trained, task.clip)
        self.optimizer.step()
        self.averaged.update_parameters(task.network)
        value = total.detach().item()
        progress.loss = 0.98 * (progress.loss or value) + 0.02 * value
        progress.step, progress.seconds = progress.step + 1, progress.seconds + time.monotonic() - began

    def save(self) -> None:
        """Write the checkpoint."""
        self.saved = time.monotonic()
        save_checkpoint(self.options.out / "last", self.task.network.state_dict(), self.averaged.module.state_dict(),
                        self.optimizer.state_dict() | {"averaged": int(self.averaged.n_averaged)},
                        {**self.task.card, "progress": asdict(self.progress)})  # fmt: skip
