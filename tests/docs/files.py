"""The files that the pages talk of: photographs, annotations, a short video and its results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from anchorpose.app.cli import main
from anchorpose.io.files import write_image
from anchorpose.io.images import read_image
from anchorpose.io.video.writer import VideoWriter
from tests.docs.snippets import ROOT

TIMES = (0.0, 0.1, 0.2, 0.3, 0.4, 60.0, 60.1, 60.2)
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
    _write_video(folder, read_image(photos / names[3]), read_image(photos / names[4]))
    assert main(["track", str(folder / "match.mp4"), "--out", str(folder / "results"), "--no-overlay"]) == 0


def _only(annotations: dict, names: list[str]) -> dict:
    images = [image for image in annotations["images"] if image["file_name"] in names]
    ids = {image["id"] for image in images}
    people = [person for person in annotations["annotations"] if person["image_id"] in ids]
    return {**annotations, "images": images, "annotations": people}


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
