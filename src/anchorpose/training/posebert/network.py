"""The transformer of PoseBERT (Baradel et al., 3DV 2021) over tokens of `motion.posebert.codec`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anchorpose.core.skeleton import LCR13, mirror_name
from anchorpose.motion.posebert.codec import SIXD, WIDTH
from anchorpose.motion.posebert.kinematics import COUNT, MIRRORED, SEGMENTS

_FAR = -1e9
_TORSO = ("right_hip", "left_hip", "right_shoulder", "left_shoulder")


class PoseBertNetwork(nn.Module):
    """Tokens of a window in, rotations of its segments after each layer out.

    Masked frames are a learned token, and no frame attends to them. After each layer one regressor, the same for all
    layers, adds to the running pose. That begins as the mean of the known frames' rotations, each worth its distance
    in time to the power -4 (the paper begins with the mean pose, but has days to train): it follows close frames,
    averages their jitter, and passes smoothly from one end of a gap to the other.

    Args:
        dim: of a token inside. layers, heads, hidden: of the transformer; `hidden` is that of the MLPs.
        frames: of a window. dropout: of attention and MLPs.
    """

    def __init__(self, dim: int, layers: int, heads: int, hidden: int, frames: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.frames = frames
        self.embed = nn.Linear(WIDTH, dim)
        self.mask = nn.Parameter(0.02 * torch.randn(dim))
        self.position = nn.Parameter(0.02 * torch.randn(frames, dim))
        self.blocks = nn.ModuleList(_Block(dim, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.regressor = nn.Sequential(
            nn.Linear(dim + SIXD, dim), nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, SIXD)
        )
        last = self.regressor[-1]
        assert isinstance(last, nn.Linear)
        nn.init.xavier_uniform_(last.weight, gain=0.01)
        nn.init.zeros_(last.bias)
        self.reach = nn.Parameter(torch.tensor(2.0))
        self.stretch = nn.Parameter(torch.zeros(COUNT))
        apart = torch.arange(frames)[:, None] - torch.arange(frames)
        self.squared: Tensor
        self.register_buffer("squared", apart.float() ** 2, persistent=False)

    def forward(self, tokens: Tensor, known: Tensor) -> Tensor:
        """(b, frames, 124) and (b, frames) bool -> (b, frames, 12, 6) after the last layer."""
        return self.stages(tokens, known)[-1]

    def stages(self, tokens: Tensor, known: Tensor) -> list[Tensor]:
        """The start and the pose after each layer, each (b, frames, 12, 6)."""
        tokens = torch.where(known[..., None], tokens, torch.zeros_like(tokens))
        hidden = torch.where(known[..., None], self.embed(tokens), self.mask) + self.position
        bias = torch.where(known, 0.0, _FAR)[:, None, None]  # (b, 1, 1, frames): -1e9 leaves exactly nothing
        pose = self.start(tokens[..., -SIXD:], known)
        found = [pose]
        for block in self.blocks:
            hidden = block(hidden, bias)
            pose = pose + self.regressor(torch.cat([self.norm(hidden), pose], -1))
            found.append(pose)
        return [p.unflatten(-1, (COUNT, 6)) for p in found]

    def factors(self) -> Tensor:
        """(12,) what measured lengths are multiplied by in the losses, so that a mean error of lengths does not turn
        the segments; the same on both sides. Not exported: it also shortens limbs whose direction is not known, and
        a person is to keep the lengths of the track.
        """
        return torch.exp((self.stretch + self.stretch[torch.from_numpy(MIRRORED)]) / 2)

    def start(self, sixd: Tensor, known: Tensor) -> Tensor:
        """(b, frames, 72) -> (b, frames, 72) averages of the known frames near each frame."""
        share = -2 * torch.log1p(self.squared / self.reach**2)
        weight = F.softmax(share + torch.where(known, 0.0, _FAR)[:, None], -1)
        return weight @ sixd


class _Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(b, t, dim), and (b, 1, 1, t) added to the scores of the keys."""
        b, t, dim = x.shape
        q, k, v = self.qkv(self.before(x)).reshape(b, t, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (dim // self.heads) ** -0.5 + bias
        share = F.dropout(F.softmax(scores, -1), self.dropout, self.training)
        x = x + self.out((share @ v).transpose(1, 2).reshape(b, t, dim))
        return x + self.mlp(self.between(x))


def joints_of(sixd: Tensor, lengths: Tensor) -> Tensor:
    """`kinematics.to_joints` of 6D rotations, for gradients: (..., 12, 6) and (..., 12) -> (..., 13, 3) metres."""
    bones = lengths[..., None] * F.normalize(sixd[..., :3], dim=-1)
    points = {"pelvis": torch.zeros_like(bones[..., 0, :])}
    for row, segment in enumerate(SEGMENTS):
        points[segment.end] = points[segment.start] + bones[..., row, :]
        if segment.across:
            points[mirror_name(segment.end)] = points[segment.start] - bones[..., row, :]
    joints = torch.stack([points[joint] for joint in LCR13.joints], -2)
    return joints - joints[..., LCR13.indices(*_TORSO), :].mean(-2, keepdim=True)
