"""Human3.6M (Ionescu et al., TPAMI 2014) with the protocols of LCR-Net, section 4.1.

Known for certain: `S9/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf` (action, trial, camera) has the
variable Pose (1, frames, 96), 32 joints in millimetres in that camera's frame; `D2_Positions` has (1, frames, 64)
pixels under the same name; files named `_ALL` are no actions; some subjects' files say Photo and WalkDog. The video
S11 Directions.54138969 is corrupted and left out.

Chosen: frames are extracted as `images/S9_Directions_1.54138969_000001.jpg`, from 1 on, blanks as underscores, all in
one folder or in one folder a subject (`images/S9/...`).

Inferred: which camera is "camera 2" (P1: Human3.6M's own numbering from 1) and "camera 3" (P3: the frontal one,
60457274, which those who released code for Bogo et al.'s protocol use; they count from 0), that P3 takes P2's every
5th frame, and that of an action's two recordings the first is the lower number (the one without a number is the
second). `dataclasses.replace` changes a protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import H36M32
from anchorpose.datasets.archives import Archive, require_images
from anchorpose.datasets.frames3d import Frame3D, no_visibility
from anchorpose.datasets.samples import Floats, Sample

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
"""Human3.6M's cameras 1 to 4."""
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
ACTIONS = ("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown",
           "Smoking", "TakingPhoto", "Waiting", "Walking", "WalkingDog", "WalkTogether")  # fmt: skip
"""The fifteen actions, in the order of the paper's table 3."""
_JOINTS3D, _JOINTS2D = "MyPoseFeatures/D3_Positions_mono", "MyPoseFeatures/D2_Positions"
H36M = Archive(
    "Human3.6M", "vision.imar.ro/human3.6m",
    "Ionescu et al., Human3.6M: large scale datasets and predictive methods for 3D human sensing, TPAMI 2014",
    "academic use by registered users",
    ("images", *(f"{s}/{folder}" for s in SUBJECTS for folder in (_JOINTS3D, _JOINTS2D))),
)  # fmt: skip
_OTHER_NAMES = {"Photo": "TakingPhoto", "WalkDog": "WalkingDog"}
_CORRUPTED = ("S11", "Directions.54138969")
_FILE = re.compile(r"(?P<action>[A-Za-z]+)(?: (?P<number>\d+))?\.(?P<camera>\d{8})\.cdf")
_SIZES = {"54138969": (1000, 1002), "55011271": (1000, 1000), "58860488": (1000, 1000), "60457274": (1000, 1002)}


