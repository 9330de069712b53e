"""PoseBERT's poses brought back to where the person was seen.

PoseBERT reads 3D alone, and makes poses likelier and smoother than they were at the price of where the joints are in
the picture. As in `lcrnet.placement.along_rays` they move sideways towards the rays of their 2D joints; by how far is
smoothed over time, so that 2D adds no jitter. The paper has no such step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.lcrnet.placement import offsets_to_rays, place
from anchorpose.lcrnet.refinement import confident_errors
from anchorpose.motion.filters import REACH, local_mean
from anchorpose.motion.gaps import interpolate
from anchorpose.motion.posebert.kinematics import with_lengths
from anchorpose.motion.tracks import PersonTrack

Floats = NDArray[np.floating]
WINDOW = 0.1
"""Seconds, standard deviation of the smoothing. Of 0.05 to 0.3, on the sequences of docs/video.md: shorter ones leave
jitter in, longer ones lose what is gained."""
OFF_3D = 0.1
"""Metres that x and y of PoseBERT's poses count as off: more than of the detector's, whose 3D knows its 2D."""
FARTHEST = REACH * WINDOW
"""Seconds from a time that its smoothing reaches."""


@dataclass(frozen=True)
class Sight:
    """Where a person was seen.

    Args:
        times: (t,) seconds, rising. joints2d: (t, 13, 2) pixels. translation: (t, 3) metres, camera frame.
        joint_scores: (t, 13).
    """

    times: NDArray[np.float64]
    joints2d: Floats
    translation: Floats
    joint_scores: Floats

    @classmethod
    def of(cls, track: PersonTrack, camera: Camera) -> Sight:
        """All rows of a track, placed anew: the camera may not be the one that they were found with."""
        placed = place(track.joints2d, track.joints3d, camera, track.joint_scores)
        return cls(track.times, track.joints2d, placed, track.joint_scores)


def towards_sight(poses: Floats, times: Floats, seen: Sight, camera: Camera, lengths: Floats) -> NDArray[np.float32]:
    """Poses whose joints are nearer to where they were seen.

    Args:
        poses: (t, 13, 3) metres relative to the body centre. times: (t,) seconds, rising. seen: at some of these times;
            between two of them what joints move by goes straight from one to the other.
        camera: of the pixels. lengths: (12,) metres of the person's segments, which the result has.

    Returns:
        (t, 13, 3) metres relative to the body centre; NaN where `poses` are.
    """
    if not len(seen.times):
        return poses.astype(np.float32)
    rows = np.searchsorted(times, seen.times)
    errors = confident_errors(seen.joint_scores, seen.joints2d)
    offsets = offsets_to_rays(seen.joints2d, poses[rows], seen.translation, camera, errors, OFF_3D)
    wide = np.full((len(times), offsets[0].size), np.nan)
    wide[rows] = local_mean(offsets.reshape(len(rows), -1), seen.times, WINDOW)
    filled, _ = interpolate(wide, times, np.inf)
    moved = poses.astype(np.float64)
    moved[..., :2] += np.nan_to_num(filled).reshape(len(times), -1, 2)
    return with_lengths(moved, lengths).astype(np.float32)
