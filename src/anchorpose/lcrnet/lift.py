"""The last word on 3D: a small network that sees the whole pose of a look, 2D and 3D, and how sure each joint is.

The looks regress 3D from a picture, of which there are few whose 3D is known. What a 2D pose says of depth (Martinez et
al. 2017) needs no picture: bodies of which the 3D is known, seen from anywhere, are as many as one likes. This network
is trained on those, with the errors that the look makes beside them (`anchorpose.training.second.lift`). The papers of
LCR-Net have no such step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anchorpose.lcrnet.heads import JOINTS

_NUMBERS = 2 + 1 + 1 + 3
"""Of a joint: place, expected error, visibility, 3D."""
_LEAST = 0.02
"""Share of the region's side; no joint counts as nearer than that when the pose is centred."""
_FARTHEST = 6.0
"""Sizes of the pose from its centre; joints farther off count as there."""


class Lift(nn.Module):
    """See the module's text.

    Args:
        hidden: width inside.
    """

    def __init__(self, hidden: int = 512) -> None:
        super().__init__()
        self.enter = nn.Linear(JOINTS * _NUMBERS, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()) for _ in range(2)
        )
        self.leave = nn.Linear(hidden, JOINTS * 3)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, joints2d: Tensor, log_error: Tensor, visibility: Tensor, joints3d: Tensor) -> Tensor:
        """The 3D joints (s, 13, 3) metres, relative to the body centre, anew; as they are before any training.

        Args:
            joints2d: (s, 13, 2) coordinates of the region that was looked at. log_error: (s, 13) log of their expected
                absolute error, shares of its side.
            visibility: (s, 13) logits. joints3d: (s, 13, 3) metres, relative to the body centre.
        """
        x = torch.relu(self.enter(_numbers(joints2d, log_error, visibility, joints3d)))
        for block in self.blocks:
            x = x + block(x)
        return joints3d + self.leave(x).unflatten(1, (JOINTS, 3))


def _numbers(joints2d: Tensor, log_error: Tensor, visibility: Tensor, joints3d: Tensor) -> Tensor:
    """(s, n) what the network sees: 2D as large and as central as the joints that are sure make it."""
    weight = 1 / (torch.exp(2 * log_error) + _LEAST**2)
    weight = (weight / weight.sum(1, keepdim=True))[..., None]
    around = joints2d - (weight * joints2d).sum(1, keepdim=True)
    size = (weight * around.square()).sum((1, 2)).clamp(min=1e-4).sqrt()[:, None]
    place = (around / size[..., None]).clamp(-_FARTHEST, _FARTHEST)
    # Each about as large as the others.
    return torch.cat([place.flatten(1), log_error - size.log() + 1.5, visibility / 3, 3 * joints3d.flatten(1)], 1)
