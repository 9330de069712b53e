"""The best, median and worst pictures, with what is annotated and what was found drawn over them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.report.people import Array, Integers, People
from anchorpose.io.drawing import draw_overlay
from anchorpose.io.images import read_image

COUNT = 4
SIDE = 480
"""Pixels of the longer side of an embedded picture."""
DRAWN_SCORE = 0.5
"""Predictions that belong to nobody who is annotated are drawn from this score on."""
_QUALITY = 78


@dataclass(frozen=True)
class Picture:
    """One picture of the page."""

    file: str
    score: float  # of its people, see `choose`
    people: int
    found: int
    extra: int  # predictions that belong to nobody who is annotated, of at least DRAWN_SCORE
    truth: str  # data URI, empty where the picture cannot be read
    prediction: str
    bodies: str = ""  # SVG of one person in 3D


def choose(image: Integers, score: Array, images: int) -> dict[str, list[tuple[int, float]]]:
    """Up to four best, median and worst images with their score, none twice, best first in each group.

    The score is the mean of the annotated people who count; images without any are left out. Of two images with the
    same score the one with more people is the better; after that the first.

    Args:
        image: (p,) position of each person's image.
        score: (p,) of each person, greater is better: OKS in 2D, the negative error in 3D.
        images: how many there are.
    """
    counts = np.bincount(image, minlength=images)
    total = np.bincount(image, weights=score, minlength=images)
    mean = np.divide(total, counts, out=np.zeros(images), where=counts > 0)
    order = np.lexsort((np.arange(images), -counts, -mean))
    order = order[counts[order] > 0]
    each = min(COUNT, max(1, len(order) // 3))
    best, rest = order[:each], order[each:]
    worst, between = rest[max(0, len(rest) - each) :], rest[: max(0, len(rest) - each)]
    start = (len(between) - each) // 2
    median = between[start : start + each] if start >= 0 else between
    groups = {"best": best, "median": median, "worst": worst}
    return {name: [(int(i), float(mean[i])) for i in group] for name, group in groups.items()}


def draw(
    annotations: Annotations, predictions: Mapping[str, Poses], people: People, folder: Path, index: int, score: float
) -> Picture:
    """One image of `choose`, drawn twice: what is annotated, and what was found."""
    own = people.image == index
    name = annotations.images[index].file_name
    truth = truth_poses(people, own, predictions[name])
    return compare(name, folder, truth, predictions[name], people.taken[own], score)


def compare(file: str, folder: Path, truth: Poses, found: Poses, taken: Integers, score: float) -> Picture:
    """A picture drawn twice; one that cannot be read has its figures only.

    Args:
        file: its name in `folder`.
        truth: m annotated people. found: n predictions.
        taken: (m,) the prediction of each annotated person, or -1.
        score: of the picture.
    """
    theirs = np.isin(np.arange(len(found)), taken)
    kept = found[theirs | (found.scores >= DRAWN_SCORE)]
    figures = (file, score, len(taken), int((taken >= 0).sum()), len(kept) - int(theirs.sum()))
    try:
        image = read_image(folder / file)
    except InputError:
        return Picture(*figures, "", "")
    return Picture(*figures, _embedded(image, truth, False), _embedded(image, kept, True))


def truth_poses(people: People, own: NDArray[np.bool_], like: Poses) -> Poses:
    """The annotated people `own` (p,) as `Poses` in the camera of `like`; joints of unknown state count as visible."""
    joints = np.where(people.labelled[own][..., None], people.truth[own], np.nan).astype(np.float32)
    n, j = joints.shape[:2]
    states = np.where(people.states[own] == JointState.HIDDEN, JointState.HIDDEN, JointState.VISIBLE).astype(np.uint8)
    nan = np.full((n, j, 3), np.nan, np.float32)
    return Poses(people.skeleton, like.camera, np.ones(n, np.float32), boxes.around(joints, 0.1), joints, nan,
                 nan[:, 0], np.ones((n, j), np.float32), states)  # fmt: skip


def _embedded(image: NDArray[np.uint8], poses: Poses, labels: bool) -> str:
    """A data URI of a JPEG of the picture with people on it."""
    scale = SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    factor = np.array([size[0] / image.shape[1], size[1] / image.shape[0]], np.float32)
    drawn = draw_overlay(small, replace(poses, joints2d=poses.joints2d * factor), extend=False, labels=labels)
    done, encoded = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}" if done else ""
