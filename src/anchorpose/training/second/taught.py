"""Distillation: what the close look of larger weights says of the same people, and the losses against it.

Hinton et al. 2015 with poses for classes: the teacher says where the joints are that nobody labelled, of people whom
nobody labelled too. Where the truth is known the teacher is silent: losses are of absolute errors, and two of them are
together as small at any place between the two wishes, so the label would teach no more than the teacher knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.lcrnet.close_look import CloseLook
from anchorpose.lcrnet.second_losses import LABELLED, SecondTarget, second_losses, similarity
from anchorpose.lcrnet.second_pass import SecondOutput
from anchorpose.training.second.stored import StoredPeople
from anchorpose.training.second.turned import Turned

_PART, _BATCH = 2048, 32
SURE_PERSON, SURE_JOINT = 0.3, 0.1
"""A teacher is believed of people of at least that expected similarity, and joints at most so far off, of the side."""


class Taught(NamedTuple):
    """What a teacher says of s people."""

    joints2d: Tensor  # (s, 13, 2) pixels
    errors: Tensor  # (s, 13) expected absolute error, shares of the region's side
    joints3d: Tensor  # (s, 13, 3) metres
    visibility: Tensor  # (s, 13) probability
    quality: Tensor  # (s,) expected object keypoint similarity

    def take(self, rows: NDArray[np.int64]) -> Taught:
        """Some of them."""
        return Taught(*(values[torch.from_numpy(rows)] for values in self))

    def turned(self, turned: Turned, regions: Tensor) -> Taught:
        """Of people whose cut-outs were turned."""
        return Taught(turned.points(self.joints2d, regions), turned.each(self.errors), turned.bodies(self.joints3d),
                      turned.each(self.visibility), self.quality)  # fmt: skip


def ask(teacher: CloseLook, people: StoredPeople, folder: Path) -> Taught:
    """What the teacher says of everybody; parts that an earlier run wrote are taken as they are.

    Args:
        teacher: a close look. people: cut out. folder: for the parts, of this teacher and these people alone.

    Raises:
        InputError: a part is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    teacher.eval()
    parts = []
    for first in tqdm(range(0, len(people), _PART), unit="part", disable=None):
        path = folder / f"{first // _PART:04d}.npz"
        if not path.exists():
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, *_said(teacher, people, range(first, min(first + _PART, len(people)))))
            partial.rename(path)
        try:
            with np.load(path) as stored:
                parts.append([torch.from_numpy(stored[name]) for name in stored.files])
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read what the teacher said in {path} ({error}); remove the file") from None
    return Taught(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _said(teacher: CloseLook, people: StoredPeople, rows: range) -> Iterator[NDArray[np.float32]]:
    batches = []
    for first in range(rows.start, rows.stop, _BATCH):
        batch = people.take(np.arange(first, min(first + _BATCH, rows.stop)))
        before = batch.target
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            cut = F.interpolate(batch.maps[0].float() / 255, (teacher.side, teacher.side), mode="bilinear")
            cut = cut.contiguous(memory_format=torch.channels_last)
            said = teacher.judge(cut, batch.regions, before.joints2d, before.joints3d).in_float32()
        batches.append((said.pixels, said.log_scale.exp(), said.joints3d, said.visibility.sigmoid(),
                        said.quality.sigmoid()))  # fmt: skip
    return (torch.cat(column).numpy() for column in zip(*batches, strict=True))


def taught_losses(output: SecondOutput, target: SecondTarget, taught: Taught, beta: float) -> dict[str, Tensor]:
    """The losses of `second_losses`, with what the teacher says where the truth is not known.

    The expected errors are not trained by it: they are those to the truth, of which the teacher's are a part.

    Args:
        output: of s people. target: what is known of them. taught: of the same people. beta: see `second_losses`.
    """
    sure = taught.quality >= SURE_PERSON
    told = target.true2d.isnan().any(2) & sure[:, None] & (taught.errors <= SURE_JOINT)
    deep = target.true3d.isnan() & sure[:, None, None]
    full = target._replace(
        true2d=torch.where(told[..., None], taught.joints2d, target.true2d),
        true3d=torch.where(deep, taught.joints3d, target.true3d),
        visible=torch.where(sure[:, None] & (target.visible < 0), taught.visibility, target.visible.float()),
    )
    alone = torch.where(told, output.log_scale.detach(), output.log_scale)
    labelled = (~target.true2d.isnan().any(2)).sum(1) >= LABELLED
    quality = torch.where(labelled, similarity(output, target), taught.quality)
    return second_losses(output._replace(log_scale=alone), full, beta) | {
        "quality": F.binary_cross_entropy_with_logits(output.quality, quality)
    }
