"""From a motion's own joints to LCR13, by joint names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mocap.markers import has_markers, marker_joints
from anchorpose.synthesis.mocap.motion import Floats, Motion

HEAD_OVER_TORSO = 0.62
"""Shoulders to head top over hips to shoulders in adults; Drillis and Contini: 0.182 / 0.288 of the stature."""
_MIN_END = 0.01
_LIMBS = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")


@dataclass(frozen=True)
class JointMap:
    """Which joint of a motion is which of LCR13; names are compared without prefix ("mixamorig:") and case.

    Args:
        name: of the naming, for messages.
        joints: LCR13 joint -> joint of the motion. `head_top` may be the skull's base if `neck` is given.
        neck: a joint below `head_top`'s. The head top then continues the line from the shoulders and the neck through
            it, as far as `HEAD_OVER_TORSO` wants it over the clip; empty takes `head_top` as it is.
        end: a joint above `head_top`'s that is used instead where the motion has it.
    """

    name: str
    joints: Mapping[str, str]
    neck: str = ""
    end: str = ""


def _sided(name: str, limbs: str, sides: tuple[str, str], head: str, neck: str = "", end: str = "") -> JointMap:
    """Limbs are six names in `_LIMBS`'s order, with * for the side."""
    words = dict(zip(_LIMBS, limbs.split(), strict=True))
    joints = {
        f"{side}_{limb}": word.replace("*", own)
        for side, own in zip(("left", "right"), sides, strict=True)
        for limb, word in words.items()
    }
    return JointMap(name, joints | {"head_top": head}, neck, end)


_LEFT_RIGHT = ("left", "right")
_MIXAMO = "*foot *leg *upleg *hand *forearm *arm"
MAPS = (
    _sided("Mixamo", _MIXAMO, _LEFT_RIGHT, "headtop_end"),
    _sided("Mixamo or CMU's BVH", _MIXAMO, _LEFT_RIGHT, "head", "neck", "head_end"),
    _sided("Bandai-Namco", "foot_* lowerleg_* upperleg_* hand_* lowerarm_* upperarm_*", ("l", "r"), "head", "neck"),
    # the bone that ASF calls wrist is the forearm's last third, which only turns about itself
    _sided("CMU's ASF", "*foot *tibia *femur *hand *radius *humerus", ("l", "r"), "head_end", "head"),
    _sided("DeepMimic", "*_ankle *_knee *_hip *_wrist *_elbow *_shoulder", _LEFT_RIGHT, "neck_end", "neck"),
    _sided("joints", "*ankle *knee *hip *wrist *elbow *shoulder", _LEFT_RIGHT, "head", "neck", "head_end"),
)
"""Tried in this order; then Plug-in-Gait's markers (`markers.marker_joints`)."""


def to_lcr13(motion: Motion, mapping: JointMap | Mapping[str, str] | None = None) -> Floats:
    """LCR13 poses of a motion.

    Args:
        motion: any clip.
        mapping: LCR13 joint -> joint of the motion; None takes the first of `MAPS` whose joints are all there.

    Returns:
        (t, 13, 3) metres relative to the body centre, x right, y down, z forward; NaN where a marker is missing.

    Raises:
        InputError: joints are missing, or `mapping` lacks one of LCR13's.
    """
    index = {_plain(name): i for i, name in reversed(list(enumerate(motion.names)))}
    if mapping is None:
        chosen = next((m for m in MAPS if not _missing(m, index)), None)
        if chosen is None and has_markers(motion.names):
            return _centred(marker_joints(motion))
    else:
        chosen = mapping if isinstance(mapping, JointMap) else JointMap("your mapping", dict(mapping))
    if chosen is None:
        closest = min(MAPS, key=lambda m: len(_missing(m, index)))
        raise _lacks(motion, closest, index)
    absent = [joint for joint in LCR13.joints if joint not in chosen.joints]
    if absent:
        raise InputError(f"found no {', '.join(absent)} in {chosen.name}, wanted all joints of LCR13; add them")
    if _missing(chosen, index):
        raise _lacks(motion, chosen, index)
    rows = [index[_plain(chosen.joints[joint])] for joint in LCR13.joints]
    poses = motion.positions[:, rows].astype(np.float64)
    if chosen.neck and len(poses):
        base, neck = _skull(motion, chosen, index)
        poses[:, LCR13.index("head_top")] = _head_top(poses, base, neck)
    return _centred(poses)


def _plain(name: str) -> str:
    """mixamorig:LeftArm, mixamorig1_LeftArm, Rig:LeftArm and LeftArm are one name."""
    return re.sub(r"^mixamorig\d*_?", "", name.rsplit(":", 1)[-1].lower())


def _missing(chosen: JointMap, index: Mapping[str, int]) -> list[str]:
    wanted = [*chosen.joints.values(), *([chosen.neck] if chosen.neck else [])]
    return [name for name in wanted if _plain(name) not in index]


def _lacks(motion: Motion, chosen: JointMap, index: Mapping[str, int]) -> InputError:
    return InputError(
        f"the motion lacks the joints {', '.join(_missing(chosen, index))} of {chosen.name}, which comes closest; "
        f"it has {', '.join(motion.names)}; give a mapping from LCR13's joints to these"
    )


def _skull(
    motion: Motion, chosen: JointMap, index: Mapping[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(t, 3) the highest joint of the head, and the joint below it."""
    base = motion.positions[:, index[_plain(chosen.joints["head_top"])]].astype(np.float64)
    neck = motion.positions[:, index[_plain(chosen.neck)]].astype(np.float64)
    if _plain(chosen.end) in index:
        end = motion.positions[:, index[_plain(chosen.end)]].astype(np.float64)
        if np.median(np.linalg.norm(end - base, axis=-1)) > _MIN_END:  # many exporters write an end of no length
            return end, base
    return base, neck


def _head_top(poses: NDArray[np.float64], base: NDArray[np.float64], neck: NDArray[np.float64]) -> NDArray[np.float64]:
    """(t, 3) beyond the skull's base, the same distance in all frames: skulls are rigid."""
    shoulders = poses[:, LCR13.indices("left_shoulder", "right_shoulder")].mean(1)
    hips = poses[:, LCR13.indices("left_hip", "right_hip")].mean(1)
    along = ((base - shoulders) + (base - neck)) / 2
    size = np.linalg.norm(along, axis=-1, keepdims=True)
    torso, reached = (np.linalg.norm(v, axis=-1) for v in (shoulders - hips, base - shoulders))
    further = max(float(np.nanmedian(HEAD_OVER_TORSO * torso - reached)), 0.0)
    return np.asarray(base + further * along / np.maximum(size, 1e-9))


def _centred(poses: NDArray[np.float64]) -> Floats:
    return np.asarray(poses - body_centre(poses)[:, None], dtype=np.float32)
