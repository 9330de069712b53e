"""`anchorpose synthesize render`: many scenes to disk, in several processes, resumable."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.io.files import atomic_write
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.rendering.assets import Assets, Split
from anchorpose.synthesis.rendering.rasterizer import choose_device, rasterize
from anchorpose.synthesis.rendering.scene import RenderedScene, RenderOptions, render_scene
from anchorpose.synthesis.scenes import Scene, SceneWriter

_CHUNK = 8
MAPS = ("depth", "parts", "persons")


@dataclass(frozen=True)
class RenderResult:
    """What a run has made.

    Args:
        annotations: path of the COCO file. images: number in it, with those of earlier runs.
        rendered: images of this run. people: in those.
    """

    annotations: Path
    images: int
    rendered: int
    people: int


def render(
    library: Path, backgrounds: Path, textures: Path, out: Path, count: int, seed: int = 0, split: Split = "all",
    bodies: int = 120, options: RenderOptions | None = None, maps: bool = False, processes: int = 1,
) -> RenderResult:  # fmt: skip
    """Render scenes 0 to `count` - 1 into a folder; those that are there already are kept.

    Args:
        library: npz of `PoseLibrary`. backgrounds, textures: folders of pictures.
        out: folder, see `scenes`.
        count, seed: how many, and of what chance. Scenes are the same for any number of processes.
        split: 'train' and 'test' share no body, clip, background or texture.
        bodies: size of the pool of bodies.
        options: how scenes are drawn.
        maps: also write 16-bit PNGs of depth (millimetres, 0 = background or beyond 65 m) and 8-bit ones of parts
            and persons, under the picture's name in folders of those names.
        processes: how many work.

    Raises:
        InputError: wrong inputs, a device that is not here, or `out` holds scenes of other settings.
    """
    if count < 1 or processes < 1:
        raise InputError(f"found {count} images and {processes} processes, wanted at least 1 of each")
    options = options or RenderOptions()
    options = replace(options, device=choose_device(options.device))
    assets = Assets.load(PoseLibrary.load(library), backgrounds, textures, split, bodies, device=options.device)
    drawn = {name: value for name, value in asdict(options).items() if name != "device"}  # says how, not what
    header = {"kind": "rendered", "seed": seed, "split": split, "bodies": bodies, "options": drawn,
              "library": library.name, "poses": len(assets.poses)}  # fmt: skip
    writer = SceneWriter(out, header)
    missing = [i for i in range(count) if i not in writer.done]
    if maps:
        for name in MAPS:
            (out / name).mkdir(exist_ok=True)
    people = 0
    for index, scene, pictures in tqdm(_rendered(assets, missing, seed, options, maps, processes), total=len(missing)):
        for name, data in pictures.items():
            atomic_write(out / name / f"{index:06d}.png", data)
        writer.write(index, scene)
        people += len(scene.people)
    return RenderResult(writer.finish(), len(writer.done), len(missing), people)


def encode_maps(rendered: RenderedScene) -> dict[str, bytes]:
    """Map name -> PNG: depth in millimetres (16 bits), parts and persons (8 bits)."""
    millimetres = np.rint(rendered.depth * 1000)
    depth = np.where(millimetres <= 65535, millimetres, 0).astype(np.uint16)
    images: tuple[NDArray[Any], ...] = (depth, rendered.parts, rendered.persons)
    return {name: cv2.imencode(".png", image)[1].tobytes() for name, image in zip(MAPS, images, strict=True)}


_Drawn = tuple[int, Scene, dict[str, bytes]]


def _rendered(
    assets: Assets, indices: list[int], seed: int, options: RenderOptions, maps: bool, processes: int
) -> Iterator[_Drawn]:
    """Scenes in the order in which they get ready."""
    if processes == 1 or len(indices) <= 1:
        for index in indices:
            yield from _chunk(assets, [index], seed, options, maps)
        return
    # the kernels are compiled here, so that the processes find them
    rasterize(np.ones((3, 3), np.float32), np.zeros((1, 3), np.int32), Camera.from_fov(8, 8), options.device)
    chunks = [indices[i : i + _CHUNK] for i in range(0, len(indices), _CHUNK)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        # only a few chunks are on their way at a time: each takes the assets along
        waiting: set[Future[list[_Drawn]]] = set()
        for chunk in chunks:
            waiting.add(pool.submit(_alone, assets, chunk, seed, options, maps))
            if len(waiting) > 2 * processes:
                done = next(as_completed(waiting))
                waiting.remove(done)
                yield from done.result()
        for done in as_completed(waiting):
            yield from done.result()


def _alone(assets: Assets, indices: list[int], seed: int, options: RenderOptions, maps: bool) -> list[_Drawn]:
    """One process's work; its neighbours use the other cores."""
    cv2.setNumThreads(1)
    return _chunk(assets, indices, seed, options, maps)


def _chunk(assets: Assets, indices: list[int], seed: int, options: RenderOptions, maps: bool) -> list[_Drawn]:
    drawn: list[_Drawn] = []
    for index in indices:
        rendered = render_scene(assets, index, seed, options)
        drawn.append((index, rendered.scene, encode_maps(rendered) if maps else {}))
    return drawn
