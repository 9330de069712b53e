"""MoveNet MultiPose's trunk in torch: a MobileNetV2 that already knows people.

Google's MoveNet MultiPose Lightning (Apache-2.0) is a MobileNetV2 of width 1.5 with a light feature pyramid
and CenterNet heads at stride 4. LCR-Net uses the trunk and pyramid as shared features, and the dense outputs
of three heads (person centre, joint heat maps, joint regression) as further channels for the regions.
Weights come from `anchorpose.lcrnet.movenet_weights`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

# (input, expanded, output, stride) of the 17 inverted residual blocks.
BLOCKS = (
    (48, 48, 24, 1), (24, 144, 40, 2), (40, 240, 40, 1), (40, 240, 48, 2), (48, 288, 48, 1), (48, 288, 48, 1),
    (48, 288, 96, 2), (96, 576, 96, 1), (96, 576, 96, 1), (96, 576, 96, 1), (96, 576, 144, 1), (144, 864, 144, 1),
    (144, 864, 144, 1), (144, 864, 240, 2), (240, 1440, 240, 1), (240, 1440, 240, 1), (240, 1440, 480, 1),
)  # fmt: skip
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
    """Image (b, 3, h, w), RGB in [0, 1], h and w multiples of 32 -> `DenseFeatures`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 48, 3, stride=2)
        self.blocks = nn.ModuleList(InvertedResidual(*block) for block in BLOCKS)
        self.head = nn.Conv2d(480, 1280, 1)
        self.neck = nn.ModuleDict({
            "lateral32": nn.Conv2d(1280, 64, 1), "lateral16": nn.Conv2d(96, 64, 1),
            "lateral8": nn.Conv2d(48, 32, 1), "lateral4": nn.Conv2d(40, 24, 1),
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
        inner = {4: taps[2], 8: taps[5], 16: taps[12], 32: taps[16]}
        return DenseFeatures(pyramid, inner, maps["center"], maps["keypoint_heatmap"], maps["keypoint_regression"])


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
