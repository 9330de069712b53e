"""Checkpoints of every training: safetensors beside a JSON card, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from anchorpose.core.errors import InputError

T = TypeVar("T")


def save_checkpoint(
    folder: Path, weights: dict[str, Tensor], averaged: dict[str, Tensor], optimizer: dict[str, Any],
    card: dict[str, Any],
) -> None:  # fmt: skip
    """Write `model.safetensors`, `ema.safetensors`, `optimizer.pt` and `card.json` into `folder`.

    The files are written into a folder beside it, which then takes its place: a kill leaves the old one or the new.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, tensors in (("model", weights), ("ema", averaged)):
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial / f"{name}.safetensors")
    torch.save(optimizer, partial / "optimizer.pt")
    (partial / "card.json").write_text(json.dumps(card, indent=2, allow_nan=False))
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(partial, folder)
    shutil.rmtree(old, ignore_errors=True)


def find_checkpoint(run: Path) -> Path | None:
    """The folder of the run's last complete checkpoint; a kill between two renames leaves it under `last.old`."""
    for name in ("last", "last.old", ""):
        folder = run / name
        if (folder / "card.json").exists() and (folder / "ema.safetensors").exists():
            return folder
    return None


def last_checkpoint(run: Path) -> Path:
    """As `find_checkpoint`; InputError where there is none."""
    if (folder := find_checkpoint(run)) is None:
        raise InputError(f"found no checkpoint in {run}; give a folder that `anchorpose train --out` wrote")
    return folder


def load_averaged(model: nn.Module, folder: Path, preset: str) -> None:
    """Fill a network with the averaged weights of a checkpoint; InputError where they do not fit it."""
    try:
        model.load_state_dict(read_weights(folder / "ema.safetensors"))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the checkpoint {folder} does not fit preset {preset} ({reason}); train again") from None


def restore(folder: Path, model: nn.Module, averaged: AveragedModel, optimizer: torch.optim.Optimizer) -> None:
    """Put a training back where `save_checkpoint` found it; its optimizer's state holds the count of averages."""
    model.load_state_dict(read_weights(folder / "model.safetensors"))
    averaged.module.load_state_dict(read_weights(folder / "ema.safetensors"))
    state = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
    averaged.n_averaged.fill_(state.pop("averaged"))
    optimizer.load_state_dict(state)


def progress_of(folder: Path, card: dict[str, Any], kind: type[T]) -> T:
    """Where the run of a checkpoint was, as its kind of training counts; InputError for one of another kind."""
    found = dict(card.get("progress", {}))
    try:
        return kind(**found)
    except TypeError:
        raise InputError(f"found a checkpoint of another kind of training in {folder} (its progress has "
                         f"{', '.join(found) or 'nothing'}), wanted one of this kind; give another --out or "
                         "--no-resume") from None  # fmt: skip


def provenance() -> dict[str, str | None]:
    """What every card tells of the code: the commit where there is a repository, and torch's version."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {"commit": commit.stdout.strip() or None, "torch": torch.__version__}


def read_card(folder: Path) -> dict[str, Any]:
    """The checkpoint's card; InputError where it is missing or damaged."""
    try:
        card = json.loads((folder / "card.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"the checkpoint {folder} has no readable card.json ({error}); train again or copy it whole"
        ) from None
    return dict(card)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file; InputError where it is missing or damaged."""
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the weights {path} ({error}); copy the file again or train again") from None
