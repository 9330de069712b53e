"""The front door: `load()` an estimator, call it with a picture, get `Poses`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anchorpose
from anchorpose.app.runtime import OnnxModel
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Hypotheses, JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.io.images import read_image
from anchorpose.io.letterbox import LARGEST, SMALLEST, letterbox
from anchorpose.lcrnet.integration import IntegrationOptions, People, Proposals, integrate
from anchorpose.lcrnet.placement import along_rays, in_camera_axes, place
from anchorpose.lcrnet.refinement import Refined, joint_confidence

DEFAULT_MODEL = "lcrnet-lite"
WEIGHTS = Path(anchorpose.__file__).parent / "weights"
SEEN = 0.5
"""A joint whose visibility is at least this is VISIBLE, below it is HIDDEN."""

Image = str | Path | bytes | NDArray[np.uint8] | Any
"""A file name, an encoded file's bytes, (h, w, 3) BGR uint8 pixels as OpenCV reads them (also greyscale or with
alpha), or a PIL image; see `anchorpose.io.images.read_image`."""


def load(
    model: str | Path | None = None,
    *,
    max_side: int | None = None,
    min_score: float | None = None,
    fov: float | None = None,
    threads: int | None = None,
    providers: Sequence[str] | None = None,
) -> Estimator:
    """An estimator, ready to use.

    Args:
        model: name of embedded weights or path of an exported ONNX file; None is the embedded default.
        max_side: pixels to which the longer image side is scaled; None is the model's own. More finds smaller
            people and takes longer.
        min_score: people below this score are left out; None takes the model's own threshold. A person's score is
            the object keypoint similarity to expect (0 to 1); with weights that have no second pass it is the sum of
            the proposals' scores and may exceed 1.
        fov: field of view along the longer image side in degrees, where no camera is given; None assumes 60.
        threads: threads of onnxruntime; None takes every physical core this process may use.
        providers: onnxruntime's execution providers, most wanted first, by name or in short (`cuda`, `openvino`);
            None is the CPU.

    Raises:
        InputError: unknown or broken model, or an option out of range.
    """
    if max_side is not None and not SMALLEST <= max_side <= LARGEST:
        raise InputError(f"max_side must be between {SMALLEST} and {LARGEST} pixels, found {max_side}")
    if min_score is not None and not min_score >= 0:
        raise InputError(f"min_score must be 0 or more, found {min_score}")
    if fov is not None and not 0 < fov < 180:
        raise InputError(f"fov must be between 0 and 180 degrees, found {fov}")
    graph = OnnxModel(find_model(model), threads=threads, providers=providers)
    options = graph.metadata.integration
    if min_score is not None and graph.second_pass:
        options = replace(options, min_quality=min_score, min_person_score=0.0)
    elif min_score is not None:
        options = replace(options, min_person_score=min_score)
    return Estimator(graph, max_side or graph.metadata.max_side, options, fov)


def known_models() -> list[str]:
    """Names of the embedded weights that find people; those of PoseBERT stand beside them."""
    return sorted(path.stem for path in WEIGHTS.glob("lcrnet*.onnx"))


def find_model(model: str | Path | None = None) -> Path:
    """The ONNX file of an embedded name or a path; InputError with the known names if there is none."""
    known = known_models()
    name = DEFAULT_MODEL if model is None else str(model)
    if name in known:
        return WEIGHTS / f"{name}.onnx"
    if model is not None and Path(model).exists():
        return Path(model)
    embedded = ", ".join(known) if known else "none"
    raise InputError(f"unknown model {name!r}: neither a file nor embedded weights (embedded: {embedded})")


@dataclass(frozen=True)
class Estimator:
    """Picture in, people out. Made by `load`; holds no state between calls.

    Args:
        model: the graph.
        max_side: pixels to which the longer image side is scaled down; smaller pictures keep their size.
        integration: how proposals become people.
        fov: degrees along the longer image side for pictures without a camera; None assumes one.
    """

    model: OnnxModel
    max_side: int
    integration: IntegrationOptions
    fov: float | None = None

    def __call__(self, image: Image, camera: Camera | None = None) -> Poses:
        """The people of one picture, best score first.

        Args:
            image: file name, bytes, (h, w, 3) BGR uint8 pixels or PIL image.
            camera: of this picture; None takes one from the field of view.

        Raises:
            InputError: the picture cannot be read, or the camera is for another image size.
        """
        pixels = read_image(image)
        height, width = pixels.shape[:2]
        if camera is None:
            camera = Camera.from_fov(width, height, self.fov)
        elif (camera.width, camera.height) != (width, height):
            raise InputError(f"the camera is for {camera.width} x {camera.height} pixels, the image has "
                             f"{width} x {height}; use camera.scaled({width}, {height})")  # fmt: skip
        proposals, refined = self.detect_proposals(pixels)
        people = integrate(proposals, self.model.metadata.anchors, width, height, self.integration, refined)
        return _to_poses(people, camera)

    def batch(self, images: Iterable[Image]) -> list[Poses]:
        """The people of each picture, in the order of `images`; InputError at the first that cannot be read."""
        return list(self.stream(images))

    def stream(self, images: Iterable[Image]) -> Iterator[Poses]:
        """As `batch`, one after the other in constant memory."""
        return (self(image) for image in images)

    def detect_proposals(self, image: Image) -> tuple[Proposals, Refined | None]:
        """All proposals of one picture before integration, best first, and the second pass's people; its pixels."""
        pixels = read_image(image)
        padded, scale = letterbox(pixels, self.max_side)
        proposals, refined = self.model(padded)
        back = 1 / scale[0], 1 / scale[1]
        return proposals.scaled(back), None if refined is None else refined.scaled(back)


