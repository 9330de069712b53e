"""PoseBERT on rendered sequences, in the layout of its authors' slides; and the noise model it is trained with.

`table` prints MPJPE, PA-MPJPE and Accel of our detector's people on sequences that the training never saw: as they are,
with missing frames filled, filtered, refined, and as `anchorpose track finish` leaves them. `noise` fits
`DetectorNoise` to sequences of the training split, and prints what training/posebert/lcrnet_lite.py holds. Sequences
are rendered where `--mocap` and `--data` are given.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy starts its threads

import argparse
import pprint
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from systems import table

import anchorpose
from anchorpose.app.estimator import DEFAULT_MODEL
from anchorpose.app.finish import FinishOptions, finished
from anchorpose.core.errors import InputError
from anchorpose.evaluation.pose3d import average, mpjpe, pa_mpjpe
from anchorpose.evaluation.video3d import acceleration_error
from anchorpose.motion.bones import bone_lengths, repose
from anchorpose.motion.filters import savitzky_golay
from anchorpose.motion.gaps import interpolate
from anchorpose.motion.posebert.model import PoseBert
from anchorpose.motion.posebert.online import OnlineRefiner
from anchorpose.motion.posebert.refine import refine_tracks
from anchorpose.motion.tracks import Tracks
from anchorpose.synthesis.mocap.files import find_motions
from anchorpose.synthesis.sequences import SequenceFrame, SequenceOptions, read_sequence, render_sequences
from anchorpose.synthesis.walking import read_gait
from anchorpose.training.posebert.noise_fit import fit_noise
from anchorpose.training.posebert.pairs import Pair, pair_sequence

SEED = {"test": 5, "train": 21}
WINDOWS = (0.4, 0.8)  # seconds of Savitzky-Golay: the default of `filters`, and what suits these errors best
Refined = dict[int, tuple[np.ndarray, np.ndarray]]  # identity -> its times and (t, 13, 3) poses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("table", "noise"))
    parser.add_argument("--sequences", type=Path, nargs="+", required=True, help="folders, each of --count sequences")
    parser.add_argument("--mocap", nargs="+", help="motion capture, to render; clips that are too short are left out")
    parser.add_argument("--data", type=Path, help="folder with backgrounds/ and textures/, to render")
    parser.add_argument("--count", type=int, default=8, help="sequences")
    parser.add_argument("--model", type=Path, nargs="*", default=[], help="PoseBERT's ONNX files")
    parser.add_argument("--detector", default=DEFAULT_MODEL, help="weights that find the people")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    split = "test" if args.what == "table" else "train"
    if args.mocap and args.data:
        render_sequences(long_enough(args.mocap), args.data / "backgrounds", args.data / "textures", args.sequences[0],
                         args.count, seed=SEED[split], split=split)  # fmt: skip
    folders = [s / f"{i:03d}" for s in args.sequences for i in range(args.count)]
    sequences = [list(read_sequence(folder)) for folder in folders]
    estimator = anchorpose.load(args.detector, threads=1)
    paired = [pair_sequence(frames, [estimator(f.image, f.poses.camera) for f in frames]) for frames in sequences]
    pairs = [pair for _, own in paired for pair in own]
    rate = 1 / (sequences[0][1].time - sequences[0][0].time)
    print(f"{len(pairs)} people, {sum(len(p.times) for p in pairs)} frames at {rate:.3g} a second, found in "
          f"{100 * np.mean(np.concatenate([p.found for p in pairs])):.1f} %")  # fmt: skip
    if args.what == "noise":
        pprint.pprint(fit_noise(pairs, rate), width=118)
        return
    print(table(["poses", "MPJPE", "PA-MPJPE", "Accel", "place"],
                rows(sequences, paired, args.model) + finish_rows(paired, args.model)))  # fmt: skip


def long_enough(paths: Sequence[str]) -> tuple[str, ...]:
    """The clips that a person of a sequence can repeat."""
    kept = []
    for path in find_motions(paths):
        try:
            read_gait(path, SequenceOptions().fps)
        except InputError:
            continue
        kept.append(str(path))
    return tuple(kept)


def rows(
    sequences: Sequence[Sequence[SequenceFrame]], paired: Sequence[tuple[Tracks, tuple[Pair, ...]]], models: list[Path]
) -> list[list[str]]:
    """All figures are means over frames of all people; Accel in millimetres a frame squared; no place."""
    pairs = [pair for _, own in paired for pair in own]
    found = [_spread(p) for p in pairs]
    at_centre = [np.nan_to_num(f) for f in found]
    result = [
        ["detector, a missed frame counts as all joints at the centre", *_figures(at_centre, pairs)],
        ["matched only", *_figures(found, pairs)],
    ]
    filled = [_nearest(f) for f in found]
    result.append(["missed frames: nearest detection", *_figures(filled, pairs)])
    straight = [interpolate(f, p.times, np.inf)[0] for f, p in zip(found, pairs, strict=True)]
    one_body = [repose(f, bone_lengths(g)) for f, g in zip(straight, found, strict=True)]
    for window in WINDOWS:
        result.append([f"+ Savitzky-Golay, {window} s", *_figures(_smoothed(filled, pairs, window), pairs)])
    for window in WINDOWS:
        smooth = _smoothed(one_body, pairs, window)
        result.append([f"interpolated, one set of bones, Savitzky-Golay, {window} s", *_figures(smooth, pairs)])
    for path in models:
        model = PoseBert(path)
        kinds: dict[str, Callable[[Tracks, Sequence[SequenceFrame]], Refined]] = {
            f"+ {model.preset}": lambda tracks, _, m=model: offline(tracks, m),  # type: ignore[misc]
            f"+ {model.preset}, online, 8 frames late": lambda tracks, f, m=model: online(tracks, f, m),  # type: ignore[misc]
            f"+ {model.preset}, online, at once": lambda tracks, f, m=model: online(tracks, f, m, 0),  # type: ignore[misc]
        }
        for name, refine in kinds.items():
            began = time.process_time()
            refined = [refine(tracks, frames) for (tracks, _), frames in zip(paired, sequences, strict=True)]
            spent = 1000 * (time.process_time() - began) / sum(len(p.times) for p in pairs)
            poses = [_at(r[p.track.id], p) for (_, own), r in zip(paired, refined, strict=True) for p in own]
            result.append([f"{name} ({spent:.2f} ms a pose)", *_figures(poses, pairs)])
            if "online" not in name:
                smooth = _smoothed(poses, pairs, WINDOWS[0])
                result.append([f"{name}, then Savitzky-Golay, {WINDOWS[0]} s", *_figures(smooth, pairs)])
    return [[*row, ""] for row in result]


def finish_rows(paired: Sequence[tuple[Tracks, tuple[Pair, ...]]], models: list[Path]) -> list[list[str]]:
    """As users get them; place is the mean distance of the body centre from where it is, millimetres."""
    pairs = [pair for _, own in paired for pair in own]
    result = []
    for path in (None, *models):
        for floor in (True, False):
            options = FinishOptions(refine=None if path is None else str(path), floor=floor)
            done = [{t.id: t for t in finished(tracks, options).tracks.people} for tracks, _ in paired]
            found = [tracks[p.track.id] for (_, own), tracks in zip(paired, done, strict=True) for p in own]
            poses = [_at((t.times, t.joints3d), p) for t, p in zip(found, pairs, strict=True)]
            off = [_at((t.times, t.translation), p) - p.place for t, p in zip(found, pairs, strict=True)]
            away = 1000 * float(np.nanmean(np.linalg.norm(np.concatenate(off), axis=1)))
            name = "track finish" + (path is not None) * f" --refine {path}" + (not floor) * " --no-floor"
            result.append([name, *_figures(poses, pairs), f"{away:.0f}"])
    return result


def offline(tracks: Tracks, model: PoseBert) -> Refined:
    """Whole tracks at once."""
    return {t.id: (t.times, t.joints3d) for t in refine_tracks(tracks, model, longest=np.inf).people}


def online(tracks: Tracks, frames: Sequence[SequenceFrame], model: PoseBert, delay: int = 8) -> Refined:
    """Frame by frame; who is not found in a frame has no pose there."""
    refiner = OnlineRefiner(model, frames[1].time - frames[0].time, delay)
    done = [entry for t, poses in tracks.frames() for entry in refiner.update(t, poses)] + list(refiner.flush())
    return {t.id: (t.times, t.joints3d) for t in Tracks.from_frames(done).people}


def _spread(pair: Pair) -> np.ndarray:
    """(t, 13, 3) what was found, NaN where nothing was."""
    return _at((pair.track.times, pair.track.joints3d), pair)


def _at(found: tuple[np.ndarray, np.ndarray], pair: Pair) -> np.ndarray:
    times, joints = found
    result = np.full((len(pair.times), *joints.shape[1:]), np.nan)
    _, own, theirs = np.intersect1d(pair.times, times, return_indices=True)
    result[own] = joints[theirs]
    return result


def _nearest(found: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(np.isfinite(found).all((1, 2)))
    return found[known[np.abs(known[:, None] - np.arange(len(found))).argmin(0)]]


def _smoothed(poses: Sequence[np.ndarray], pairs: Sequence[Pair], window: float) -> list[np.ndarray]:
    return [savitzky_golay(f, p.times, window) for f, p in zip(poses, pairs, strict=True)]


def _figures(poses: Sequence[np.ndarray], pairs: Sequence[Pair]) -> list[str]:
    errors: list[list[np.ndarray]] = [[], [], []]
    for pose, pair in zip(poses, pairs, strict=True):
        errors[0].append(mpjpe(pose, pair.truth))
        errors[1].append(pa_mpjpe(pose, pair.truth))
        errors[2] += [acceleration_error(pose[run], pair.truth[run]) for run in _runs(pair.times)]
    return [f"{average(np.concatenate(e)):.1f}" for e in errors]


def _runs(times: np.ndarray) -> list[np.ndarray]:
    """Rows of frames that follow each other."""
    steps = np.diff(times)
    return np.split(np.arange(len(times)), np.flatnonzero(steps > 1.5 * np.median(steps)) + 1)


if __name__ == "__main__":
    main()
