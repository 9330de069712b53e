"""One set of bones for one person ('same person, same bones'; end of the appendix on Zhou et al., ICCV 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13, mirror_name

Floats = NDArray[np.floating]
ANKLE_HEIGHT = 0.039
"""Height of the ankle joint over that of the person (Drillis and Contini, 1966)."""
# from the middle of the body outwards; `pelvis` and `neck` are the middles of hips and shoulders
_SEGMENTS = (
    ("pelvis", "neck"), ("neck", "head_top"),
    *(bone for side in ("left", "right") for bone in (
        ("neck", f"{side}_shoulder"), ("pelvis", f"{side}_hip"),
        (f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist"),
        (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle"),
    )),
)  # fmt: skip


def bone_lengths(joints3d: Floats, weights: Floats | None = None) -> dict[tuple[str, str], float]:
    """Robust lengths of a person's segments: weighted medians over time, left and right alike.

    Args:
        joints3d: (t, 13, 3) metres, LCR13; NaN where missing.
        weights: (t, 13) importance of each joint; None takes 1. A segment has that of its worse end.

    Returns:
        (from, to) -> metres, where `pelvis` and `neck` are the middles of the hips and of the shoulders.

    Raises:
        InputError: a segment is not seen in any frame.
    """
    weights = np.ones(joints3d.shape[:2]) if weights is None else weights
    lengths = {}
    for start, end in _SEGMENTS:
        sides = {(start, end), (mirror_name(start), mirror_name(end))}
        values = np.concatenate([np.linalg.norm(_point(joints3d, b) - _point(joints3d, a), axis=1) for a, b in sides])
        worth = np.concatenate([np.minimum(_weight(weights, a), _weight(weights, b)) for a, b in sides])
        known = np.isfinite(values) & (worth > 0)
        if not known.any():
            raise InputError(f"found no frame with both {start} and {end}, wanted one at least; use a longer track")
        lengths[start, end] = _weighted_median(values[known], worth[known])
    return lengths


def body_height(lengths: dict[tuple[str, str], float]) -> float:
    """Metres of somebody who stands upright with these segments, the foot below the ankle included."""
    chain = (("neck", "head_top"), ("pelvis", "neck"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"))
    return sum(lengths[segment] for segment in chain) / (1 - ANKLE_HEIGHT)


def repose(joints3d: Floats, lengths: dict[tuple[str, str], float]) -> NDArray[np.float64]:
    """The same poses with the given segments, every one along its measured direction.

    Args:
        joints3d: (t, 13, 3) metres; NaN where missing, and what hangs on a missing joint becomes NaN too.
        lengths: of `bone_lengths`.

    Returns:
        (t, 13, 3) metres relative to the body centre.
    """
    points: dict[str, Floats] = {"pelvis": np.zeros((len(joints3d), 3))}
    for start, end in _SEGMENTS:
        way = _point(joints3d, end) - _point(joints3d, start)
        size = np.linalg.norm(way, axis=1, keepdims=True)
        unit = np.divide(way, size, out=np.full(way.shape, np.nan), where=size > 0)
        points[end] = points[start] + lengths[start, end] * unit
    posed = np.stack([points[joint] for joint in LCR13.joints], axis=1)
    return np.asarray(posed - body_centre(posed)[:, None])


def _point(joints3d: Floats, name: str) -> Floats:
    pairs = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
    if name in pairs:
        return np.asarray(joints3d[:, LCR13.indices(*pairs[name])].mean(1), np.float64)
    return np.asarray(joints3d[:, LCR13.index(name)], np.float64)


def _weight(weights: Floats, name: str) -> Floats:
    pairs = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
    return np.asarray(weights[:, LCR13.indices(*pairs.get(name, (name,)))].min(1))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
