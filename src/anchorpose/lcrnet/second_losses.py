"""Who the second pass is trained on, and its losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from anchorpose.core.skeleton import LCR13
from anchorpose.lcrnet import windows
from anchorpose.lcrnet.heads import REGRESSION_SCALE, RegionOutput
from anchorpose.lcrnet.losses import shared
from anchorpose.lcrnet.second_pass import SecondOutput, region_around
from anchorpose.lcrnet.targets import PictureTarget, RegionTarget

PEOPLE, STRANGERS = 6, 1
"""Regions of a picture that the second pass is trained on: on people, and on the likeliest background (for quality)."""
LABELLED = 4
"""Joints; the similarity with a person of fewer says little."""
_HEAT_WIDTH = 1.2
"""Standard deviation of the Gaussian that a heat map should be, cells."""
_AREA_OF_BOX = 0.53
"""COCO's segment area over the box's, which the object keypoint similarity is relative to."""


class SecondTarget(NamedTuple):
    """s poses of the first pass, and the people they should be (NaN where nobody or nothing is known)."""

    joints2d: Tensor  # (s, 13, 2) pixels, of the first pass
    joints3d: Tensor  # (s, 13, 3) metres, of the first pass
    picture: Tensor  # (s,)
    person: Tensor  # (s,) bool, False for background
    true2d: Tensor  # (s, 13, 2) pixels
    true3d: Tensor  # (s, 13, 3) metres
    visible: Tensor  # (s, 13) 1, 0 or -1
    area: Tensor  # (s,) square pixels


Choice = Callable[[Tensor, RegionTarget, torch.Generator], Tensor]
"""Logits (r, 2K + 1) of one picture's regions, the regions and a generator -> the rows that are looked at again."""


@torch.no_grad()
def second_targets(
    output: RegionOutput, regions: list[RegionTarget], targets: Sequence[PictureTarget], anchors2d: Tensor,
    anchors3d: Tensor, generator: torch.Generator, choose: Choice | None = None,
) -> SecondTarget:  # fmt: skip
    """Poses that the first pass takes for the likeliest in some regions of each picture.

    Args:
        output: of all regions, in the order of `regions`. regions, targets: one entry a picture.
        anchors2d: (2K, 13, 2) box coordinates. anchors3d: (K, 13, 3) metres. generator: of the choice.
        choose: in which regions; `some_people` unless given.
    """
    parts, first = [], 0
    for number, (region, target) in enumerate(zip(regions, targets, strict=True)):
        rows = (choose or some_people)(output.logits[first : first + len(region.labels)], region, generator)
        label = output.logits[first + rows, :-1].argmax(1)
        box = region.boxes[rows]
        size = (box[:, 2:] - box[:, :2])[:, None]
        offsets2d, offsets3d = output.offsets(first + rows, label)
        joints2d = box[:, None, :2] + (anchors2d[label] + offsets2d) * size
        joints3d = anchors3d[label % len(anchors3d)] + offsets3d
        parts.append((joints2d, joints3d, torch.full_like(rows, number), *_truth(region.person[rows], target)))
        first += len(region.labels)
    return SecondTarget(*(torch.cat(column) for column in zip(*parts, strict=True)))


def some_people(logits: Tensor, region: RegionTarget, generator: torch.Generator) -> Tensor:
    """Rows of one picture's regions: some on people, and the background that looks most like a person."""
    positive = torch.nonzero(region.person >= 0).flatten()
    order = torch.randperm(len(positive), generator=generator)[:PEOPLE].to(positive.device)
    background = torch.nonzero(region.person < 0).flatten()
    doubtful = logits[background, -1].argsort()[:STRANGERS]
    return torch.cat([positive[order], background[doubtful]])


def _truth(person: Tensor, target: PictureTarget) -> tuple[Tensor, ...]:
    on = person >= 0
    nobody = ~on[:, None, None]
    if not len(target.joints2d):
        empty = torch.full((len(person), 13, 5), torch.nan, device=person.device)
        return on, empty[..., :2], empty[..., 2:], torch.full((len(person), 13), -1), empty[:, 0, 0]
    index = person.clamp(min=0)
    both = target.boxes[index]
    box = torch.where(both[:, :1].isnan(), both[:, 1:], both[:, :1]).squeeze(1)
    area = (box[:, 2:] - box[:, :2]).prod(1) * _AREA_OF_BOX
    true2d = target.joints2d[index].masked_fill(nobody, torch.nan)
    true3d = target.joints3d[index].masked_fill(nobody, torch.nan)
    visible = target.visible[index].masked_fill(~on[:, None], -1).long()
    return on, true2d, true3d, visible, area


