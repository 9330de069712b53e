"""Who the second pass looks at: the groups of pose proposal integration, inside the graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import nms

from anchorpose.lcrnet.anchors import UPPER_BODY


@dataclass(frozen=True)
class PeopleOptions:
    """As `integration.IntegrationOptions`, whose rules these follow.

    Args:
        iou_threshold: overlap of upper-body boxes above which proposals are of the same person.
        distance3d: metres within which proposals are averaged.
        min_score: proposals below are ignored. min_person_score: people whose summed score is below are left out,
            but for the group of the best proposal.
        most: most people looked at.
        min_quality: object keypoint similarity that the second pass must expect of a person for a close look.
    """

    iou_threshold: float = 0.4
    distance3d: float = 0.2
    min_score: float = 0.01
    min_person_score: float = 0.3
    most: int = 20
    min_quality: float = 0.0


def people_of(
    scores: Tensor, joints2d: Tensor, joints3d: Tensor, size: tuple[int, int], options: PeopleOptions
) -> tuple[Tensor, Tensor, Tensor]:
    """Greedy groups by overlap with the best proposal left (which is non-maximum suppression), averaged.

    Args:
        scores: (m,), best first. joints2d: (m, 13, 2) pixels. joints3d: (m, 13, 3) metres. size: (h, w).

    Returns:
        (s,) position of each group's best proposal, (s, 13, 2) and (s, 13, 3) averages of its mode.
    """
    upper = joints2d[:, list(UPPER_BODY)]
    limit = upper.new_tensor([size[1], size[0]])
    low, high = upper.amin(1).clamp(min=0), upper.amax(1)
    boxes = torch.cat([torch.minimum(low, limit), torch.minimum(high, limit).clamp(min=0)], 1)
    usable = scores >= options.min_score
    seeds = nms(boxes, scores, options.iou_threshold)
    overlap = _iou(boxes[seeds], boxes) > options.iou_threshold
    apart = (joints3d[seeds][:, None] - joints3d[None]).square().sum(3).sqrt().mean(2)
    own = torch.arange(len(scores), device=scores.device)[None] == seeds[:, None]
    # A proposal belongs to the first group that it overlaps; later groups do not count it again.
    earlier = overlap.to(scores.dtype).cumsum(0) > 1.5
    member = (overlap & ~earlier & (apart < options.distance3d)) | own
    # The group's best counts even where it is unlikely: an average of nobody would be NaN, on which RoIAlign crashes.
    weight = (member & (usable[None] | own)).to(scores.dtype) * scores[None]
    total = weight.sum(1)
    # The likeliest is always looked at: ONNX has reshapes that fail where there is nobody.
    likely = (total >= options.min_person_score) | (torch.arange(len(seeds), device=scores.device) == 0)
    kept = torch.nonzero(likely).flatten()[: options.most]
    weight, total, seeds = weight[kept], total[kept], seeds[kept]
    share = weight / total[:, None]
    flat2d, flat3d = share @ joints2d.flatten(1), share @ joints3d.flatten(1)
    return seeds, flat2d.unflatten(1, (13, 2)), flat3d.unflatten(1, (13, 3))


def _iou(a: Tensor, b: Tensor) -> Tensor:
    """(s, 4), (m, 4) -> (s, m); torchvision's does not export."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (high - low).clamp(min=0).prod(2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    return inter / (area_a[:, None] + area_b[None] - inter).clamp(min=1e-6)
