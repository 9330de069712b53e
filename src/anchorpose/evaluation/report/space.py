"""Errors in 3D by joint and by state, where the annotations hold exact 3D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.pose3d import average, mpjpe
from anchorpose.evaluation.protocols import plain
from anchorpose.evaluation.report.curves import Data
from anchorpose.evaluation.report.people import Bodies


def space_data(bodies: Bodies, skeleton: Skeleton) -> Data:
    """Mean and quartiles of the position error of each joint, and of all joints of the same state, in millimetres.

    Over people who were found; `MPJPE` is that of `scenes.evaluate_scenes`.

    Args:
        bodies: of `people.gather3d`.
        skeleton: the annotations'.
    """
    # A joint as a pose of one joint: its MPJPE is its distance.
    distance = mpjpe(bodies.found[:, :, None], bodies.exact[:, :, None])
    missed = np.isnan(distance).all(axis=1)
    states = {s.name.lower(): distance[bodies.states == s] for s in JointState if s != JointState.MISSING}
    return {
        "people": len(distance), "found": int((~missed).sum()),
        "MPJPE": plain(average(mpjpe(bodies.found, bodies.exact))),
        "joints": {name: _row(distance[:, j]) for j, name in enumerate(skeleton.joints)},
        "states": {name: _row(values) for name, values in states.items() if len(values)},
    }  # fmt: skip


def _row(distance: NDArray[np.floating]) -> Data:
    known = distance[~np.isnan(distance)]
    quartiles = np.percentile(known, [25, 50, 75]) if len(known) else np.full(3, np.nan)
    return {"joints": len(known), "mean": plain(float(known.mean())) if len(known) else None,
            "quartiles": [plain(float(v)) for v in quartiles]}  # fmt: skip
