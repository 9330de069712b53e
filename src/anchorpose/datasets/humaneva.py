"""HumanEva-I (Sigal, Balan and Black, IJCV 2010): three people, five actions, three colour cameras, marker-based 3D.

The original archive needs the authors' MATLAB toolbox, which fits joints to markers. What is read here is the common
15-joint export that the toolbox's users make: `{Train,Validate}/S1/Walking_1.mat` with `poses_3d` (frames, 15, 3)
world millimetres and `poses_2d` (cameras, frames, 15, 2) pixels of C1, C2, C3; frames with lost markers are not finite.

Known for certain: the actions, where each part begins in its video and how many frames each camera started early.
Chosen: frames are extracted from the videos as `images/S1_Walking_1_(C1)_%06d.jpg`, from 1 on.

Inferred: the cameras. The export carries none, but its 2D is the toolbox's own projection of its 3D, so the camera
(with its lens) is fitted to the pairs and accepted only where it projects them to within `MAX_MISS` pixels. The head
joint is taken along the line from the thorax to a person's height (`frames3d.with_head_top`), which leaves it where it
is if the export already gives the head's top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import HUMANEVA15
from anchorpose.datasets.archives import Archive, read_mat, require_images
from anchorpose.datasets.frames3d import Frame3D, no_visibility, with_head_top
from anchorpose.datasets.samples import Floats, Sample

SPLITS, SUBJECTS, CAMERAS = ("Train", "Validate"), ("S1", "S2", "S3"), ("C1", "C2", "C3")
HUMANEVA = Archive(
    "HumanEva-I", "humaneva.is.tue.mpg.de",
    "Sigal et al., HumanEva: synchronized video and motion capture dataset and baseline algorithm, IJCV 2010",
    "research by registered users", ("images", *(f"{split}/{s}" for split in SPLITS for s in SUBJECTS)),
)  # fmt: skip
MAX_MISS = 1.0
"""Pixels; 99 % of the joints must be projected this well by the fitted camera."""
_SIZE = (640, 480)
_VALIDATE_START = 5
_FITTED_FRAMES = 60


@dataclass(frozen=True)
class _Video:
    """Where training begins, and what each camera's video has to skip to be in time with the motion capture."""

    train_start: int
    skip: tuple[int, int, int]


_VIDEOS = {
    ("S1", "Walking_1"): _Video(590, (82, 81, 82)), ("S1", "Jog_1"): _Video(367, (51, 51, 50)),
    ("S1", "ThrowCatch_1"): _Video(473, (61, 61, 60)), ("S1", "Gestures_1"): _Video(395, (45, 45, 44)),
    ("S1", "Box_1"): _Video(385, (57, 57, 56)),
    ("S2", "Walking_1"): _Video(438, (115, 115, 114)), ("S2", "Jog_1"): _Video(398, (100, 100, 99)),
    ("S2", "ThrowCatch_1"): _Video(550, (127, 127, 127)), ("S2", "Gestures_1"): _Video(500, (122, 122, 121)),
    ("S2", "Box_1"): _Video(382, (119, 119, 117)),
    ("S3", "Walking_1"): _Video(448, (80, 80, 80)), ("S3", "Jog_1"): _Video(401, (65, 65, 65)),
    ("S3", "ThrowCatch_1"): _Video(493, (79, 79, 79)), ("S3", "Gestures_1"): _Video(533, (83, 83, 82)),
    ("S3", "Box_1"): _Video(512, (1, 1, 1)),
}  # fmt: skip


def read_humaneva(root: Path, split: str = "Validate", camera: str = "C1", stride: int = 1) -> list[Sample]:
    """Frames with whole motion capture as samples.

    Args:
        root: the folder that holds Train, Validate and images.
        split: Train or Validate. camera: C1, C2 or C3. stride: keep every stride-th frame.

    Raises:
        InputError: parts or pictures are missing, a file is not as described, or no camera fits it.
    """
    samples = [frame.sample() for frame in split_frames(root, split, camera, stride)]
    require_images(samples, HUMANEVA)
    return samples


def split_frames(root: Path, split: str = "Validate", camera: str = "C1", stride: int = 1) -> Iterator[Frame3D]:
    """Frames of all recordings of a split; whether each picture is there is not looked at.

    Args:
        root, split, camera, stride: see `read_humaneva`.

    Raises:
        InputError: see `read_humaneva`.
    """
    if split not in SPLITS or camera not in CAMERAS:
        raise InputError(f"found the split {split!r} and camera {camera!r}, wanted {' or '.join(SPLITS)} and one of "
                         f"{', '.join(CAMERAS)}; choose from these")  # fmt: skip
    replace(HUMANEVA, parts=("images", *(f"{split}/{s}" for s in SUBJECTS))).require(root)
    files = [file for s in SUBJECTS for file in sorted((Path(root) / split / s).glob("*.mat"))
             if (s, file.stem) in _VIDEOS]  # fmt: skip
    if not files:
        raise InputError(f"{Path(root) / split} has no file such as S1/Walking_1.mat; {HUMANEVA.source}")
    for file in files:
        yield from humaneva_frames(root, file, camera, stride)


