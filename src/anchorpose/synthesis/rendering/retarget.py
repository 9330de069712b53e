"""From 13 joints to the rotations of all of Anny's bones.

Any LCR13 pose will do, whatever skeleton it was captured on: only directions are taken from it, so bodies of all sizes
can take it. The torso follows hips and shoulders; limbs are swung from their rest direction, and their twist comes from
the plane that the bent elbow or knee spans. What 13 joints do not say (hands, feet, where the face looks) is drawn at
random within what people do. The body's exact joints are those of the posed mesh, never those of the source pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.bodies import BodyPool

Floats = NDArray[np.floating]
_DOWN = np.array([0.0, 1.0, 0.0])
_BACK = np.array([0.0, 0.0, 1.0])
# share of the way from the pelvis' rotation to the chest's, and from the chest's to the head's
_SPINE = {"spine05": 0.1, "spine04": 0.35, "spine03": 0.65, "spine02": 0.9, "spine01": 1.0}
_NECK = {"neck01": 0.25, "neck02": 0.5, "neck03": 0.75, "head": 1.0}
_CLAVICLE_SHARE = 0.15  # of the upper arm's swing
_TWIST_LIMIT = np.radians(100)
_FLAT_FOOT_LIMIT = np.radians(45)
_NEAR_GROUND = 0.12  # metres: a foot whose ankle is this close to the lower one stands


@dataclass(frozen=True)
class Looseness:
    """Standard deviations, degrees, of what 13 joints leave open."""

    head_turn: float = 25.0
    head_nod: float = 10.0
    forearm: float = 40.0
    wrist: float = 18.0
    fingers: float = 25.0
    foot: float = 8.0


def bone_rotations(
    pool: BodyPool, body: int, pose: Floats, rng: np.random.Generator, loose: Looseness | None = None
) -> NDArray[np.float32]:
    """Rotation of every bone from rest, in the pose's axes.

    Args:
        pool, body: whose bones.
        pose: (13, 3) LCR13 joints, any scale and place, y down.
        rng: of the hands, feet and gaze.
        loose: how much those vary; None takes the usual.

    Returns:
        (b, 3, 3), for `bodies.pose_bones`.

    Raises:
        ValueError: the pose has NaN.
    """
    if not np.isfinite(pose).all():
        raise ValueError("found NaN in the pose, wanted all 13 joints")
    loose = loose or Looseness()
    rest, pose = pool.rest_joints(body).astype(np.float64), np.asarray(pose, np.float64)
    pelvis = _frame(pose, "hip") * _frame(rest, "hip").inv()
    chest = _frame(pose, "shoulder") * _frame(rest, "shoulder").inv()
    turns = {"root": pelvis, "pelvis.L": pelvis, "pelvis.R": pelvis}
    turns |= _between(pelvis, chest, _SPINE)
    turns |= _between(chest, _head(rest, pose, chest, rng, loose), _NECK)
    standing = _feet_that_stand(pose)
    for side, letter in (("left", "L"), ("right", "R")):
        turns |= _arm(rest, pose, chest, side, letter, rng, loose)
        turns |= _leg(rest, pose, pelvis, side, letter, standing[side], rng, loose)
    return _with_children(pool, turns)


def direction_errors(joints: Floats, pose: Floats) -> Floats:
    """(13, 3) of the posed body and of its source -> angle in degrees between each bone of LCR13 in the two."""
    a, b = (np.array([p[child] - p[parent] for parent, child in LCR13.bones]) for p in (joints, pose))
    cosine = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-9)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _joint(points: Floats, name: str) -> Floats:
    return np.asarray(points[LCR13.index(name)])


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _frame(points: Floats, across: str) -> Rotation:
    """Axes of the torso: x from right to left `across` (hip or shoulder), y down the torso."""
    x = _unit(_joint(points, f"left_{across}") - _joint(points, f"right_{across}"))
    hips, shoulders = (0.5 * (_joint(points, f"left_{j}") + _joint(points, f"right_{j}")) for j in ("hip", "shoulder"))
    down = hips - shoulders
    y = _unit(down - x * (down @ x))
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=1))


def _between(first: Rotation, last: Rotation, shares: dict[str, float]) -> dict[str, Rotation]:
    path = Slerp([0, 1], Rotation.concatenate([first, last]))
    return {bone: path(share) for bone, share in shares.items()}


def _swing(source: Floats, target: Floats) -> Rotation:
    """The smallest rotation that turns one direction into another."""
    a, b = _unit(source), _unit(target)
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-8:  # the same, or opposite: then any axis across will do
        other = np.cross(a, _DOWN if abs(a[1]) < 0.9 else _BACK)
        return Rotation.from_rotvec(_unit(other) * (0.0 if cosine > 0 else np.pi))
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine))


def _bent_limb(rest: Floats, pose: Floats, above: Rotation, names: tuple[str, str, str], hinge: Floats) -> Rotation:
    """Rotation of a limb's upper bone: swing to its direction, twist so that its hinge is the axis it bends about.

    Args:
        rest, pose: (13, 3). above: rotation of the torso the limb hangs on.
        names: joints, e.g. hip, knee, ankle.
        hinge: (3,) axis, at rest, about which the lower bone turns when the limb bends.
    """
    start, middle, end = (_joint(pose, n) for n in names)
    direction, lower = _unit(middle - start), _unit(end - middle)
    swung = above.apply(_joint(rest, names[1]) - _joint(rest, names[0]))
    upper = _swing(swung, direction) * above
    bend = np.cross(direction, lower)
    predicted = upper.apply(hinge)
    predicted = _unit(predicted - direction * (predicted @ direction))
    angle = np.arctan2(direction @ np.cross(predicted, bend), predicted @ bend)
    # a limb that is nearly straight spans no plane
    trust = np.clip((np.linalg.norm(bend) - 0.15) / 0.35, 0, 1)
    twist = float(np.clip(angle * trust, -_TWIST_LIMIT, _TWIST_LIMIT))
    return Rotation.from_rotvec(direction * twist) * upper


def _lower(rest: Floats, pose: Floats, upper: Rotation, parent: str, child: str) -> Rotation:
    swung = upper.apply(_joint(rest, child) - _joint(rest, parent))
    return _swing(swung, _joint(pose, child) - _joint(pose, parent)) * upper


def _arm(
    rest: Floats, pose: Floats, chest: Rotation, side: str, letter: str, rng: np.random.Generator, loose: Looseness
) -> dict[str, Rotation]:
    names = (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
    along = _unit(_joint(rest, names[1]) - _joint(rest, names[0]))
    # the forearm bends forward
    upper = _bent_limb(rest, pose, chest, names, _unit(np.cross(along, -_BACK)))
    fore = _lower(rest, pose, upper, names[1], names[2])
    axis = _unit(_joint(pose, names[2]) - _joint(pose, names[1]))
    turn = axis * np.radians(np.clip(rng.normal(0, loose.forearm), -70, 70))
    hand = Rotation.from_rotvec(turn) * fore
    hand = hand * Rotation.from_euler("xyz", np.clip(rng.normal(0, loose.wrist, 3), -45, 45), degrees=True)
    clavicle = _between(chest, _swing(chest.apply(along), _joint(pose, names[1]) - _joint(pose, names[0])) * chest,
                        {"clavicle": _CLAVICLE_SHARE, "shoulder01": 2 * _CLAVICLE_SHARE})  # fmt: skip
    # half of the forearm's turn happens on the way to the hand
    turns = {"upperarm01": upper, "upperarm02": upper, "lowerarm01": fore,
             "lowerarm02": Rotation.from_rotvec(turn / 2) * fore, "wrist": hand} | clavicle  # fmt: skip
    turns |= _fingers(hand, letter, rng, loose)
    return {f"{bone}.{letter}": turn for bone, turn in turns.items()}


def _fingers(hand: Rotation, letter: str, rng: np.random.Generator, loose: Looseness) -> dict[str, Rotation]:
    """All fingers curl alike, each phalanx further; the curl's axis is the hand's own, across the palm at rest."""
    curl = abs(rng.normal(0, loose.fingers))
    across = _BACK if letter == "L" else -_BACK
    turns = {}
    for finger in range(2, 6):
        for phalanx in range(1, 4):
            bent = Rotation.from_rotvec(across * np.radians(min(curl * phalanx, 75 * phalanx)))
            turns[f"finger{finger}-{phalanx}"] = hand * bent
    return turns


def _leg(
    rest: Floats, pose: Floats, pelvis: Rotation, side: str, letter: str, stands: bool,
    rng: np.random.Generator, loose: Looseness,
) -> dict[str, Rotation]:  # fmt: skip
    names = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
    along = _unit(_joint(rest, names[1]) - _joint(rest, names[0]))
    # the shank bends backward
    thigh = _bent_limb(rest, pose, pelvis, names, _unit(np.cross(along, _BACK)))
    shank = _lower(rest, pose, thigh, names[1], names[2])
    foot = _flat(shank) if stands else shank
    foot = foot * Rotation.from_euler("xy", rng.normal(0, loose.foot, 2) * (0.4 if stands else 2), degrees=True)
    turns = {"upperleg01": thigh, "upperleg02": thigh, "lowerleg01": shank, "lowerleg02": shank, "foot": foot}
    return {f"{bone}.{letter}": turn for bone, turn in turns.items()}


def _flat(shank: Rotation) -> Rotation:
    """The foot's rotation that brings its sole towards the ground, as far as an ankle goes."""
    tilt = _swing(shank.apply(_DOWN), _DOWN).as_rotvec()
    angle = float(np.linalg.norm(tilt))
    return Rotation.from_rotvec(tilt * min(1.0, _FLAT_FOOT_LIMIT / max(angle, 1e-9))) * shank


