"""Samples as torch batches: decode, augment, and turn people into the arrays that the targets need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from anchorpose.core import boxes
from anchorpose.datasets.samples import Person, Sample
from anchorpose.datasets.shards import read_picture
from anchorpose.datasets.transforms import Augmentation, Image, augment
from anchorpose.lcrnet.anchors import BOX_MARGIN, LOWER_LIMBS, UPPER_BODY, AnchorPoses

MIN_JOINTS = 4
MAX_FIT_ERROR = 0.22
"""Metres; a 2D-only person whose nearest anchor misses its joints by more keeps the bounds of its labels."""


class Target(NamedTuple):
    """What the network should find in one picture; p people with joints, i regions to ignore.

    Args:
        boxes: (p, 2, 4) the full-body and the upper-body box; NaN for the full body where no lower limb is labelled.
        labels: (p,) anchor of each person.
        joints2d: (p, 13, 2) pixels, NaN where unlabelled.
        joints3d: (p, 13, 3) metres as seen straight on (`Person.facing3d`), NaN where unknown.
        visible: (p, 13) 1, 0 or -1 for unknown.
        ignore: (i, 4) people without joints.
        exhaustive: False where regions away from the labelled people are unknown.
    """

    boxes: Tensor
    labels: Tensor
    joints2d: Tensor
    joints3d: Tensor
    visible: Tensor
    ignore: Tensor
    exhaustive: bool


def make_target(people: Sequence[Person], anchors: AnchorPoses, exhaustive: bool) -> Target:
    """Boxes and classes of the people of one picture (LCR-Net sections 3.1 and 4.2).

    The class is the nearest anchor in 3D where the 3D is known, else the anchor whose 2D fits the labelled joints
    best; that fit also completes the hidden joints for the boxes, never for the regression.
    """
    usable = [p for p in people if p.labelled.sum() >= MIN_JOINTS and p.labelled[list(UPPER_BODY)].sum() >= 2]
    left = [p.box for p in people if not any(p is u for u in usable)]
    ignore = torch.from_numpy(np.array(left, dtype=np.float32).reshape(-1, 4))
    joints2d = np.array([p.joints2d for p in usable], dtype=np.float32).reshape(-1, 13, 2)
    joints3d = np.array([p.joints3d for p in usable], dtype=np.float32).reshape(-1, 13, 3)
    visible = np.array([p.visible for p in usable], dtype=np.int8).reshape(-1, 13)
    labels, both = np.zeros(0, dtype=np.int64), np.zeros((0, 2, 4), dtype=np.float32)
    if usable:
        labels, fitted, error = anchors.fit2d(joints2d)
        known3d = ~np.isnan(joints3d).any((1, 2))
        if known3d.any():
            labels[known3d] = anchors.nearest3d(joints3d[known3d])
        annotated = np.stack([p.box for p in usable])
        both = _boxes(joints2d, np.where((error < MAX_FIT_ERROR)[:, None, None], fitted, np.nan), annotated)
    return Target(
        torch.from_numpy(both), torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(joints2d),
        torch.from_numpy(joints3d), torch.from_numpy(visible), ignore, exhaustive,
    )  # fmt: skip


def _boxes(joints2d: np.ndarray, fitted: np.ndarray, annotated: np.ndarray) -> np.ndarray:
    """(p, 2, 4) full-body and upper-body boxes; completed joints stay within 1.5 sides of the annotated box."""
    labelled = ~np.isnan(joints2d)
    side = (annotated[:, 2:] - annotated[:, :2]).max(1)[:, None, None]
    fitted = np.clip(fitted, annotated[:, None, :2] - side, annotated[:, None, 2:] + side)
    complete = np.where(labelled, joints2d, fitted)
    full = boxes.around(complete, BOX_MARGIN)
    full[~labelled[:, LOWER_LIMBS, 0].any(1)] = np.nan
    upper = boxes.around(complete[:, UPPER_BODY], BOX_MARGIN)
    return np.stack([full, upper], axis=1).astype(np.float32)


class Maker(Protocol):
    """Makes picture number `number`: (h, w, 3) uint8 BGR and its people, always the same for the same number."""

    def __call__(self, number: int) -> tuple[Image, tuple[Person, ...]]: ...


@dataclass(frozen=True)
class Fresh:
    """Pictures that are made when they are needed.

    Args:
        name: for the card. make: the maker. count: pictures of it in each epoch, new ones every time.
        exhaustive: see `Sample`. licence: of what they are made of.
    """

    name: str
    make: Maker
    count: int
    exhaustive: bool = True
    licence: str = "not stated"


class PoseDataset(Dataset[tuple[Tensor, Target]]):
    """Augmented pictures (3, size, size) uint8 RGB with their `Target`.

    Args:
        samples: photographs.
        anchors: anchor-poses for the classes.
        options: augmentation.
        seed: with the epoch and the position it decides every random choice of a picture.
        fresh: pictures made on the fly, after the photographs.
    """

    def __init__(self, samples: Sequence[Sample], anchors: AnchorPoses, options: Augmentation, seed: int,
                 fresh: Sequence[Fresh] = ()) -> None:  # fmt: skip
        self.samples, self.anchors, self.options, self.seed = list(samples), anchors, options, seed
        self.fresh = tuple(fresh)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.samples) + sum(f.count for f in self.fresh)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        image, people, exhaustive = self._picture(index)
        picture, moved = augment(image, people, self.options, rng)
        target = make_target(moved, self.anchors, exhaustive)
        return torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1))), target

    def _picture(self, index: int) -> tuple[Image, tuple[Person, ...], bool]:
        if index < len(self.samples):
            sample = self.samples[index]
            return read_picture(sample.image), sample.people, sample.exhaustive
        place = index - len(self.samples)
        for fresh in self.fresh:
            if place < fresh.count:
                return *fresh.make(self.epoch * fresh.count + place), fresh.exhaustive
            place -= fresh.count
        raise IndexError(index)


class Joined(NamedTuple):
    """The targets of b pictures end to end: a few tensors to send between processes and devices in place of hundreds.

    Args:
        tensors: the six of `Target`, in its order, of all pictures.
        people, ignored, exhaustive: of each picture.
    """

    tensors: list[Tensor]
    people: list[int]
    ignored: list[int]
    exhaustive: list[bool]

    def split(self) -> list[Target]:
        """The pictures' own targets."""
        *people, ignore = self.tensors
        own = [tensor.split(self.people) for tensor in people]
        return [Target(*parts) for parts in zip(*own, ignore.split(self.ignored), self.exhaustive, strict=True)]


def join(targets: Sequence[Target]) -> Joined:
    """See `Joined`."""
    *tensors, exhaustive = zip(*targets, strict=True)
    counts = [len(t.labels) for t in targets], [len(t.ignore) for t in targets]
    return Joined([torch.cat(parts) for parts in tensors], *counts, list(exhaustive))


def collate(batch: list[tuple[Tensor, Target]]) -> tuple[Tensor, Joined]:
    """Pictures stacked, targets end to end."""
    return torch.stack([image for image, _ in batch]), join([target for _, target in batch])
