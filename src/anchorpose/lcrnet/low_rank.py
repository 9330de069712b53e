"""A fully connected layer as two thin ones: the answers of a trained one lie near a small subspace."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LowRank(nn.Module):
    """A linear layer of limited rank, as Fast R-CNN's truncated ones (Girshick, ICCV 2015, section 3.1).

    Args:
        inputs, outputs: of the layer. rank: of its weights for all but the last inputs.
        kept: the last inputs, whose weights have full rank.
    """

    def __init__(self, inputs: int, outputs: int, rank: int, kept: int = 0) -> None:
        super().__init__()
        self.inner = nn.Linear(inputs - kept, rank, bias=False)
        self.outer = nn.Linear(rank + kept, outputs)

    def forward(self, x: Tensor) -> Tensor:
        thin = self.inner.in_features
        narrow = self.inner(x[:, :thin])
        return self.outer(torch.cat([narrow, x[:, thin:]], 1) if x.shape[1] > thin else narrow)

    @torch.no_grad()
    def multiplied(self) -> nn.Linear:
        """The same as one layer."""
        rank = self.inner.out_features
        layer = nn.Linear(self.inner.in_features + self.outer.in_features - rank, self.outer.out_features)
        wide = self.outer.weight[:, :rank] @ self.inner.weight
        layer.weight.copy_(torch.cat([wide, self.outer.weight[:, rank:]], 1))
        layer.bias.copy_(self.outer.bias)
        return layer

    @torch.no_grad()
    def imitate(self, layer: nn.Linear, mean: Tensor, covariance: Tensor) -> None:
        """Become the best layer of this rank for answers with these statistics: their principal components.

        Truncating the weights themselves would also keep what no input ever asks for (Zhang et al., "Accelerating very
        deep convolutional networks", section 3.1, without its nonlinearity).

        Args:
            layer: of full rank. mean, covariance: (outputs,) and (outputs, outputs) of its answers to real input but
                for the part of the kept inputs and the bias.
        """
        thin, rank = self.inner.in_features, self.inner.out_features
        directions = torch.linalg.eigh(covariance.double()).eigenvectors.flip(1)[:, :rank]
        weight = layer.weight.double()
        self.inner.weight.copy_(directions.T @ weight[:, :thin])
        self.outer.weight.copy_(torch.cat([directions, weight[:, thin:]], 1))
        beyond = mean.double() - directions @ (directions.T @ mean.double())
        self.outer.bias.copy_(layer.bias.double() + beyond)


def linear(inputs: int, outputs: int, rank: int, kept: int = 0) -> nn.Linear | LowRank:
    """A layer of that rank, or of full rank where `rank` is 0."""
    return LowRank(inputs, outputs, rank, kept) if rank else nn.Linear(inputs, outputs)
