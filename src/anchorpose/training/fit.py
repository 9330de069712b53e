"""One training loop for every preset, on one CPU or many GPUs (accelerate)."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast, set_seed
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.datasets.decoded import Photographs, Plan, PlannedDataset, collate_plans
from anchorpose.datasets.loader import Joined, PoseDataset, Target, collate
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.trunks import TrunkFeatures
from anchorpose.training.checkpoint import find_checkpoint, progress_of, provenance, read_card, restore, save_checkpoint
from anchorpose.training.data import Data
from anchorpose.training.depthwise import depthwise_in_float32
from anchorpose.training.presets import Preset
from anchorpose.training.rates import warmup_cosine
from anchorpose.training.release import Start
from anchorpose.training.replay import FeatureReplay

SAVE_EVERY_SECONDS = 300.0
LOG_EVERY = 20


@dataclass(frozen=True)
class FitOptions:
    """How long and how a run is trained.

    Args:
        out: the run's folder. epochs: None takes the preset's. minutes: stop after so much training time instead;
            the learning rate then falls with the time. batch_size: a process; None takes the preset's.
        workers: processes that decode and augment. seed: of everything random. resume: go on from `out/last`.
        mixed_precision: accelerate's, `bf16` or `no`.
    """

    out: Path
    epochs: float | None = None
    minutes: float | None = None
    batch_size: int | None = None
    workers: int = 1
    seed: int = 0
    resume: bool = True
    mixed_precision: str = "bf16"


@dataclass
class Progress:
    """Where a run is; goes into the card, so that a killed run goes on with nothing lost."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)


