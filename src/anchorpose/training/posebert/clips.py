"""Motion capture as clips in time, and windows drawn from them with random bodies and views."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.posebert.codec import RATE
from anchorpose.motion.posebert.kinematics import COUNT, MIRRORED, measured_lengths, to_joints, to_rotations
from anchorpose.synthesis.mocap.asf_amc import CMU_FRAME_TIME
from anchorpose.synthesis.mocap.files import find_motions, read_motion
from anchorpose.synthesis.mocap.mapping import to_lcr13

Floats = NDArray[np.floating]
_SHORTEST = 16
_SPEEDS = (0.67, 1.5)
_SIZES = (0.8, 1.1)
_BONES = 0.06
_PITCH, _ROLL = 0.2, 0.05


@dataclass(frozen=True)
class Clips:
    """Clips at `codec.RATE` frames a second, one after the other.

    Args:
        poses: (n, 13, 3) metres relative to the body centre, y down. starts, counts: (c,) first frame and length.
    """

    poses: NDArray[np.float32]
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def of(cls, clips: Sequence[Floats]) -> Clips:
        """From (t, 13, 3) clips.

        Raises:
            InputError: no clip.
        """
        if not clips:
            raise InputError(f"found no clip of {_SHORTEST} whole poses, wanted some; give more motion capture")
        counts = np.array([len(c) for c in clips], np.intp)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
        return cls(np.concatenate(clips).astype(np.float32), starts, counts)


class Windows(NamedTuple):
    """(b, frames, 13, 3) true poses in metres relative to the body centre, camera axes, and (b, frames) which of them
    are inside their clip."""

    joints3d: NDArray[np.float64]
    inside: NDArray[np.bool_]


def read_clips(
    paths: Iterable[str | Path], split: Literal["train", "test", "all"] = "train", amc_rate: float = 1 / CMU_FRAME_TIME,
) -> Clips:  # fmt: skip
    """Clips of motion capture; runs of whole poses of at least 16 frames each.

    Args:
        paths: files, folders and globs. split: as `synthesize render` divides clips by their names, so that what is
            rendered for the test is never trained on. amc_rate: frames a second of AMC files, which do not say it.

    Raises:
        InputError: nothing is found or usable.
    """
    from anchorpose.synthesis.rendering.assets import in_split  # renders, which needs the [synthesis] extra

    clips: list[Floats] = []
    for path in tqdm(find_motions(paths), desc="reading", unit="file", disable=None):
        if not in_split(path.name, split):
            continue
        try:
            motion = read_motion(path, frame_time=1 / amc_rate)
            clips += whole_runs(resampled(to_lcr13(motion), motion.frame_time))
        except InputError:  # another skeleton; a folder may hold anything
            continue
    return Clips.of(clips)


def resampled(poses: Floats, frame_time: float) -> Floats:
    """(t, 13, 3) poses `frame_time` seconds apart -> at `codec.RATE` frames a second, linearly."""
    count = int((len(poses) - 1) * frame_time * RATE + 1e-6) + 1 if len(poses) else 0
    return _between(poses, np.arange(count) / (frame_time * RATE))


def whole_runs(poses: Floats) -> list[Floats]:
    """Runs of poses without a missing joint, of at least 16 frames."""
    whole = np.isfinite(to_rotations(poses)).all((1, 2, 3))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], whole, [False]]).astype(np.int8)))
    return [poses[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= _SHORTEST]


def draw_windows(clips: Clips, count: int, frames: int, rng: np.random.Generator) -> Windows:
    """Windows of clips, drawn by their length, at another speed, of another body, mirrored or not, from any side.

    Bones are scaled by factors that stay the same over a window and are alike on both sides; a spine that bends still
    does. The camera turns freely about the vertical, and looks down or up a little.

    Args:
        clips: to draw from. count: windows. frames: of each. rng: of the chance.
    """
    chosen = rng.choice(len(clips), count, p=clips.counts / clips.counts.sum())
    speed = np.exp(rng.uniform(math.log(_SPEEDS[0]), math.log(_SPEEDS[1]), count))
    slack = clips.counts[chosen] - 1 - (frames - 1) * speed
    first = rng.uniform(0, 1, count) * slack  # below 0 where the clip is shorter than the window
    place = first[:, None] + speed[:, None] * np.arange(frames)
    inside = (place >= 0) & (place <= clips.counts[chosen][:, None] - 1)
    held = np.clip(place, 0, clips.counts[chosen][:, None] - 1)
    poses = _between(clips.poses, held + clips.starts[chosen][:, None], (clips.starts + clips.counts)[chosen][:, None])
    mirrored = rng.random(count) < 0.5
    poses = np.where(mirrored[:, None, None, None], poses[:, :, LCR13.flip] * [-1.0, 1.0, 1.0], poses)
    angles = np.stack([rng.normal(0, _PITCH, count), rng.uniform(-np.pi, np.pi, count), rng.normal(0, _ROLL, count)], 1)
    view = Rotation.from_euler("ZXY", angles[:, [2, 0, 1]]).as_matrix()
    factors = np.exp(_BONES * rng.normal(size=(count, COUNT)))
    factors = rng.uniform(*_SIZES, (count, 1)) * np.sqrt(factors * factors[:, MIRRORED])
    bodied = to_joints(to_rotations(poses), measured_lengths(poses) * factors[:, None])
    return Windows(np.einsum("bij,btnj->btni", view, bodied), inside)


def _between(poses: Floats, place: Floats, ends: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Poses at places with fractions, linearly; `ends` are the first rows that are not to be looked at."""
    low = place.astype(np.intp)
    high = np.minimum(low + 1, (len(poses) if ends is None else ends) - 1)
    share = (place - low)[..., None, None]
    return np.asarray(poses[low] * (1 - share) + poses[high] * share, np.float64)
