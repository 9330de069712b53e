"""What scenes are made of: bodies, poses, backgrounds and textures, and their split into training and test.

A test set must show other people in other clips before other places. Which file belongs to it follows from a hash of
its name, so that no list has to be kept; its bodies are drawn from another seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.io.images import read_image
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.rendering.bodies import BodyPool
from anchorpose.synthesis.rendering.chart import Chart

Split = Literal["all", "train", "test"]
TEST_SHARE = 0.2
_BODY_SEEDS = {"all": 0, "train": 0, "test": 1}
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True)
class Assets:
    """Everything that `render_scene` chooses from.

    Args:
        pool: bodies. chart: of their topology.
        poses: (n, 13, 3) metres, y down. clips: name of the clip of each of the n poses.
        backgrounds: photographs without people. textures: pictures of cloth and other surfaces.
    """

    pool: BodyPool
    chart: Chart
    poses: NDArray[np.float32]
    clips: tuple[str, ...]
    backgrounds: tuple[Path, ...]
    textures: tuple[Path, ...]

    @classmethod
    def load(
        cls, library: PoseLibrary, backgrounds: Path, textures: Path, split: Split = "all", bodies: int = 120,
        cache: Path | None = None, device: str = "cpu",
    ) -> Assets:  # fmt: skip
        """Choose the part of everything that belongs to a split.

        Args:
            library: poses; those with NaN are left out.
            backgrounds, textures: folders of pictures.
            split: 'train' and 'test' share no body, clip, background or texture; 'all' takes everything.
            bodies: size of the pool of bodies.
            cache: folder that keeps the pool; None takes the user's.
            device: of torch, for a pool that has to be built.

        Raises:
            InputError: no pose, background or texture is left; Anny is missing.
        """
        whole = np.isfinite(library.joints3d).all((1, 2))
        own = np.array([in_split(name, split) for name in library.sources], bool)
        kept = np.flatnonzero(whole & own[library.source_index])
        if not len(kept):
            raise InputError(f"found no whole pose for the split {split!r} among {len(library)}; use a larger library")
        pool = BodyPool.load_or_build(bodies, _BODY_SEEDS[split], cache, device)
        return cls(
            pool, Chart.of(pool), library.joints3d[kept],
            tuple(library.sources[i] for i in library.source_index[kept]),
            _pictures(backgrounds, split, "backgrounds"), _pictures(textures, split, "textures"),
        )  # fmt: skip

    def texture(self, number: int) -> NDArray[np.uint8]:
        """(s, s, 3) uint8 BGR; any number stands for one of the pictures."""
        path = self.textures[number % len(self.textures)]
        if path not in self._read:
            self._read[path] = read_image(path)
        return self._read[path]

    @cached_property
    def _read(self) -> dict[Path, NDArray[np.uint8]]:
        return {}


def in_split(name: str, split: Split) -> bool:
    """Whether a file of this name belongs to a split; every fifth name or so belongs to the test."""
    digest = hashlib.sha1(Path(name).name.encode()).digest()
    held_out = int.from_bytes(digest[:4]) / 2**32 < TEST_SHARE
    return split == "all" or held_out == (split == "test")


def _pictures(folder: Path, split: Split, what: str) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder, wanted a folder of {what}; give one with pictures")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES and in_split(p.name, split))
    if not found:
        raise InputError(f"{folder} has no picture for the split {split!r}, wanted {what}; add JPEG, PNG or WebP files")
    return tuple(found)
