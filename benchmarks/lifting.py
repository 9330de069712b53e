"""Lifting against exact 3D: nearest neighbour, a network as teacher, and both together, on rendered people.

Uses what `data_engine.py` made in --work: the test scenes, and the pose library without their clips.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from data_engine import Folders, test_set
from landmarks import Floats, Taught, figures, teach
from systems import table

from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.lift_annotations import MAX_ERROR, MIN_JOINTS
from anchorpose.synthesis.lifting import FOLLOW, NEIGHBOURS, PoseLifter
from anchorpose.synthesis.views import ViewOptions

AGREES = 0.8
PEOPLE = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with coco/, lspe/ and pseudo3d/")
    parser.add_argument("--views", type=int, default=50)
    parser.add_argument("--mediapipe-python", required=True, help="python of an environment with mediapipe")
    args = parser.parse_args()
    folders = Folders(Path(), args.work)
    taught = teach(args.work / "test", test_set(folders), args.mediapipe_python, args.work / "mediapipe.json")
    single, error = lift(args, taught, 1, 0.0)
    several, _ = lift(args, taught, NEIGHBOURS, FOLLOW)
    good, agrees = error <= MAX_ERROR, taught.agreement >= AGREES
    both = good & agrees
    mixed = np.where(agrees[:, None, None], taught.guess, several)
    mean_pose = np.broadcast_to(np.nanmean(taught.exact, axis=0), taught.exact.shape)
    rows = [("mean pose", mean_pose, good), ("match, one neighbour (the paper's)", single, good),
            ("match, default", several, good), ("teacher", taught.guess, agrees),
            ("where both: match", several, both), ("where both: teacher", taught.guess, both),
            ("where both: mean of the two", (several + taught.guess) / 2, both),
            ("teacher where it agrees, else match", mixed, good | agrees)]  # fmt: skip
    lines = []
    for name, guess, chosen in rows:
        found = figures(sized(guess, taught.exact)[chosen], taught.exact[chosen])
        lines.append([name, str(int(chosen.sum())), f"{found['MPJPE']:.0f}", f"{found['PA-MPJPE']:.0f}"])
    print(f"{len(taught.exact)} people; MPJPE after scaling each guess to the exact size")
    print(table(["", "people", "MPJPE", "PA-MPJPE"], lines))
    if args.data:
        lifter = PoseLifter(PoseLibrary.load(args.work / "poses_train.npz").joints3d, ViewOptions(args.views), 0)
        rows = [photographs(args.data, name, lifter) for name in ("coco", "lspe")]
        print("photographs: the match against the teacher's 3D where the teacher agrees with the labels in 2D")
        print(table(["", "people", "kept", "MPJPE", "PA-MPJPE"], rows))


def photographs(data: Path, name: str, lifter: PoseLifter) -> list[str]:
    """How near the match comes to the teacher on photographs, whose exact 3D nobody knows."""
    images, npz = data / name / "train", data / "pseudo3d" / f"{name}_train.npz"
    labelled = [p for s in read_coco(data / name / "train.json", images) for p in s.people]
    taught = [p for s in read_coco(data / name / "train.json", images, lifted=npz) for p in s.people]
    both = [(a.joints2d, b.joints3d) for a, b in zip(labelled, taught, strict=True)
            if np.isfinite(b.joints3d).all() and a.labelled.sum() >= MIN_JOINTS]  # fmt: skip
    chosen = [both[i] for i in np.random.default_rng(0).permutation(len(both))[:PEOPLE]]
    found = lifter.lift(np.stack([a for a, _ in chosen]))
    exact, good = np.stack([b for _, b in chosen]), found.error <= MAX_ERROR
    result = figures(sized(found.joints3d, exact)[good], exact[good])
    return [name, str(len(chosen)), f"{good.mean():.0%}", f"{result['MPJPE']:.0f}", f"{result['PA-MPJPE']:.0f}"]


def lift(args: argparse.Namespace, taught: Taught, neighbours: int, follow: float) -> tuple[Floats, Floats]:
    """(n, 13, 3) matched 3D, NaN where too few joints are labelled, and the matching error (n,) metres."""
    path = args.work / "test" / "annotations.json"
    labels = {a["id"]: np.array(a["keypoints"], np.float32).reshape(13, 3)
              for a in json.loads(path.read_text())["annotations"]}  # fmt: skip
    lifter = PoseLifter(PoseLibrary.load(args.work / "poses_train.npz").joints3d, ViewOptions(args.views), 0)
    poses = np.full(taught.exact.shape, np.nan, np.float32)
    error = np.full(len(poses), np.inf, np.float32)
    for i, number in enumerate(taught.ids):
        joints = np.where(labels[number][:, 2:] > 0, labels[number][:, :2], np.nan).astype(np.float32)
        if np.isfinite(joints[:, 0]).sum() >= MIN_JOINTS:
            found = lifter.lift(joints[None], neighbours, follow)
            poses[i], error[i] = found.joints3d[0], found.error[0]
    return poses, error


def sized(guess: Floats, exact: Floats) -> Floats:
    """Each guess in the exact pose's size, which a picture does not tell."""
    size = np.sqrt((exact**2).sum((1, 2)) / np.maximum((guess**2).sum((1, 2)), 1e-9))
    return np.asarray(guess * size[:, None, None], np.float32)


if __name__ == "__main__":
    main()
