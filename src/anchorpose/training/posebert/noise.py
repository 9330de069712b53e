"""What the detector does wrong, as numbers, and how motion capture is spoilt in the same way.

The paper injects noise but does not publish it. A detector that is not sure draws limbs towards their mean place, so
what it finds is `gain` times where a joint is in the body's axes, plus an `offset`. On top come a factor on the
person's size, a turn of the whole body, and a shift of each joint; each is the sum of a constant of the track (bias), a
part that forgets within `memory` seconds (slow), and one that is new in every frame (jitter). Then sides are exchanged
and frames are missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13, base_name
from anchorpose.motion.posebert.kinematics import CHEST, PELVIS, to_rotations

Floats = NDArray[np.floating]
GROUPS = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder", "head_top")
GROUP_OF = np.array([GROUPS.index(base_name(joint)) for joint in LCR13.joints])
ARMS, LEGS = (np.array(LCR13.indices(*(f"{side}_{j}" for side in ("right", "left") for j in joints)))
              for joints in (("wrist", "elbow", "shoulder"), ("ankle", "knee", "hip")))  # fmt: skip
_OUTWARD = np.array([{"left": 1.0, "right": -1.0, "middle": 0.0}[LCR13.side(j)] for j in range(len(LCR13))])

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class DetectorNoise:
    """Errors of a detector; lengths in metres, angles in radians, axes those of the camera unless said.

    Args:
        gain, offset: (7, 3) of each of `GROUPS` outwards, down and forward of the body: found on average is gain times
            the true place, relative to the body centre, plus offset.
        size: mean of the logarithm of found over true size. sizes: its bias, slow and jitter deviations.
        turns: (3, 3) bias, slow and jitter of the turn about x, y and z.
        joints: (3, 7, 3) bias, slow and jitter of each group along x, y and z.
        memory: seconds in which the slow parts forget. burst: deviation of the logarithm of a frame's jitter.
        unseen: share of joints that the detector says are hidden, for how many seconds, and how much more slow error
            and jitter they have.
        missing: share of frames without the person, and for how many seconds.
        swaps: shares of frames with exchanged arms and with exchanged legs. swap_seconds: for how long.
    """

    gain: tuple[Triple, ...]
    offset: tuple[Triple, ...]
    size: float
    sizes: Triple
    turns: tuple[Triple, Triple, Triple]
    joints: tuple[tuple[Triple, ...], tuple[Triple, ...], tuple[Triple, ...]]
    memory: float
    burst: float
    unseen: Triple
    missing: tuple[float, float]
    swaps: tuple[float, float]
    swap_seconds: float


class Spoilt(NamedTuple):
    """What the detector would have found: (b, t, 13, 3) metres relative to the body centre, (b, t, 13) seen, and
    (b, t) frames in which it found the person."""

    joints3d: NDArray[np.float64]
    seen: NDArray[np.bool_]
    found: NDArray[np.bool_]


def spoil(truth: Floats, noise: DetectorNoise, rate: float, rng: np.random.Generator) -> Spoilt:
    """True poses as the detector would find them.

    Args:
        truth: (b, t, 13, 3) metres relative to the body centre, camera axes. noise: the errors. rate: frames a second.
        rng: of the chance.
    """
    b, t = truth.shape[:2]
    keep = float(np.exp(-1 / (rate * noise.memory)))
    share, seconds, factor = noise.unseen
    seen = ~_spells(share, seconds * rate, (b, t, len(LCR13)), rng)
    burst = np.exp(noise.burst * rng.normal(size=(b, t, 1, 1)))
    joints = np.asarray(noise.joints)[:, GROUP_OF]
    bias = joints[0] * rng.normal(size=(b, 1, len(LCR13), 3))
    moving = joints[1] * _slow((b, t, len(LCR13), 3), keep, rng) + joints[2] * burst * rng.normal(size=truth.shape)
    drawn = expected(truth, np.asarray(noise.gain), np.asarray(noise.offset))
    poses = drawn + bias + moving * np.where(seen, 1.0, factor)[..., None]
    turns, sizes = (_three((b, t, n), np.asarray(values), keep, burst[..., 0], rng)
                    for n, values in ((3, noise.turns), (1, np.asarray(noise.sizes)[:, None])))  # fmt: skip
    matrix = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(b, t, 3, 3)
    poses = np.exp(noise.size + sizes)[..., None] * (poses @ np.swapaxes(matrix, -1, -2))
    for rows, often in zip((ARMS, LEGS), noise.swaps, strict=True):
        wrong = _spells(often, noise.swap_seconds * rate, (b, t), rng)[..., None, None]
        poses[:, :, rows] = np.where(wrong, poses[:, :, LCR13.flip[rows]], poses[:, :, rows])
    found = ~_spells(noise.missing[0], noise.missing[1] * rate, (b, t), rng)
    return Spoilt(poses - body_centre(poses)[..., None, :], seen, found)


def body_axes(truth: Floats) -> NDArray[np.float64]:
    """(..., 13, 3) -> (..., 3, 3) columns left, down and forward of the body; down is the camera's."""
    turns = to_rotations(truth)
    left = (turns[..., PELVIS, :, 0] + turns[..., CHEST, :, 0]) * [1.0, 0.0, 1.0]
    left = left / np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-6)
    down = np.broadcast_to([0.0, 1.0, 0.0], left.shape)
    return np.stack([left, down, np.cross(down, left)], axis=-1)


def expected(truth: Floats, gain: Floats, offset: Floats) -> NDArray[np.float64]:
    """(..., 13, 3) where joints are found on average, in camera axes, from `DetectorNoise`'s (7, 3) gain and offset."""
    axes = body_axes(truth)
    shift = offset[GROUP_OF].copy()
    shift[:, 0] *= _OUTWARD
    return np.asarray((truth @ axes * gain[GROUP_OF] + shift) @ np.swapaxes(axes, -1, -2))


def outward(places: Floats, truth: Floats) -> NDArray[np.float64]:
    """(..., 13, 3) in camera axes -> outwards, down and forward of the true body; head: left, down and forward."""
    own = places @ body_axes(truth)
    own[..., 0] *= np.where(_OUTWARD == 0, 1.0, _OUTWARD)
    return np.asarray(own)


def _three(shape: tuple[int, ...], values: Floats, keep: float, burst: Floats, rng: np.random.Generator) -> Floats:
    """(b, t, n): bias + slow + jitter with the deviations `values` (3, n)."""
    bias = values[0] * rng.normal(size=(shape[0], 1, shape[2]))
    jitter = values[2] * burst * rng.normal(size=shape)
    return np.asarray(bias + values[1] * _slow(shape, keep, rng) + jitter)


def _slow(shape: tuple[int, ...], keep: float, rng: np.random.Generator) -> Floats:
    """A first-order autoregressive process of variance 1 along axis 1."""
    white = rng.normal(size=shape)
    white[:, 1:] *= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], white, axis=1))


def _spells(share: float, frames: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Spells along axis 1 that last `frames` on average and cover `share` of all."""
    ends = 1 / max(frames, 1.0)
    begins = min(1.0, share * ends / max(1 - share, 1e-6))
    chance = rng.random(shape)
    inside = np.empty(shape, bool)
    inside[:, 0] = chance[:, 0] < share
    for i in range(1, shape[1]):
        inside[:, i] = np.where(inside[:, i - 1], chance[:, i] >= ends, chance[:, i] < begins)
    return inside
