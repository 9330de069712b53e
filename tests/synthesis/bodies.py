"""A walking stick figure, for tests that need poses which move as people do."""

import numpy as np

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13


def walking(count):
    """(count, 13, 3) metres, y down, facing the camera (-z), one stride, knees and elbows bent their own way."""
    phase = 2 * np.pi * np.arange(count) / count
    joints = np.zeros((count, 13, 3))
    for side, x, turn in (("left", 1, 0.0), ("right", -1, np.pi)):
        leg, arm = 0.6 * np.sin(phase + turn), -0.5 * np.sin(phase + turn)
        bend = 0.5 + 0.4 * np.cos(phase + turn)
        put(joints, f"{side}_hip", [0.1 * x, 0, 0])
        swing(joints, f"{side}_hip", f"{side}_knee", leg, 0.45)
        swing(joints, f"{side}_knee", f"{side}_ankle", leg - bend, 0.43)
        put(joints, f"{side}_shoulder", [0.18 * x, -0.5, 0])
        swing(joints, f"{side}_shoulder", f"{side}_elbow", arm, 0.29)
        swing(joints, f"{side}_elbow", f"{side}_wrist", arm + bend, 0.26)
    put(joints, "head_top", [0, -0.8, -0.05])
    return (joints - body_centre(joints)[:, None]).astype(np.float32)


def put(joints, name, at):
    joints[:, LCR13.index(name)] = at


def swing(joints, start, end, angle, length):
    """A limb that hangs down, turned forward (towards -z) by `angle` radians."""
    along = np.stack([np.zeros_like(angle), np.cos(angle), -np.sin(angle)], 1)
    joints[:, LCR13.index(end)] = joints[:, LCR13.index(start)] + length * along
