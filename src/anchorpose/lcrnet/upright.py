"""People turned upright before the close look.

The trunks that look closely were trained on people who stand or sit. The pose before says where a person's head is, so
one who hangs, lies or dives is cut out turned, looked at as if upright, and what is found is turned back; BlazePose
(Bazarevsky et al. 2020) does the same from frame to frame. Under scaled orthography a turn in the picture turns the 3D
pose about the optical axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from anchorpose.core.skeleton import LCR13

_UPPER = LCR13.indices("right_shoulder", "left_shoulder", "head_top")
_LOWER = LCR13.indices("right_hip", "left_hip")
_UNTURNED = 0.03
"""Share of the pose's size by which the picture's own up counts: a trunk seen from its end points nowhere."""


def turn_upright(joints2d: Tensor) -> Tensor:
    """(s, 13, 2) pixels -> (s, 2, 2) the rotations of the picture that bring heads above hips."""
    size = (joints2d.amax(1) - joints2d.amin(1)).amax(1)
    up = joints2d[:, list(_UPPER)].mean(1) - joints2d[:, list(_LOWER)].mean(1)
    x, y = up[:, 0], up[:, 1] - _UNTURNED * size
    length = (x.square() + y.square()).clamp(min=1e-12).sqrt()
    cosine, sine = -y / length, -x / length
    return torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)


@dataclass(frozen=True)
class Upright:
    """The turn of s people, each about the middle of its pose's box.

    Args:
        turn: (s, 2, 2) of `turn_upright`. middle: (s, 1, 2) pixels.
    """

    turn: Tensor
    middle: Tensor

    @classmethod
    def of(cls, joints2d: Tensor) -> Upright:
        """For poses (s, 13, 2), pixels."""
        return cls(turn_upright(joints2d), ((joints2d.amin(1) + joints2d.amax(1)) / 2)[:, None])

    def points(self, points: Tensor) -> Tensor:
        """(s, n, 2) pixels of the picture -> of the turned one."""
        return (points - self.middle) @ self.turn.mT + self.middle

    def points_back(self, points: Tensor) -> Tensor:
        """(s, n, 2) pixels of the turned picture -> of the picture."""
        return (points - self.middle) @ self.turn + self.middle

    def bodies(self, joints3d: Tensor) -> Tensor:
        """(s, 13, 3) metres, camera axes, relative to the body centre -> as the turned picture shows them."""
        return torch.cat([joints3d[..., :2] @ self.turn.mT, joints3d[..., 2:]], 2)

    def bodies_back(self, joints3d: Tensor) -> Tensor:
        """The inverse of `bodies`."""
        return torch.cat([joints3d[..., :2] @ self.turn, joints3d[..., 2:]], 2)

    def cut_out(self, picture: Tensor, regions: Tensor, side: int) -> Tensor:
        """(s, 3, side, side) regions of the turned picture, black outside of it.

        Args:
            picture: (1, 3, h, w). regions: (s, 4) x1, y1, x2, y2 pixels of the turned picture.
            side: pixels of a cut-out's side.
        """
        cells = (torch.arange(side, device=picture.device) + 0.5) / side
        along = regions[:, None, :2] + cells[:, None] * (regions[:, None, 2:] - regions[:, None, :2])
        x, y = along[:, None, :, 0].expand(-1, side, -1), along[:, :, None, 1].expand(-1, -1, side)
        places = self.points_back(torch.stack([x, y], 3).flatten(1, 2))
        size = torch.tensor([picture.shape[3], picture.shape[2]], device=picture.device)
        # All people in one grid: of one below another grid_sample would want a copy of the picture each.
        grid = (2 * places / size - 1).reshape(1, -1, side, 2)
        cut = F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return cut[0].unflatten(1, (-1, side)).transpose(0, 1)
