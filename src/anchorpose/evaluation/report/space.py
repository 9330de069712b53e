"""3D: 3DPCK over thresholds, and errors by joint, by state, by size and by rarity, in millimetres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import base_name
from anchorpose.evaluation.pck3d import AUC_MILLIMETRES, PCK3D_MILLIMETRES, pck3d_of_errors
from anchorpose.evaluation.pose3d import average
from anchorpose.evaluation.protocols import plain
from anchorpose.evaluation.protocols3d import TORSO
from anchorpose.evaluation.report.bodies import Bodies
from anchorpose.evaluation.report.breakdown import binned
from anchorpose.evaluation.report.curves import Data
from anchorpose.evaluation.report.rarity import rank_correlation, rarity3d
from anchorpose.evaluation.truth3d import centred

Array = NDArray[np.floating]
Rows = NDArray[np.bool_]


def space_data(bodies: Bodies) -> Data:
    """What the page shows of 3D.

    `MPJPE` is over people who were found, the mean of `bodies.groups`; so is that of `scenes.evaluate_scenes`.

    Args:
        bodies: of `bodies.gather3d` or `archives.gather_archive`.
    """
    error = np.where(np.isfinite(bodies.error), bodies.error, np.nan)
    known = [s for s in JointState if s != JointState.MISSING and (bodies.states == s).any()]
    # A single state (an archive that only tells what is outside) tells nothing apart.
    states = {s.name.lower(): error[bodies.states == s] for s in known if len(known) > 1}
    mean = _over_groups(bodies, lambda rows: np.array([average(bodies.mean_error[rows])]))
    return {
        "people": len(bodies), "found": int((~bodies.missed).sum()), "MPJPE": plain(float(mean[0])),
        "joints": {name: _row(error[:, j]) for j, name in enumerate(bodies.joints)},
        "states": {name: _row(values) for name, values in states.items()},
        "curve": curve_data(bodies), "size": size3d_data(bodies), "rarity": rarity3d_data(bodies),
    }  # fmt: skip


def curve_data(bodies: Bodies) -> Data:
    """3DPCK over 0, 5 .. 150 mm with its area, of everybody, of those who were found, and by kind of joint."""
    error, everybody = bodies.error, np.ones(len(bodies), dtype=bool)

    def measured(chosen: Rows, joints: list[int]) -> Array:
        """(31,) the curve."""
        return _over_groups(bodies, lambda rows: pck3d_of_errors(error[rows & chosen][:, joints]).curve)

    every = list(range(len(bodies.joints)))
    parts = {}
    for part in dict.fromkeys(map(base_name, bodies.joints)):
        chosen = [j for j in every if base_name(bodies.joints[j]) == part]
        if not np.isnan(error[:, chosen]).all():
            parts[part] = [plain(v) for v in measured(everybody, chosen)]
    curves = {"all": measured(everybody, every), "found": measured(~bodies.missed, every)}
    return {
        "thresholds": AUC_MILLIMETRES.tolist(), "groups": len(np.unique(bodies.groups)),
        "curves": {name: [plain(v) for v in curve] for name, curve in curves.items()}, "parts": parts,
        "pck": {name: plain(float(curve[-1])) for name, curve in curves.items()},
        "auc": {name: plain(float(curve.mean())) for name, curve in curves.items()},
        "joints": {name: {"counted": int((~np.isnan(error[:, j])).sum()), "pck": plain(float(own[-1])),
                          "auc": plain(float(own.mean()))}
                   for j, name in enumerate(bodies.joints) for own in [measured(everybody, [j])]},
    }  # fmt: skip


def _over_groups(bodies: Bodies, measure: Callable[[Rows], Array]) -> Array:
    """Mean over the groups of what is measured on each one's rows; a group in which nothing is counted is left out."""
    values = [measure(bodies.groups == group) for group in np.unique(bodies.groups)] or [measure(bodies.groups == 0)]
    known = [v for v in values if not np.isnan(v).any()]
    return np.asarray(np.mean(known, axis=0) if known else values[0])


def size3d_data(bodies: Bodies) -> Data:
    """MPJPE of people who were found, and 3DPCK of everybody, over the size of the person's box."""
    return _binned(bodies, bodies.size)


def rarity3d_data(bodies: Bodies) -> Data:
    """The same over the distance to the closest pose cluster (see `rarity.rarity3d`), about the body centre."""
    exact = bodies.exact
    if set(TORSO) <= set(bodies.joints):
        exact = centred(exact, bodies.joints, TORSO)
    distance = rarity3d(exact)
    known = ~np.isnan(distance + bodies.mean_error)
    return _binned(bodies, distance) | {
        "people": int((~np.isnan(distance)).sum()),
        "correlation": rank_correlation(distance[known], bodies.mean_error[known]),
    }


def _binned(bodies: Bodies, x: Array) -> Data:
    return {"error": binned(x, bodies.mean_error, top=np.inf), "pck": binned(x, bodies.share_right(PCK3D_MILLIMETRES))}


def _row(distance: NDArray[np.floating]) -> Data:
    known = distance[~np.isnan(distance)]
    quartiles = np.percentile(known, [25, 50, 75]) if len(known) else np.full(3, np.nan)
    return {"joints": len(known), "mean": plain(float(known.mean())) if len(known) else None,
            "quartiles": [plain(float(v)) for v in quartiles]}  # fmt: skip