def _feet_that_stand(pose: Floats) -> dict[str, bool]:
    """A foot stands when its ankle is as low as the body gets and its shank points down."""
    ankles = {side: _joint(pose, f"{side}_ankle") for side in ("left", "right")}
    lowest = max(float(pose[:, 1].max()), *(float(a[1]) for a in ankles.values()))
    return {
        side: bool(lowest - a[1] < _NEAR_GROUND and _unit(a - _joint(pose, f"{side}_knee"))[1] > 0.5)
        for side, a in ankles.items()
    }


def _head(rest: Floats, pose: Floats, chest: Rotation, rng: np.random.Generator, loose: Looseness) -> Rotation:
    """The head follows the line from the shoulders to its top, and looks about."""
    up_rest, up_pose = (
        _joint(p, "head_top") - 0.5 * (_joint(p, "left_shoulder") + _joint(p, "right_shoulder")) for p in (rest, pose)
    )
    base = _swing(chest.apply(up_rest), up_pose) * chest
    turn = np.clip(rng.normal(0, loose.head_turn), -65, 65)
    nod = np.clip(rng.normal(0, loose.head_nod), -30, 30)
    return base * Rotation.from_euler("YX", [turn, nod], degrees=True)


def _with_children(pool: BodyPool, turns: dict[str, Rotation]) -> NDArray[np.float32]:
    """Bones without a rotation of their own move with their parent."""
    rotations = np.empty((len(pool.bones), 3, 3))
    for bone, parent in enumerate(pool.parents):
        own = turns.get(str(pool.bones[bone]))
        rotations[bone] = own.as_matrix() if own is not None else rotations[parent]
    return rotations.astype(np.float32)