def _to_poses(people: People, camera: Camera) -> Poses:
    """Integrated people, already best first, with a place in the camera frame and a state for each joint."""
    joints3d = in_camera_axes(people.joints2d, people.joints3d, camera)
    translation = place(people.joints2d, joints3d, camera, people.visibility)
    if people.errors is not None:
        joints3d, translation = along_rays(people.joints2d, joints3d, translation, camera, people.errors)
    states = joint_states(people.joints2d, people.visibility, camera)
    return Poses(LCR13, camera, people.scores, people.boxes, people.joints2d, joints3d, translation,
                 joint_confidence(people), states, _turned(people.hypotheses, camera),
                 joint_errors=people.errors)  # fmt: skip


def _turned(hypotheses: tuple[Hypotheses, ...], camera: Camera) -> tuple[Hypotheses, ...]:
    """The further modes in the axes of the camera, those of all people at once."""
    if not hypotheses:
        return ()
    joints2d, joints3d = (np.concatenate([getattr(h, name) for h in hypotheses]) for name in ("joints2d", "joints3d"))
    ends = np.cumsum([len(h) for h in hypotheses])[:-1]
    own = np.split(in_camera_axes(joints2d, joints3d, camera), ends)
    return tuple(replace(h, joints3d=turned) for h, turned in zip(hypotheses, own, strict=True))


def joint_states(joints2d: NDArray[np.floating], visibility: NDArray[np.floating], camera: Camera) -> NDArray[np.uint8]:
    """(n, J, 2) pixels and (n, J) probabilities -> (n, J) `JointState`; a joint outside the image cannot be seen."""
    x, y = joints2d[..., 0], joints2d[..., 1]
    inside = (x >= 0) & (y >= 0) & (x <= camera.width) & (y <= camera.height)
    seen = np.where(visibility >= SEEN, JointState.VISIBLE, JointState.HIDDEN)
    states = np.where(inside, seen, JointState.OUTSIDE)
    return np.where(np.isnan(joints2d).any(axis=-1), JointState.MISSING, states).astype(np.uint8)
