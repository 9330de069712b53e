"""Many mosaics to disk: library poses seen from random views, in several processes, the same for any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.datasets.coco import read_coco
from anchorpose.io.sources import expand_sources
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.mosaic.compose import Mosaicker, MosaicOptions
from anchorpose.synthesis.mosaic.matching import PhotoIndex
from anchorpose.synthesis.scenes import Scene, SceneWriter
from anchorpose.synthesis.views import ViewOptions, mirror_poses, see, view_angles

Floats = NDArray[np.float32]
ATTEMPTS = 20
"""Poses tried for one mosaic before it is left out."""
_CHUNK = 32
_SMALLEST = 32


@dataclass(frozen=True)
class MosaicReport:
    """What a run did.

    Args:
        annotations: COCO JSON of all mosaics in the folder.
        written: mosaics made by this run. already_there: by earlier ones. left_out: no pose fitted in `ATTEMPTS`.
        attempts: poses tried by this run.
        distance: mean D of those written by this run, metres; None without any.
    """

    annotations: Path
    written: int
    already_there: int
    left_out: int
    attempts: int
    distance: float | None


@dataclass(frozen=True)
class Recipe:
    """All that mosaic number i follows from.

    Args:
        joints3d: (n, 13, 3) metres relative to the body centre, library axes (y down), no NaN.
        clips: name of each pose's clip.
        index: photographs to cut. backgrounds: photographs behind.
        options: of the mosaic. views: where cameras stand; its `views` is not used.
        seed: of everything.
    """

    joints3d: Floats
    clips: tuple[str, ...]
    index: PhotoIndex
    backgrounds: tuple[Path, ...] = ()
    options: MosaicOptions = field(default_factory=MosaicOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    seed: int = 0


def mosaic(
    library: PoseLibrary, annotations: Path, images: Path, out: Path, count: int, *, seed: int = 0, size: int = 256,
    processes: int = 1, backgrounds: Path | None = None, lifted: Path | None = None,
    options: MosaicOptions | None = None,
) -> MosaicReport:  # fmt: skip
    """Write `count` mosaics of library poses into a folder; a run that was killed goes on where it stopped.

    Args:
        library: poses to show.
        annotations: COCO keypoint JSON of the photographs, any skeleton that shares `LCR13`'s joint names.
        images: their folder.
        out: gets `images/` and `annotations.json` (see `synthesis.scenes`).
        count: mosaics in the folder in the end; fewer where poses do not fit (`MosaicReport.left_out`).
        seed: of poses, views, placement and photographs. Mosaic i is the same whatever `count` and `processes` are.
        size: pixels of the square pictures.
        processes: that work at the same time.
        backgrounds: folder of photographs without people, for what no source covers.
        lifted: npz of 3D guesses of the photographs (see `datasets.coco.read_lifted`); with it limbs towards the
            camera and away from it are told apart, and missing 2D labels are filled.
        options: further settings; `size` replaces theirs.

    Raises:
        InputError: a number out of range, no poses, nobody labelled, a picture missing or broken, or `out` holds
            mosaics made with other settings.
    """
    if count < 1 or processes < 1:
        raise InputError(f"found {count} mosaics in {processes} processes, wanted at least 1 of each")
    options = replace(options or MosaicOptions(), size=size)
    recipe = make_recipe(library, annotations, images, backgrounds, lifted, options, seed)
    writer = SceneWriter(Path(out), _header(recipe, Path(annotations)))
    already = len(writer.done & set(range(count)))
    wanted = [i for i in range(count) if i not in writer.done]
    attempts, distances = 0, []
    for number, tries, scene in tqdm(_make_all(recipe, wanted, processes), total=len(wanted), unit="mosaic"):
        attempts += tries
        if scene is not None:
            writer.write(number, scene)
            distances.append(float(scene.extra["distance"]))
    mean = float(np.mean(distances)) if distances else None
    left_out = len(wanted) - len(distances)
    return MosaicReport(writer.finish(), len(distances), already, left_out, attempts, mean)


def make_recipe(
    library: PoseLibrary, annotations: Path, images: Path, backgrounds: Path | None = None, lifted: Path | None = None,
    options: MosaicOptions | None = None, seed: int = 0,
) -> Recipe:  # fmt: skip
    """Read and check what mosaics are made of; arguments and errors as in `mosaic`."""
    options = options or MosaicOptions()
    _check(library.joints3d, options.size)
    samples = read_coco(Path(annotations), Path(images), lifted=lifted)
    clips = tuple(library.sources[int(i)] for i in library.source_index)
    return Recipe(library.joints3d, clips, PhotoIndex.of(samples), _pictures(backgrounds), options, seed=seed)


def make_mosaic(recipe: Recipe, mosaicker: Mosaicker, number: int) -> tuple[int, Scene | None]:
    """Mosaic `number` of a recipe: how many poses were tried, and the first that fits or None.

    The scene's `extra` also holds `pose` (its index in the library), `clip` and `mirrored_pose`.
    """
    rng = np.random.default_rng([recipe.seed, number])
    for attempt in range(1, ATTEMPTS + 1):
        pose = int(rng.integers(len(recipe.joints3d)))
        mirrored = bool(recipe.views.mirror and rng.random() < 0.5)
        seen = see(recipe.joints3d[pose][None], view_angles(1, replace(recipe.views, views=1), rng)[0])[0]
        scene = mosaicker(mirror_poses(seen) if mirrored else seen, rng)
        if scene is not None:
            extra = {**scene.extra, "pose": pose, "clip": recipe.clips[pose], "mirrored_pose": mirrored}
            return attempt, replace(scene, extra=extra)
    return ATTEMPTS, None


def _make_all(recipe: Recipe, numbers: list[int], processes: int) -> Iterator[tuple[int, int, Scene | None]]:
    """(number, poses tried, scene) in the order of the numbers."""
    if processes == 1:
        yield from _make_some(recipe, numbers)
        return
    chunks = [numbers[i : i + _CHUNK] for i in range(0, len(numbers), _CHUNK)]
    # spawn, because a fork of a process with threads (OpenCV's, torch's) may hang
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            for made in pool.map(_make_list, repeat(recipe), chunks):
                yield from made
        finally:
            pool.shutdown(cancel_futures=True)


def _make_list(recipe: Recipe, numbers: list[int]) -> list[tuple[int, int, Scene | None]]:
    """`_make_some` of a worker, on one core: the processes share the machine already."""
    import cv2

    cv2.setNumThreads(1)
    return list(_make_some(recipe, numbers))


def _make_some(recipe: Recipe, numbers: Iterable[int]) -> Iterator[tuple[int, int, Scene | None]]:
    mosaicker = Mosaicker(recipe.index, recipe.backgrounds, recipe.options)
    for number in numbers:
        yield (number, *make_mosaic(recipe, mosaicker, number))


def _header(recipe: Recipe, annotations: Path) -> dict[str, Any]:
    return {
        "made_by": "anchorpose synthesize mosaic", "seed": recipe.seed, "photographs": annotations.name,
        "people": len(recipe.index) // 2, "poses": len(recipe.joints3d), "backgrounds": len(recipe.backgrounds),
        "depths": bool(np.isfinite(recipe.index.depths).any()), "options": asdict(recipe.options),
        "views": asdict(recipe.views),
    }  # fmt: skip


def _pictures(folder: Path | None) -> tuple[Path, ...]:
    if folder is None:
        return ()
    sources = expand_sources([folder])
    if sources.failures:
        raise InputError(sources.failures[0][1])
    return tuple(sources.paths)


def _check(joints3d: Floats, size: int) -> None:
    if not len(joints3d) or not np.isfinite(joints3d).all():
        found = "has missing joints" if len(joints3d) else "is empty"
        raise InputError(f"the pose library {found}; make one with 'anchorpose synthesize library'")
    if size < _SMALLEST:
        raise InputError(f"found a size of {size} pixels, wanted at least {_SMALLEST}; 256 is usual")
