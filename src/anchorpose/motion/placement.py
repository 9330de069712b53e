"""Placement over time: one body a track, a smooth way through the room, feet that stand.

`lcrnet.placement.place` puts each frame's pose in front of the camera on its own; here all frames of a track are of one
person, which tells errors from motion.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.lcrnet.placement import place
from anchorpose.motion.bones import body_height, bone_lengths, repose
from anchorpose.motion.common_floor import find_common_floor
from anchorpose.motion.filters import neighbours
from anchorpose.motion.floor import ContactOptions, Floor, plant, standing_ankles, standing_scale
from anchorpose.motion.tracks import PersonTrack, Tracks

Floats = NDArray[np.floating]
_HIDDEN = 0.3
_ROBUST_STEPS = 4


@dataclass(frozen=True)
class PlacementOptions:
    """How tracks are placed.

    Args:
        heights: known heights of people in metres, by identity; their bodies and distances are scaled to them, and
            so are those of others on the same floor.
        window: seconds within which a way is smoothed (standard deviation of the kernel); 0 keeps each frame's place.
        feet: look for a floor, on which people stand and their feet do not slide.
        contact: when a foot stands.
        seed: of the search for the floor.
    """

    heights: dict[int, float] = field(default_factory=dict)
    window: float = 0.2
    feet: bool = True
    contact: ContactOptions = field(default_factory=ContactOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.window >= 0 or any(not 0.3 <= h <= 2.8 for h in self.heights.values()):
            raise InputError(f"found a window of {self.window} s and heights {list(self.heights.values())} m, wanted a "
                             "window of 0 or more and heights of 0.3 to 2.8")  # fmt: skip


@dataclass(frozen=True)
class Placed:
    """Placed tracks, the metres of each person's height, and the floor where one was found."""

    tracks: Tracks
    heights: dict[int, float]
    floor: Floor | None


def place_tracks(tracks: Tracks, options: PlacementOptions | None = None) -> Placed:
    """Give every track one body and a smooth way, and let its feet stand.

    Bones get the robust median of their lengths over the track, left and right alike, along their measured directions.
    Poses are placed anew with the tracks' camera (`dataclasses.replace` a known one into them) and the way is smoothed.
    Where a floor is found, people become as large and as far away as they are if they stand on it (how large is hard to
    tell from one picture, so distances err by as much), and feet in contact with it are held. joints2d stay as they
    were measured.

    Raises:
        InputError: another skeleton than LCR13, or a height of nobody.
    """
    options = options or PlacementOptions()
    if tracks.skeleton != LCR13:
        raise InputError(f"found the skeleton {tracks.skeleton.name}, wanted LCR13; convert the poses first")
    unknown = set(options.heights) - {p.id for p in tracks.people}
    if unknown:
        raise InputError(f"found heights of {sorted(unknown)}, wanted those of tracks that are there")
    bodied = [_with_one_body(p, tracks, options) for p in tracks.people]
    heights = {p.id: h for p, h in bodied if h is not None}
    people = [p for p, _ in bodied]
    floor = None
    if options.feet and people:
        standing = [standing_ankles(_in_camera(p), p.times) for p in people]
        floor = find_common_floor(standing, [heights.get(p.id, np.nan) for p in people],
                                  np.random.default_rng(options.seed))  # fmt: skip
    if floor is not None:
        floor, scales = _scales(people, floor, set(options.heights))
        people = [_planted(_scaled(p, scales[p.id]), floor, options.contact) for p in people]
        heights = {number: scales[number] * height for number, height in heights.items()}
    return Placed(replace(tracks, people=tuple(people)), heights, floor)


