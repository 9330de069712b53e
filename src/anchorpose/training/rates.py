"""The learning rate over a training."""

from __future__ import annotations

import math


def warmup_cosine(step: int, warmup_steps: int, done: float) -> float:
    """Share of the full learning rate: a linear warm-up, then half a cosine down to a hundredth.

    Args:
        step: of the optimiser, from 0. warmup_steps: until the full rate. done: share of the training behind us.
    """
    warm = min(1.0, (step + 1) / warmup_steps)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
