"""Which regions are trained on, and towards what (LCR-Net sections 3.1 and 3.4)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torchvision.ops import box_iou

from anchorpose.lcrnet.localization import is_unknown

POSITIVE_IOU = 0.5


class PictureTarget(Protocol):
    """People of one picture, see `anchorpose.datasets.loader.Target`."""

    @property
    def boxes(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...
    @property
    def joints2d(self) -> Tensor: ...
    @property
    def joints3d(self) -> Tensor: ...
    @property
    def visible(self) -> Tensor: ...
    @property
    def ignore(self) -> Tensor: ...
    @property
    def exhaustive(self) -> bool: ...


class RegionTarget(NamedTuple):
    """r regions of one picture and what the heads should say of them.

    Args:
        boxes: (r, 4). labels: (r,) class 0..2K-1, or 2K for the background. person: (r,) index, -1 for background.
    """

    boxes: Tensor
    labels: Tensor
    person: Tensor


def rpn_target(target: PictureTarget) -> dict[str, Tensor]:
    """What torchvision's RPN is given: every full-body and upper-body box is an object."""
    return {
        "boxes": known_boxes(target),
        "ignore": target.ignore,
        "exhaustive": torch.tensor(target.exhaustive),
    }


def known_boxes(target: PictureTarget) -> Tensor:
    """(b, 4) the boxes of all people, full body and upper body."""
    flat = target.boxes.reshape(-1, 4)
    return flat[~flat.isnan().any(1)]


def jittered(boxes: Tensor, copies: int, generator: torch.Generator) -> Tensor:
    """Copies of boxes moved and stretched a little, so that there are positives before the RPN has learnt any."""
    repeated = boxes.repeat(copies, 1)
    size = (repeated[:, 2:] - repeated[:, :2]).repeat(1, 2)
    noise = torch.randn(repeated.shape, generator=generator).to(boxes.device)
    return repeated + size * noise.clamp(-2, 2) * 0.07


def sample_regions(
    proposals: Tensor, target: PictureTarget, count: int, positive_share: float, regions: int, copies: int,
    generator: torch.Generator,
) -> RegionTarget:  # fmt: skip
    """Choose regions of one picture and label them.

    A region is positive where its IoU with a person's box is at least 0.5 (the person and the box, full or upper,
    of highest IoU decide the class), background below that, and left out where people may be unlabelled.

    Args:
        proposals: (n, 4) from the RPN. target: the people. count: K. positive_share: at most this share of
        `regions` is on people. copies: jittered copies of every true box that join the proposals.
    """
    known = known_boxes(target)
    candidates = torch.cat([proposals, known, jittered(known, copies, generator)])
    background = 2 * count
    if len(known) == 0:
        unknown = is_unknown(candidates, known, target.ignore, target.exhaustive)
        free = candidates[~unknown]
        chosen = _choose(torch.arange(len(free), device=free.device), regions // 2, generator)
        labels = torch.full((len(chosen),), background, device=free.device)
        return RegionTarget(free[chosen], labels, torch.full_like(labels, -1))
    both = torch.nan_to_num(target.boxes, nan=-1e6).reshape(-1, 4)  # a missing full box overlaps nothing
    best, index = box_iou(candidates, both).max(1)
    person, upper = index // 2, index % 2
    positive = best >= POSITIVE_IOU
    unknown = is_unknown(candidates, known, target.ignore, target.exhaustive)
    labels = torch.where(positive, target.labels[person] + upper * count, background)
    people = _choose(torch.nonzero(positive).flatten(), int(regions * positive_share), generator)
    rest = _choose(torch.nonzero(~positive & ~unknown).flatten(), regions - len(people), generator)
    chosen = torch.cat([people, rest])
    return RegionTarget(candidates[chosen], labels[chosen], torch.where(positive, person, -1)[chosen])


def _choose(indices: Tensor, count: int, generator: torch.Generator) -> Tensor:
    order = torch.randperm(len(indices), generator=generator)[:count]
    return indices[order.to(indices.device)]
