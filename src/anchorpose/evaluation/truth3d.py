"""What the 3D protocols are measured on: pictures of people whose 3D is known, and the predictions of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.crowdpose import AREA_SHARE
from anchorpose.evaluation.keypoints import Truth, oks
from anchorpose.evaluation.scenes import MIN_OKS, best_first

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Truth3D:
    """One picture with n people in a data set's own J joints.

    Args:
        file_name: the picture, relative to the data set's folder, with forward slashes.
        skeleton: names the J joints.
        joints3d: (n, J, 3) metres in the camera frame (x right, y down, z forward), the person's place included; NaN
            where unknown. Of MuPoTS-3D and MPI-INF-3DHP those that their toolkits measure, which are not in true size.
        joints2d: (n, J, 2) pixels; NaN where unknown.
        states: (n, J) of `JointState`; MISSING where the data set does not say.
        camera: that took the picture, where the data set has it.
        sequence: name of the video. frame: position in it.
        activity: what the people do. subject: who they are.
        ids: (n,) the people's identities within the sequence.

    Raises:
        InputError: the arrays do not fit together.
    """

    file_name: str
    skeleton: Skeleton
    joints3d: Array
    joints2d: Array
    states: NDArray[np.uint8]
    camera: Camera | None = None
    sequence: str | None = None
    frame: int | None = None
    activity: str | None = None
    subject: str | None = None
    ids: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n, j = len(self.joints3d), len(self.skeleton)
        wanted = {"joints3d": (n, j, 3), "joints2d": (n, j, 2), "states": (n, j)}
        if self.ids is not None:
            wanted["ids"] = (n,)
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"{self.file_name} has {name} of shape {getattr(self, name).shape}, wanted {shape}; "
                                 f"give one row a person in the joints of {self.skeleton.name}")  # fmt: skip

    def __len__(self) -> int:
        return len(self.joints3d)

    def joints(self, names: Sequence[str]) -> Array:
        """(n, len(names), 3) metres of the named joints, float64.

        Raises:
            InputError: the skeleton lacks one of them.
        """
        if absent := [name for name in names if name not in self.skeleton.joints]:
            raise InputError(f"{self.file_name} is annotated in the joints of {self.skeleton.name}, which lack "
                             f"{', '.join(absent)}; give the pictures of the protocol")  # fmt: skip
        return self.joints3d[:, self.skeleton.indices(*names)].astype(np.float64)

    def as_keypoints(self) -> Truth:
        """The same people for 2D metrics; a person's area is CrowdPose's share of the box around the joints."""
        known = np.asarray(np.isfinite(self.joints2d).all(axis=-1))
        around = np.nan_to_num(boxes.around(np.where(known[..., None], self.joints2d, np.nan)))
        nobody = np.zeros(len(self), dtype=bool)
        areas = AREA_SHARE * boxes.area(around)
        return Truth(self.joints2d.astype(np.float64), known, around, areas, nobody, np.logical_not(known.any(axis=1)),
                     states=self.states)  # fmt: skip


def predictions_of(truths: Sequence[Truth3D], predictions: Mapping[str, Poses]) -> list[Poses]:
    """The predictions in the order of the pictures.

    Raises:
        InputError: there are no pictures, two have the same name, or one has no entry in `predictions`.
    """
    names = [truth.file_name for truth in truths]
    if not names:
        raise InputError("found no annotated picture, wanted at least one; give the pictures of the protocol")
    if len(set(names)) != len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"found {twice} twice among the annotated pictures, wanted each once; read the data set once")
    missing = [name for name in names if name not in predictions]
    if missing:
        raise InputError(f"no predictions for {len(missing)} of {len(names)} annotated pictures, the first is "
                         f"{missing[0]}; run the detector on all of them")  # fmt: skip
    return [predictions[name] for name in names]


def common_joints(wanted: Sequence[str], poses: Sequence[Poses], needed: Sequence[str]) -> list[str]:
    """Those of the wanted joints that all predictions have; pictures in which nobody was found do not matter.

    Args:
        wanted: the joints of the protocol, in its order.
        poses: the predictions.
        needed: the joints whose middle the poses are centred on.

    Raises:
        InputError: a needed joint is not among them.
    """
    skeletons = {p.skeleton for p in poses if len(p)}
    shared = [joint for joint in wanted if all(joint in s.joints for s in skeletons)]
    if absent := [joint for joint in needed if not all(joint in s.joints for s in skeletons)]:
        names = ", ".join(sorted({s.name for s in skeletons}))
        raise InputError(f"the predictions ({names}) have no {', '.join(absent)}, and the protocol centres poses on "
                         f"{', '.join(needed)}; give predictions with these joints")  # fmt: skip
    return shared


def best_scoring(poses: Poses, names: Sequence[str]) -> Array:
    """(len(names), 3) metres, the person of the best score in the camera's axes; NaN where nobody was found.

    Joints that the predictions lack are NaN.
    """
    return _of_best(poses, poses.joints3d, names)


def best_scoring2d(poses: Poses, names: Sequence[str]) -> Array:
    """(len(names), 2) pixels of the same person as `best_scoring`."""
    return _of_best(poses, poses.joints2d, names)


def _of_best(poses: Poses, joints: Array, names: Sequence[str]) -> Array:
    if not len(poses):
        return np.full((len(names), joints.shape[-1]), np.nan)
    best = int(np.nan_to_num(poses.scores, nan=-np.inf).argmax())
    return np.asarray(_named(joints, poses.skeleton, names)[best])


def overlapping(poses: Poses, truth: Truth3D, names: Sequence[str]) -> Array:
    """(n, len(names), 3) metres, the prediction that goes with each annotated person; NaN where none does.

    People and predictions are paired by 2D alone as in `evaluation.scenes`: greatest OKS first, at least `MIN_OKS`.
    """
    own = _named(poses.joints2d, poses.skeleton, truth.skeleton.joints)
    people = truth.as_keypoints()
    similarity = np.where(people.ignore, 0.0, oks(own, people, truth.skeleton.sigmas))
    match = best_first(similarity, MIN_OKS)
    result = np.full((len(truth), len(names), 3), np.nan)
    result[match >= 0] = _named(poses.joints3d, poses.skeleton, names)[match[match >= 0]]
    return result


def centred(joints: Array, names: Sequence[str], middle: Sequence[str]) -> Array:
    """(..., J, 3) of the named joints -> the same relative to the mean of the joints in `middle`."""
    places = [names.index(joint) for joint in middle]
    return np.asarray(joints - joints[..., places, :].mean(axis=-2, keepdims=True))


def _named(joints: Array, skeleton: Skeleton, names: Sequence[str]) -> Array:
    """(n, J, d) -> (n, len(names), d) float64; joints that the skeleton lacks are NaN."""
    source = skeleton.map_to(Skeleton("named", tuple(names)))
    result = joints[:, source].astype(np.float64)
    result[:, source < 0] = np.nan
    return np.asarray(result)
