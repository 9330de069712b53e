"""People made while a network trains: every picture new, nothing on disk."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.datasets.samples import Person
from anchorpose.synthesis.mosaic.compose import Mosaicker
from anchorpose.synthesis.mosaic.generate import Recipe, make_mosaic
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.scene import RenderOptions, render_scene
from anchorpose.synthesis.scenes import Scene

_FURTHER = 50
Picture = tuple[NDArray[np.uint8], tuple[Person, ...]]


@dataclass(frozen=True)
class FreshRenders:
    """Rendered scene number `n` on demand, the same that `anchorpose synthesize render` writes under that number."""

    assets: Assets
    seed: int = 0
    options: RenderOptions = field(default_factory=RenderOptions)

    def __call__(self, number: int) -> Picture:
        """(h, w, 3) uint8 BGR and its people; errors as in `render_scene`."""
        return as_picture(render_scene(self.assets, number, self.seed, self.options).scene)


@dataclass
class FreshMosaics:
    """Mosaic number `n` on demand; where no pose fitted, the next number that has one.

    Args:
        recipe: what mosaics are made of.
    """

    recipe: Recipe
    _mosaicker: Mosaicker | None = field(default=None, init=False, repr=False)

    def __call__(self, number: int) -> Picture:
        """(size, size, 3) uint8 BGR and the person; InputError if hardly any pose fits the photographs."""
        if self._mosaicker is None:  # in the process that uses it, with its own decoded photographs
            self._mosaicker = Mosaicker(self.recipe.index, self.recipe.backgrounds, self.recipe.options)
        for later in range(_FURTHER):
            _, scene = make_mosaic(self.recipe, self._mosaicker, number + later)
            if scene is not None:
                return as_picture(scene)
        raise InputError(f"found no pose that fits the photographs in {_FURTHER} mosaics; use more photographs or a "
                         "greater max_distance")  # fmt: skip


def as_picture(scene: Scene) -> Picture:
    """A scene as a training sample's pixels and people."""
    return scene.image, tuple(p.as_person() for p in scene.people)
