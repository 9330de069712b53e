"""The `fresh` entries of a data card: rendered people and mosaics made while the network trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anchorpose.core.errors import InputError
from anchorpose.datasets.loader import Fresh, Maker
from anchorpose.synthesis.fresh import FreshMosaics, FreshRenders
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.mosaic.compose import MosaicOptions
from anchorpose.synthesis.mosaic.generate import make_recipe
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.scene import RenderOptions

_WANTED = {
    "render": ("name", "count", "library", "backgrounds", "textures"),
    "mosaic": ("name", "count", "library", "annotations", "images"),
}


def read_fresh(entry: dict[str, Any], base: Path, card: str) -> Fresh:
    """One entry of a card's `fresh`.

    `kind` is `render` (with `library`, `backgrounds`, `textures` and, where wanted, `size`, `bodies`) or `mosaic`
    (with `library`, `annotations`, `images` and, where wanted, `backgrounds`, `lifted`, `size`, `max_distance`); both
    have `name`, `count` (pictures an epoch), `seed` and `licence`. Only bodies, clips, backgrounds and textures of the
    split `train` are rendered, so that `--split test` stays unseen.

    Raises:
        InputError: something is missing or broken.
    """
    kind = entry.get("kind")
    if kind not in _WANTED:
        raise InputError(f"found kind {kind!r} in 'fresh' of {card}, wanted 'render' or 'mosaic'")
    if missing := [name for name in _WANTED[kind] if name not in entry]:
        raise InputError(f"a {kind} entry in 'fresh' of {card} lacks {', '.join(missing)}")
    maker = _renders(entry, base) if kind == "render" else _mosaics(entry, base)
    # Photographs that mosaics are cut from may show other people in what is left of them.
    return Fresh(str(entry["name"]), maker, int(entry["count"]), kind == "render", entry.get("licence", "not stated"))


def _renders(entry: dict[str, Any], base: Path) -> Maker:
    assets = Assets.load(PoseLibrary.load(base / entry["library"]), base / entry["backgrounds"],
                         base / entry["textures"], "train", int(entry.get("bodies", 120)))  # fmt: skip
    size = int(entry.get("size", RenderOptions.width))
    return FreshRenders(assets, int(entry.get("seed", 0)), RenderOptions(size, size))


def _mosaics(entry: dict[str, Any], base: Path) -> Maker:
    optional = {n: base / entry[n] if n in entry else None for n in ("backgrounds", "lifted")}
    options = MosaicOptions(size=int(entry.get("size", MosaicOptions.size)),
                            max_distance=float(entry.get("max_distance", MosaicOptions.max_distance)))  # fmt: skip
    recipe = make_recipe(PoseLibrary.load(base / entry["library"]), base / entry["annotations"], base / entry["images"],
                         optional["backgrounds"], optional["lifted"], options, int(entry.get("seed", 0)))  # fmt: skip
    return FreshMosaics(recipe)
