"""Photographs decoded once, and their random views made on the device that trains.

The pixels of all photographs lie in the device's memory (0.8 MB each at 512 px); the processes that load only draw the
views and move the people, which takes them a quarter of the time (`benchmarks/training.py`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.datasets.loader import Joined, Target, join, make_target
from anchorpose.datasets.samples import Sample
from anchorpose.datasets.shards import read_picture
from anchorpose.datasets.transforms import (
    BRIGHTNESS,
    OCCLUDERS,
    Augmentation,
    Image,
    View,
    draw_view,
    move_people,
    shrunk,
)
from anchorpose.lcrnet.anchors import AnchorPoses

_GREY = (0.299, 0.587, 0.114)
_SPARE = 0.8


class Plan(NamedTuple):
    """Views of a batch, as the device needs them.

    Args:
        row: (b,) of `Photographs.pixels`. back: (b, 2, 3) from the picture to that row, both with -1 and 1 at their
            borders.
        occluders: (b, 2, 6) x, y, to_x, to_y, width, height; a width of 0 is none.
        colours: (b, 3) gain, offset, saturation.
    """

    row: Tensor
    back: Tensor
    occluders: Tensor
    colours: Tensor


class Photographs:
    """Photographs in the memory of a device.

    Args:
        paths: of them; one that is named twice is kept once. side: the longer side is made this long where it is
            longer, pixels. device: where they are kept and views are made. threads: that decode.

    Raises:
        InputError: one cannot be read, or they do not fit the memory.
    """

    def __init__(self, paths: Sequence[Path], side: int, device: torch.device | str = "cpu",
                 threads: int | None = None) -> None:  # fmt: skip
        unique = list(dict.fromkeys(paths))
        self.rows = {path: row for row, path in enumerate(unique)}
        self.side, self.device = side, torch.device(device)
        self._check_memory(len(unique))
        self.pixels = torch.zeros(len(unique), side, side, 3, dtype=torch.uint8, device=self.device)
        self.original = np.zeros((len(unique), 2), np.int64)
        self.kept = np.zeros((len(unique), 2), np.int64)
        with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
            found = pool.map(lambda path: _read(path, side), unique)
            for row, (image, size) in enumerate(tqdm(found, "decoding", len(unique), disable=None)):
                height, width = image.shape[:2]
                self.pixels[row, :height, :width] = torch.from_numpy(image).to(self.device)
                self.original[row], self.kept[row] = size, (width, height)

    def _check_memory(self, count: int) -> None:
        needed = 3 * count * self.side**2
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
        else:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > _SPARE * free:
            raise InputError(
                f"found {count} photographs, which take {needed / 1e9:.1f} GB at {self.side} px, and {free / 1e9:.1f} "
                "GB of free memory; give a smaller --decode-once or leave it out"
            )

    def pictures(self, plan: Plan, size: int) -> Tensor:
        """The views of a batch: (b, 3, size, size) uint8 RGB on the device."""
        plan = Plan(*(t.to(self.device, non_blocking=True) for t in plan))
        images = self.pixels[plan.row].permute(0, 3, 1, 2).float()
        grid = F.affine_grid(plan.back, [len(images), 3, size, size], align_corners=False)
        warped = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False).round()
        for picture, occluders in zip(warped, plan.occluders.tolist(), strict=True):
            for x, y, to_x, to_y, width, height in occluders:
                patch = picture[:, y : y + height, x : x + width].flip(1)
                picture[:, to_y : to_y + height, to_x : to_x + width] = patch
        return _recoloured(warped, plan.colours).to(torch.uint8)


class PlannedDataset(Dataset[tuple[Plan, Target]]):
    """As `anchorpose.datasets.loader.PoseDataset`, with the view of a photograph in place of its picture.

    The same seed, epoch and position give the same view, and the same people but for what a smaller copy of the
    photograph rounds.

    Args:
        samples, anchors, options, seed: as for `PoseDataset`. photographs: theirs.
    """

    def __init__(self, samples: Sequence[Sample], anchors: AnchorPoses, options: Augmentation, seed: int,
                 photographs: Photographs) -> None:  # fmt: skip
        self.samples, self.anchors, self.options, self.seed = list(samples), anchors, options, seed
        self.epoch = 0
        self._rows = [photographs.rows[s.image] for s in self.samples]
        self._original, self._kept, self._side = photographs.original, photographs.kept, photographs.side

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Plan, Target]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        sample, row = self.samples[index], self._rows[index]
        width, height = (int(v) for v in self._original[row])
        view = draw_view(width, height, self.options, rng)
        people = move_people(sample.people, view, width, self.options.size)
        plan = _plan(row, view, (width, height), self._kept[row], self._side, self.options.size)
        return plan, make_target(people, self.anchors, sample.exhaustive)


def collate_plans(batch: list[tuple[Plan, Target]]) -> tuple[Plan, Joined]:
    """Plans stacked, targets end to end."""
    plans = zip(*(plan for plan, _ in batch), strict=True)
    return Plan(*(torch.stack(parts) for parts in plans)), join([target for _, target in batch])


def _read(path: Path, side: int) -> tuple[Image, tuple[int, int]]:
    """RGB with the longer side at most `side`, and the original (width, height)."""
    image = read_picture(path)
    height, width = image.shape[:2]
    image = shrunk(image, side)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), (width, height)


def _plan(row: int, view: View, original: tuple[int, int], kept: np.ndarray, side: int, size: int) -> Plan:
    occluders = torch.zeros(OCCLUDERS, 6, dtype=torch.long)
    for i, occluder in enumerate(view.occluders):
        occluders[i] = torch.tensor(astuple(occluder))
    back = torch.from_numpy(_back(view, original, kept, side, size))
    return Plan(torch.tensor(row), back, occluders, torch.tensor([view.gain, view.offset, view.saturation]))


def _back(view: View, original: tuple[int, int], kept: np.ndarray, side: int, size: int) -> NDArray[np.float32]:
    """(2, 3) `Plan.back`: picture -> mirrored photograph -> photograph -> kept copy, in the corner of side x side."""
    unmirror = np.array([[-1.0, 0, original[0]], [0, 1, 0], [0, 0, 1]]) if view.mirror else np.eye(3)
    to_pixels = np.array([[size / 2, 0, size / 2], [0, size / 2, size / 2], [0, 0, 1]])
    to_unit = np.diag([*(2 / side * kept / original), 1.0])
    to_unit[:2, 2] = -1
    back = to_unit @ unmirror @ np.linalg.inv(np.vstack([view.matrix, [0, 0, 1]])) @ to_pixels
    return np.asarray(back[:2], dtype=np.float32)


def _recoloured(pictures: Tensor, colours: Tensor) -> Tensor:
    """As `transforms.recolour`, with its roundings."""
    gain, offset, saturation = (c[:, None, None, None] for c in colours.unbind(1))
    grey = (pictures * pictures.new_tensor(_GREY)[:, None, None]).sum(1, keepdim=True).round()
    mixed = (pictures * saturation + grey * (1 - saturation)).round().clamp(0, 255)
    return (mixed * gain + (offset - 1) * BRIGHTNESS).abs().round().clamp(0, 255)
