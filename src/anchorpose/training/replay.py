"""Replay of a frozen trunk's features: the trunk is most of a step's cost and always says the same of a picture."""

from __future__ import annotations

import torch

from anchorpose.datasets.loader import Target
from anchorpose.lcrnet.trunks import TrunkFeatures


class FeatureReplay:
    """A ring of earlier pictures' features and people.

    Args:
        size: pictures kept (about 1.7 MB each at 384 px in bf16).
        generator: of the draws.
    """

    def __init__(self, size: int, generator: torch.Generator) -> None:
        self.size, self.generator = size, generator
        self.kept: list[tuple[TrunkFeatures, Target]] = []
        self.next = 0

    def add(self, features: TrunkFeatures, targets: list[Target]) -> None:
        """Keep a batch, forgetting the oldest pictures when full."""
        for i, target in enumerate(targets):
            levels = [x[i].to(torch.bfloat16).clone() for x in features.levels]
            dense = None if features.dense is None else features.dense[i].to(torch.bfloat16).clone()
            fine = None if features.fine is None else features.fine[i].to(torch.bfloat16).clone()
            entry = (TrunkFeatures(levels, dense, fine), target)
            if len(self.kept) < self.size:
                self.kept.append(entry)
            else:
                self.kept[self.next] = entry
            self.next = (self.next + 1) % self.size

    def draw(self, count: int) -> tuple[TrunkFeatures, list[Target]]:
        """`count` kept pictures as one batch."""
        chosen = torch.randint(len(self.kept), (count,), generator=self.generator).tolist()
        features = [self.kept[i][0] for i in chosen]
        levels = [torch.stack(maps) for maps in zip(*(f.levels for f in features), strict=True)]
        maps = [f.dense for f in features if f.dense is not None]
        fine = [f.fine for f in features if f.fine is not None]
        return (TrunkFeatures(levels, torch.stack(maps) if maps else None, torch.stack(fine) if fine else None),
                [self.kept[i][1] for i in chosen])  # fmt: skip
