from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import COCO17, Skeleton
from anchorpose.evaluation.annotations import Annotations, load_annotations
from tests.evaluation.fakes import annotation, coco, poses, scene, write

Case = tuple[Annotations, dict[str, Poses]]


@pytest.fixture
def crowded(tmp_path: Path) -> Callable[..., Case]:
    """Random photographs with crowds, ignored people and false alarms."""

    def make(seed: int = 0, images: int = 12) -> Case:
        data, found = scene(np.random.default_rng(seed), images)
        return load_annotations(write(tmp_path, data)), {f"{i}.jpg": poses(*people) for i, people in found.items()}

    return make


@pytest.fixture
def plain(tmp_path: Path) -> Callable[..., Case]:
    """People side by side, one row an image, and predictions that are off by noise of `noise` pixels.

    Joints are flagged visible and hidden in turns. `nobody` finds nobody, `annotated` False annotates nobody.
    """

    def make(
        skeleton: Skeleton = COCO17, images: int = 8, each: int = 2, noise: float = 0, nobody: bool = False,
        annotated: bool = True, exact: bool = False,
    ) -> Case:  # fmt: skip
        rng = np.random.default_rng(1)
        people, found = [], {}
        for image in range(1, images + 1):
            truth = np.stack([person(rng, skeleton, 200 * k + 150) for k in range(each)])
            guess = poses(truth + rng.normal(0, noise, truth.shape) if noise else truth, np.full(each, 0.75), skeleton)
            found[f"{image}.jpg"] = guess[:0] if nobody else guess
            people += [entry(len(people) + k + 1, image, joints, exact) for k, joints in enumerate(truth)]
        data = coco(images, people if annotated else [], skeleton)
        return load_annotations(write(tmp_path, data)), found

    return make


def person(rng: np.random.Generator, skeleton: Skeleton, left: float) -> np.ndarray:
    """(J, 2) joints around an upright body 160 px high."""
    heights = {"ankle": 160, "knee": 120, "hip": 80, "wrist": 80, "elbow": 50, "shoulder": 20}
    rows = [heights.get(joint.split("_")[-1], 0) for joint in skeleton.joints]
    sides = [(20 if skeleton.side(j) == "left" else -20 if skeleton.side(j) == "right" else 0)
             for j in range(len(skeleton))]  # fmt: skip
    return np.column_stack([np.add(sides, left), np.add(rows, 200)]) + rng.normal(0, 4, (len(skeleton), 2))


def entry(number: int, image: int, joints: np.ndarray, exact: bool) -> dict[str, Any]:
    """An annotation whose joints are visible and hidden in turns; with 3D that is 0 where `exact`."""
    one = annotation(number, image, joints, np.ones(len(joints), bool))
    one["keypoints"][5::6] = [1] * len(one["keypoints"][5::6])
    return one | ({"joints3d": np.zeros((len(joints), 3)).tolist()} if exact else {})