def humaneva_frames(root: Path, file: Path, camera: str, stride: int = 1) -> Iterator[Frame3D]:
    """Frames of one recording seen by one camera, in 15 joints and a head top.

    Args:
        root, camera, stride: see `read_humaneva`. file: such as Validate/S1/Walking_1.mat.

    Raises:
        InputError: see `read_humaneva`.
    """
    subject, action, split = file.parent.name, file.stem, file.parent.parent.name
    world, pixels = _read(file, CAMERAS.index(camera))
    whole = np.isfinite(world).all((1, 2)) & np.isfinite(pixels).all((1, 2))
    lens = _Fitted.to_pairs(world[whole], pixels[whole], f"{file}, camera {camera}")
    video = _VIDEOS[subject, action]
    start = (video.train_start if split == "Train" else _VALIDATE_START) + video.skip[CAMERAS.index(camera)]
    for number in np.flatnonzero(whole)[::stride]:
        joints3d, skeleton = with_head_top(lens.to_camera(world[None, number]), HUMANEVA15)
        image = Path(root) / "images" / f"{subject}_{action}_({camera})_{start + number:06d}.jpg"
        yield Frame3D(image, skeleton, lens.project(joints3d), joints3d, no_visibility(joints3d), _SIZE,
                      sequence=f"{subject}_{action}_({camera})", frame=int(start + number - 1),
                      activity=action.split("_")[0], subject=subject, camera=lens.pinhole())  # fmt: skip


@dataclass(frozen=True)
class _Fitted:
    """A camera from pairs of world and picture points."""

    rotation: NDArray[np.float64]  # (3, 3)
    translation: NDArray[np.float64]  # (3,) metres
    intrinsics: NDArray[np.float64]  # (3, 3)
    distortion: NDArray[np.float64]  # (5,) OpenCV's

    @classmethod
    def to_pairs(cls, world: NDArray[np.float64], pixels: NDArray[np.float64], where: str) -> _Fitted:
        """Least squares over joints (frames, 15, 3) in millimetres and (frames, 15, 2) in pixels.

        Raises:
            InputError: there are fewer than two frames; `where` is named.
        """
        chosen = np.unique(np.linspace(0, max(len(world) - 1, 0), _FITTED_FRAMES).astype(int))
        if len(world) < 2:
            raise InputError(f"{where} has {len(world)} frames without gaps, wanted at least 2; {HUMANEVA.source}")
        points = (world[chosen].reshape(-1, 1, 3) / 1000).astype(np.float32)
        seen = pixels[chosen].reshape(-1, 1, 2).astype(np.float32)
        guess = np.array([[1.2 * _SIZE[0], 0, _SIZE[0] / 2], [0, 1.2 * _SIZE[0], _SIZE[1] / 2], [0, 0, 1]])
        _, intrinsics, distortion, turns, shifts = cv2.calibrateCamera(
            [points], [seen], _SIZE, guess, np.zeros(5), flags=cv2.CALIB_USE_INTRINSIC_GUESS
        )
        found = (cv2.Rodrigues(turns[0])[0], shifts[0].ravel(), intrinsics, distortion.ravel()[:5])
        lens = cls(*(np.asarray(part, dtype=np.float64) for part in found))
        camera = lens.to_camera(world)
        miss = np.quantile(np.linalg.norm(lens.project(camera) - pixels, axis=-1), 0.99)
        if not (miss < MAX_MISS and camera[..., 2].min() > 0):
            raise InputError(f"{where}: no camera projects the 3D onto the 2D (99 % within {miss:.1f} px), wanted "
                             f"{MAX_MISS} px; export both anew with the toolbox")  # fmt: skip
        return lens

    def to_camera(self, world: NDArray[np.float64]) -> Floats:
        """(n, J, 3) world millimetres -> metres in the camera frame."""
        return (world / 1000 @ self.rotation.T + self.translation).astype(np.float32)

    def pinhole(self) -> Camera:
        """The camera without its lens."""
        (fx, _, cx), (_, fy, cy) = self.intrinsics[:2].tolist()
        return Camera(fx, fy, cx, cy, *_SIZE)

    def project(self, joints3d: Floats) -> Floats:
        """(n, J, 3) metres in the camera frame -> (n, J, 2) pixels."""
        points = joints3d.reshape(-1, 1, 3).astype(np.float64)
        pixels = cv2.projectPoints(points, np.zeros(3), np.zeros(3), self.intrinsics, self.distortion)[0]
        return pixels.reshape(*joints3d.shape[:2], 2).astype(np.float32)


def _read(file: Path, camera: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(frames, 15, 3) world millimetres and (frames, 15, 2) pixels."""
    world = np.asarray(read_mat(file, "poses_3d", HUMANEVA), dtype=np.float64)
    pixels = np.asarray(read_mat(file, "poses_2d", HUMANEVA), dtype=np.float64)
    frames = world.shape[0] if world.ndim == 3 else 0
    if world.shape != (frames, len(HUMANEVA15), 3) or pixels.shape != (len(CAMERAS), frames, len(HUMANEVA15), 2):
        raise InputError(f"{file} has poses_3d of {world.shape} and poses_2d of {pixels.shape}, wanted (frames, 15, 3) "
                         f"and (3, frames, 15, 2); export it anew with the toolbox")  # fmt: skip
    return world, pixels[camera]
