"""Means of maps in Gaussian windows. A Gaussian is the product of those of its two axes, so small matrix products give
the sums over a map, with one exponential for each row and column in place of one for each cell."""

from __future__ import annotations

import torch
from torch import Tensor


def along(side: int) -> Tensor:
    """(side,) centres of the cells of a unit interval."""
    return (torch.arange(side) + 0.5) / side


def factors(centre: Tensor, cells: Tensor, widths: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Gaussian windows of w widths around places, as their factors for columns and rows.

    Args:
        centre: (..., 2) x, y. cells: (g,) of `along`. widths: w standard deviations, in their unit.

    Returns:
        two of (..., w, g), in x and in y, with the value 1 at the centre.
    """
    sharpness = -0.5 / cells.new_tensor(widths) ** 2
    squared = (centre[..., None, :, None] - cells) ** 2
    x, y = torch.exp(squared * sharpness[:, None, None]).unbind(-2)
    return x, y


def weighted_sum(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(..., g, g) maps, rows first, and windows (..., w, g) of `factors` -> (..., w) sums under the windows."""
    return torch.diagonal(y @ (maps @ x.mT), dim1=-2, dim2=-1)


def weighted_mean(maps: Tensor, x: Tensor, y: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Where the weight of maps in their windows lies.

    Args:
        maps: (..., g, g) not negative, rows first. x, y: (..., w, g) of `factors`. cells: (g,) of `along`.

    Returns:
        (..., w, 2) mean places x, y, and (..., w) the sums.
    """
    count = x.shape[-2]
    # All windows of a map in one product each, of which a few numbers are used: many small products cost more.
    sums = torch.cat([y, y * cells], -2) @ (maps @ torch.cat([x, x * cells], -2).mT)
    total = torch.diagonal(sums[..., :count, :count], dim1=-2, dim2=-1)
    right = torch.diagonal(sums[..., :count, count:], dim1=-2, dim2=-1)
    down = torch.diagonal(sums[..., count:, :count], dim1=-2, dim2=-1)
    return torch.stack([right, down], -1) / total.clamp(min=1e-30)[..., None], total
