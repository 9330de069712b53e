"""Speed of the data engine on one core, in processor time, so that a busy machine does not count."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy starts its threads

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from systems import table

from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.lift_annotations import MIN_JOINTS
from anchorpose.synthesis.lifting import NEIGHBOURS, PoseLifter
from anchorpose.synthesis.mocap.motion import forward_kinematics
from anchorpose.synthesis.mosaic.compose import Mosaicker
from anchorpose.synthesis.mosaic.generate import make_mosaic, make_recipe
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.scene import RenderOptions, render_scene
from anchorpose.synthesis.views import ViewOptions

PROJECTIONS = 1_000_000
FRAMES, JOINTS = 100_000, 30
QUERIES, MOSAICS, RENDERS = 300, 40, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with coco/, lspe/, pseudo3d/ ...")
    parser.add_argument("--library", type=Path, required=True, help="npz of `anchorpose synthesize library`")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    library = PoseLibrary.load(args.library)
    rows = [*kinematics(), *lifting(args.data, library), *mosaics(args.data, library), *renders(args.data, library)]
    print(table(["one core", "figure"], rows))


def kinematics() -> list[list[str]]:
    """A chain of joints that all turn."""
    rng = np.random.default_rng(0)
    turns = np.linalg.qr(rng.normal(size=(FRAMES, JOINTS, 3, 3)))[0]
    parents = np.maximum(np.arange(JOINTS) - 1 - rng.integers(0, 3, JOINTS), -1)
    parents[1:] = np.maximum(parents[1:], 0)
    start = time.process_time()
    forward_kinematics([int(p) for p in parents], rng.normal(size=(JOINTS, 3)), [*turns.swapaxes(0, 1)], FRAMES)
    return [[f"forward kinematics, {FRAMES} frames of {JOINTS} joints", f"{time.process_time() - start:.2f} s"]]


def lifting(data: Path, library: PoseLibrary) -> list[list[str]]:
    """Queries of one person each, with whatever joints are labelled; each the first of its kind."""
    chosen = np.random.default_rng(3).permutation(len(library))[: PROJECTIONS // 400]
    start = time.process_time()
    lifter = PoseLifter(library.joints3d[chosen], ViewOptions(views=200))
    rows = [[f"lifting, index of {len(lifter)} projections", f"{time.process_time() - start:.1f} s"]]
    for name in ("coco", "lspe"):
        people = [p.joints2d for s in read_coco(data / name / "train.json", data / name) for p in s.people]
        people = [j for j in people if np.isfinite(j[:, 0]).sum() >= MIN_JOINTS]
        queries = [people[i] for i in np.random.default_rng(0).permutation(len(people))[:QUERIES]]
        for neighbours in (1, NEIGHBOURS):
            lifter.lift(queries[0][None], neighbours)
            times = [timed(lifter, q[None], neighbours) for q in queries]
            rows.append([f"lifting, {len(lifter)} projections, {name}, {neighbours} neighbours",
                         f"{np.mean(times):.1f} ms mean, {np.percentile(times, 99):.1f} ms for 99 %"])  # fmt: skip
    return rows


def timed(lifter: PoseLifter, query: np.ndarray, neighbours: int) -> float:
    """Milliseconds of one query."""
    start = time.process_time()
    lifter.lift(query, neighbours)
    return 1000 * (time.process_time() - start)


def mosaics(data: Path, library: PoseLibrary) -> list[list[str]]:
    """Mosaics at 256 px with the poses that did not fit."""
    recipe = make_recipe(library, data / "lspe" / "train.json", data / "lspe" / "train", data / "backgrounds",
                         data / "pseudo3d" / "lspe_train.npz")  # fmt: skip
    mosaicker = Mosaicker(recipe.index, recipe.backgrounds, recipe.options)
    make_mosaic(recipe, mosaicker, MOSAICS)
    start = time.process_time()
    made = sum(make_mosaic(recipe, mosaicker, i)[1] is not None for i in range(MOSAICS))
    return [["mosaics, 256 px, LSPE", f"{made / (time.process_time() - start):.1f} a second"]]


def renders(data: Path, library: PoseLibrary) -> list[list[str]]:
    """Rendered scenes of three people at 384 px."""
    assets = Assets.load(library, data / "backgrounds", data / "textures", "train")
    options = RenderOptions(people=(3, 3))
    render_scene(assets, RENDERS, 0, options)
    start = time.process_time()
    people = sum(len(render_scene(assets, i, 0, options).scene.people) for i in range(RENDERS))
    rate = RENDERS / (time.process_time() - start)
    return [[f"rendered pictures, 384 px, {people / RENDERS:.1f} people", f"{rate:.1f} a second"]]


if __name__ == "__main__":
    main()
