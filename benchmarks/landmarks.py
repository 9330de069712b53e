"""A teacher's 33 landmarks for people whose 3D is exact: MediaPipe, run by `children/mediapipe_world.py`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import body_centre
from anchorpose.datasets.coco import blazepose_to_lcr13
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.pck3d import pck3d
from anchorpose.evaluation.pose3d import average, mpjpe, pa_mpjpe

Floats = NDArray[np.float32]
NEAR = 0.1
"""A landmark within this share of the box's longer side meets its label, as in the teacher's `agreement`."""


@dataclass(frozen=True)
class Taught:
    """n people in LCR13: exact and guessed 3D (n, 13, 3), NaN where nobody was found, and the agreement (n,) in 2D."""

    ids: list[int]
    exact: Floats
    guess: Floats
    agreement: Floats


def teach(scenes: Path, counted: Annotations, python: str, out: Path) -> Taught:
    """Run the teacher on every person of `scenes` (once: `out` keeps it) and read those of the `counted` images."""
    if not out.exists():
        child = Path(__file__).parent / "children" / "mediapipe_world.py"
        subprocess.run([python, str(child), str(scenes), str(out)], check=True)
    images = {image.id for image in counted.images}
    data = json.loads((scenes / "annotations.json").read_text())["annotations"]
    people, found = [a for a in data if a["image_id"] in images], json.loads(out.read_text())
    nobody = {"world": np.full((33, 3), np.nan), "image": np.full((33, 2), np.nan)}
    marks = [found.get(str(p["id"]), nobody) for p in people]
    guess = blazepose_to_lcr13(np.array([m["world"] for m in marks], dtype=np.float32))
    image = blazepose_to_lcr13(np.array([m["image"] for m in marks], dtype=np.float32))
    labels = np.array([p["keypoints"] for p in people], dtype=np.float32).reshape(-1, 13, 3)
    side = np.array([max(p["bbox"][2:]) for p in people])[:, None]
    near = np.linalg.norm(image - labels[..., :2], axis=-1) <= NEAR * side
    labelled = labels[..., 2] > 0
    agreement = (near & labelled).sum(1) / np.maximum(labelled.sum(1), 1)
    exact = np.array([p["joints3d"] for p in people], dtype=np.float32)
    return Taught([p["id"] for p in people], exact, guess - body_centre(guess)[:, None], agreement.astype(np.float32))


def figures(guess: Floats, exact: Floats) -> dict[str, float]:
    """As `evaluate_scenes` gives them: guess and exact (n, 13, 3) metres, NaN where nobody was found."""
    there = np.isfinite(guess).all((1, 2))
    return {"people": len(exact), "found": int(there.sum()), "MPJPE": average(mpjpe(guess, exact)),
            "PA-MPJPE": average(pa_mpjpe(guess, exact)), "3DPCK": pck3d(guess[there], exact[there]).pck,
            "3DPCK_all": pck3d(guess, exact).pck}  # fmt: skip
