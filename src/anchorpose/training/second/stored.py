"""What is kept on the disk of people who are looked at: bytes and targets, read in any order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.lcrnet.second_losses import SecondTarget

_COLUMNS = "people.npz"


class Stored(NamedTuple):
    """s people."""

    maps: list[Tensor]  # uint8 (s, c, side, side) each: what is looked at
    regions: Tensor  # (s, 4) where, pixels
    target: SecondTarget


class StoredPeople:
    """People on the disk.

    Args:
        parts: folders that `write_part` made.

    Raises:
        InputError: a part is missing or damaged, or there is nobody.
    """

    def __init__(self, parts: Sequence[Path]) -> None:
        self._columns: list[dict[str, NDArray[np.generic]]] = []
        self._maps: list[list[NDArray[np.uint8]]] = []
        for part in parts:
            try:
                with np.load(part / _COLUMNS) as stored:
                    columns = {name: stored[name] for name in stored.files}
                shapes = columns.pop("shapes").tolist()
                maps = [np.memmap(part / f"map{i}.u8", np.uint8, "r", shape=(len(columns["area"]), *shape))
                        for i, shape in enumerate(shapes)]  # fmt: skip
            except (OSError, ValueError, KeyError) as error:
                raise InputError(f"cannot read the people in {part} ({error}); remove the folder, they are collected "
                                 "again") from None  # fmt: skip
            self._columns.append(columns)
            self._maps.append([np.asarray(m) for m in maps])
        self._ends = np.cumsum([len(c["area"]) for c in self._columns])
        if not len(self):
            raise InputError("found nobody with joints to train the second pass on; give more photographs")

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def described(self) -> tuple[Tensor, SecondTarget]:
        """(n, 4) regions of all of them and what is known of them; without their maps."""
        columns = {name: torch.from_numpy(np.concatenate([c[name] for c in self._columns]))
                   for name in self._columns[0]}  # fmt: skip
        regions = columns.pop("regions")
        return regions, SecondTarget(picture=torch.zeros(len(regions), dtype=torch.long), **columns)

    def take(self, rows: NDArray[np.int64]) -> Stored:
        """Some of them, in the order of their positions."""
        rows = np.sort(rows)
        groups = [(part, rows[np.searchsorted(self._ends, rows, "right") == part]) for part in range(len(self._maps))]
        groups = [(part, own - (self._ends[part - 1] if part else 0)) for part, own in groups if len(own)]
        maps = [torch.from_numpy(np.concatenate([self._maps[part][i][own] for part, own in groups]))
                for i in range(len(self._maps[0]))]  # fmt: skip
        columns = {name: torch.from_numpy(np.concatenate([self._columns[part][name][own] for part, own in groups]))
                   for name in self._columns[0]}  # fmt: skip
        regions = columns.pop("regions")
        return Stored(maps, regions, SecondTarget(picture=torch.zeros(len(rows), dtype=torch.long), **columns))


def write_part(folder: Path, batches: Iterable[Stored]) -> None:
    """Write people, a batch after the other; the folder is there as a whole or not at all."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    columns: dict[str, list[NDArray[np.generic]]] = {}
    shapes: list[tuple[int, ...]] = []
    for batch in batches:
        shapes = [tuple(m.shape[1:]) for m in batch.maps]
        for i, values in enumerate(batch.maps):
            with (partial / f"map{i}.u8").open("ab") as file:
                file.write(values.numpy().tobytes())
        fields = {n: t for n, t in batch.target._asdict().items() if n != "picture"} | {"regions": batch.regions}
        for name, tensor in fields.items():
            columns.setdefault(name, []).append(tensor.numpy())
    if shapes:
        arrays: dict[str, Any] = {n: np.concatenate(c) for n, c in columns.items()} | {"shapes": np.array(shapes)}
        np.savez(partial / _COLUMNS, **arrays)
    os.rename(partial, folder)
