"""COCO keypoint files with the 3D of the nearest projected motion capture written in (LCR-Net section 4.2).

A lifted annotation gains, in `LCR13` order: `joints3d` 13 x [x, y, z] metres, camera axes, relative to the body centre;
`joints2d` 13 x [x, y] pixels, labelled joints as they were and the others from the match; `lift_error` metres;
`lift_pose` the library's row; `lift_source` "match" or "teacher". Where the left and right labels of arms and legs
contradict each other (`PoseLifter.swapped`), also where nothing is lifted, it gains `swapped` true. Everything else
stays as it was, but for the `keypoints` that `fix_swapped` exchanges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, Skeleton
from anchorpose.datasets.coco import read_lifted
from anchorpose.evaluation.annotations import load_annotations
from anchorpose.evaluation.pose3d import average, mpjpe, pa_mpjpe
from anchorpose.io.files import write_json
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.lifting import ARMS, FOLLOW, LEGS, NEIGHBOURS, Lifted, PoseLifter, exchange
from anchorpose.synthesis.views import ViewOptions

Floats = NDArray[np.float32]
Annotation = dict[str, Any]
MAX_ERROR = 0.1
"""Metres; matches that are further from the labels are dropped."""
MIN_JOINTS = 6
_BATCH = 32


@dataclass(frozen=True)
class LiftOptions:
    """How people are lifted.

    Args:
        views: the virtual cameras of each pose.
        neighbours, follow: see `PoseLifter.lift`.
        min_joints: people with fewer labelled joints of LCR13 are left without 3D.
        max_error: metres; people whose match is worse are left without 3D.
        prefer: whose 3D a person gets that both know, the `match`'s or the `teacher`'s. On rendered people, whose 3D
            is exact, the match is nearer even where the teacher meets the labels (docs/data.md).
        fix_swapped: exchange left and right of the arms or the legs, whichever fits better, before lifting people whose
            labels look swapped; else they are only flagged.
        seed: of the cameras' angles.
    """

    views: ViewOptions = ViewOptions()  # noqa: RUF009 (frozen)
    neighbours: int = NEIGHBOURS
    follow: float = FOLLOW
    min_joints: int = MIN_JOINTS
    max_error: float = MAX_ERROR
    prefer: Literal["match", "teacher"] = "match"
    fix_swapped: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.min_joints <= len(LCR13) or self.neighbours < 1 or self.max_error <= 0:
            raise InputError(f"found min_joints {self.min_joints}, neighbours {self.neighbours} and max_error "
                             f"{self.max_error}; wanted 2 to {len(LCR13)}, at least 1, and above 0 metres")  # fmt: skip


@dataclass(frozen=True)
class LiftReport:
    """What became of the people with labelled joints.

    Args:
        out: the file written.
        people: those with a label; lifted = matched + taught; too_few = fewer than `min_joints`; too_far = dropped.
        median_error: metres, of all people with enough joints, also the dropped; NaN where nobody has.
        projections: 2D poses that were searched.
        swapped: people whose left and right labels look swapped in part.
    """

    out: Path
    people: int
    matched: int
    taught: int
    too_few: int
    too_far: int
    median_error: float
    projections: int
    swapped: int = 0

    def line(self) -> str:
        """What a user wants to read of it."""
        return (
            f"{self.out}: of {self.people} people with labels {self.matched} matched among {self.projections} "
            f"projections (median error {1000 * self.median_error:.0f} mm), {self.taught} by the teacher, "
            f"{self.too_few} with too few joints, {self.too_far} too far from every pose, {self.swapped} with "
            "left and right labels that look swapped"
        )


@dataclass(frozen=True)
class LiftingErrors:
    """Lifted against exact 3D.

    Args:
        people: those with exact 3D and enough joints; kept: those below `max_error`, of whom the figures are.
        mpjpe, pa_mpjpe: millimetres; the first after scaling each lifted pose to the exact one's size, because a
            picture does not tell it.
        mean_pose_mpjpe: of a constant guess, the mean of the exact poses; what is no better knows nothing.
    """

    people: int
    kept: int
    mpjpe: float
    pa_mpjpe: float
    mean_pose_mpjpe: float


def lift_annotations(
    annotations: Path, library: Path, out: Path, options: LiftOptions = LiftOptions(), teacher: Path | None = None
) -> LiftReport:
    """Write a COCO keypoint file with 3D for the people that motion capture explains.

    Args:
        annotations: COCO keypoint JSON of any skeleton with joints named as in `core.skeleton`.
        library: npz of a `PoseLibrary`.
        out: the file to write.
        options: how.
        teacher: npz of a network's 3D guesses (`datasets.coco.read_lifted`), which count where they meet the labels;
            see `LiftOptions.prefer`.

    Raises:
        InputError: a file is missing or broken, or the library is empty.
    """
    data, people = _labelled(annotations)
    taught = {} if teacher is None else read_lifted(teacher)
    asked = {id(a) for a, j in people if _count(j) >= options.min_joints
             and (options.prefer == "match" or a["id"] not in taught)}  # fmt: skip
    lifter = PoseLifter(PoseLibrary.load(library).joints3d, options.views, options.seed)
    skeletons = _skeletons(data)
    swapped = _flag_swapped([p for p in people if id(p[0]) in asked], lifter)
    for annotation, legs in swapped:
        annotation["swapped"] = True
        if options.fix_swapped:
            _exchange(annotation, skeletons[annotation["category_id"]], LEGS if legs else ARMS)
    if options.fix_swapped:
        people = _people(data)
    errors: list[float] = []
    matched: set[int] = set()
    for annotation, lifted in _matches([p for p in people if id(p[0]) in asked], lifter, options):
        errors.append(float(lifted.error[0]))
        if errors[-1] <= options.max_error:
            matched.add(id(annotation))
            _store(annotation, lifted.joints2d[0], lifted.joints3d[0], "match")
            annotation |= {"lift_error": round(errors[-1], 5), "lift_pose": int(lifted.pose[0])}
    rest = [(a, j) for a, j in people if id(a) not in matched]
    for annotation, joints2d in rest:
        if annotation["id"] in taught:
            guess2d, guess3d = taught[annotation["id"]]
            _store(annotation, np.where(np.isnan(joints2d), guess2d, joints2d), guess3d, "teacher")
    write_json(out, data)
    left = [a for a, _ in rest if a["id"] not in taught]
    too_far = sum(id(a) in asked for a in left)
    median = float(np.median(errors)) if errors else float("nan")
    return LiftReport(Path(out), len(people), len(matched), len(rest) - len(left), len(left) - too_far, too_far, median,
                      len(lifter), len(swapped))  # fmt: skip


def lifting_errors(annotations: Path, library: Path, options: LiftOptions = LiftOptions()) -> LiftingErrors:
    """Lift the labelled joints of people whose 3D is known exactly, and compare.

    Args:
        annotations: COCO keypoint JSON whose annotations have `joints3d` (see `synthesis.scenes`); only their
            `keypoints` are lifted, as if labelled by hand.
        library: npz of a `PoseLibrary`; it should not hold the clips of the exact poses.
        options: how.

    Raises:
        InputError: a file is missing or broken, or nobody has exact 3D and enough labelled joints.
    """
    people = [(a, j) for a, j in _labelled(annotations)[1] if a.get("joints3d") and _count(j) >= options.min_joints]
    if not people:
        raise InputError(f"{annotations} has nobody with joints3d and {options.min_joints} labelled joints; give the "
                         "annotations of synthesised scenes")  # fmt: skip
    lifter = PoseLifter(PoseLibrary.load(library).joints3d, options.views, options.seed)
    found = list(_matches(people, lifter, options))
    exact = np.stack([_exact(a["joints3d"]) for a, _ in found])
    guess = np.concatenate([lifted.joints3d for _, lifted in found])
    kept = np.array([lifted.error[0] <= options.max_error for _, lifted in found])
    known = ~np.isnan(exact)
    size = np.sqrt((exact**2).sum((1, 2), where=known) / (guess**2).sum((1, 2), where=known))
    guess *= size[:, None, None]
    mean = np.broadcast_to(np.nanmean(exact, axis=0), exact.shape)
    return LiftingErrors(len(found), int(kept.sum()), average(mpjpe(guess[kept], exact[kept])),
                         average(pa_mpjpe(guess[kept], exact[kept])), average(mpjpe(mean, exact)))  # fmt: skip


def _labelled(path: Path) -> tuple[dict[str, Any], list[tuple[Annotation, Floats]]]:
    """The file as it is, and its annotations that have a labelled joint of LCR13 with those joints (13, 2)."""
    load_annotations(path)  # says what is wrong with the file
    data = json.loads(Path(path).read_text())
    return data, _people(data)


def _skeletons(data: dict[str, Any]) -> dict[int, Skeleton]:
    return {c["id"]: Skeleton(c["name"], tuple(c["keypoints"])) for c in data["categories"] if c.get("keypoints")}


def _people(data: dict[str, Any]) -> list[tuple[Annotation, Floats]]:
    """Annotations that have a labelled joint of LCR13, with those joints (13, 2)."""
    skeletons, people = _skeletons(data), []
    for annotation in data["annotations"]:
        skeleton = skeletons.get(annotation.get("category_id"))
        if skeleton is None or annotation.get("iscrowd") or not annotation.get("keypoints"):
            continue
        flat = np.array(annotation["keypoints"], dtype=np.float32).reshape(-1, 3)
        joints = np.concatenate([flat, np.zeros((1, 3), np.float32)])[skeleton.map_to(LCR13)]
        labelled = joints[:, 2:] > 0
        if labelled.any():
            people.append((annotation, np.where(labelled, joints[:, :2], np.nan).astype(np.float32)))
    return people


def _flag_swapped(people: list[tuple[Annotation, Floats]], lifter: PoseLifter) -> list[tuple[Annotation, bool]]:
    """The annotations whose labels contradict each other, and whether their legs fit better exchanged."""
    found = []
    people = sorted(people, key=lambda person: np.isnan(person[1][:, 0]).tobytes())
    for start in tqdm(range(0, len(people), _BATCH), desc="left and right", unit="batch", disable=None):
        batch = people[start : start + _BATCH]
        swapped, legs = lifter.swapped(np.stack([joints for _, joints in batch]))
        found += [(batch[i][0], bool(legs[i])) for i in np.flatnonzero(swapped)]
    return found


def _exchange(annotation: Annotation, skeleton: Skeleton, part: tuple[str, ...]) -> None:
    """Left and right keypoints of a part of the body change places, with their visibility."""
    keypoints = np.array(annotation["keypoints"], dtype=object).reshape(-1, 3)
    annotation["keypoints"] = exchange(keypoints, part, skeleton).ravel().tolist()


def _matches(
    people: list[tuple[Annotation, Floats]], lifter: PoseLifter, options: LiftOptions
) -> Iterator[tuple[Annotation, Lifted]]:
    """Each annotation with its match; people with the same labelled joints go together, which the search likes."""
    people = sorted(people, key=lambda person: np.isnan(person[1][:, 0]).tobytes())
    with tqdm(total=len(people), desc="lifting", unit="person") as progress:
        for start in range(0, len(people), _BATCH):
            batch = people[start : start + _BATCH]
            lifted = lifter.lift(np.stack([j for _, j in batch]), options.neighbours, options.follow)
            yield from ((annotation, lifted[i : i + 1]) for i, (annotation, _) in enumerate(batch))
            progress.update(len(batch))


def _store(annotation: Annotation, joints2d: Floats, joints3d: Floats, source: str) -> None:
    annotation["joints2d"] = np.round(joints2d.astype(np.float64), 2).tolist()
    annotation["joints3d"] = np.round(joints3d.astype(np.float64), 4).tolist()
    annotation["lift_source"] = source


def _count(joints2d: Floats) -> int:
    return int((~np.isnan(joints2d[:, 0])).sum())


def _exact(rows: list[list[float] | None]) -> Floats:
    return np.array([[np.nan] * 3 if row is None else row for row in rows], dtype=np.float32)
