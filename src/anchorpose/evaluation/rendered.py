"""Rendered photographs, whose 3D, camera and joint states are exact: errors by what can be seen of a joint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses, body_centre
from anchorpose.core.skeleton import LCR13, Skeleton
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.pose3d import average, mpjpe, n_mpjpe, root_error
from anchorpose.evaluation.protocols import Table, in_order, plain
from anchorpose.evaluation.scenes import evaluate_scenes, match_scene
from anchorpose.evaluation.truth3d import Truth3D

Array = NDArray[np.floating]


def evaluate_rendered(annotations: Annotations, truths: Sequence[Truth3D], predictions: Mapping[str, Poses]) -> Table:
    """The figures of `scenes.evaluate_scenes`, with size and place of people and what can be seen of their joints.

    `N-MPJPE` is the error after the best scale of each pose, `absolute MPJPE` that in the camera frame, `MRPE` the
    distance of the body centres, all over people who were found (and placed). `MPJPE visible`, `hidden` and `outside`
    are means over the joints in that state of the people who were found, `joints ...` are their numbers.

    Args:
        annotations: of `load_annotations`.
        truths: of the same file, in LCR13: `datasets.truth3d.rendered_truths`.
        predictions: image file name -> its people.

    Raises:
        InputError: see `evaluate_scenes`, or `truths` are of other pictures than the annotations.
    """
    table = evaluate_scenes(annotations, predictions)
    by_name = {truth.file_name: truth for truth in truths}
    parts = []
    poses = in_order(annotations, predictions)
    for image, people, own in zip(annotations.images, annotations.people, poses, strict=True):
        truth = by_name.get(image.file_name)
        if truth is None or len(truth) != len(people):
            raise InputError(f"{image.file_name} has {len(people)} annotated people and "
                             f"{'no' if truth is None else len(truth)} people with joint states, wanted as many; read "
                             "both from one file of anchorpose synthesize render")  # fmt: skip
        match, _ = match_scene(own, people, annotations.skeleton)
        rows = match >= 0
        parts.append(_pairs(own[match[rows]], truth, rows))
    pred, root, exact, states = (np.concatenate(column) for column in zip(*parts, strict=True))
    centre = body_centre(exact)
    relative = exact - centre[:, None]
    table |= {"N-MPJPE": plain(average(n_mpjpe(pred, relative))),
              "absolute MPJPE": plain(average(mpjpe(pred + root[:, None], exact))),
              "MRPE": plain(average(root_error(root, centre)[0]))}  # fmt: skip
    distance = 1000 * np.linalg.norm(pred - relative, axis=-1)
    for state in (JointState.VISIBLE, JointState.HIDDEN, JointState.OUTSIDE):
        chosen = distance[(states == state) & ~np.isnan(distance)]
        name = state.name.lower()
        table |= {f"MPJPE {name}": plain(average(chosen)), f"joints {name}": len(chosen)}
    return table


def _pairs(poses: Poses, truth: Truth3D, rows: NDArray[np.bool_]) -> tuple[Array, Array, Array, NDArray[np.uint8]]:
    """Of m people who were found: (m, 13, 3) predicted, (m, 3) its place, (m, 13, 3) exact, (m, 13) states."""
    source = _in_lcr13(truth.skeleton)
    exact = truth.joints3d[rows][:, source].astype(np.float64)
    pred = poses.to_skeleton(LCR13).joints3d.astype(np.float64)
    return pred, poses.translation.astype(np.float64), exact, truth.states[rows][:, source]


def _in_lcr13(skeleton: Skeleton) -> NDArray[np.intp]:
    source = skeleton.map_to(LCR13)
    if (source < 0).any():
        raise InputError(f"the annotations' joints ({skeleton.name}) lack {LCR13.joints[int(source.argmin())]}, wanted "
                         "those of LCR13; give a file of anchorpose synthesize render")  # fmt: skip
    return source
