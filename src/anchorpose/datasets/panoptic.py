"""CMU Panoptic (Joo et al., ICCV 2015): groups of people in a dome, seen by 31 high-definition cameras.

Known for certain (the toolbox's readme): a sequence's folder holds `calibration_SEQUENCE.json`, whose `cameras` have
name, resolution, K, distCoef (OpenCV's k1, k2, p1, p2, k3), R and t in centimetres, world to camera;
`hdPose3d_stage1_coco19/body3DScene_########.json`, whose `bodies` have an id and `joints19`, 19 x (x, y, z, score) in
world centimetres, score -1 where a joint is missing; and `hdImgs/00_00/00_00_########.jpg` once the frames have been
extracted. The camera axes are x right, y down, z forward.

Inferred: the head top, from ears and shoulders as for COCO. The score is of all cameras together, so whether one
camera sees a joint is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import PANOPTIC19, Skeleton
from anchorpose.datasets.archives import Archive, read_json, require_images
from anchorpose.datasets.coco import HEAD_TOP_ABOVE_EARS
from anchorpose.datasets.frames3d import Frame3D, no_visibility
from anchorpose.datasets.samples import Floats, Sample

POSES = "hdPose3d_stage1_coco19"
PANOPTIC = Archive(
    "CMU Panoptic", "domedb.perception.cs.cmu.edu",
    "Joo et al., Panoptic Studio: a massively multiview system for social motion capture, ICCV 2015",
    "non-commercial research", (POSES, "hdImgs"),
)  # fmt: skip
_SKELETON = Skeleton(
    "PANOPTIC19+head_top", (*PANOPTIC19.joints, "head_top"), {**PANOPTIC19.parents, "head_top": "nose"}
)
_TRUSTED_VIEW = 1.3
"""Half-diagonals from the principal point up to which the lens model is used; far outside it folds back."""


@dataclass(frozen=True)
class _Lens:
    """A calibrated camera: world centimetres to camera metres to pixels."""

    size: tuple[int, int]
    intrinsics: NDArray[np.float64]  # (3, 3)
    distortion: NDArray[np.float64]  # (5,)
    rotation: NDArray[np.float64]  # (3, 3)
    translation: NDArray[np.float64]  # (3,)

    def pinhole(self) -> Camera:
        """The camera without its lens."""
        (fx, _, cx), (_, fy, cy) = self.intrinsics[:2].tolist()
        return Camera(fx, fy, cx, cy, *self.size)

    def to_camera(self, world: NDArray[np.float64]) -> Floats:
        """(n, J, 3) centimetres -> metres in the camera frame."""
        return ((world @ self.rotation.T + self.translation) / 100).astype(np.float32)

    def project(self, joints3d: Floats) -> Floats:
        """(n, J, 3) metres -> (n, J, 2) pixels; NaN behind the camera and far outside the view."""
        points = joints3d.reshape(-1, 3).astype(np.float64)
        ahead = np.nan_to_num(points[:, 2]) > 0
        focal = self.intrinsics[[0, 1], [0, 1]]
        tangents = np.divide(points[:, :2], points[:, 2:], out=np.full((len(points), 2), np.inf), where=ahead[:, None])
        known = ahead & (np.linalg.norm(tangents * focal, axis=1) < _TRUSTED_VIEW * np.hypot(*self.size) / 2)
        pixels = np.full((len(points), 2), np.nan)
        if known.any():
            pixels[known] = cv2.projectPoints(points[known], np.zeros(3), np.zeros(3), self.intrinsics,
                                              self.distortion)[0][:, 0]  # fmt: skip
        return pixels.reshape(*joints3d.shape[:2], 2).astype(np.float32)


def read_panoptic(sequence: Path, cameras: Sequence[str] = ("00_00",), stride: int = 1) -> list[Sample]:
    """Frames of a sequence with at least one person in view, as samples.

    Args:
        sequence: the sequence's folder, such as 160422_ultimatum1.
        cameras: names of high-definition cameras. stride: keep every stride-th annotated frame.

    Raises:
        InputError: parts or pictures are missing, or a file is not as the toolbox has it.
    """
    samples = [frame.sample() for camera in cameras for frame in panoptic_frames(sequence, camera, stride)]
    samples = [sample for sample in samples if sample.people]
    require_images(samples, PANOPTIC)
    return samples


def panoptic_frames(sequence: Path, camera: str, stride: int = 1) -> Iterator[Frame3D]:
    """Annotated frames of one camera, in 19 joints and a head top; people out of view are still among them.

    Args:
        sequence, stride: see `read_panoptic`. camera: such as 00_00.

    Raises:
        InputError: see `read_panoptic`.
    """
    sequence = Path(sequence)
    calibration = f"calibration_{sequence.name}.json"
    replace(PANOPTIC, parts=(calibration, POSES, f"hdImgs/{camera}")).require(sequence)
    lens = _read_lens(sequence / calibration, camera)
    files = sorted((sequence / POSES).glob("body3DScene_*.json"))
    if not files:
        raise InputError(f"{sequence / POSES} has no file body3DScene_########.json; {PANOPTIC.source}")
    for file in files[::stride]:
        number = file.stem.removeprefix("body3DScene_")
        joints3d = _with_head_top(lens.to_camera(_read_bodies(file)))
        image = sequence / "hdImgs" / camera / f"{camera}_{number}.jpg"
        yield Frame3D(image, _SKELETON, lens.project(joints3d), joints3d, no_visibility(joints3d), lens.size,
                      sequence=f"{sequence.name}/{camera}", frame=int(number), camera=lens.pinhole())  # fmt: skip


def _with_head_top(joints3d: Floats) -> Floats:
    ears = joints3d[:, PANOPTIC19.indices("left_ear", "right_ear")].mean(1)
    shoulders = joints3d[:, PANOPTIC19.indices("left_shoulder", "right_shoulder")].mean(1)
    top = ears + HEAD_TOP_ABOVE_EARS * (ears - shoulders)
    return np.concatenate([joints3d, top[:, None]], axis=1).astype(np.float32)


def _read_bodies(file: Path) -> NDArray[np.float64]:
    """(n, 19, 3) world centimetres, NaN where missing."""
    bodies = read_json(file, ("bodies",), PANOPTIC)["bodies"]
    try:
        joints = np.array([body["joints19"] for body in bodies], dtype=np.float64).reshape(-1, len(PANOPTIC19), 4)
        if not file.stem.removeprefix("body3DScene_").isdigit():
            raise ValueError("the file's name has no frame number")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file} has no bodies of 19 joints ({error}); {PANOPTIC.source}") from None
    return np.where(joints[..., 3:] >= 0, joints[..., :3], np.nan)


def _read_lens(file: Path, camera: str) -> _Lens:
    cameras = read_json(file, ("cameras",), PANOPTIC)["cameras"]
    found: list[Any] = cameras if isinstance(cameras, list) else []
    record = next((c for c in found if isinstance(c, dict) and c.get("name") == camera), None)
    if record is None:
        raise InputError(f"{file} has no camera {camera!r} among {len(found)}, wanted a name such as 00_00; choose one")
    try:
        width, height = (int(v) for v in record["resolution"])
        parts = {"K": (3, 3), "distCoef": (5,), "R": (3, 3), "t": (3,)}
        values = [np.array(record[key], dtype=np.float64).reshape(shape) for key, shape in parts.items()]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file} has no whole calibration of {camera} ({error}); {PANOPTIC.source}") from None
    return _Lens((width, height), *values)