def smooth_way(translation: Floats, times: Floats, scores: Floats, window: float) -> NDArray[np.float64]:
    """Robust local-linear smoothing in time, along the viewing rays and in depth; steps may be of any length.

    Depth is smoothed as its logarithm, because its errors grow with it. Frames far off the local line lose their weight
    (Cauchy's weights, four rounds). A way that is straight in x / z, y / z and log z passes unchanged.

    Args:
        translation: (t, 3) metres, camera frame, z > 0; NaN where unknown, and stays so.
        times: (t,) seconds, rising. scores: (t,) weights. window: seconds.
    """
    known = np.isfinite(translation).all(1) & (translation[:, 2] > 0)
    result = np.full(translation.shape, np.nan)
    if known.sum() < 3 or window == 0:
        result[known] = translation[known]
        return result
    way, moment = translation[known].astype(np.float64), times[known].astype(np.float64)
    weight = np.maximum(np.nan_to_num(scores[known].astype(np.float64)), 1e-3)
    rays = np.column_stack([way[:, :2] / way[:, 2:], np.log(way[:, 2])])
    fitted, trust = rays, np.ones_like(rays)
    for _ in range(_ROBUST_STEPS):
        worth = weight[:, None] * trust
        fitted = np.concatenate([_local_line(rays[near], apart, worth[near], window)
                                 for near, apart in neighbours(moment, window)])  # fmt: skip
        away = np.abs(rays - fitted)
        scale = 1.4826 * np.median(away, axis=0) + 1e-9
        trust = 1 / (1 + (away / (2.4 * scale)) ** 2)
    depth = np.exp(fitted[:, 2:])
    result[known] = np.concatenate([fitted[:, :2] * depth, depth], axis=1)
    return result


def _local_line(values: Floats, apart: Floats, weights: Floats, window: float) -> Floats:
    """(r, c) values of lines fitted with a Gaussian kernel to (n, c) values and weights (r, n) seconds later."""
    kernel = np.exp(-0.5 * (apart / window) ** 2)[..., None] * weights
    s0, s1, s2 = (np.einsum("rt,rtc->rc", apart**p, kernel) for p in (0, 1, 2))
    v0, v1 = (np.einsum("rt,rtc,tc->rc", apart**p, kernel, values) for p in (0, 1))
    determinant = s0 * s2 - s1**2
    line = np.divide(s2 * v0 - s1 * v1, determinant, out=v0 / s0, where=determinant > 1e-9 * s0**2 * window**2)
    return np.asarray(line)


def _with_one_body(track: PersonTrack, tracks: Tracks, options: PlacementOptions) -> tuple[PersonTrack, float | None]:
    weights = np.where(track.states == JointState.VISIBLE, 1.0, _HIDDEN) * np.isfinite(track.joints3d).all(-1)
    weights = weights * ~track.filled[:, None]
    try:
        lengths = bone_lengths(track.joints3d, weights)
    except InputError:  # a joint is never found, so there is no body to hold on to
        return track, None
    if track.id in options.heights:
        scale = options.heights[track.id] / body_height(lengths)
        lengths = {segment: scale * length for segment, length in lengths.items()}
    posed = repose(track.joints3d, lengths)
    centre = place(track.joints2d, posed, tracks.camera, np.where(track.states == JointState.VISIBLE, 1.0, _HIDDEN))
    centre = smooth_way(centre, track.times, track.scores, options.window).astype(np.float32)
    return replace(track, joints3d=posed.astype(np.float32), translation=centre), body_height(lengths)


def _in_camera(track: PersonTrack) -> Floats:
    return np.asarray(track.joints3d.astype(np.float64) + track.translation[:, None])


def _scales(people: Sequence[PersonTrack], floor: Floor, known: Collection[int]) -> tuple[Floor, dict[int, float]]:
    """The floor as far below the camera as those of known height say, and by how much others are larger than placed."""
    own = [standing_scale(_in_camera(p), p.times, floor) for p in people if p.id in known]
    sure = [scale for scale in own if scale is not None]
    if sure:
        floor = replace(floor, offset=floor.offset / float(np.median(sure)))
    scales = {p.id: None if p.id in known else standing_scale(_in_camera(p), p.times, floor) for p in people}
    return floor, {number: scale or 1.0 for number, scale in scales.items()}


def _scaled(track: PersonTrack, scale: float) -> PersonTrack:
    """Larger and further away, so that the picture is the same."""
    size = np.float32(scale)
    return replace(track, joints3d=track.joints3d * size, translation=track.translation * size)


def _planted(track: PersonTrack, floor: Floor, options: ContactOptions) -> PersonTrack:
    joints = plant(_in_camera(track), track.times, floor, options)
    centre = np.where(np.isfinite(track.translation), track.translation, body_centre(joints))
    return replace(track, joints3d=(joints - centre[:, None]).astype(np.float32))
