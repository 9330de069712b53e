"""How far the network's poses must be turned to be in the axes of the camera: not at all, wholly, or in between.

    python benchmarks/facing.py --data DATA --scenes rendered_test/

A row is a share of the turn that `placement.in_camera_axes` makes. On rendered people 3D is known: MPJPE, PA-MPJPE and
3DPCK, as `anchorpose evaluate scenes` prints them at a share of 1. On photographs it is not, but 3D must project onto
2D: the median over people who stand more than `BESIDE` degrees beside the optical axis of how far it misses (root mean
square after `placement.place`), as a share of the person's size, with the field of view that is assumed anyway.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from systems import table
from tqdm import tqdm

import anchorpose
from anchorpose.core.camera import Camera, looking_along
from anchorpose.core.poses import Poses, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.annotations import Annotations, load_annotations
from anchorpose.evaluation.scenes import evaluate_scenes
from anchorpose.lcrnet.integration import People, integrate
from anchorpose.lcrnet.placement import along_rays, place, reprojection_error

SHARES = (0.0, 0.4, 0.6, 0.8, 1.0, 1.2)
BESIDE = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lcrnet-lite", help="weights")
    parser.add_argument("--data", type=Path, required=True, help="folder with coco/ and lspe/, each val.json and val/")
    parser.add_argument("--scenes", type=Path, required=True, help="rendered test set: annotations.json and images/")
    parser.add_argument("--count", type=int, help="only the first photographs of each set")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    estimator = anchorpose.load(args.model, threads=args.threads)
    truth = load_annotations(args.scenes / "annotations.json")
    truth = truth.only([i.file_name for i in truth.images[: args.count]])
    rendered = find(estimator, truth, args.scenes / "images")
    photographs = {}
    for name in ("coco", "lspe"):
        labels = load_annotations(args.data / name / "val.json")
        chosen = labels.only([i.file_name for i in labels.images[: args.count]])
        photographs[name] = find(estimator, chosen, args.data / name / "val")
    lines = []
    for share in SHARES:
        found = {name: poses(people, camera, share) for name, people, camera in rendered}
        figures = evaluate_scenes(truth, found)
        off = [missed(kept, share) for kept in photographs.values()]
        known = (f"{figures['MPJPE']:.1f}", f"{figures['PA-MPJPE']:.1f}", f"{figures['3DPCK']:.3f}")
        lines.append([f"{share:.1f}", *known, *(f"{value:.3f}" for value in off)])
    names = [f"{name}, 2D missed by" for name in photographs]
    print(table(["share of the turn", "MPJPE", "PA-MPJPE", "3DPCK", *names], lines))


def find(estimator: anchorpose.Estimator, truth: Annotations, folder: Path) -> list[tuple[str, People, Camera]]:
    """The people of each picture as the network says them, and the camera that is assumed."""
    result = []
    for image in tqdm(truth.images, folder.parent.name):
        proposals, refined = estimator.detect_proposals(folder / image.file_name)
        people = integrate(proposals, estimator.model.metadata.anchors, image.width, image.height,
                           estimator.integration, refined)  # fmt: skip
        result.append((image.file_name, people, Camera.from_fov(image.width, image.height)))
    return result


def rays(people: People, camera: Camera) -> np.ndarray:
    """(n, 3) directions of the people's body centres."""
    centre = (body_centre(people.joints2d) - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    return np.concatenate([centre, np.ones((len(centre), 1))], axis=1)


def turned(people: People, camera: Camera, share: float) -> People:
    """The people with their 3D turned by a share of the way into the camera's axes."""
    if not len(people.scores):
        return people
    whole = Rotation.from_matrix(looking_along(rays(people, camera))).as_rotvec()
    turns = Rotation.from_rotvec(share * whole).as_matrix()
    return replace(people, joints3d=(people.joints3d @ turns.swapaxes(1, 2)).astype(np.float32))


def poses(people: People, camera: Camera, share: float) -> Poses:
    """As `Estimator` makes them, but for the share."""
    people = turned(people, camera, share)
    translation = place(people.joints2d, people.joints3d, camera, people.visibility)
    joints3d = people.joints3d
    if people.errors is not None:
        joints3d, translation = along_rays(people.joints2d, joints3d, translation, camera, people.errors)
    states = np.ones(people.visibility.shape, np.uint8)
    return Poses(LCR13, camera, people.scores, people.boxes, people.joints2d, joints3d, translation, people.visibility,
                 states)  # fmt: skip


def missed(found: Sequence[tuple[str, People, Camera]], share: float) -> float:
    """The median of how far projected 3D misses 2D, over people beside the optical axis."""
    return float(np.median(np.concatenate(list(_missed(found, share)))))


def _missed(found: Sequence[tuple[str, People, Camera]], share: float) -> Iterator[np.ndarray]:
    for _, before, camera in found:
        people, ahead = turned(before, camera, share), rays(before, camera)
        beside = np.degrees(np.arctan(np.linalg.norm(ahead[:, :2], axis=1))) > BESIDE
        translation = place(people.joints2d, people.joints3d, camera, people.visibility)
        off = reprojection_error(people.joints2d, people.joints3d, translation, camera, people.visibility)
        apart = people.joints2d - people.joints2d.mean(1, keepdims=True)
        yield (off / np.sqrt((apart**2).sum(2).mean(1)))[beside & np.isfinite(off)]


if __name__ == "__main__":
    main()
