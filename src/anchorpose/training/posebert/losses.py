"""What PoseBERT is trained to make small."""

from __future__ import annotations

from torch import Tensor

from anchorpose.training.posebert.batches import Batch
from anchorpose.training.posebert.network import PoseBertNetwork, joints_of
from anchorpose.training.posebert.presets import PoseBertPreset


def losses(network: PoseBertNetwork, batch: Batch, preset: PoseBertPreset) -> dict[str, Tensor]:
    """Named, weighted losses; their sum is minimised.

    `joints` is the mean distance of joints in metres, `velocity` and `acceleration` that of their first and second
    differences over frames, `rotation` the mean square of the 6D rotations' errors, `early` the distance of joints
    after the layers before the last.
    """
    stages = network.stages(batch.tokens, batch.known)[1:]
    lengths = (batch.lengths * network.factors())[:, None]
    error = joints_of(stages[-1], lengths) - batch.joints3d
    inside = batch.inside
    found = {"joints": _mean(error, inside)}
    for name, weight in (("velocity", preset.velocity), ("acceleration", preset.acceleration)):
        error, inside = error[:, 1:] - error[:, :-1], inside[:, 1:] & inside[:, :-1]
        found[name] = weight * _mean(error, inside)
    turned = (stages[-1] - batch.rotations).square().mean((-1, -2))
    found["rotation"] = preset.rotation * (turned * batch.inside).sum() / batch.inside.sum()
    if preset.early and len(stages) > 1:
        sums = [_mean(joints_of(s, lengths) - batch.joints3d, batch.inside) for s in stages[:-1]]
        found["early"] = preset.early * sum(sums[1:], sums[0]) / len(sums)
    return found


def _mean(error: Tensor, inside: Tensor) -> Tensor:
    """Mean length of (b, t, 13, 3) vectors over frames that are inside; smooth at 0."""
    length = (error.square().sum(-1) + 1e-8).sqrt().mean(-1)
    return (length * inside).sum() / inside.sum().clamp(min=1)
