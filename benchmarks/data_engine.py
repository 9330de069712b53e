"""What synthesised 3D is worth: the same network, trained for the same steps on five mixtures of data.

Everything is kept in --work, and a run that was stopped goes on where it was. The table comes from the last lines.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from landmarks import figures, teach
from systems import table

from anchorpose.datasets.loader import PoseDataset
from anchorpose.evaluation.annotations import Annotations, load_annotations
from anchorpose.evaluation.scenes import evaluate_scenes
from anchorpose.synthesis.library import PoseLibrary, build_library
from anchorpose.synthesis.lift_annotations import LiftOptions, lift_annotations
from anchorpose.synthesis.mosaic.generate import mosaic
from anchorpose.synthesis.rendering.assets import in_split
from anchorpose.synthesis.rendering.render import render
from anchorpose.synthesis.rendering.scene import RenderOptions
from anchorpose.training.data import Data, Source
from anchorpose.training.export import load_model
from anchorpose.training.fit import FitOptions, fit
from anchorpose.training.presets import find_preset
from anchorpose.training.trunk_weights import load_trunk
from anchorpose.training.validate import predict, validate

TEST_SEED, TEST_COUNT, TEST_PEOPLE = 2026, 600, (2, 5)
ROWS = {"a": "photographs, teacher's 3D", "b": "a + nearest-neighbour lifting", "c": "a + mosaics",
        "d": "a + rendered people", "e": "a + all three"}  # fmt: skip
FIGURES = (("coco", "body_AP"), ("lspe", "body_PCK@0.2"), ("rendered", "MPJPE"), ("rendered", "PA-MPJPE"),
           ("rendered", "3DPCK"), ("rendered", "3DPCK_all"))  # fmt: skip


@dataclass(frozen=True)
class Folders:
    """data: coco/, lspe/, web_people/, pseudo3d/, backgrounds/, textures/. work: everything that is made."""

    data: Path
    work: Path

    def photographs(self, lifted: bool) -> tuple[Source, ...]:
        """COCO three times over, LSPE, and web photographs; with 3D of the teacher, or lifted where it has none."""
        sources = []
        for name, repeat, exhaustive in (("coco", 3, True), ("lspe", 1, False)):
            own = self.work / f"{name}_lifted.json" if lifted else self.data / name / "train.json"
            sources.append(Source(name, own, self.data / name / "train", exhaustive, self.teacher(name), repeat=repeat))
        web = self.data / "web_people"
        return *sources, Source("web people", web / "train.json", web / "images")

    def teacher(self, name: str) -> Path:
        """3D guesses of the training photographs."""
        return self.data / "pseudo3d" / f"{name}_train.npz"

    def made(self, name: str, repeat: int) -> Source:
        """Synthesised pictures."""
        folder = self.work / name
        return Source(name, folder / "annotations.json", folder / "images", name == "rendered", repeat=repeat)


def main() -> None:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    folders = Folders(args.data, args.work)
    make(folders, args.mocap, args.count)
    results = args.work / f"results_{args.steps}.json"
    tables = json.loads(results.read_text()) if results.exists() else {}
    for row in args.rows:
        if row not in tables:
            tables[row] = train(folders, row, args.steps, args.trunk)
            results.write_text(json.dumps(tables, indent=1, allow_nan=False))
    lines = [[f"({row}) {ROWS[row]}", *shown({f: tables[row][s][f] for s, f in FIGURES})]
             for row in ROWS if row in tables]  # fmt: skip
    if args.mediapipe_python:
        lines.append(peer(folders, args.mediapipe_python))
    print(table(["", *(f"{s} {f}" for s, f in FIGURES)], lines))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with coco/, lspe/, web_people/, pseudo3d/ ...")
    parser.add_argument("--mocap", type=Path, required=True, help="folder of motion capture")
    parser.add_argument("--trunk", type=Path, required=True, help="safetensors of the trunk")
    parser.add_argument("--work", type=Path, default=Path("data_engine"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--count", type=int, default=1000, help="mosaics, and rendered pictures")
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--mediapipe-python", help="python of an environment with mediapipe")
    return parser.parse_args()


def make(folders: Folders, mocap: Path, count: int) -> None:
    """Library, lifted annotations, mosaics, rendered pictures for training and for the test."""
    work, data, cores = folders.work, folders.data, len(os.sched_getaffinity(0))
    everything, own = work / "poses.npz", work / "poses_train.npz"
    if not own.exists():
        library = build_library([mocap], everything).library
        clips = [in_split(name, "train") for name in library.sources]
        library.select(torch.tensor(clips).numpy()[library.source_index]).save(own)
    backgrounds, textures = data / "backgrounds", data / "textures"
    render(everything, backgrounds, textures, work / "test", TEST_COUNT, TEST_SEED, "test",
           options=RenderOptions(people=TEST_PEOPLE), processes=cores)  # fmt: skip
    render(everything, backgrounds, textures, work / "rendered", count, 1, "train", processes=cores)
    lspe = data / "lspe"
    mosaic(PoseLibrary.load(own), lspe / "train.json", lspe / "train", work / "mosaics", count, seed=1,
           processes=cores, backgrounds=backgrounds, lifted=folders.teacher("lspe"))  # fmt: skip
    for name in ("coco", "lspe"):
        out = work / f"{name}_lifted.json"
        if not out.exists():
            options = LiftOptions(prefer="teacher")
            print(lift_annotations(data / name / "train.json", own, out, options, folders.teacher(name)).line())


def train(folders: Folders, row: str, steps: int, trunk: Path) -> dict[str, dict[str, float]]:
    """Train one row of the table and measure it."""
    made = {"c": ("mosaics",), "d": ("rendered",), "e": ("mosaics", "rendered")}.get(row, ())
    plain = Data(folders.photographs(False), (folders.work / "poses_train.npz",))
    preset = find_preset("lcrnet-lite")
    anchors = plain.anchors(plain.samples(), preset.anchors, 0)  # the same for every row
    # Synthesised pictures are about a third of each mixture, however many kinds there are.
    sources = folders.photographs(row in "be") + tuple(folders.made(n, 6 // len(made)) for n in made)
    data = replace(plain, sources=sources)
    torch.manual_seed(0)
    model = preset.build(anchors)
    source = load_trunk(model.trunk, trunk)
    dataset = PoseDataset(data.samples(), anchors, preset.augmentation, 0)
    out = folders.work / f"run_{row}_{steps}"
    options = FitOptions(out, epochs=(steps + 0.5) / (len(dataset) // preset.batch_size))
    fit(preset, model, data, dataset, options, source)
    return measure(folders, out)


def measure(folders: Folders, run: Path) -> dict[str, dict[str, float]]:
    """AP, PCK and the 3D figures of a run."""
    model, preset, _ = load_model(run)
    photos = {name: validate(model, folders.data / name / "val.json", folders.data / name / "val", preset.max_side,
                             preset.integration) for name in ("coco", "lspe")}  # fmt: skip
    truth = test_set(folders)
    images = folders.work / "test" / "images"
    found = {i.file_name: predict(model, images / i.file_name, preset.max_side, preset.integration)
             for i in truth.images}  # fmt: skip
    return {**photos, "rendered": evaluate_scenes(truth, found)}


def test_set(folders: Folders) -> Annotations:
    """The rendered photographs in which at least two people are seen."""
    truth = load_annotations(folders.work / "test" / "annotations.json")
    return truth.only([i.file_name for i, p in zip(truth.images, truth.people, strict=True) if len(p) > 1])


def peer(folders: Folders, python: str) -> list[str]:
    """MediaPipe's world landmarks, given each person's true box (it finds one person a picture)."""
    taught = teach(folders.work / "test", test_set(folders), python, folders.work / "mediapipe.json")
    found = figures(taught.guess, taught.exact)
    return ["MediaPipe Pose full, world landmarks, true boxes", "-", "-", *shown({f: found[f] for _, f in FIGURES[2:]})]


def shown(figures: dict[str, float]) -> list[str]:
    """Shares with three decimals, millimetres whole."""
    return [f"{value:.0f}" if "MPJPE" in name else f"{value:.3f}" for name, value in figures.items()]


if __name__ == "__main__":
    main()
