"""Localization: torchvision's RPN over a feature pyramid, with regions that are neither person nor background."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import box_iou, nms

IGNORE_OVERLAP = 0.4


def inside_share(boxes: Tensor, regions: Tensor) -> Tensor:
    """(n, 4), (m, 4) -> (n,) largest share of a box that lies in one of the regions."""
    if len(regions) == 0 or len(boxes) == 0:
        return boxes.new_zeros(len(boxes))
    lower = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    upper = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    own = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-6).prod(1)
    return ((upper - lower).clamp(min=0).prod(2) / own[:, None]).amax(1)


def is_unknown(boxes: Tensor, people: Tensor, ignore: Tensor, exhaustive: bool) -> Tensor:
    """Which boxes may hold unlabelled people, so that they are neither positive nor background.

    Args:
        boxes: (n, 4). people: (p, 4) boxes of people with joints. ignore: (i, 4) of people without.
        exhaustive: False where only `people` were labelled: then only boxes that overlap them are judged.

    Returns:
        (n,) bool.
    """
    unknown = inside_share(boxes, ignore) > IGNORE_OVERLAP
    if len(ignore):
        unknown |= box_iou(boxes, ignore).amax(1) > IGNORE_OVERLAP / 2
    return unknown if exhaustive else unknown | (inside_share(boxes, people) < 0.5)


class SteadyRPNHead(RPNHead):
    """torchvision's head with outputs in float32: box arithmetic in bf16 loses pixels."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, deltas = super().forward(x)
        return [t.float() for t in logits], [t.float() for t in deltas]


class Localization(RegionProposalNetwork):
    """Region proposal network (Faster R-CNN's parameters unless the preset says otherwise).

    Args:
        channels: of every pyramid level.
        sizes: anchor sizes in pixels for each level.
        pre_nms, post_nms: proposals kept before and after NMS, (training, inference).
        min_objectness: probability below which a box is no proposal at inference, but for the likeliest.
    """

    def __init__(
        self, channels: int, sizes: tuple[tuple[int, ...], ...], pre_nms: tuple[int, int], post_nms: tuple[int, int],
        nms_threshold: float = 0.7, min_objectness: float = 0.0,
    ) -> None:  # fmt: skip
        anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
        head = SteadyRPNHead(channels, anchors.num_anchors_per_location()[0])
        kept = ({"training": n[0], "testing": n[1]} for n in (pre_nms, post_nms))
        super().__init__(anchors, head, 0.7, 0.3, 256, 0.5, *kept, nms_threshold)
        self.least_logit = math.log(min_objectness / (1 - min_objectness)) if min_objectness else -math.inf

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """torchvision's assignment; background anchors on unknown regions are left out (-1)."""
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for label, boxes, target in zip(labels, anchors, targets, strict=True):
            unknown = is_unknown(boxes, target["boxes"], target["ignore"], bool(target["exhaustive"]))
            label[(label == 0) & unknown] = -1
        return labels, matched

    def propose(self, features: list[Tensor], image_size: tuple[int, int]) -> Tensor:
        """Proposals of one picture by a path that exports: top-k over all levels, decode, one NMS.

        Returns:
            (r, 4) boxes, best first.
        """
        logits, deltas = self.head(features)
        strides = [(image_size[0] // f.shape[-2], image_size[1] // f.shape[-1]) for f in features]
        scores = torch.cat([t.permute(0, 2, 3, 1).reshape(-1) for t in logits])
        a = self.anchor_generator.num_anchors_per_location()[0]
        moves = torch.cat([t.reshape(a, 4, *t.shape[-2:]).permute(2, 3, 0, 1).reshape(-1, 4) for t in deltas])
        cells = torch.cat([
            self._grid(base, f.shape[-2], f.shape[-1], s)
            for base, f, s in zip(self.anchor_generator.cell_anchors, features, strides, strict=True)
        ])  # fmt: skip
        count = min(self.pre_nms_top_n(), scores.shape[0]) if not torch.compiler.is_exporting() else None
        k = self.pre_nms_top_n() if count is None else count
        best = scores.topk(k)
        boxes = self.box_coder.decode_single(moves[best.indices], cells[best.indices])
        limits = boxes.new_tensor([image_size[1], image_size[0], image_size[1], image_size[0]])
        boxes = torch.minimum(boxes.clamp(min=0), limits)
        kept = nms(boxes, best.values, self.nms_thresh)[: self.post_nms_top_n()]
        # The likeliest is always looked at, as in `people`: ONNX has reshapes that fail where there is nothing.
        likely = (best.values[kept] >= self.least_logit) | (torch.arange(len(kept), device=kept.device) == 0)
        return boxes[kept[torch.nonzero(likely).flatten()]]

    @staticmethod
    def _grid(base: Tensor, height: int, width: int, stride: tuple[int, int]) -> Tensor:
        y = torch.arange(height, device=base.device, dtype=base.dtype) * stride[0]
        x = torch.arange(width, device=base.device, dtype=base.dtype) * stride[1]
        yy, xx = y[:, None].expand(height, width).reshape(-1), x[None].expand(height, width).reshape(-1)
        return (torch.stack([xx, yy, xx, yy], 1)[:, None] + base[None]).reshape(-1, 4)


def image_list(batch: int, height: int, width: int, device: torch.device) -> ImageList:
    """What torchvision's RPN wants to know of the pictures: their size."""
    return ImageList(torch.empty(batch, 3, height, width, device="meta").to("meta"), [(height, width)] * batch)
