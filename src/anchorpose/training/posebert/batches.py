"""Training batches: windows of motion capture, spoilt as the detector spoils them, with frames hidden."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anchorpose.motion.posebert.codec import RATE, encode
from anchorpose.motion.posebert.kinematics import MIRRORED, body_size, measured_lengths, to_6d, to_rotations
from anchorpose.training.posebert.clips import Clips, Windows, draw_windows
from anchorpose.training.posebert.noise import DetectorNoise, spoil
from anchorpose.training.posebert.presets import Masking


class Batch(NamedTuple):
    """tokens (b, t, 124), known (b, t), lengths (b, 12) metres; joints3d (b, t, 13, 3) metres and rotations
    (b, t, 12, 6) of the truth, and inside (b, t), where there is one."""

    tokens: Tensor
    known: Tensor
    lengths: Tensor
    joints3d: Tensor
    rotations: Tensor
    inside: Tensor


def draw_batch(
    clips: Clips, noise: DetectorNoise, masking: Masking, size: int, frames: int, rng: np.random.Generator
) -> Batch:
    """The next batch; the same for a generator in the same state.

    Args:
        clips: motion capture. noise: of the detector. masking: what is hidden. size: windows. frames: of each.
        rng: of the chance.
    """
    windows = draw_windows(clips, size, frames, rng)
    return make_batch(windows, noise, masking, rng)


def make_batch(windows: Windows, noise: DetectorNoise, masking: Masking, rng: np.random.Generator) -> Batch:
    """Spoil and hide; every window keeps a known frame at least."""
    spoilt = spoil(windows.joints3d, noise, RATE, rng)
    kept = spoilt.found & windows.inside & ~hidden_frames(windows.inside.shape, masking, rng)
    rescued = np.flatnonzero(~kept.any(1))
    kept[rescued, windows.inside[rescued].argmax(1)] = True
    observed = np.where(kept[..., None, None], spoilt.joints3d, np.nan)
    lengths = median_lengths(observed)
    tokens, known = encode(observed, spoilt.seen, np.broadcast_to(body_size(lengths)[:, None], kept.shape))
    truth = to_6d(to_rotations(windows.joints3d))
    arrays = (tokens, known, lengths, windows.joints3d, truth, windows.inside)
    return Batch(*(torch.from_numpy(a if a.dtype == bool else a.astype(np.float32)) for a in arrays))


def median_lengths(joints3d: NDArray[np.floating]) -> NDArray[np.float64]:
    """(b, t, 13, 3) -> (b, 12) metres, as `motion.bones.bone_lengths` of every window at once; NaN is left out."""
    lengths = measured_lengths(joints3d)
    return np.asarray(np.nanmedian(np.concatenate([lengths, lengths[..., MIRRORED]], axis=1), axis=1))


def hidden_frames(shape: tuple[int, int], masking: Masking, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(b, t) frames to hide: single ones, blocks, every second one, and ends."""
    b, t = shape
    place = np.arange(t)
    hidden = rng.random((b, t)) < rng.uniform(0, masking.single, (b, 1))
    for _ in range(masking.blocks):
        length = rng.integers(0, masking.longest + 1, (b, 1)) * (rng.random((b, 1)) < 0.5)
        first = rng.integers(0, t, (b, 1))
        hidden |= (place >= first) & (place < first + length)
    slow = rng.random((b, 1)) < masking.slow
    hidden |= slow & ((place + rng.integers(0, 2, (b, 1))) % 2 == 1)
    short, cut = rng.random((b, 1)) < masking.short, rng.integers(0, t, (b, 1))
    hidden |= short & np.where(rng.random((b, 1)) < 0.5, place < cut, place > cut)
    return np.asarray(hidden)