class TrainingModel(nn.Module):
    """What accelerate wraps: a batch in, named losses out."""

    def __init__(self, model: LCRNet) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Tensor | None, features: TrunkFeatures | None, targets: list[Target], size: tuple[int, int],
        generator: torch.Generator,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Either pictures or, where the trunk is frozen, their features."""
        if features is None:
            assert images is not None
            features = self.model.features(images)
        return self.model.losses(features, targets, size, generator)


def fit(
    preset: Preset,
    model: LCRNet,
    data: Data,
    dataset: PoseDataset | PlannedDataset,
    options: FitOptions,
    start: Start,
    photographs: Photographs | None = None,
) -> Path:
    """Train, and write the last checkpoint into `options.out/last`.

    Args:
        preset, model, data, dataset: what is trained on what. options: of the run.
        start: what the weights begin with; released ones learn at `preset.tuned_rate`.
        photographs: of a `PlannedDataset`, in the memory of the device.

    Returns:
        the checkpoint's folder.

    Raises:
        InputError: the checkpoint to resume from is damaged or of another preset, or there are fewer photographs than
            one step takes.
    """
    AcceleratorState._reset_state()  # an earlier run of this process may have had another precision
    accelerator = Accelerator(mixed_precision=options.mixed_precision)
    set_seed(options.seed, device_specific=True)  # each process draws its own dropout and regions
    groups = _groups(model, preset, start.released)
    depthwise_in_float32(model)
    optimizer = torch.optim.AdamW(groups, lr=preset.learning_rate, weight_decay=preset.weight_decay)
    averaged = AveragedModel(model, multi_avg_fn=_ema(preset.ema))
    progress = _resume(options, preset, model, averaged, optimizer) if options.resume else Progress()
    wrapped, optimizer = accelerator.prepare(TrainingModel(model), optimizer)
    card = card_of(preset, data, start) | {"processes": accelerator.num_processes}
    run = _Run(preset, options, accelerator, wrapped, model, averaged, optimizer, progress, card, photographs)
    run.train(dataset)
    return options.out / "last"


class _Run:
    """The state of one training run."""

    def __init__(self, preset: Preset, options: FitOptions, accelerator: Accelerator, wrapped: nn.Module,
                 model: LCRNet, averaged: AveragedModel, optimizer: torch.optim.Optimizer, progress: Progress,
                 card: dict[str, Any], photographs: Photographs | None) -> None:  # fmt: skip
        self.photographs = photographs
        self.preset, self.options, self.accelerator, self.wrapped = preset, options, accelerator, wrapped
        self.model, self.averaged, self.optimizer, self.progress, self.card = model, averaged, optimizer, progress, card
        self.batch_size = options.batch_size or preset.batch_size
        own = options.seed + 7919 * (progress.step + 1) + 104723 * accelerator.process_index
        self.generator = torch.Generator().manual_seed(own)
        self.replay = FeatureReplay(preset.replay_size, self.generator) if preset.frozen and preset.replay else None
        self.saved = time.monotonic()
        self.total = 0

    def train(self, dataset: PoseDataset | PlannedDataset) -> None:
        """Epochs until the steps or the minutes are used up."""
        share = self.batch_size * self.accelerator.num_processes
        if len(dataset) < share:
            raise InputError(f"found {len(dataset)} photographs to train on, wanted at least the {share} of one step; "
                             "give more, or a smaller --batch-size")  # fmt: skip
        self.total = max(1, int((self.options.epochs or self.preset.epochs) * (len(dataset) // share)))
        main = self.accelerator.is_main_process
        self.options.out.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(str(self.options.out / "tensorboard")) if main else None
        bar = tqdm(total=100.0, unit="%", disable=not main, initial=round(100 * self.done, 2), mininterval=5)
        self.wrapped.train()
        while self.done < 1:
            for given, joined in self._batches(dataset):
                started = time.monotonic()
                losses = self._advance(self._step(self._pictures(given), joined.split()), started)
                self._report(writer, bar, losses)
                if self.done >= 1:
                    break
            else:
                self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0
        self.save()
        bar.close()
        self.accelerator.wait_for_everyone()  # who reads the checkpoint next finds it whole

    @property
    def done(self) -> float:
        """Share of the run that is behind us."""
        if self.options.minutes is not None:
            return self.progress.seconds / (60 * self.options.minutes)
        return self.progress.step / self.total

    def _pictures(self, given: Tensor | Plan) -> Tensor:
        """(b, 3, size, size) uint8 RGB of what the loader gave."""
        if isinstance(given, Tensor):
            return given
        assert self.photographs is not None, "a PlannedDataset needs its photographs"
        return self.photographs.pictures(given, self.preset.augmentation.size)

    def _batches(self, dataset: PoseDataset | PlannedDataset) -> Iterator[tuple[Tensor | Plan, Joined]]:
        dataset.epoch = self.progress.epoch
        shuffled = torch.Generator().manual_seed(self.options.seed + 104729 * self.progress.epoch)
        order = torch.randperm(len(dataset), generator=shuffled).tolist()
        order = order[self.progress.batch * self.batch_size * self.accelerator.num_processes :]
        workers = self.options.workers
        loader: DataLoader[Any] = DataLoader(
            dataset, self.batch_size, sampler=order, num_workers=workers, drop_last=True,
            collate_fn=collate if isinstance(dataset, PoseDataset) else collate_plans,
            prefetch_factor=3 if workers else None)  # fmt: skip
        return iter(self.accelerator.prepare(loader))

    def _step(self, images: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        size = (images.shape[-2], images.shape[-1])
        for group in self.optimizer.param_groups:
            group["lr"] = self.preset.learning_rate * group["share"] * self._rate()
        features = None
        if self.replay is not None:
            with self.accelerator.autocast():
                features = self.model.features(images)
            self.replay.add(features, targets)
            for _ in range(self.preset.replay):
                earlier, people = self.replay.draw(self.batch_size)
                self._update(None, earlier, people, size)
        return self._update(images, features, targets, size)

    def _update(self, images: Tensor | None, features: TrunkFeatures | None, targets: list[Target],
                size: tuple[int, int]) -> dict[str, Tensor]:  # fmt: skip
        losses: dict[str, Tensor] = self.wrapped(images, features, targets, size, self.generator)
        total = sum((self.preset.loss_weights.get(n, 1.0) * v for n, v in losses.items()), torch.zeros(()))
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss became {float(total)} at step {self.progress.step}: {losses}")
        self.accelerator.backward(total)
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self.preset.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.averaged.update_parameters(self.model)
        return losses

    def _rate(self) -> float:
        return warmup_cosine(self.progress.step, self.preset.warmup_steps, self.done)

    def _advance(self, losses: dict[str, Tensor], started: float) -> dict[str, float]:
        """One step further; returns the step's losses, their means over the processes."""
        p = self.progress
        p.step, p.batch = p.step + 1, p.batch + 1
        p.seconds += time.monotonic() - started
        if self.accelerator.num_processes > 1:  # all must stop after the same step
            p.seconds = float(broadcast(torch.tensor(p.seconds, device=self.accelerator.device)))
        means = self.accelerator.reduce(torch.stack([v.detach().float() for v in losses.values()]), "mean").tolist()
        latest = dict(zip(losses, means, strict=True))
        for name, value in latest.items():
            p.losses[name] = 0.98 * p.losses.get(name, value) + 0.02 * value
        if time.monotonic() - self.saved > SAVE_EVERY_SECONDS:
            self.save()
        return latest

    def _report(self, writer: SummaryWriter | None, bar: Any, losses: dict[str, float]) -> None:
        bar.n = min(100.0, round(100 * self.done, 2))
        bar.set_postfix({n: f"{v:.3f}" for n, v in self.progress.losses.items()}, refresh=False)
        bar.update(0)
        if writer is None or self.progress.step % LOG_EVERY:
            return
        for name, value in losses.items():
            writer.add_scalar(f"loss/{name}", value, self.progress.step)
        path = self.options.out / "losses.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            table = csv.writer(file)
            if fresh:
                table.writerow(["step", "epoch", "seconds", "rate", *self.progress.losses])
            smoothed = (f"{v:.5f}" for v in self.progress.losses.values())
            table.writerow([self.progress.step, self.progress.epoch, f"{self.progress.seconds:.1f}",
                            f"{self._rate():.4f}", *smoothed])  # fmt: skip

    def save(self) -> None:
        """Write the checkpoint (main process only)."""
        self.saved = time.monotonic()
        if not self.accelerator.is_main_process:
            return
        self.averaged.module.load_state_dict(dict(self.model.named_buffers()), strict=False)
        card = {**self.card, "progress": asdict(self.progress)}
        save_checkpoint(self.options.out / "last", self.model.state_dict(), self.averaged.module.state_dict(),
                        self.optimizer.state_dict() | {"averaged": int(self.averaged.n_averaged)}, card)  # fmt: skip