@dataclass(frozen=True)
class Protocol:
    """Which frames are trained on and tested, and how the error is given.

    Args:
        train, test: subjects.
        stride: every stride-th test frame of each video, from its first.
        cameras: of the test frames.
        first_trial: only the first of each action's two recordings is tested.
        absolute, aligned: whether the error is reported without and with alignment by a rigid transformation.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    stride: int
    cameras: tuple[str, ...] = CAMERAS
    first_trial: bool = False
    absolute: bool = True
    aligned: bool = True


P1 = Protocol(("S1", "S5", "S6", "S7", "S8", "S9"), ("S11",), 64, CAMERAS[1:2])
"""Of Kostrikov and Gall; 928 test frames."""
P2 = Protocol(("S1", "S5", "S6", "S7", "S8"), ("S9", "S11"), 5)
"""Of Li et al. and Tekin et al.; about 110,000 test frames."""
P3 = replace(P2, cameras=CAMERAS[3:], first_trial=True, absolute=False)
"""Of Bogo et al."""


class Recording(NamedTuple):
    """One video: action by its common name, trial 1 or 2, and the file name without its end."""

    subject: str
    action: str
    trial: int
    camera: str
    stem: str


def read_h36m(root: Path, protocol: Protocol, split: str = "test", train_stride: int = 5) -> list[Sample]:
    """Frames of a protocol as samples.

    Args:
        root: the folder that holds S1 to S11 and images.
        protocol: `P1`, `P2` or `P3`.
        split: train (all cameras and trials) or test.
        train_stride: every how many-th training frame; the paper does not say.

    Raises:
        InputError: parts or pictures are missing, cdflib is not installed, or a file is not as described.
    """
    samples = [frame.sample() for frame in protocol_frames(root, protocol, split, train_stride)]
    require_images(samples, H36M)
    return samples


def protocol_frames(root: Path, protocol: Protocol, split: str = "test", train_stride: int = 5) -> Iterator[Frame3D]:
    """Frames of a protocol, in 32 joints; whether each picture is there is not looked at.

    Args:
        root, protocol, split, train_stride: see `read_h36m`.

    Raises:
        InputError: see `read_h36m`.
    """
    if split not in ("train", "test"):
        raise InputError(f"found the split {split!r}, wanted train or test; choose one")
    testing = split == "test"
    chosen = [r for subject in (protocol.test if testing else protocol.train) for r in recordings(root, subject)]
    if testing:
        chosen = [r for r in chosen if r.camera in protocol.cameras and not (protocol.first_trial and r.trial > 1)]
    for recording in chosen:
        yield from h36m_frames(root, recording, protocol.stride if testing else train_stride)


def recordings(root: Path, subject: str) -> list[Recording]:
    """All videos of a subject by name, the corrupted one left out.

    Raises:
        InputError: parts are missing, or there is no recording.
    """
    replace(H36M, parts=("images", f"{subject}/{_JOINTS3D}", f"{subject}/{_JOINTS2D}")).require(root)
    folder = Path(root) / subject / _JOINTS3D
    matches = [m for path in sorted(folder.glob("*.cdf")) if (m := _FILE.fullmatch(path.name))]
    if not matches:
        raise InputError(f"{folder} has no file such as 'Directions 1.54138969.cdf'; {H36M.source}")
    order: dict[tuple[str, str], list[float]] = {}
    for m in matches:
        order.setdefault((m["action"], m["camera"]), []).append(_number(m))
    found = [Recording(subject, _OTHER_NAMES.get(m["action"], m["action"]),
                       1 + sorted(order[m["action"], m["camera"]]).index(_number(m)), m["camera"],
                       m.string.removesuffix(".cdf")) for m in matches]  # fmt: skip
    return [recording for recording in found if (subject, recording.stem) != _CORRUPTED]


def h36m_frames(root: Path, recording: Recording, stride: int = 1) -> Iterator[Frame3D]:
    """Every stride-th frame of a video, in 32 joints.

    Raises:
        InputError: see `read_h36m`.
    """
    joints2d = _read_cdf(Path(root) / recording.subject / _JOINTS2D / f"{recording.stem}.cdf", 2)
    joints3d = _read_cdf(Path(root) / recording.subject / _JOINTS3D / f"{recording.stem}.cdf", 3) / np.float32(1000)
    if len(joints2d) != len(joints3d):
        raise InputError(f"{recording.subject} {recording.stem} has {len(joints2d)} frames of 2D and {len(joints3d)} "
                         f"of 3D, wanted as many; {H36M.source}")  # fmt: skip
    name = f"{recording.subject}_{recording.stem.replace(' ', '_')}"
    folder = Path(root) / "images"
    folder = folder / recording.subject if (folder / recording.subject).is_dir() else folder
    for number in range(0, len(joints2d), stride):
        pose2d, pose3d = joints2d[None, number], joints3d[None, number]
        yield Frame3D(folder / f"{name}_{number + 1:06d}.jpg", H36M32, pose2d, pose3d, no_visibility(pose2d),
                      _SIZES.get(recording.camera), sequence=name, frame=number,
                      activity=recording.action, subject=recording.subject)  # fmt: skip


def _number(match: re.Match[str]) -> float:
    return float(match["number"] or "inf")


def _read_cdf(path: Path, dimensions: int) -> Floats:
    """(frames, 32, dimensions) of the variable Pose."""
    try:
        import cdflib
    except ImportError:
        raise InputError(f"found no cdflib, which reads {path}; install it: pip install cdflib") from None
    if not path.is_file():
        raise InputError(f"found no file {path}, wanted it beside the other positions; {H36M.source}")
    try:
        pose: NDArray[Any] = np.asarray(cdflib.CDF(path).varget("Pose"), dtype=np.float32)
        return pose.reshape(-1, len(H36M32), dimensions)
    except Exception as error:  # cdflib raises whatever its parsing runs into
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{path} holds no Pose of {len(H36M32)} joints ({reason}); {H36M.source}") from None
