"""Presets of PoseBERT: every number of a network and of its training."""

from __future__ import annotations

from dataclasses import dataclass, field

from anchorpose.core.errors import InputError
from anchorpose.training.posebert.network import PoseBertNetwork


@dataclass(frozen=True)
class Masking:
    """What is hidden from the network in training, besides what the noise model misses.

    The ratios of the paper are not published; these are ours.

    Args:
        single: most of the frames of a window that are hidden one by one. blocks: most blocks in a window.
        longest: frames of a block. slow: share of windows that keep every second frame only (video of 15 a second).
        short: share of windows with an end hidden, as at the begin and end of a track.
    """

    single: float = 0.3
    blocks: int = 2
    longest: int = 20
    slow: float = 0.4
    short: float = 0.25


@dataclass(frozen=True)
class PoseBertPreset:
    """A network and how it is trained.

    Args:
        name: of the preset and its weights.
        dim, layers, heads, hidden: of the transformer; `hidden` is that of its MLPs. dropout: of both.
        frames: of a window.
        learning_rate, weight_decay, batch_size, steps, warmup_steps, ema, clip: of the optimiser.
        velocity, acceleration: weights of the errors of first and second differences over that of the joints.
        rotation: weight of the error of the 6D rotations, which gives the twist a meaning.
        early: weight of the poses after the earlier layers, over that of the last.
        masking: what is hidden.
    """

    name: str
    dim: int
    layers: int = 4
    heads: int = 8
    hidden: int = 512
    dropout: float = 0.1
    frames: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 32
    steps: int = 20000
    warmup_steps: int = 200
    ema: float = 0.998
    clip: float = 1.0
    velocity: float = 3.0
    acceleration: float = 5.0
    rotation: float = 0.01
    early: float = 0.2
    masking: Masking = field(default_factory=Masking)

    def build(self) -> PoseBertNetwork:
        """The network with fresh weights."""
        return PoseBertNetwork(self.dim, self.layers, self.heads, self.hidden, self.frames, self.dropout)


PRESETS = {
    p.name: p
    for p in (
        # Baradel et al., 3DV 2021, as far as their figures are known
        PoseBertPreset("posebert", dim=512, learning_rate=3e-4, steps=100000),
        PoseBertPreset("posebert-thin", dim=128, hidden=256, dropout=0.0, learning_rate=1.5e-3, batch_size=16),
    )
}


def find_posebert(name: str) -> PoseBertPreset:
    """The preset of that name; InputError with the known names if there is none."""
    if name not in PRESETS:
        raise InputError(f"found no preset {name!r}; PoseBERT's are {', '.join(PRESETS)}")
    return PRESETS[name]
