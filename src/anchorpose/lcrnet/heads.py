"""The heads of LCR-Net on the features of a region: classification and anchor-pose-specific regression."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import MultiScaleRoIAlign, roi_align

from anchorpose.core.skeleton import COCO17, LCR13, base_name
from anchorpose.lcrnet import windows
from anchorpose.lcrnet.low_rank import LowRank, linear

JOINTS = 13
_LEAST_HEAT = 1e-4
REGRESSION_SCALE = 5.0
"""Regression outputs are divided by this, as in the authors' release (reference 1.3)."""


class RegionOutput(NamedTuple):
    """r regions, K anchor-poses."""

    logits: Tensor  # (r, 2K + 1), the last column is the background
    regression: Tensor  # (r, 2K, 5, 13) x, y, X, Y, Z to the anchor, in box coordinates and metres times the scale
    visibility: Tensor  # (r, 13) logit

    def offsets(self, region: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """What some (region, class) pairs add to their anchor-poses; the few chosen are all that is ever laid out.

        Args:
            region, label: (m,).

        Returns:
            (m, 13, 2) box coordinates and (m, 13, 3) metres.
        """
        chosen = self.regression.flatten(0, 1)[region * self.regression.shape[1] + label] / REGRESSION_SCALE
        return chosen[:, :2].transpose(1, 2), chosen[:, 2:].transpose(1, 2)


class JointEvidence(nn.Module):
    """Where MoveNet's dense maps put each joint of the person in a region.

    Every cell of the regression map votes for the joints of its person; the votes, weighted by the centre map, give
    a first place. The heat map inside the region then gives the expected place twice: weighted by a Gaussian around
    the first place (a neighbour's joint does not count) and by a wide one (poses that the votes do not know). All in
    box coordinates. Nothing here is learnt (the constants were chosen on training photographs), but
    gradients pass through it to a trunk that is trained.
    """

    GRID, VOTES = 24, 6
    SHARPNESS = 3.0
    WIDTHS = (0.12, 0.4)
    CENTRE_WEIGHT, AWAY_WEIGHT = 2.0, 15.0
    votes_at: Tensor
    heat_at: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("votes_at", unit_grid(self.VOTES), persistent=False)
        self.register_buffer("heat_at", windows.along(self.GRID), persistent=False)

    skipped = 17 * (2 + 5 * len(WIDTHS))
    features = skipped + 17 * (GRID // 2) ** 2

    def forward(self, dense: Tensor, rois: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Features (r, `features`) for the hidden layers and (r, `skipped`) for the output layers.

        Args:
            dense: (b, 52, h / 4, w / 4). rois: (r, 5) picture index and box. size: (r, 2) width and height.
        """
        coarse = roi_align(dense, rois, self.VOTES, 0.25, sampling_ratio=1, aligned=True)
        heat = roi_align(dense[:, 1:18].contiguous(), rois, self.GRID, 0.25, sampling_ratio=1, aligned=True)
        first = self._vote(coarse, size)
        parts = [first.flatten(1)]
        likely = (heat + _LEAST_HEAT) ** self.SHARPNESS
        x, y = windows.factors(first, self.heat_at, self.WIDTHS)
        places, total = windows.weighted_mean(likely, x, y, self.heat_at)
        confidences = windows.weighted_sum(likely * heat, x, y) / total
        for place, confidence in zip(places.unbind(2), confidences.unbind(2), strict=True):
            gated = confidence[..., None] * (place - 0.5)
            parts += [place.flatten(1), confidence, gated.flatten(1)]
        skip = torch.cat(parts, 1)
        return torch.cat([skip, nn.functional.avg_pool2d(heat, 2).flatten(1)], 1), skip

    def _vote(self, coarse: Tensor, size: Tensor) -> Tensor:
        """(r, 17, 2) each joint's place by the votes."""
        centre = coarse[:, 0].flatten(1)
        offsets = coarse[:, 18:].unflatten(1, (17, 2)).flatten(3).flip(2)  # r 17 (dx, dy) cells
        # MoveNet counts cells from their top-left corner, RoIAlign from their centre: half a cell (2 px) between.
        votes = self.votes_at.T + (offsets * 4.0 - 2.0) / size[:, None, :, None]
        away = ((self.votes_at - 0.5) ** 2).sum(1)
        weight = (self.CENTRE_WEIGHT * (centre + _LEAST_HEAT).log() - self.AWAY_WEIGHT * away).softmax(1)
        return (votes * weight[:, None, None]).sum(-1).clamp(-0.5, 1.5)


class PoseHead(nn.Module):
    """RoIAlign, two shared fully connected layers, then classification and regression (LCR-Net 3.2, 3.3).

    Args:
        channels: of the pyramid. strides: of its levels. count: K. hidden: width of the two layers.
        evidence: use `JointEvidence` beside the pooled features.
        ranks: of the two layers and of the regression's weights for them; 0 is full rank (`lcrnet.low_rank`).
    """

    def __init__(self, channels: int, strides: tuple[int, ...], count: int, hidden: int, evidence: bool,
                 dropout: float = 0.0, ranks: tuple[int, int, int] = (0, 0, 0)) -> None:  # fmt: skip
        super().__init__()
        self.count, self.strides = count, strides
        names = [str(i) for i in range(len(strides))]
        self.pool = MultiScaleRoIAlign(names, 7, 2, canonical_scale=160, canonical_level=4)
        self.evidence = JointEvidence() if evidence else None
        skip = JointEvidence.skipped if evidence else 0
        self.hidden1 = linear(channels * 49 + (JointEvidence.features if evidence else 0), hidden, ranks[0])
        self.hidden2 = linear(hidden, hidden, ranks[1])
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(hidden + skip, 2 * count + 1)
        self.regress = linear(hidden + skip, 2 * count * 5 * JOINTS, ranks[2], kept=skip)
        self.see = nn.Linear(hidden + skip, JOINTS)
        for layer, std in ((self.classify, 0.01), (self._last_of_regress, 0.001), (self.see, 0.01)):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)

    @property
    def _last_of_regress(self) -> nn.Linear:
        return self.regress.outer if isinstance(self.regress, LowRank) else self.regress

    @torch.no_grad()
    def start_from_evidence(self, anchors2d: Tensor) -> None:
        """Let the regression begin as a copy of the evidence, so that training only has to improve on it.

        Joints begin at their expected place; knees and ankles of upper-body classes, which lie outside the region,
        at their votes. anchors2d: (2K, 13, 2) box coordinates. Head tops begin at the anchor.
        """
        last = self._last_of_regress
        weight = last.weight.view(2 * self.count, 5, JOINTS, -1)
        bias = last.bias.view(2 * self.count, 5, JOINTS)
        start = last.in_features - JointEvidence.skipped
        lower = {i for i, name in enumerate(LCR13.joints) if base_name(name) in ("knee", "ankle")}
        for joint, source in enumerate(COCO17.map_to(LCR13)):
            for axis in range(2 if source >= 0 else 0):
                vote, place = start + 2 * int(source) + axis, start + 34 + 2 * int(source) + axis
                weight[: self.count, axis, joint, place] += REGRESSION_SCALE
                weight[self.count :, axis, joint, vote if joint in lower else place] += REGRESSION_SCALE
                bias[:, axis, joint] -= REGRESSION_SCALE * anchors2d[:, joint, axis]

    def forward(
        self, levels: list[Tensor], dense: Tensor | None, boxes: list[Tensor], image_size: tuple[int, int]
    ) -> RegionOutput:
        """Args: pyramid maps, dense maps or None, (r_i, 4) regions of each picture, (h, w) of the pictures."""
        parts = [self._pooled(levels, boxes, image_size).flatten(1)]
        skip = None
        if self.evidence is not None and dense is not None:
            rois = torch.cat([torch.cat([b.new_full((len(b), 1), i), b], 1) for i, b in enumerate(boxes)])
            size = (rois[:, 3:] - rois[:, 1:3]).clamp(min=1.0)
            with torch.autocast(dense.device.type, enabled=False):  # places need float32
                features, skip = self.evidence(dense.float(), rois.float(), size.float())
            parts.append(features)
        x = torch.relu(self.hidden1(torch.cat([p.float() for p in parts], 1)))
        x = self.dropout(torch.relu(self.hidden2(self.dropout(x))))
        x = x.float() if skip is None else torch.cat([x.float(), skip], 1)
        with torch.autocast(x.device.type, enabled=False):
            regression = self.regress(x).view(-1, 2 * self.count, 5, JOINTS)
            return RegionOutput(self.classify(x), regression, self.see(x))

    def _pooled(self, levels: list[Tensor], boxes: list[Tensor], image_size: tuple[int, int]) -> Tensor:
        if not torch.compiler.is_exporting():
            named = {str(i): x for i, x in enumerate(levels)}
            return self.pool(named, boxes, [image_size] * len(boxes))
        # For export: what MultiScaleRoIAlign does, without its loop over pictures.
        rois = torch.cat([boxes[0].new_zeros(boxes[0].shape[0], 1), boxes[0]], 1)
        area = (boxes[0][:, 2:] - boxes[0][:, :2]).prod(1)
        finest = torch.tensor(float(self.strides[0])).log2()
        level = torch.floor(self.pool.canonical_level + torch.log2(area.sqrt() / self.pool.canonical_scale) + 1e-6)
        level = level.clamp(finest.item(), finest.item() + len(levels) - 1) - finest.item()
        chosen = [torch.nonzero(level == i).squeeze(1) for i in range(len(levels))]
        pooled = [roi_align(x, rois[i], 7, 1 / s, sampling_ratio=2, aligned=False)
                  for x, s, i in zip(levels, self.strides, chosen, strict=True)]  # fmt: skip
        return torch.cat(pooled)[torch.argsort(torch.cat(chosen))]


def unit_grid(side: int) -> Tensor:
    """(side * side, 2) x, y of the cell centres of a unit square, row by row."""
    y, x = torch.meshgrid(windows.along(side), windows.along(side), indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)