def _resume(options: FitOptions, preset: Preset, model: LCRNet, averaged: AveragedModel,
            optimizer: torch.optim.Optimizer) -> Progress:  # fmt: skip
    folder = find_checkpoint(options.out)
    if folder is None:
        return Progress()
    card = read_card(folder)
    if card.get("preset", {}).get("name") != preset.name:
        raise InputError(f"{folder} is of preset {card.get('preset', {}).get('name')!r}, wanted {preset.name!r}; "
                         "give another --out or --no-resume")  # fmt: skip
    progress = progress_of(folder, card, Progress)
    restore(folder, model, averaged, optimizer)
    return progress


def _groups(model: LCRNet, preset: Preset, released: frozenset[str]) -> list[dict[str, Any]]:
    """The trained parameters by how fast they learn: what knows people already forgets at the full rate."""
    shares: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tuned = preset.tuned_rate if name in released else 1.0
            share = preset.trunk_rate if name.startswith("trunk.") else tuned
            shares.setdefault(share, []).append(parameter)
    return [{"params": parameters, "share": share} for share, parameters in shares.items()]


def _ema(decay: float) -> Any:
    @torch.no_grad()
    def average(kept: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        # A short memory at first, so that the start is forgotten soon.
        weight = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(list(kept), list(current), weight)

    return average


def card_of(preset: Preset, data: Data, start: Start) -> dict[str, Any]:
    """What a card says before a training begins: preset, data, licences, code."""
    return {
        "schema": "anchorpose/card/1",
        "preset": json.loads(json.dumps(asdict(preset))),
        "use": "; ".join(dict.fromkeys(filter(None, [start.use, data.use]))),
        "trunk": start.text,
        "data": start.licences | data.licences(),
        **provenance(),
    }
