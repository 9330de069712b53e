"""The close look: each person cut out of the picture and enlarged, for a trunk of its own.

The second pass sees people as small as they are in the maps of the whole picture. This one cuts its region out of the
picture's pixels, so a trunk that knows single people (MoveNet SinglePose Thunder, or Lightning, a quarter as dear) sees
every person at the same size; what it says of joints at stride 4 is read with the pose of the second pass in view,
which tells it whom it is about. Not in the papers: LCR-Net++ names imprecise wrists and ankles as what is left to cure,
and this is the dearer cure.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from anchorpose.core.skeleton import COCO17, LCR13
from anchorpose.lcrnet.heads import JOINTS
from anchorpose.lcrnet.movenet import LIGHTNING, THUNDER
from anchorpose.lcrnet.second_pass import SecondOutput, SecondPass, region_around
from anchorpose.lcrnet.trunks import MoveNetFeatures, Standardised

SIDES: dict[tuple[int, ...], int] = {THUNDER: 256, LIGHTNING: 192}
"""Pixels of a cut-out's side: what each was trained with."""
SIDE = max(SIDES.values())
"""Pixels of what is kept of a person for training, of which every trunk's view is made."""
_WINDOW = 2.56
"""Of `second_pass.peaks`, cells of the heat map."""


class CloseLook(nn.Module):
    """See the module's text.

    Args:
        width: channels inside of the network that reads the trunk's maps.
        channels: of the trunk, one of `SIDES`.
    """

    def __init__(self, width: int = 64, channels: tuple[int, ...] = THUNDER) -> None:
        super().__init__()
        self.trunk, self.side = MoveNetFeatures(channels), SIDES[channels]
        fine, grid = self.trunk.fine_channels, self.side // 8
        self.reading = SecondPass(fine, self.trunk.channels, self.trunk.strides, width, grid=grid, sharpness=2)
        self.reading.window = _WINDOW / (2 * grid)
        self.evidence = Standardised(fine, JOINTS)

    def forward(self, pictures: Tensor, joints2d: Tensor, joints3d: Tensor, picture: Tensor) -> SecondOutput:
        """One look at each person.

        Args:
            pictures: (b, 3, h, w), RGB in [0, 1].
            joints2d: (s, 13, 2) pixels, joints3d: (s, 13, 3) metres, of the pass before.
            picture: (s,) index of the person's picture.
        """
        regions = region_around(joints2d)
        return self.judge(cut_out(pictures, regions, picture, self.side), regions, joints2d, joints3d)

    def judge(self, cut: Tensor, regions: Tensor, joints2d: Tensor, joints3d: Tensor) -> SecondOutput:
        """What a look says of people who were cut out.

        Args:
            cut: (s, 3, side, side) of `cut_out`. regions: (s, 4) from where, pixels.
            joints2d, joints3d: as for `forward`.
        """
        maps = self.maps(cut)
        pooled = self.sized(self.reading.look_at(maps))
        return self.reading.judge(pooled, regions, joints2d, joints3d, self.evidence(maps[0]))

    def maps(self, cut: Tensor) -> list[Tensor]:
        """The trunk's maps of people who were cut out: stride 4, 8, 16 and 32."""
        features = self.trunk(cut)
        assert features.fine is not None
        return [features.fine, *features.levels]

    @staticmethod
    def sized(maps: list[Tensor]) -> list[Tensor]:
        """Maps of those strides at the sizes that `reading` takes: two of its grid, two of half its side."""
        last = F.interpolate(maps[3], scale_factor=2.0, mode="bilinear", align_corners=False)
        return [F.avg_pool2d(maps[0], 2), maps[1], maps[2], last]

    @torch.no_grad()
    def start_from_trunk(self, cuts: Tensor) -> None:
        """Before any training: take the statistics of the trunk's maps, and its own heat maps for those wanted.

        Args:
            cuts: (s, 3, side, side) some hundred people.
        """
        maps = self.maps(cuts)
        parts = (*zip(self.reading.project, maps, strict=True), (self.evidence, maps[0]))
        for part, values in parts:
            norm = part[0]  # type: ignore[index]
            norm.running_mean.copy_(values.mean((0, 2, 3)))
            norm.running_var.copy_(values.var((0, 2, 3)))
        statistics, convolution = self.evidence[0], self.evidence[1]
        assert isinstance(statistics, nn.BatchNorm2d)
        weight = convolution.get_parameter("weight")
        nn.init.zeros_(weight)
        nn.init.zeros_(convolution.get_parameter("bias"))
        first = self.trunk.fine_channels - len(COCO17)
        for j, name in enumerate(LCR13.joints):
            if name in COCO17.joints:
                channel = first + COCO17.joints.index(name)
                weight[j, channel] = (statistics.get_buffer("running_var")[channel] + statistics.eps).sqrt()


def cut_out(pictures: Tensor, regions: Tensor, picture: Tensor, side: int = SIDE) -> Tensor:
    """(s, 3, side, side) regions of pictures, black outside of them.

    Args:
        pictures: (b, 3, h, w). regions: (s, 4) x1, y1, x2, y2 pixels. picture: (s,) index of each region's picture.
        side: pixels of a cut-out's side.
    """
    rois = torch.cat([picture[:, None].to(regions), regions], 1)
    return roi_align(pictures, rois, side, 1.0, sampling_ratio=1, aligned=True)
