"""Identities over time on rendered sequences with exact truth: `Tracker` beside plain IoU tracking, and its speed.

All are given the same people: (a) what our detector finds, and of those only the surer ones, (b) the truth with what
detectors do to it (jitter, 10 % missing, false people). Frames with several people who cross, leave and come back are
made by `anchorpose.synthesis.sequences`.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy starts its threads

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from systems import table

import anchorpose
from anchorpose.app.video import NEW_SCORE
from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.identity import Identity, identity
from anchorpose.evaluation.tracking import Clear, Frame, clear
from anchorpose.io.files import write_image
from anchorpose.io.overlay import draw_overlay
from anchorpose.motion.tracker import Tracker, TrackerOptions
from anchorpose.synthesis.sequences import SequenceFrame, read_sequence, render_sequences

FEWEST_SEEN = 3  # joints; people of whom less is seen are neither wanted nor wrong
AWAY = 2.0  # seconds, what the tracker promises
SURE = 0.5
SEED = 11

Follow = Callable[[Sequence[SequenceFrame], Sequence[Poses]], list[Poses]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=Path, required=True, help="folder of the sequences; rendered if missing")
    parser.add_argument("--mocap", nargs="+", help="motion capture of walks, to render")
    parser.add_argument("--data", type=Path, help="folder with backgrounds/ and textures/, to render")
    parser.add_argument("--count", type=int, default=8, help="sequences")
    parser.add_argument("--sheet", type=Path, help="also draw frames with identities into this picture")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.mocap and args.data:
        render_sequences(tuple(args.mocap), args.data / "backgrounds", args.data / "textures", args.sequences,
                         args.count, seed=5, split="test")  # fmt: skip
    sequences = [list(read_sequence(args.sequences / f"{i:03d}")) for i in range(args.count)]
    estimator = anchorpose.load(threads=1)
    detected = [[estimator(f.image, f.poses.camera) for f in frames] for frames in sequences]
    found = {
        "detector": detected,
        f"detector, --min-score {SURE:g}": [[p[p.scores >= SURE] for p in people] for people in detected],
        "truth + noise": [noisy(frames, np.random.default_rng([SEED, i])) for i, frames in enumerate(sequences)],
    }
    trackers: dict[str, Follow] = {
        "plain IoU": by_iou, "Tracker": by_tracker(TrackerOptions(new_score=NEW_SCORE)),
        "true identities": by_truth, "Tracker, follows everybody": by_tracker(TrackerOptions()),
        "Tracker without flow": by_tracker(TrackerOptions(new_score=NEW_SCORE, flow_side=0)),
        "Tracker without pictures": by_tracker(TrackerOptions(new_score=NEW_SCORE), pictures=False),
    }  # fmt: skip
    rows = [[people, name, *figures(sequences, detections, follow)]
            for people, detections in found.items() for name, follow in trackers.items()]  # fmt: skip
    print(table(["people from", "tracking", "IDF1", "MOTA", "switches", "misses", "false", "people"], rows))
    print()
    print(table(["one core, processor time of the median frame", "ms"], speeds()))
    if args.sheet:
        write_image(args.sheet, sheet(sequences, found["detector"], trackers["Tracker"]))
        print(args.sheet)


def noisy(frames: Sequence[SequenceFrame], rng: np.random.Generator) -> list[Poses]:
    """The truth as a fair detector would find it.

    Joints jitter by 2 % of the person's height (hidden ones twice that), the 3D pose by 3 cm and 5 % in depth; 10 % are
    missing, and all of whom fewer than three joints are seen; one frame in ten has a false person.
    """
    return [_with_noise(f.poses, rng) for f in frames]


def _with_noise(truth: Poses, rng: np.random.Generator) -> Poses:
    kept = truth[wanted_people(truth) & (rng.random(len(truth)) > 0.1)]
    if rng.random() < 0.1 and len(kept):
        ghost = kept[int(rng.integers(len(kept)))]
        shift = np.array([rng.uniform(-0.4, 0.4) * truth.camera.width, rng.uniform(-20, 20)], np.float32)
        kept = joined(kept, replace(ghost, joints2d=ghost.joints2d + shift, translation=ghost.translation * 1.1))
    height = kept.boxes[:, 3] - kept.boxes[:, 1]
    spread = 0.02 * height[:, None, None] * np.where(kept.joint_states == JointState.VISIBLE, 1, 2)[..., None]
    joints2d = (kept.joints2d + spread * rng.normal(size=kept.joints2d.shape)).astype(np.float32)
    joints3d = kept.joints3d + rng.normal(0, 0.03, kept.joints3d.shape)
    scale = 1 + rng.normal(0, 0.05, (len(kept), 1))
    order = rng.permutation(len(kept))
    return replace(
        kept, joints2d=joints2d, joints3d=(joints3d - body_centre(joints3d)[:, None]).astype(np.float32),
        translation=(kept.translation * scale).astype(np.float32), boxes=boxes.around(joints2d, 0.1), track_ids=None,
    )[order]  # fmt: skip


def joined(a: Poses, b: Poses) -> Poses:
    """The people of two `Poses` of one frame."""
    arrays = ("scores", "boxes", "joints2d", "joints3d", "translation", "joint_scores", "joint_states")
    both = {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in arrays}
    return replace(a, **both, hypotheses=a.hypotheses + b.hypotheses, track_ids=None)


def by_tracker(options: TrackerOptions, pictures: bool = True) -> Follow:
    """Our tracker; those whom it leaves out are missed."""

    def follow(frames: Sequence[SequenceFrame], people: Sequence[Poses]) -> list[Poses]:
        tracker = Tracker(options)
        return [tracker.update(p, f.image if pictures else None, f.time)
                for f, p in zip(frames, people, strict=True)]  # fmt: skip

    return follow


def by_iou(frames: Sequence[SequenceFrame], people: Sequence[Poses], least: float = 0.3, patience: float = 2.0,
           ) -> list[Poses]:  # fmt: skip
    """Plain IoU tracking: the assignment with the most overlap with each track's last box, lost after as long."""
    last: dict[int, tuple[np.ndarray, float]] = {}
    count, result = 0, []
    for frame, poses in zip(frames, people, strict=True):
        last = {k: v for k, v in last.items() if frame.time - v[1] <= patience}
        ids = np.zeros(len(poses), np.int64)
        known = list(last)
        overlap = boxes.iou(np.array([last[k][0] for k in known]).reshape(-1, 4), poses.boxes)
        for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
            if overlap[row, column] >= least:
                ids[column] = known[row]
        for i in np.flatnonzero(ids == 0):
            count += 1
            ids[i] = count
        last |= {int(k): (box, frame.time) for k, box in zip(ids, poses.boxes, strict=True)}
        result.append(replace(poses, track_ids=ids))
    return result


