"""The second pass: a finer look at each person that sees what the first pass found.

LCR-Net++ repeats classification and regression "similar to convolutional pose machines" and names fully convolutional
refinement as the cure for imprecise wrists and ankles; the paper gives no formula, so this one is ours. Around the
pose of the first pass a square region is pooled from all strides, a small convolutional network that also sees the
first pose as Gaussian maps gives one heat map a joint, and the places where these peak (integral regression, Sun et al.
2018, but around the peak alone) go with the pooled features into a small network that corrects 2D and 3D, says how far
off each joint may be (the scale of a Laplace distribution: the heteroscedastic loss of Kendall & Gal 2017), which
joints can be seen, and how good the pose is as a whole (its expected object keypoint similarity), by which people are
scored anew.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from anchorpose.lcrnet import windows
from anchorpose.lcrnet.heads import JOINTS, unit_grid
from anchorpose.lcrnet.trunks import Standardised

GRID = 24
"""Cells of a heat map's side; the places of joints are finer than a cell."""
MARGIN = 1.3
"""Side of the region over the longer side of the pose's box: wrists and ankles may be outside the first pose."""
_GAUSSIAN = 0.06
WINDOW = 0.08
"""Standard deviation of the window around a peak, shares of the region's side. The mean of a whole map lies between a
left and a right ankle that it cannot tell apart, where there is neither; `benchmarks/ablation.py` has the row."""
_NEIGHBOUR = 0.25
_FINE, _FAR, _BORDER = 0.5 / GRID, 0.5, 2 / GRID
_LEAST_LOG_SCALE, _MOST_LOG_SCALE = -6.0, 0.5


class SecondOutput(NamedTuple):
    """s people."""

    regions: Tensor  # (s, 4) square regions x1, y1, x2, y2 that were looked at, pixels
    joints2d: Tensor  # (s, 13, 2) coordinates of the region, 0 to 1 inside
    places: Tensor  # (s, 13, 2) peaks of the heat maps alone, coordinates of the region
    heat: Tensor  # (s, 13, g * g) log-probability of each cell, row by row
    log_scale: Tensor  # (s, 13) log of the expected absolute error, shares of the region's side
    joints3d: Tensor  # (s, 13, 3) metres, relative to the body centre
    visibility: Tensor  # (s, 13) logit
    quality: Tensor  # (s,) logit of the expected object keypoint similarity

    @property
    def pixels(self) -> Tensor:
        """(s, 13, 2) the joints in pixels."""
        side = (self.regions[:, 2:] - self.regions[:, :2])[:, None]
        return self.regions[:, None, :2] + self.joints2d * side

    def in_float32(self) -> SecondOutput:
        """As it was said, for losses: under autocast some fields are bfloat16."""
        return SecondOutput(*(values.float() for values in self))


