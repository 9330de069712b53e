"""Cut-outs mirrored, turned, resized, moved and recoloured: many views of people who were cut out once.

The map is a similarity, as in `anchorpose.datasets.transforms`: under scaled orthography the 3D pose of the new view is
the old one turned about the optical axis and mirrored in x. The region stays where it is, its contents move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anchorpose.core.skeleton import LCR13
from anchorpose.lcrnet.second_losses import SecondTarget


@dataclass(frozen=True)
class Turning:
    """Ranges of the random choices.

    Args:
        flip: probability of the mirror. rotation: standard deviation, degrees (cut at twice that).
        scale: largest factor, and smallest as its inverse, drawn log-uniformly. shift: standard deviation, shares of
            the side (cut at twice that). colour: strength of changes of brightness and contrast of each channel.
    """

    flip: float = 0.5
    rotation: float = 12.0
    scale: float = 1.15
    shift: float = 0.03
    colour: float = 0.12


@dataclass(frozen=True)
class Turned:
    """Where s regions' contents go.

    Args:
        mirrored: (s,) bool, before the rotation. turn: (s, 2, 2) rotation after the mirror. scale: (s, 1, 1) factor.
        shift: (s, 2) shares of the side.
    """

    mirrored: Tensor
    turn: Tensor
    scale: Tensor
    shift: Tensor

    @classmethod
    def draw(cls, count: int, ranges: Turning, rng: np.random.Generator) -> Turned:
        """Some at random."""
        mirrored = rng.random(count) < ranges.flip
        angle = np.radians(ranges.rotation * rng.standard_normal(count).clip(-2, 2))
        cosine, sine, sign = np.cos(angle), np.sin(angle), np.where(mirrored, -1.0, 1.0)
        turn = np.stack([np.stack([cosine * sign, -sine], 1), np.stack([sine * sign, cosine], 1)], 1)
        scale = ranges.scale ** rng.uniform(-1, 1, (count, 1, 1))
        shift = ranges.shift * rng.standard_normal((count, 2)).clip(-2, 2)
        floats = (torch.from_numpy(values.astype(np.float32)) for values in (turn, scale, shift))
        return cls(torch.from_numpy(mirrored), *floats)

    def each(self, values: Tensor) -> Tensor:
        """(s, 13, ...) values of joints: left and right change sides in a mirror."""
        swapped = values[:, torch.from_numpy(LCR13.flip)]
        return torch.where(self.mirrored.view(-1, *[1] * (values.dim() - 1)), swapped, values)

    def points(self, joints2d: Tensor, regions: Tensor) -> Tensor:
        """(s, 13, 2) pixels in (s, 4) regions."""
        middle = ((regions[:, :2] + regions[:, 2:]) / 2)[:, None]
        side = (regions[:, 2:] - regions[:, :2])[:, None]
        return (self.each(joints2d) - middle) @ (self.scale * self.turn).mT + middle + self.shift[:, None] * side

    def bodies(self, joints3d: Tensor) -> Tensor:
        """(s, 13, 3) metres, as seen straight on, relative to the body centre."""
        joints3d = self.each(joints3d)
        return torch.cat([joints3d[..., :2] @ self.turn.mT, joints3d[..., 2:]], 2)

    def target(self, target: SecondTarget, regions: Tensor) -> SecondTarget:
        """All that is known of the people."""
        return target._replace(
            joints2d=self.points(target.joints2d, regions), joints3d=self.bodies(target.joints3d),
            true2d=self.points(target.true2d, regions), true3d=self.bodies(target.true3d),
            visible=self.each(target.visible), area=target.area * self.scale.flatten() ** 2,
        )  # fmt: skip

    def cut(self, cut: Tensor, side: int) -> Tensor:
        """(s, 3, h, h) cut-outs -> (s, 3, side, side), black where nothing is known."""
        back = torch.linalg.inv(self.scale * self.turn)
        maps = torch.cat([back, -back @ (2 * self.shift[..., None])], 2)
        grid = F.affine_grid(maps, [len(cut), 3, side, side], align_corners=False)
        return F.grid_sample(cut, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def recoloured(cut: Tensor, ranges: Turning, rng: np.random.Generator) -> Tensor:
    """(s, 3, h, w) in [0, 1] with other brightness and contrast, and each channel's a little apart."""
    both = rng.standard_normal((2, len(cut), 1, 1, 1)) + 0.5 * rng.standard_normal((2, len(cut), 3, 1, 1))
    gain, offset = torch.from_numpy((ranges.colour * both.clip(-2, 2)).astype(np.float32))
    return (cut * (1 + gain) + 0.5 * offset).clamp(0, 1)
