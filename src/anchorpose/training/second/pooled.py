"""What the second pass pools of people, as bytes: some 190 kB a person."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anchorpose.lcrnet.second_losses import SecondTarget
from anchorpose.training.second.stored import Stored

LOWEST, HIGHEST = -6.0, 10.0
"""Standardised features that a byte spans; one in some ten thousand lies outside."""
_STEP = (HIGHEST - LOWEST) / 255


class Pooled(NamedTuple):
    """What s people look like to the second pass, before its own first convolution."""

    maps: list[Tensor]  # for each stride (s, c, side, side) standardised features, 0 outside of the picture
    inside: list[Tensor]  # for each stride (s, 1, side, side) share of the cell inside of the picture, 0 to 1
    regions: Tensor  # (s, 4) where it looked, pixels
    target: SecondTarget

    @classmethod
    def read(cls, stored: Stored) -> Pooled:
        """Of what `stored` gave."""
        return cls([m[:, :-1].float() * _STEP + LOWEST for m in stored.maps],
                   [m[:, -1:].float() / 255 for m in stored.maps], stored.regions, stored.target)  # fmt: skip

    def stored(self) -> Stored:
        """As bytes, the share inside as the last channel."""
        maps = [torch.cat([(values - LOWEST) / _STEP, inside * 255], 1).round().clamp(0, 255).to(torch.uint8)
                for values, inside in zip(self.maps, self.inside, strict=True)]  # fmt: skip
        return Stored(maps, self.regions, self.target)