def by_truth(frames: Sequence[SequenceFrame], people: Sequence[Poses]) -> list[Poses]:
    """The best that can be done with these people: whoever fits a true person has their identity."""
    result, count = [], 1000
    for frame, poses in zip(episodes(frames), people, strict=True):
        overlap = boxes.iou(_inside(frame.poses), _inside(poses))
        ids = np.arange(count, count + len(poses))
        count += len(poses)
        for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
            assert frame.poses.track_ids is not None
            if overlap[row, column] >= 0.5:
                ids[column] = frame.poses.track_ids[row]
        result.append(replace(poses, track_ids=ids))
    return result


def figures(
    sequences: Sequence[Sequence[SequenceFrame]], found: Sequence[Sequence[Poses]], follow: Follow
) -> list[str]:
    """IDF1, MOTA and counts over all sequences, at an overlap of 0.5 of whole bodies' boxes within the picture.

    Who was away for longer than `AWAY` is somebody new.
    """
    identities, counts = Identity(), Clear()
    for frames, people in zip(sequences, found, strict=True):
        renamed = episodes(frames)
        scored = [score(f.poses, p) for f, p in zip(renamed, follow(frames, people), strict=True)]
        identities, counts = identities + identity(scored), counts + clear(scored)
    return [f"{identities.idf1:.3f}", f"{counts.mota:.3f}", f"{counts.switches}", f"{counts.misses}",
            f"{counts.false_positives}", f"{counts.people}"]  # fmt: skip


def episodes(frames: Sequence[SequenceFrame]) -> list[SequenceFrame]:
    """The truth with a new identity for everybody who comes back after more than `AWAY` seconds out of sight."""
    last: dict[int, float] = {}
    visits: dict[int, int] = {}
    result = []
    for frame in frames:
        assert frame.poses.track_ids is not None
        seen = wanted_people(frame.poses)
        for person in frame.poses.track_ids[seen].tolist():
            visits[person] = visits.get(person, 0) + (frame.time - last.get(person, frame.time) > AWAY)
            last[person] = frame.time
        ids = [100 * visits.get(person, 0) + person for person in frame.poses.track_ids.tolist()]
        result.append(replace(frame, poses=replace(frame.poses, track_ids=np.array(ids, np.int64))))
    return result


