"""`PoseLibrary`: 3D poses of motion capture, each kept once, with the clip that it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.io.files import atomic_path
from anchorpose.synthesis.distinct import distinct
from anchorpose.synthesis.diversity import Diversity, measure_diversity
from anchorpose.synthesis.mocap.files import find_motions, read_motion
from anchorpose.synthesis.mocap.mapping import to_lcr13

Floats = NDArray[np.float32]
MIN_DISTANCE = 0.03
_TORSO = LCR13.indices("right_hip", "left_hip", "right_shoulder", "left_shoulder")
# limbs only, upper ones first: what lies between hips and shoulders bends
_LIMBS = tuple(sorted((bone for bone in LCR13.bones if bone[1] not in _TORSO), key=lambda bone: bone[0] not in _TORSO))
_BONE_TOLERANCE = 0.2
_LIMB_METRES = (0.1, 0.8)


@dataclass(frozen=True)
class PoseLibrary:
    """n poses of motion capture.

    Args:
        joints3d: (n, 13, 3) metres relative to the body centre; y down is the subject's vertical, the yaw is arbitrary.
        sources: names of the clips.
        source_index: (n,) each pose's clip.
        frames: (n,) each pose's frame in its file, from 0; -1 where unknown.
    """

    joints3d: Floats
    sources: tuple[str, ...]
    source_index: NDArray[np.int32]
    frames: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        n = len(self.joints3d)
        if n and not len(self.frames):
            object.__setattr__(self, "frames", np.full(n, -1, np.int32))
        if self.joints3d.shape != (n, len(LCR13), 3) or not len(self.source_index) == len(self.frames) == n:
            raise ValueError(f"PoseLibrary has joints3d {self.joints3d.shape}, source_index {self.source_index.shape}, "
                             f"frames {self.frames.shape}, wanted (n, 13, 3), (n,), (n,)")  # fmt: skip
        if n and not set(np.unique(self.source_index)) <= set(range(len(self.sources))):
            raise ValueError("PoseLibrary.source_index points outside sources")

    def __len__(self) -> int:
        return len(self.joints3d)

    @classmethod
    def load(cls, path: str | Path) -> PoseLibrary:
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing, is no npz, or holds no pose library.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {name: data[name] for name in ("joints3d", "sources", "source_index", "frames")}
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or 'no npz'}; give a pose library") from None
        except (KeyError, ValueError, EOFError) as error:
            raise InputError(f"{path} holds no pose library ({error}); "
                             "make one with 'anchorpose synthesize library'") from None  # fmt: skip
        sources = tuple(str(name) for name in arrays["sources"])
        try:
            return cls(arrays["joints3d"].astype(np.float32), sources, arrays["source_index"].astype(np.int32),
                       arrays["frames"].astype(np.int32))  # fmt: skip
        except (ValueError, IndexError) as error:
            raise InputError(f"{path} is broken: {error}; make it again") from None

    def save(self, path: str | Path) -> None:
        """Write an npz, whole or not at all.

        Raises:
            InputError: the name does not end in .npz, or the file cannot be written.
        """
        if Path(path).suffix != ".npz":
            raise InputError(f"found {path} for a pose library, wanted a name that ends in .npz; add it")
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, joints3d=self.joints3d, sources=np.array(self.sources, dtype=np.str_),
                                source_index=self.source_index, frames=self.frames)  # fmt: skip

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> PoseLibrary:
        """Some of the poses, by a mask or by positions; `sources` stays whole."""
        return PoseLibrary(self.joints3d[chosen], self.sources, self.source_index[chosen], self.frames[chosen])

    def normalised(self) -> PoseLibrary:
        """The same poses of one body, that of the library's mean lengths.

        Limbs keep their directions and take their mean length, left and right alike. The torso and head of each clip
        are scaled as a whole, by the mean torso over the clip's (medians over its poses, so that a bent spine stays
        short).
        """
        poses = self.joints3d.astype(np.float64)
        size = np.linalg.norm(poses[:, _TORSO], axis=-1).mean(-1)
        clips = np.unique(self.source_index)
        medians = {clip: float(np.median(size[self.source_index == clip])) for clip in clips}
        own = np.array([medians[clip] for clip in self.source_index])
        out = poses * (size.mean() / own)[:, None, None] if len(poses) else poses
        lengths = {(a, b): np.linalg.norm(poses[:, b] - poses[:, a], axis=-1) for a, b in _LIMBS}
        for a, b in _LIMBS:
            mirrored = (int(LCR13.flip[a]), int(LCR13.flip[b]))
            mean = (lengths[a, b].mean() + lengths[mirrored].mean()) / 2 if len(poses) else 0.0
            direction = (poses[:, b] - poses[:, a]) / np.maximum(lengths[a, b], 1e-9)[:, None]
            out[:, b] = out[:, a] + mean * direction
        return PoseLibrary(out.astype(np.float32), self.sources, self.source_index, self.frames)


@dataclass(frozen=True)
class LibraryReport:
    """What `build_library` read, kept and left out.

    Args:
        path: the library.
        library: the poses.
        files: files that gave poses.
        frames: frames read from them.
        broken: frames left out for missing joints or bones that change their length.
        duplicates: frames left out because a pose that was kept is nearer than the least distance.
        failed: (file, reason) of the files that could not be used.
        diversity: how diverse the poses are.
    """

    path: Path
    library: PoseLibrary
    files: int
    frames: int
    broken: int
    duplicates: int
    failed: tuple[tuple[str, str], ...]
    diversity: Diversity

    def lines(self) -> list[str]:
        """What a user wants to read of it: what was kept and left out and why, and how diverse the rest is."""
        return [
            f"{self.path}: {len(self.library)} poses of {self.frames} frames in {self.files} files",
            f"left out             {self.duplicates} frames like another, {self.broken} broken",
            *self.diversity.lines(),
            *(f"not used             {reason}" for _, reason in self.failed),
        ]


@dataclass(frozen=True)
class Clip:
    """Usable poses of one file: poses (n, 13, 3) as in `PoseLibrary`, frames (n,), and how many frames were broken."""

    poses: Floats
    frames: NDArray[np.int32]
    broken: int = 0


def read_clip(path: Path, stride: int = 1) -> Clip:
    """LCR13 poses of a motion capture file or a pose library (.npz), without broken frames.

    A frame is broken where a joint is missing or a limb differs by more than 20 % from its median over the clip. A
    library has no neighbours in time to leave out, so `stride` does not count for it.

    Raises:
        InputError: the file cannot be read, its joints are not known, or its limbs are not of a person's length.
    """
    if Path(path).suffix == ".npz":
        library = PoseLibrary.load(path)
        return Clip(library.joints3d, library.frames)
    poses = to_lcr13(read_motion(path, stride))
    good = _usable(Path(path), poses)
    return Clip(poses[good], (np.flatnonzero(good) * stride).astype(np.int32), int((~good).sum()))


def _usable(path: Path, poses: Floats) -> NDArray[np.bool_]:
    good = np.asarray(np.isfinite(poses).all((1, 2)))
    if not good.any():
        return good
    parents, children = (list(ends) for ends in zip(*_LIMBS, strict=True))
    lengths = np.linalg.norm(poses[:, children] - poses[:, parents], axis=-1)
    medians = np.median(lengths[good], axis=0)
    low, high = _LIMB_METRES
    if medians.min() < low or medians.max() > high:
        raise InputError(f"{path}: found limbs of {medians.min():.3g} to {medians.max():.3g} m, wanted a person's; "
                         "convert the file to centimetres")  # fmt: skip
    good[good] = (np.abs(lengths[good] - medians) <= _BONE_TOLERANCE * medians).all(1)
    return good


def build_library(
    paths: Iterable[str | Path], out: str | Path, stride: int = 1, min_distance: float = MIN_DISTANCE, seed: int = 0
) -> LibraryReport:
    """Build and save a `PoseLibrary`.

    Args:
        paths: motion capture files, folders and globs, of any format of `mocap.files.read_motion`.
        out: the npz to write.
        stride: use every stride-th frame of each file.
        min_distance: metres; a pose is left out if its mean joint distance to a pose that was kept is below this, the
            yaw of both removed. 0 keeps all.
        seed: of the order in which poses are tried, so that no clip comes first.

    Raises:
        InputError: nothing is found, or no file can be used.
    """
    if not min_distance >= 0:
        raise InputError(f"found the least distance {min_distance}, wanted metres, 0 or more")
    if Path(out).suffix != ".npz":
        raise InputError(f"found {out} for a pose library, wanted a name that ends in .npz; add it")
    clips: dict[Path, Clip] = {}
    failed: list[tuple[str, str]] = []
    for path in tqdm(find_motions(paths), desc="reading", unit="file", disable=None):
        try:
            clip = read_clip(path, stride)
            if not len(clip.poses):
                raise InputError(f"{path}: found {clip.broken} frames, none of them whole; check its joints")
            clips[path] = clip
        except InputError as error:
            failed.append((str(path), str(error)))
    if not clips:
        raise InputError(f"found no usable file among {len(failed)}; the first: {failed[0][1]}")
    everything = _together(clips)
    library = everything.select(distinct(everything.joints3d, min_distance, seed))
    library.save(out)
    broken = sum(clip.broken for clip in clips.values())
    return LibraryReport(
        Path(out), library, len(clips), len(everything) + broken, broken, len(everything) - len(library),
        tuple(failed), measure_diversity(library.joints3d, library.source_index, seed),
    )  # fmt: skip


def _together(clips: dict[Path, Clip]) -> PoseLibrary:
    sources = tuple(f"{path.resolve().parent.name}/{path.name}" for path in clips)
    counts = [len(clip.poses) for clip in clips.values()]
    index = np.repeat(np.arange(len(clips), dtype=np.int32), counts)
    return PoseLibrary(
        np.concatenate([c.poses for c in clips.values()]), sources, index,
        np.concatenate([c.frames for c in clips.values()]),
    )  # fmt: skip
