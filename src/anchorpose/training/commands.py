"""What `anchorpose train` runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from anchorpose.datasets.loader import PoseDataset
from anchorpose.training.data import read_data
from anchorpose.training.fit import FitOptions, fit
from anchorpose.training.presets import find_preset
from anchorpose.training.trunk_weights import load_trunk


def train(preset_name: str, data: Sequence[str], options: FitOptions, trunk_weights: Path | None = None) -> Path:
    """Train a preset on data cards or `FILE.json=IMAGES` pairs; returns the last checkpoint's folder."""
    preset = find_preset(preset_name)
    read = read_data(data)
    samples = read.samples()
    anchors = read.anchors(samples, preset.anchors, options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = preset.build(anchors)
    source = load_trunk(model.trunk, trunk_weights)
    dataset = PoseDataset(samples, anchors, replace(preset.augmentation), options.seed)
    return fit(preset, model, read, anchors, dataset, options, source)