def wanted_people(truth: Poses) -> np.ndarray:
    """(n,) who is seen well enough to be wanted."""
    return (truth.joint_states == JointState.VISIBLE).sum(1) >= FEWEST_SEEN


def score(truth: Poses, people: Poses) -> Frame:
    """One frame; who is hidden is left out on both sides, as MOT's benchmarks leave out those who are not labelled."""
    overlap = boxes.iou(_inside(truth), _inside(people))
    wanted = wanted_people(truth)
    rows, columns = linear_sum_assignment(np.where(overlap >= 0.5, overlap + wanted[:, None], 0), maximize=True)
    free = columns[(overlap[rows, columns] >= 0.5) & ~wanted[rows]]
    kept = np.setdiff1d(np.arange(len(people)), free)
    assert truth.track_ids is not None
    assert people.track_ids is not None
    return Frame(truth.track_ids[wanted], people.track_ids[kept], overlap[wanted][:, kept])


def _inside(poses: Poses) -> np.ndarray:
    return boxes.clip(poses.boxes, poses.camera.width, poses.camera.height)


def speeds(people: int = 10, frames: int = 150) -> list[list[str]]:
    """Processor time of `Tracker.update` for ten people who walk about at 640 x 480, and of plain IoU tracking."""
    rng = np.random.default_rng(0)
    camera = Camera.from_fov(640, 480, 60)
    image = cv2.GaussianBlur(rng.integers(0, 255, (480, 640, 3), np.uint8), (0, 0), 3)
    pose = np.random.default_rng(1).normal(0, 0.3, (people, 13, 3))
    start, speed = rng.uniform([-3, -0.2, 5], [3, 0.2, 8], (people, 3)), rng.normal(0, [0.3, 0, 0.2], (people, 3))
    moments = [_walk(camera, pose, start + speed * t / 25, rng) for t in range(frames)]
    shifted = [np.roll(image, t, axis=1) for t in range(8)]
    rows = []
    for name, options, pictures in (("without pictures", TrackerOptions(), False),
                                    ("with colours", TrackerOptions(flow_side=0), True),
                                    ("with colours and flow", TrackerOptions(), True)):  # fmt: skip
        tracker = Tracker(options)
        spent = _timed(tracker.update(p, shifted[t % 8] if pictures else None, t / 25) for t, p in enumerate(moments))
        rows.append([f"Tracker, {people} people, {name}", f"{spent:.2f}"])
    still = [SequenceFrame(image, p, t / 25, None) for t, p in enumerate(moments)]  # type: ignore[arg-type]
    spent = _timed(by_iou(still, moments) for _ in range(5)) / frames
    return [*rows, [f"plain IoU, {people} people", f"{spent:.2f}"]]


def _timed(work: Iterable[object]) -> float:
    """Milliseconds of processor time of the median step."""
    spent, start = [], time.process_time()
    for _ in work:
        spent.append(time.process_time() - start)
        start = time.process_time()
    return 1000 * float(np.median(spent))


def _walk(camera: Camera, pose: np.ndarray, place: np.ndarray, rng: np.random.Generator) -> Poses:
    joints = pose + rng.normal(0, 0.02, pose.shape)
    joints2d = camera.project(joints + place[:, None]).astype(np.float32)
    states = np.full(joints.shape[:2], JointState.VISIBLE, np.uint8)
    return Poses(LCR13, camera, np.ones(len(pose), np.float32), boxes.around(joints2d, 0.1), joints2d,
                 joints.astype(np.float32), place.astype(np.float32), states.astype(np.float32), states)  # fmt: skip


def sheet(sequences: Sequence[Sequence[SequenceFrame]], found: Sequence[Sequence[Poses]], follow: Follow) -> np.ndarray:
    """Six frames of each sequence with what was followed."""
    rows = []
    for frames, people in zip(sequences, found, strict=True):
        followed = follow(frames, people)
        shown = np.linspace(0, len(frames) - 1, 6).astype(int)
        rows.append(np.hstack([draw_overlay(frames[i].image, followed[i], extend=False) for i in shown]))
    return np.vstack(rows)


if __name__ == "__main__":
    main()
