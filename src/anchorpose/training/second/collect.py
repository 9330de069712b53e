"""The people of a data set as the second pass pools them, or another look needs them, collected part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.datasets.loader import PoseDataset, Target, collate
from anchorpose.io.files import read_json, write_json
from anchorpose.lcrnet.model import JITTERED, LCRNet
from anchorpose.lcrnet.second_losses import SecondTarget, jittered_regions, second_targets
from anchorpose.lcrnet.second_pass import SecondPass
from anchorpose.lcrnet.targets import RegionTarget, sample_regions
from anchorpose.training.second.pooled import Pooled
from anchorpose.training.second.stored import Stored, StoredPeople, write_part

_PART = 1000
"""Pictures of a part: what a kill costs at most."""
_BATCH = 8
_TWICE, _MOST, _STRANGERS = 2, 5, 0.35
"""Looks at one person, looks at people of a picture, and how many pictures in one give a stranger."""


@dataclass(frozen=True)
class CollectOptions:
    """How people are collected.

    Args:
        folder: for the parts. views: of each picture, each augmented anew; the second pass learns a single one by heart
            after some four passes. workers: processes that decode and augment. seed: of everything random.
        about: what else the people depend on; people of another network or other data are refused.
    """

    folder: Path
    views: int = 1
    workers: int = 1
    seed: int = 0
    about: str = ""


Look = Callable[[LCRNet, Tensor, list[Target], torch.Generator], Stored]
"""What is kept of a batch of pictures (b, 3, h, w)."""


def collect(model: LCRNet, dataset: PoseDataset, options: CollectOptions, look: Look) -> StoredPeople:
    """Look at every view of every picture once; parts that an earlier run wrote are taken as they are.

    Args:
        model: with a second pass; it stays as it is. dataset: augmented pictures. look: `look_again`, or another.

    Raises:
        InputError: a picture cannot be read, nobody in them has joints, or the folder has people of something else.
    """
    model.eval()
    _check_same(options.folder / "about.json", {"seed": options.seed, "pictures": len(dataset), "about": options.about})
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(options.seed)).tolist()
    parts = []
    starts = [(view, first) for view in range(options.views) for first in range(0, len(order), _PART)]
    for number, (view, first) in enumerate(tqdm(starts, unit="part", disable=None)):
        folder = options.folder / f"{view:02d}-{first // _PART:04d}"
        if not folder.exists():
            dataset.epoch = view
            generator = torch.Generator().manual_seed(options.seed + 7919 * (number + 1))
            loader = DataLoader(dataset, _BATCH, sampler=order[first : first + _PART], num_workers=options.workers,
                                collate_fn=collate, prefetch_factor=3 if options.workers else None)  # fmt: skip
            write_part(folder, _looks(model, loader, generator, look))
        if (folder / "people.npz").exists():
            parts.append(folder)
    return StoredPeople(parts)


def _check_same(path: Path, about: dict[str, int | str]) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, about)
    elif (found := read_json(path, f"remove {path.parent}")) != about:
        raise InputError(f"{path.parent} has people of other weights, data or seed ({found}, wanted {about}); give "
                         "another --out, or remove it")  # fmt: skip


def _looks(model: LCRNet, loader: DataLoader[Any], generator: torch.Generator, look: Look) -> Iterator[Stored]:
    for images, joined in loader:
        with torch.inference_mode():
            found = look(model, images, joined.split(), generator)
        if len(found.regions):
            yield found


def look_again(model: LCRNet, images: Tensor, targets: list[Target], generator: torch.Generator) -> Stored:
    """`pooled_people` as bytes."""
    return pooled_people(model, images, targets, generator).stored()


def pooled_people(model: LCRNet, images: Tensor, targets: list[Target], generator: torch.Generator) -> Pooled:
    """What the second pass would be trained on in one batch of pictures (b, 3, h, w), pooled but not yet judged."""
    assert model.second is not None
    chosen, around, whole = people_and_maps(model, images, targets, generator)
    maps = standardised(model.second, whole)
    pooled = model.second.pool([torch.cat([m, torch.ones_like(m[:, :1])], 1) for m in maps], around, chosen.picture)
    return Pooled([p[:, :-1] for p in pooled], [p[:, -1:] for p in pooled], around, chosen)


def people_and_maps(
    model: LCRNet, images: Tensor, targets: list[Target], generator: torch.Generator
) -> tuple[SecondTarget, Tensor, list[Tensor]]:
    """Whom the second pass would be trained on in one batch of pictures (b, 3, h, w).

    Returns:
        the people, (s, 4) the regions where it would look at them, and the trunk's maps (`LCRNet.maps`).
    """
    size = (images.shape[-2], images.shape[-1])
    features = model.features(images)
    levels = model.pyramid(features.levels)
    proposals = [model.localization.propose([x[i : i + 1] for x in levels], size) for i in range(len(targets))]
    count, share = len(model.anchors3d), model.positive_share
    regions = [sample_regions(p.float(), t, count, share, model.regions, JITTERED, generator)
               for p, t in zip(proposals, targets, strict=True)]  # fmt: skip
    output = model.head(levels, features.dense, [r.boxes for r in regions], size)
    chosen = second_targets(output, regions, targets, model.anchors2d, model.anchors3d, generator, each_person)
    return chosen, jittered_regions(chosen.joints2d, generator), model.maps(features)


def each_person(logits: Tensor, region: RegionTarget, generator: torch.Generator) -> Tensor:
    """Rows of one picture's regions: a few on each person, and at times the likeliest background."""
    on = torch.nonzero(region.person >= 0).flatten()
    on = on[torch.randperm(len(on), generator=generator)]
    people = region.person[on]
    before = (people[:, None] == people).tril(-1).sum(1)
    rows = on[before < _TWICE][:_MOST]
    background = torch.nonzero(region.person < 0).flatten()
    if len(background) and torch.rand((), generator=generator) < _STRANGERS:
        rows = torch.cat([rows, background[logits[background, -1].argmin()][None]])
    return rows


def standardised(second: SecondPass, maps: list[Tensor]) -> list[Tensor]:
    """The trunk's maps by the statistics that the second pass keeps of them."""
    return [project[0](m) for project, m in zip(second.project, maps, strict=True)]  # type: ignore[index]