def jittered_regions(joints2d: Tensor, generator: torch.Generator) -> Tensor:
    """(s, 13, 2) pixels -> (s, 4) regions a little off, as those of another first pass would be."""
    regions = region_around(joints2d)
    side = regions[:, 2:] - regions[:, :2]
    noise = torch.randn((len(regions), 3), generator=generator).clamp(-2, 2).to(regions.device)
    centre = (regions[:, :2] + regions[:, 2:]) / 2 + noise[:, :2] * side * 0.04
    half = side / 2 * (1 + 0.1 * noise[:, 2:])
    return torch.cat([centre - half, centre + half], 1)


def second_losses(output: SecondOutput, target: SecondTarget, beta: float) -> dict[str, Tensor]:
    """Losses of the second pass.

    Args:
        output: of the s poses of `target`. beta: of the smooth L1 of the 3D joints, see `losses.region_losses`.

    Returns:
        `second2d` (Laplace log-likelihood of labelled joints), `second_heat` (cross-entropy with a Gaussian),
        `second3d`, `second_visibility` and `quality`, each a mean, 0 where nothing is labelled.
    """
    side = (output.regions[:, 2:] - output.regions[:, :2])[:, None]
    wanted = (target.true2d - output.regions[:, None, :2]) / side
    labelled = ~wanted.isnan().any(2)
    wanted = torch.nan_to_num(wanted)
    error = (output.joints2d - wanted).abs().sum(2)
    likelihood = error * torch.exp(-output.log_scale) + 2 * output.log_scale
    inside = labelled & (wanted > 0).all(2) & (wanted < 1).all(2)
    known3d = ~target.true3d.isnan()
    off = torch.where(known3d, output.joints3d - torch.nan_to_num(target.true3d), 0.0) * REGRESSION_SCALE
    seen = target.visible >= 0
    visibility = F.binary_cross_entropy_with_logits(output.visibility, target.visible.clamp(min=0).float(),
                                                    reduction="none")  # fmt: skip
    quality = F.binary_cross_entropy_with_logits(output.quality, similarity(output, target), reduction="none")
    judged = ~target.person | (labelled.sum(1) >= LABELLED)
    deep = F.smooth_l1_loss(off, torch.zeros_like(off), reduction="none", beta=beta)
    return {"second2d": _mean(likelihood, labelled), "second_heat": _mean(_cross_entropy(output, wanted), inside),
            "second3d": _mean(deep, known3d), "second_visibility": _mean(visibility, seen),
            "quality": _mean(quality, judged)}  # fmt: skip


@torch.no_grad()
def similarity(output: SecondOutput, target: SecondTarget) -> Tensor:
    """(s,) object keypoint similarity with the person over the labelled joints; 0 for background."""
    sigmas = torch.as_tensor(LCR13.sigmas, dtype=torch.float32, device=output.regions.device)
    squared = ((output.pixels - target.true2d) ** 2).sum(2)
    each = torch.exp(-squared / ((2 * sigmas) ** 2 * 2 * target.area.clamp(min=1)[:, None]))
    labelled = ~each.isnan()
    return torch.where(labelled, each, 0.0).sum(1) / labelled.sum(1).clamp(min=1) * target.person


def _cross_entropy(output: SecondOutput, wanted: Tensor) -> Tensor:
    """(s, 13) with a Gaussian around the joint, over the region's cells."""
    side = round(output.heat.shape[2] ** 0.5)
    steps, width = windows.along(side).to(wanted.device), _HEAT_WIDTH / side
    x, y = (torch.softmax(-((steps - wanted[..., i, None]) ** 2) / (2 * width**2), -1) for i in (0, 1))
    return -((y[..., :, None] * x[..., None, :]).flatten(2) * output.heat).sum(2)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return torch.where(counted, values, 0.0).sum() / shared(counted.sum())
