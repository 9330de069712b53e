"""The files that the pages talk of: photographs, annotations, a video and its results, motion capture, archives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anchorpose.app.cli import main
from anchorpose.io.files import write_image
from anchorpose.io.images import read_image
from anchorpose.io.video.writer import VideoWriter
from anchorpose.synthesis.library import PoseLibrary
from tests.docs.archives import make_archives
from tests.docs.snippets import ROOT
from tests.synthesis.photographs import random_pose, write_photographs
from tests.synthesis.test_bvh import person_bvh

TIMES = (0.0, 0.1, 0.2, 0.3, 0.4, 60.0, 60.1, 60.2, 60.3)
"""Seconds of the video's frames: two short scenes, because a page starts at the first minute."""


def make_files(folder: Path) -> None:
    """Fills a folder with what a reader of the pages would have."""
    photos = folder / "examples" / "photos"
    shutil.copytree(ROOT / "examples" / "photos", photos)
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    names = sorted(path.name for path in photos.glob("*.jpg"))
    for name in ("street.jpg", "a.jpg", "b.jpg"):
        shutil.copy(photos / names[3], folder / name)
    annotations = json.loads((photos / "annotations.json").read_text(encoding="utf-8"))
    for part, file, chosen in (("photos", "people.json", names[:3]), ("val", "val.json", names[3:])):
        (folder / part).mkdir()
        for name in chosen:
            shutil.copy(photos / name, folder / part / name)
        (folder / file).write_text(json.dumps(_only(annotations, chosen)), encoding="utf-8")
    make_archives(folder, folder / "val", _only(annotations, names[3:]))
    _write_for_training(folder)
    _write_video(folder, read_image(photos / names[3]), read_image(photos / names[4]))
    assert main(["track", str(folder / "match.mp4"), "--out", str(folder / "results"), "--no-overlay"]) == 0


def _only(annotations: dict[str, Any], names: list[str]) -> dict[str, Any]:
    images = [image for image in annotations["images"] if image["file_name"] in names]
    ids = {image["id"] for image in images}
    people = [person for person in annotations["annotations"] if person["image_id"] in ids]
    return {**annotations, "images": images, "annotations": people}


def _write_for_training(folder: Path) -> None:
    """Motion capture, data cards, pictures without people, other weights."""
    rng = np.random.default_rng(0)
    (folder / "mocap").mkdir()
    for number in range(3):
        person_bvh(folder / "mocap" / f"{number}.bvh", 100, rng, turn=35.0)
    # three people are too few for a mosaic, so it has photographs and poses of its own
    (folder / "drawn").mkdir()
    poses = np.stack([random_pose(rng, bend=0.3) for _ in range(20)])
    PoseLibrary(poses, ("clip",), np.zeros(len(poses), np.int32)).save(folder / "drawn" / "poses.npz")
    write_photographs(folder / "drawn", poses[:12], rng)
    named = (("mine", "people.json", "photos"), ("more", "val.json", "val"))
    sources = [{"name": n, "annotations": a, "images": i, "licence": "CC BY 2.0"} for n, a, i in named]
    for name in ("card.json", "data.json"):
        (folder / name).write_text(json.dumps({"sources": sources}), encoding="utf-8")
    for name in ("empty", "cloth"):
        (folder / name).mkdir()
        for number in range(6):
            noise = rng.integers(0, 256, (8, 8, 3), np.uint8)
            write_image(folder / name / f"{number}.png", cv2.resize(noise, (400, 400), interpolation=cv2.INTER_CUBIC))
    weights = ROOT / "src" / "anchorpose" / "weights"
    for kind in ("onnx", "json"):
        shutil.copy(weights / f"posebert.{kind}", folder / f"posebert-thin.{kind}")


def _write_video(folder: Path, *people: np.ndarray) -> None:
    """Photographs side by side at half their size (which is quick), moving: `match.mp4`, and the same in `frames/`."""
    halves = [image[: image.shape[0] // 4 * 4 : 2, : image.shape[1] // 4 * 4 : 2] for image in people]
    height = min(image.shape[0] for image in halves)
    image = np.hstack([half[:height] for half in halves])
    (folder / "frames").mkdir()
    with VideoWriter(folder / "match.mp4", image.shape[1], height, fps=10) as writer:
        for number, time in enumerate(TIMES):
            frame = np.roll(image, 3 * number, axis=1)
            writer.write(frame, time)
            write_image(folder / "frames" / f"{number:04}.jpg", frame)
    (folder / "videos").mkdir()
    shutil.copy(folder / "match.mp4", folder / "videos")
