"""Figures of 33 world landmarks for each person, as `evaluate_scenes` gives them for our own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from anchorpose.core.poses import body_centre
from anchorpose.datasets.coco import blazepose_to_lcr13
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.pose3d import average, mpjpe, pa_mpjpe
from anchorpose.evaluation.scenes import PCK3D_MILLIMETRES


def evaluate_landmarks(annotations: Path, counted: Annotations, landmarks: Path) -> dict[str, float]:
    """MPJPE, PA-MPJPE and 3DPCK; landmarks are {annotation id: (33, 3) metres}, absent where nobody was found.

    Only people of the `counted` images count.
    """
    images = {image.id for image in counted.images}
    people = [a for a in json.loads(annotations.read_text())["annotations"] if a["image_id"] in images]
    found = json.loads(landmarks.read_text())
    truth = np.array([p["joints3d"] for p in people], dtype=np.float64)
    missing = np.full((33, 3), np.nan)
    guess = blazepose_to_lcr13(np.array([found.get(str(p["id"]), missing) for p in people], dtype=np.float32))
    guess = guess - body_centre(guess)[:, None]
    errors = 1000 * np.linalg.norm(guess - truth, axis=-1)
    within, there = errors <= PCK3D_MILLIMETRES, np.isfinite(errors).all(1)
    return {"people": len(people), "found": int(there.sum()), "MPJPE": average(mpjpe(guess, truth)),
            "PA-MPJPE": average(pa_mpjpe(guess, truth)), "3DPCK": float(within[there].mean()),
            "3DPCK_all": float(within.mean())}  # fmt: skip
