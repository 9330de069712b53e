"""Shared features: MoveNet's trunk or any timm backbone, behind one small pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anchorpose.lcrnet.movenet import HEADS, MULTIPOSE, PYRAMID_CHANNELS, TAPS, MoveNetTrunk


class TrunkFeatures(NamedTuple):
    """What the rest of the network sees of a picture.

    Args:
        levels: maps (b, c_l, h / s_l, w / s_l), finest first.
        dense: (b, 1 + 17 + 34, h / 4, w / 4) MoveNet's person centre and joint heat maps (probabilities) and its
            joint regression (dy, dx in cells), or None for backbones that know no people.
        fine: map (b, c, h / 4, w / 4) that the second pass looks at, or None for backbones without one.
    """

    levels: list[Tensor]
    dense: Tensor | None
    fine: Tensor | None = None


class MoveNetFeatures(nn.Module):
    """`MoveNetTrunk` with its richer inner maps beside the pyramid's: strides 8, 16 and 32.

    Args:
        channels: of the trunk.
    """

    strides = (8, 16, 32)

    def __init__(self, channels: tuple[int, ...] = MULTIPOSE) -> None:
        super().__init__()
        self.trunk = MoveNetTrunk(channels)
        at = {stride: PYRAMID_CHANNELS[stride] + channels[1 + block] for stride, block in TAPS.items()}
        self.channels, self.fine_channels = tuple(at[s] for s in self.strides), at[4] + HEADS["keypoint_heatmap"]

    def freeze_early(self, blocks: int) -> None:
        """Keep the stem and the first `blocks` of the 17 blocks as they are: edges and textures need no training."""
        for part in (self.trunk.stem, *self.trunk.blocks[:blocks]):
            part.requires_grad_(False)

    def forward(self, image: Tensor) -> TrunkFeatures:
        """Image (b, 3, h, w), RGB in [0, 1]."""
        found = self.trunk(image)
        levels = [torch.cat([found.pyramid[s], found.taps[s]], 1) for s in self.strides]
        dense = torch.cat([found.center.sigmoid(), found.heatmap.sigmoid(), found.regression], 1)
        fine = torch.cat([found.pyramid[4], found.taps[4], found.heatmap], 1)
        return TrunkFeatures(levels, dense, fine)


class TimmFeatures(nn.Module):
    """Any timm backbone with feature maps.

    Args:
        name: timm's model name, for example `vgg16`, `resnet50`, `tf_efficientnet_lite0`.
        strides: which of its strides to use.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, strides: Sequence[int]) -> None:
        super().__init__()
        import timm  # only where a timm backbone is asked for: it takes a second to import

        probe: Any = timm.create_model(name, pretrained=False, features_only=True)
        reductions = probe.feature_info.reduction()
        indices = [len(reductions) - 1 - reductions[::-1].index(s) for s in strides]
        backbone: Any = timm.create_model(name, pretrained=False, features_only=True, out_indices=indices)
        self.backbone = backbone
        self.strides = tuple(strides)
        self.channels = tuple(backbone.feature_info.channels())
        known: Any = timm.get_pretrained_cfg(name)
        config = getattr(probe, "default_cfg", None) or known.to_dict()
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> TrunkFeatures:
        """Image (b, 3, h, w), RGB in [0, 1]."""
        return TrunkFeatures(list(self.backbone((image - self.mean) / self.std)), None)


class Standardised(nn.Sequential):
    """BatchNorm without scale, then a 1x1 convolution: in evaluation one convolution that does both."""

    def __init__(self, channels: int, width: int) -> None:
        norm = nn.BatchNorm2d(channels, affine=False)
        super().__init__(norm, nn.Conv2d(channels, width, 1))
        self._eps = norm.eps

    def forward(self, x: Tensor) -> Tensor:
        norm, convolution = self[0], self[1]
        if self.training:
            return convolution(norm(x))
        weight, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        scale = (variance + self._eps).rsqrt()
        return F.conv2d(x, weight * scale[:, None, None], bias - weight.flatten(1) @ (mean * scale))


class Pyramid(nn.Module):
    """Feature pyramid: standardise, 1x1, add from above; one width for all levels.

    The standardisation (BatchNorm without scale) lets frozen trunks of very different ranges feed one head.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(Standardised(c, width) for c in channels)
        self.smooth = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1, groups=width), nn.ReLU()) for _ in channels
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        maps = [lateral(x) for lateral, x in zip(self.laterals, levels, strict=True)]
        for i in range(len(maps) - 2, -1, -1):
            maps[i] = maps[i] + F.interpolate(maps[i + 1], scale_factor=2.0, mode="nearest")
        return [smooth(x) for smooth, x in zip(self.smooth, maps, strict=True)]
