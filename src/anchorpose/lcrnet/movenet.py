"""MoveNet's trunks in torch: MobileNetV2s that already know people.

Google's MoveNet (Apache-2.0) is a MobileNetV2, of width 1.5 in MultiPose Lightning, 1.75 in SinglePose Thunder and 1 in
SinglePose Lightning, with a light feature pyramid and CenterNet heads at stride 4. LCR-Net uses the trunk and pyramid
of MultiPose as shared features, and the dense outputs of three heads (person centre, joint heat maps, joint regression)
as further channels for the regions; Thunder or Lightning looks at single people (`anchorpose.lcrnet.close_look`).
Weights come from `anchorpose.lcrnet.movenet_weights`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

# Channels of the stem and after each of the 17 inverted residual blocks.
MULTIPOSE = (48, 24, 40, 40, 48, 48, 48, 96, 96, 96, 96, 144, 144, 144, 240, 240, 240, 480)
THUNDER = (56, 32, 40, 40, 56, 56, 56, 112, 112, 112, 112, 168, 168, 168, 280, 280, 280, 560)
LIGHTNING = (32, 16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
_HALVING, _EXPANSION = (1, 3, 6, 13), 6
TAPS = {4: 2, 8: 5, 16: 12, 32: 16}
"""The last block at each stride."""
HEADS = {"center": 1, "keypoint_heatmap": 17, "keypoint_regression": 34}
PYRAMID_CHANNELS = {4: 24, 8: 24, 16: 32, 32: 64}


class SameConv(nn.Conv2d):
    """3x3 convolution with TensorFlow's SAME padding: at stride 2 the extra row and column are bottom and right.

    Height and width must be even at stride 2, which holds when the image is padded to multiples of 32.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == (2, 2):
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, stride=2, groups=self.groups)
        return F.conv2d(x, self.weight, self.bias, padding=1, groups=self.groups)


class InvertedResidual(nn.Module):
    """MobileNetV2 block (expand 1x1, depthwise 3x3, project 1x1), BatchNorm folded into the biases."""

    def __init__(self, channels_in: int, expanded: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels_in, expanded, 1) if expanded != channels_in else None
        self.depthwise = SameConv(expanded, expanded, 3, stride=stride, groups=expanded)
        self.project = nn.Conv2d(expanded, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Separable(nn.Module):
    """Depthwise 3x3 without bias, pointwise 1x1 and ReLU; with `out` a further 1x1 to the head's channels."""

    def __init__(self, channels_in: int, channels: int, out: int | None = None) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels, 1)
        self.out = nn.Conv2d(channels, out, 1) if out else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.pointwise(self.depthwise(x)))
        return y if self.out is None else self.out(y)


class DenseFeatures(NamedTuple):
    """What a trunk gives: a pyramid {stride: (b, c, h/stride, w/stride)} and dense maps at the finest stride."""

    pyramid: dict[int, Tensor]
    taps: dict[int, Tensor]  # the trunk's own last map at strides 4, 8, 16 and 32
    center: Tensor  # (b, 1, h/4, w/4) logit of a person's centre
    heatmap: Tensor  # (b, 17, h/4, w/4) logit of a COCO joint
    regression: Tensor  # (b, 34, h/4, w/4) (dy, dx) from the cell to each joint of its person, in cells


class MoveNetTrunk(nn.Module):
    """Image (b, 3, h, w), RGB in [0, 1], h and w multiples of 32 -> `DenseFeatures`.

    Args:
        channels: `MULTIPOSE`, `THUNDER` or `LIGHTNING`.
    """

    def __init__(self, channels: tuple[int, ...] = MULTIPOSE) -> None:
        super().__init__()
        self.stem = SameConv(3, channels[0], 3, stride=2)
        self.blocks = nn.ModuleList(
            InvertedResidual(before, before * (_EXPANSION if i else 1), after, 2 if i in _HALVING else 1)
            for i, (before, after) in enumerate(pairwise(channels))
        )
        self.head = nn.Conv2d(channels[17], 1280, 1)
        self.neck = nn.ModuleDict({
            "lateral32": nn.Conv2d(1280, 64, 1), "lateral16": nn.Conv2d(channels[10], 64, 1),
            "lateral8": nn.Conv2d(channels[6], 32, 1), "lateral4": nn.Conv2d(channels[3], 24, 1),
            "fuse16": Separable(64, 32), "fuse8": Separable(32, 24), "fuse4": Separable(24, 24),
        })  # fmt: skip
        self.heads = nn.ModuleDict({name: Separable(24, 96, out) for name, out in HEADS.items()})

    def forward(self, image: Tensor) -> DenseFeatures:
        x = F.relu6(self.stem(image * 2 - 1))
        taps = {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            taps[index] = x
        p32 = self.neck["lateral32"](F.relu6(self.head(x)))
        p16 = self.neck["fuse16"](self.neck["lateral16"](taps[9]) + _upsample(p32))
        p8 = self.neck["fuse8"](self.neck["lateral8"](taps[5]) + _upsample(p16))
        p4 = self.neck["fuse4"](self.neck["lateral4"](taps[2]) + _upsample(p8))
        maps = {name: head(p4) for name, head in self.heads.items()}
        pyramid = {4: p4, 8: p8, 16: p16, 32: p32}
        inner = {stride: taps[block] for stride, block in TAPS.items()}
        return DenseFeatures(pyramid, inner, maps["center"], maps["keypoint_heatmap"], maps["keypoint_regression"])


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
