"""What a close look begins with: the second pass' weights, and maps as like its maps as linear layers can make them.

The close look reads its trunk's maps by a network of the second pass' form. Where the maps that this network gets are
nearly those that the second pass pools of the same region, the second pass' weights already say what they say there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from anchorpose.core.errors import InputError
from anchorpose.datasets.loader import PoseDataset, Target, collate
from anchorpose.lcrnet.close_look import CloseLook
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.second_pass import SecondPass
from anchorpose.training.second.close import cut_people

_PICTURES, _BATCH = 320, 8
_RIDGE = 1e-3


class _Fit:
    """Least squares from the maps of one stride to others of the same places, a constant beside them."""

    def __init__(self, given: int, wanted: int) -> None:
        self.products = torch.zeros(given + 1, given + 1, dtype=torch.double)
        self.cross = torch.zeros(given + 1, wanted, dtype=torch.double)

    def add(self, given: Tensor, wanted: Tensor) -> None:
        """Maps (s, c, g, g) of each."""
        x = torch.cat([given, torch.ones_like(given[:, :1])], 1).movedim(1, -1).flatten(0, 2).double()
        self.products += x.T @ x
        self.cross += x.T @ wanted.movedim(1, -1).flatten(0, 2).double()

    def solve(self) -> tuple[Tensor, Tensor]:
        """(wanted, given) weight and (wanted,) bias."""
        ridge = _RIDGE * self.products.diagonal().mean() * torch.eye(len(self.products), dtype=torch.double)
        found = torch.linalg.solve(self.products + ridge, self.cross).float()
        return found[:-1].T, found[-1]


@torch.no_grad()
def begin_close_look(model: LCRNet, dataset: PoseDataset, seed: int) -> None:
    """Give a close look whose trunk alone is trained the weights to begin with.

    Args:
        model: changed in place. dataset: augmented pictures, some of which are looked at. seed: of which.

    Raises:
        InputError: a picture cannot be read, or nobody in them has joints.
    """
    close, second = model.close, model.second
    assert close is not None
    assert second is not None
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(dataset), generator=generator)[:_PICTURES].tolist()
    fits: list[_Fit] = []
    for images, joined in DataLoader(Subset(dataset, rows), _BATCH, collate_fn=collate):
        cut, pooled = _seen_by_both(model, second, images, joined.split(), generator)
        if not len(cut):
            continue
        if not fits:
            close.start_from_trunk(cut)
        maps = _standardised(close, cut)
        fits = fits or [_Fit(m.shape[1], p.shape[1]) for m, p in zip(maps, pooled, strict=True)]
        for fit, given, wanted in zip(fits, maps, pooled, strict=True):
            fit.add(given, F.interpolate(wanted, given.shape[2:], mode="bilinear", align_corners=False))
    if not fits:
        raise InputError(f"found nobody with joints in {len(rows)} photographs to begin the close look with; give "
                         "more, or --start weights that have one")  # fmt: skip
    for project, fit in zip(close.reading.project, fits, strict=True):
        weight, bias = fit.solve()
        project[1].weight.copy_(weight[..., None, None])  # type: ignore[index]
        project[1].bias.copy_(bias)  # type: ignore[index]
    _copy(second, close.reading)


def _seen_by_both(
    model: LCRNet, second: SecondPass, images: Tensor, targets: list[Target], generator: torch.Generator
) -> tuple[Tensor, list[Tensor]]:
    people, maps, picture = cut_people(model, images, targets, generator)
    assert model.close is not None
    cut = F.interpolate(people.maps[0].float() / 255, (model.close.side, model.close.side), mode="bilinear")
    return cut, second.pool(maps, people.regions, picture)


def _standardised(close: CloseLook, cut: Tensor) -> list[Tensor]:
    return close.sized([project[0](m) for project, m in zip(close.reading.project, close.maps(cut), strict=True)])  # type: ignore[index]


def _copy(second: SecondPass, reading: SecondPass) -> None:
    """All but the projections; each cell of a coarse heat map says the same of the finer ones in it."""
    own = reading.state_dict()
    for name, values in second.state_dict().items():
        if name.startswith("heat."):
            own[name].copy_(values.repeat_interleave(reading.sharpness**2, 0))
        elif not name.startswith("project."):
            own[name].copy_(values)
