"""Whole tracks through PoseBERT: smooth poses of one body, gaps filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.gaps import fill_gaps
from anchorpose.motion.posebert.codec import Grid, Observations, between_slots, decode, on_grid, track_lengths
from anchorpose.motion.posebert.model import Floats, PoseBert
from anchorpose.motion.posebert.sight import Sight, towards_sight
from anchorpose.motion.tracks import PersonTrack, Tracks


def refine_tracks(tracks: Tracks, model: PoseBert, longest: float = 2.0) -> Tracks:
    """New 3D poses for every track, and poses for frames in which a person was missed.

    For tracks as they were found, before gaps are filled or filters run: the network was trained on the detector's own
    errors. joints2d and translation of the result are not refined; `smoothing.smooth_tracks` afterwards smooths them.
    What the network says is moved towards the rays of joints2d (`sight.towards_sight`).

    Each person keeps one set of bones in all frames: the robust medians of the track (`bones.bone_lengths`).
    Frames that lack a joint in 3D and those that are marked `filled` are hidden from the network and get its pose.
    joints2d and translation of missing frames are filled linearly, as `gaps.fill_gaps` does; what was measured stays.

    Args:
        tracks: LCR13. model: the graph. longest: seconds of the longest gap that is filled.

    Returns:
        the tracks with joints3d relative to the body centre. A person of whom a joint is never found stays as they are.

    Raises:
        InputError: another skeleton, or a negative length.
    """
    if tracks.skeleton != LCR13:
        raise InputError(f"found the skeleton {tracks.skeleton.name}, wanted LCR13; convert the poses first")
    wide = fill_gaps(tracks, longest)
    step = float(np.median(np.diff(tracks.times))) if len(tracks.times) > 1 else 1.0
    people = tuple(_refined(track, rows, model, step, tracks.camera)
                   for track, rows in zip(tracks.people, wide.people, strict=True))  # fmt: skip
    return replace(wide, people=people)


def observe(track: PersonTrack) -> Observations | None:
    """What a track has seen of a person; None if a bone is never seen."""
    whole = np.isfinite(track.joints3d).all((1, 2)) & ~track.filled
    seen = track.states == JointState.VISIBLE
    try:
        lengths = track_lengths(track.joints3d[whole], seen[whole])
    except InputError:
        return None
    return Observations(track.times[whole], track.joints3d[whole], seen[whole], lengths)


def poses_at(person: Observations, times: Floats, model: PoseBert, step: float) -> Floats:
    """Poses of a person at any times.

    Args:
        person: what was seen. times: (t,) seconds. model: the graph. step: seconds between frames of the video.

    Returns:
        (t, 13, 3) metres relative to the body centre; NaN where more than a window away from all that was seen.
    """
    grid = Grid.of(float(min(person.times[0], times[0])), step)
    slots = int(np.rint(grid.place(np.array([max(person.times[-1], times[-1])]))[0])) + 1
    tokens, known = on_grid(person, grid, slots)
    return decode(between_slots(model(tokens, known), grid.place(times)), person.lengths)


def _refined(track: PersonTrack, rows: PersonTrack, model: PoseBert, step: float, camera: Camera) -> PersonTrack:
    person = observe(track)
    if person is None or not len(rows):
        return track
    joints3d = poses_at(person, rows.times, model, step)
    seen = Sight.of(track[np.isin(track.times, person.times)], camera)
    joints3d = towards_sight(joints3d, rows.times, seen, camera, person.lengths)
    known = np.isfinite(joints3d).all((1, 2), keepdims=True)
    return replace(rows, joints3d=np.where(known, joints3d, rows.joints3d).astype(np.float32))
