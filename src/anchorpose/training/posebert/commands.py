"""What `anchorpose train posebert` runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.asf_amc import CMU_FRAME_TIME
from anchorpose.training.loop import LoopOptions
from anchorpose.training.posebert.clips import read_clips
from anchorpose.training.posebert.export import export, load_network
from anchorpose.training.posebert.fit import fit
from anchorpose.training.posebert.lcrnet_lite import LCRNET_LITE
from anchorpose.training.posebert.presets import find_posebert


@dataclass(frozen=True)
class PoseBertOptions:
    """A training of PoseBERT.

    Args:
        preset: see `presets`. data: motion capture files, folders and globs. fit: of the run.
        split: which files, by their names; `synthesize render --split` and `render_sequences` divide them alike.
        amc_rate: frames a second of AMC files, which do not say it. threads: of torch.
    """

    preset: str
    data: tuple[str, ...]
    fit: LoopOptions
    split: Literal["train", "test", "all"] = "train"
    amc_rate: float = 1 / CMU_FRAME_TIME
    threads: int = 1


def train_posebert(options: PoseBertOptions) -> Path:
    """Train a preset and export it.

    Returns:
        the ONNX file, `PRESET.onnx` in the run's folder; its card lies beside it.

    Raises:
        InputError: no such preset, no motion capture, or a checkpoint that does not fit.
    """
    preset = find_posebert(options.preset)
    if not options.data:
        raise InputError("found no data, wanted motion capture; give --data with a file, folder or glob")
    torch.set_num_threads(options.threads)
    fit(preset, read_clips(options.data, options.split, options.amc_rate), LCRNET_LITE, options.fit)
    network, preset, card = load_network(options.fit.out)
    out = options.fit.out / f"{preset.name}.onnx"
    export(network, preset.name, card, out)
    return out
