"""`Poses`: the people of one image, as a struct of arrays that knows its skeleton, units and camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.skeleton import BLAZEPOSE33, BODY25, COCO17, LCR13, LSP14, Skeleton

Floats = NDArray[np.float32]
SCHEMA = "anchorpose/poses/1"
_SKELETONS = {s.name: s for s in (LCR13, COCO17, LSP14, BLAZEPOSE33, BODY25)}


class JointState(IntEnum):
    """What is known of a joint; MISSING goes with NaN coordinates, never with 0."""

    MISSING = 0
    VISIBLE = 1
    HIDDEN = 2
    OUTSIDE = 3


@dataclass(frozen=True)
class Hypotheses:
    """Further 3D modes of one person, best first (LCR-Net section 3.5): m modes of J joints."""

    scores: Floats  # (m,)
    joints2d: Floats  # (m, J, 2) pixels
    joints3d: Floats  # (m, J, 3) metres, relative to the body centre

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls, joints: int) -> Hypotheses:
        """No further mode."""
        return cls(*(np.zeros(s, np.float32) for s in ((0,), (0, joints, 2), (0, joints, 3))))


@dataclass(frozen=True)
class Poses:
    """n people of one image, best score first.

    Frames and units: pixels from the top-left corner of the top-left pixel; metres in the camera frame (x right,
    y down, z forward). `joints3d` is relative to the body centre (mean of hips and shoulders), `translation` is the
    body centre, so `joints3d + translation[:, None]` are camera coordinates.
    """

    skeleton: Skeleton
    camera: Camera
    scores: Floats  # (n,)
    boxes: Floats  # (n, 4) x1, y1, x2, y2 around all joints, 10 % margin, may reach outside the image
    joints2d: Floats  # (n, J, 2) pixels
    joints3d: Floats  # (n, J, 3) metres, relative to the body centre
    translation: Floats  # (n, 3) metres; NaN where the person could not be placed
    joint_scores: Floats  # (n, J) probability that the joint is visible (and, with `joint_errors`, close to its place)
    joint_states: NDArray[np.uint8]  # (n, J) of JointState
    hypotheses: tuple[Hypotheses, ...] = ()  # one entry a person
    track_ids: NDArray[np.int64] | None = field(default=None)  # (n,) lasting identities in a video
    joint_errors: Floats | None = None  # (n, J) expected absolute error of x and of y, pixels; None where not estimated

    def __post_init__(self) -> None:
        n, j = len(self.scores), len(self.skeleton)
        wanted = {"boxes": (n, 4), "joints2d": (n, j, 2), "joints3d": (n, j, 3), "translation": (n, 3),
                  "joint_scores": (n, j), "joint_states": (n, j)}  # fmt: skip
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Poses.{name} has shape {getattr(self, name).shape}, wanted {shape}")
        if self.joint_errors is not None and self.joint_errors.shape != (n, j):
            raise ValueError(f"Poses.joint_errors has shape {self.joint_errors.shape}, wanted {(n, j)}")
        if not self.hypotheses and n:
            object.__setattr__(self, "hypotheses", tuple(Hypotheses.none(j) for _ in range(n)))
        if len(self.hypotheses) != n:
            raise ValueError(f"Poses.hypotheses has {len(self.hypotheses)} entries, wanted one for each of {n} people")

    @classmethod
    def empty(cls, camera: Camera, skeleton: Skeleton = LCR13) -> Poses:
        """Nobody."""
        j = len(skeleton)
        f = np.float32
        return cls(skeleton, camera, np.zeros(0, f), np.zeros((0, 4), f), np.zeros((0, j, 2), f),
                   np.zeros((0, j, 3), f), np.zeros((0, 3), f), np.zeros((0, j), f),
                   np.zeros((0, j), np.uint8))  # fmt: skip

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Poses]:
        """Each person as `Poses` of length one."""
        return (self[i : i + 1] for i in range(len(self)))

    def __getitem__(self, index: int | slice | ArrayLike) -> Poses:
        """Some of the people: an int (kept as length one), a slice, a boolean mask or positions."""
        chosen = np.arange(len(self))[np.atleast_1d(index) if not isinstance(index, slice) else index]
        arrays = ("scores", "boxes", "joints2d", "joints3d", "translation", "joint_scores", "joint_states")
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in arrays},
            hypotheses=tuple(self.hypotheses[i] for i in chosen),
            track_ids=None if self.track_ids is None else self.track_ids[chosen],
            joint_errors=None if self.joint_errors is None else self.joint_errors[chosen],
        )

    def above(self, score: float) -> Poses:
        """Only people whose score is at least `score`."""
        return self[self.scores >= score]

    @property
    def joints3d_camera(self) -> Floats:
        """(n, J, 3) metres in the camera frame."""
        return (self.joints3d + self.translation[:, None]).astype(np.float32)

    def to_skeleton(self, skeleton: Skeleton) -> Poses:
        """The same people with another skeleton's joints, matched by name; joints we lack are NaN and MISSING."""
        source = self.skeleton.map_to(skeleton)
        absent = source < 0

        def pick(values: NDArray[Any], fill: float) -> NDArray[Any]:
            picked = values[:, source].copy()
            picked[:, absent] = fill
            return picked

        nan = float("nan")
        errors = None if self.joint_errors is None else pick(self.joint_errors, nan)
        return replace(
            self, skeleton=skeleton, joints2d=pick(self.joints2d, nan), joints3d=pick(self.joints3d, nan),
            joint_errors=errors, joint_scores=pick(self.joint_scores, 0),
            joint_states=pick(self.joint_states, JointState.MISSING),
            hypotheses=tuple(Hypotheses(h.scores, pick(h.joints2d, nan), pick(h.joints3d, nan))
                             for h in self.hypotheses),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain lists for JSON, missing numbers as None; `from_dict` reads it back to float32 precision."""
        people = []
        for i in range(len(self)):
            modes = self.hypotheses[i]
            people.append({
                "score": _plain(self.scores[i]), "box": _plain(self.boxes[i]),
                "joints2d": _plain(self.joints2d[i]), "joints3d": _plain(self.joints3d[i]),
                "translation": _plain(self.translation[i]), "joint_scores": _plain(self.joint_scores[i]),
                "joint_states": [JointState(s).name.lower() for s in self.joint_states[i]],
                "track_id": None if self.track_ids is None else int(self.track_ids[i]),
                "joint_errors": None if self.joint_errors is None else _plain(self.joint_errors[i]),
                "hypotheses": [{"score": _plain(modes.scores[k]), "joints2d": _plain(modes.joints2d[k]),
                                "joints3d": _plain(modes.joints3d[k])} for k in range(len(modes))],
            })  # fmt: skip
        skeleton = {"name": self.skeleton.name, "joints": list(self.skeleton.joints),
                    "parents": dict(self.skeleton.parents)}  # fmt: skip
        return {"schema": SCHEMA, "skeleton": skeleton, "camera": self.camera.to_dict(), "people": people}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Poses:
        """Inverse of `to_dict`; ValueError for another schema."""
        if data.get("schema") != SCHEMA:
            raise ValueError(f"found schema {data.get('schema')!r}, wanted {SCHEMA!r}")
        drawn = data["skeleton"]
        skeleton = _SKELETONS.get(drawn["name"]) or Skeleton(drawn["name"], tuple(drawn["joints"]), drawn["parents"])
        camera, people, j = Camera.from_dict(data["camera"]), data["people"], len(skeleton)
        if not people:
            return cls.empty(camera, skeleton)

        def stack(name: str, *shape: int) -> Floats:
            return np.array([p[name] for p in people], dtype=np.float32).reshape(len(people), *shape)

        states = [[JointState[s.upper()] for s in p["joint_states"]] for p in people]
        modes = tuple(_hypotheses(p["hypotheses"], j) for p in people)
        ids = [p["track_id"] for p in people]
        estimated = all(p.get("joint_errors") is not None for p in people)  # files of older versions have none
        return cls(skeleton, camera, stack("score"), stack("box", 4), stack("joints2d", j, 2), stack("joints3d", j, 3),
                   stack("translation", 3), stack("joint_scores", j), np.array(states, dtype=np.uint8), modes,
                   None if None in ids else np.array(ids, dtype=np.int64),
                   stack("joint_errors", j) if estimated else None)  # fmt: skip


def body_centre(joints3d: NDArray[np.floating], skeleton: Skeleton = LCR13) -> NDArray[np.floating]:
    """(..., J, 3) -> (..., 3) mean of the hips and shoulders, the origin of `joints3d`."""
    torso = skeleton.indices("right_hip", "left_hip", "right_shoulder", "left_shoulder")
    return np.asarray(joints3d[..., torso, :].mean(axis=-2))


def _plain(values: NDArray[Any] | np.floating[Any]) -> Any:
    """Rounded to 5 decimals (10 micrometres); NaN becomes None because JSON has none."""
    rounded = np.asarray(np.round(np.asarray(values, dtype=np.float64), 5))
    known = np.isfinite(rounded)
    plain = np.array(rounded, dtype=object)
    plain[~known] = None
    return plain.tolist()


def _hypotheses(modes: list[dict[str, Any]], joints: int) -> Hypotheses:
    if not modes:
        return Hypotheses.none(joints)
    return Hypotheses(*(np.array([m[name] for m in modes], dtype=np.float32)
                        for name in ("score", "joints2d", "joints3d")))  # fmt: skip