class Block(nn.Module):
    """Inverted residual with a 5x5 depthwise convolution: a wide view at little cost."""

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        wide = channels * expansion
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels), nn.GroupNorm(1, channels),
            nn.Conv2d(channels, wide, 1), nn.ReLU(), nn.Conv2d(wide, channels, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class SecondPass(nn.Module):
    """See the module's text.

    `window` is that of `peaks`; another one is another way to read the same heat maps.

    Args:
        fine, channels: of the maps at stride 4 and at the pyramid's strides.
        strides: of the pyramid. width: channels inside. hidden: of the correcting network.
        grid: cells of the side of the finer inner maps. sharpness: cells of a heat map's side over that.
    """

    def __init__(self, fine: int, channels: tuple[int, ...], strides: tuple[int, ...], width: int = 64,
                 hidden: int = 512, grid: int = GRID, sharpness: int = 1) -> None:  # fmt: skip
        super().__init__()
        self.strides, self.window, self.grid = (4, *strides), WINDOW, grid
        # Standardised without a scale, as in the pyramid: a trunk's maps differ in range by orders of magnitude.
        self.project = nn.ModuleList(Standardised(c, width) for c in (fine, *channels))
        self.enter = nn.Conv2d(2 * width + JOINTS, width, 1)
        self.high = Block(width)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.mix = nn.Conv2d((2 + len(self.strides) - 2) * width, 2 * width, 1)
        self.low = nn.Sequential(Block(2 * width), Block(2 * width), Block(2 * width))
        self.up = nn.Conv2d(2 * width, width, 1)
        self.late = nn.Sequential(Block(width), Block(width))
        self.heat, self.sharpness = nn.Conv2d(width, JOINTS * sharpness**2, 1), sharpness
        pooled = 2 * width * 9
        self.hidden = nn.Linear(pooled + JOINTS * (2 + 2 + 2 + 1 + 3), hidden)
        self.hidden2 = nn.Linear(hidden, hidden)
        self.correct = nn.Linear(hidden, JOINTS * (2 + 1 + 3 + 1) + 1)
        nn.init.normal_(self.correct.weight, std=1e-3)
        nn.init.zeros_(self.correct.bias)
        self.register_buffer("cells", unit_grid(grid * sharpness), persistent=False)
        self.register_buffer("along", windows.along(grid), persistent=False)

    cells: Tensor
    along: Tensor

    def forward(self, maps: list[Tensor], joints2d: Tensor, joints3d: Tensor, picture: Tensor,
                regions: Tensor | None = None) -> SecondOutput:  # fmt: skip
        """One look at each person, see `look`; maps: (b, c, h / s, w / s), stride 4 and the pyramid's, of the trunk."""
        return self.look(self.look_at(maps), joints2d, joints3d, picture, regions)

    def look(self, maps: list[Tensor], joints2d: Tensor, joints3d: Tensor, picture: Tensor,
             regions: Tensor | None = None) -> SecondOutput:  # fmt: skip
        """One look at each person.

        Args:
            maps: of `look_at`.
            joints2d: (s, 13, 2) pixels, joints3d: (s, 13, 3) metres, of the pass before.
            picture: (s,) index of the person's picture.
            regions: (s, 4) where to look; None takes `region_around` of the pose before.
        """
        if regions is None:
            regions = region_around(joints2d)
        return self.judge(self.pool(maps, regions, picture), regions, joints2d, joints3d)

    def judge(self, pooled: list[Tensor], regions: Tensor, joints2d: Tensor, joints3d: Tensor,
              evidence: Tensor | None = None) -> SecondOutput:  # fmt: skip
        """What a look says of each person.

        Args:
            pooled: of `pool`. regions, joints2d, joints3d: as for `look`.
            evidence: (s, 13, grid * sharpness, the same) logits that are added to those of the heat maps.
        """
        side = (regions[:, 2:] - regions[:, :2])[:, None]
        before = ((joints2d - regions[:, None, :2]) / side).clamp(-0.5, 1.5)
        x, low = self._mixed(pooled, before)
        with torch.autocast(x.device.type, enabled=False):
            logits = F.pixel_shuffle(self.heat(x.float()), self.sharpness)
            heat = (logits if evidence is None else logits + evidence.float()).flatten(2).log_softmax(2)
            likely = heat.exp()
            places, peak = peaks(likely, self.cells, self.window), likely.amax(2)
            # How far the mean of the map is from its peak says how undecided it is.
            away = likely @ self.cells - places
            known = (places.flatten(1), before.flatten(1), away.flatten(1), peak, joints3d.flatten(1))
            around = F.adaptive_avg_pool2d(low.float(), 3).flatten(1)
            y = torch.relu(self.hidden(torch.cat([around, *known], 1)))
            y = self.correct(torch.relu(self.hidden2(y)))
            move, scale, deep, see, quality = y.split((2 * JOINTS, JOINTS, 3 * JOINTS, JOINTS, 1), 1)
            return SecondOutput(
                regions, places + limited(move.unflatten(1, (JOINTS, 2)), places), places, heat,
                (scale - 3.0).clamp(_LEAST_LOG_SCALE, _MOST_LOG_SCALE), joints3d + deep.unflatten(1, (JOINTS, 3)), see,
                quality.squeeze(1),
            )  # fmt: skip

    def look_at(self, maps: list[Tensor]) -> list[Tensor]:
        """The trunk's maps as this pass pools them; once a picture, however many people and passes."""
        return [project(m) for project, m in zip(self.project, maps, strict=True)]

    def pool(self, maps: list[Tensor], regions: Tensor, picture: Tensor) -> list[Tensor]:
        """Any maps of the strides -> each region's part of them: (s, c, GRID, GRID) of two, half the side of others."""
        rois = torch.cat([picture[:, None].to(regions), regions], 1).float()
        # A cell of the grid spans a few of stride 4, and about one of the others.
        sizes = (self.grid, self.grid, *(self.grid // 2 for _ in maps[2:]))
        samples = (2, *(1 for _ in maps[1:]))
        return [roi_align(m.float(), rois, size, 1 / s, sampling_ratio=n, aligned=True)
                for m, s, size, n in zip(maps, self.strides, sizes, samples, strict=True)]  # fmt: skip

    def _mixed(self, pooled: list[Tensor], before: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (s, width, GRID, GRID) for the heat maps and (s, 2 width, GRID / 2, GRID / 2)."""
        right, down = windows.factors(before, self.along, (_GAUSSIAN,))
        gaussians = down.mT * right
        x = self.high(self.enter(torch.cat([*pooled[:2], gaussians], 1)))
        low = self.low(self.mix(torch.cat([self.down(x), *pooled[2:]], 1)))
        return self.late(x + F.interpolate(self.up(low), scale_factor=2.0, mode="nearest")), low


def peaks(likely: Tensor, cells: Tensor, window: float = WINDOW) -> Tensor:
    """Where maps peak, finer than a cell; differentiable but for the choice of the peak.

    Args:
        likely: (s, j, g * g) probability of each cell. cells: (g * g, 2) their centres. window: standard deviation of
            the Gaussian around the peak, in the unit of `cells`.

    Returns:
        (s, j, 2) means of the maps in the window around the likeliest cell; a cell is as likely as its neighbourhood,
        so that no single one wins by noise.
    """
    side = round(len(cells) ** 0.5)
    with torch.no_grad():
        row = likely.new_tensor([_NEIGHBOUR, 1.0, _NEIGHBOUR])
        maps = likely.detach().reshape(-1, 1, side, side)
        best = F.conv2d(maps, (row[:, None] * row)[None, None], padding=1).flatten(1).argmax(1)
        along = cells[:side, 0]
        x, y = windows.factors(cells[best].unflatten(0, likely.shape[:2]), along, (window,))
    return windows.weighted_mean(likely.unflatten(2, (side, side)), x, y, along)[0].squeeze(2)


def limited(move: Tensor, places: Tensor) -> Tensor:
    """(s, j, 2) corrections of places, half a cell long at most; far ones only where a map peaks at the border.

    There the joint may be outside of the region. Elsewhere a longer correction only hedges between two peaks.
    """
    border = ((places < _BORDER) | (places > 1 - _BORDER)).any(2, keepdim=True)
    length = move.square().sum(2, keepdim=True).clamp(min=1e-12).sqrt()
    return move * (torch.where(border, _FAR, _FINE) / length).clamp(max=1.0)


def region_around(joints2d: Tensor) -> Tensor:
    """(s, 13, 2) pixels -> (s, 4) square regions around all joints, `MARGIN` larger than the pose."""
    low, high = joints2d.amin(1), joints2d.amax(1)
    centre = (low + high) / 2
    half = ((high - low).amax(1, keepdim=True) * MARGIN / 2).clamp(min=8.0)
    return torch.cat([centre - half, centre + half], 1)
