"""Checkpoints: safetensors beside a JSON card, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from anchorpose.core.errors import InputError


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
