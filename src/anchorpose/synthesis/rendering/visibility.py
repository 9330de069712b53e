"""Whether a joint can be seen, from what its pixel shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13, base_name
from anchorpose.synthesis.rendering.chart import Part

Floats = NDArray[np.float32]
OBJECT = 255
"""Owner of things in the map of people."""
# A joint lies inside its limb. It is seen when its pixel shows a part that meets in it, at most this far before it;
# metres on a body of 1.7 m. Thick parts (hips) have more flesh in front of the joint.
_THICKNESS = {"ankle": 0.12, "knee": 0.13, "hip": 0.22, "wrist": 0.09, "elbow": 0.10, "shoulder": 0.15,
              "head_top": 0.25}  # fmt: skip
_PARTS = {
    "ankle": ("SHANK", "FOOT"), "knee": ("THIGH", "SHANK"), "hip": ("THIGH",), "wrist": ("FOREARM", "HAND"),
    "elbow": ("UPPER_ARM", "FOREARM"), "shoulder": ("UPPER_ARM",),
}  # fmt: skip
_WITH_TORSO = ("hip", "shoulder")
_BEHIND = 0.02  # metres a surface may lie behind a joint near the border of its limb


def joint_visibility(
    joints: Floats, camera: Camera, person: int, depth: Floats, parts: NDArray[np.uint8], owners: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], list[str | None]]:
    """States of one person's joints.

    Args:
        joints: (13, 3) metres, camera frame.
        camera: of the maps.
        person: its number in `owners`.
        depth: (h, w) metres, infinity for the background.
        parts: (h, w) of `Part`. owners: (h, w) 0 nobody, the person's number, `OBJECT`.

    Returns:
        (13,) of `JointState`, and for each joint None, "self", "person" or "object": what hides it.
    """
    pixels = camera.project(joints)
    states = np.full(len(joints), JointState.VISIBLE, np.uint8)
    hidden_by: list[str | None] = [None] * len(joints)
    for j, name in enumerate(LCR13.joints):
        x, y = pixels[j]
        if joints[j, 2] <= 0 or not (0 <= x < camera.width and 0 <= y < camera.height):
            states[j] = JointState.OUTSIDE
            continue
        row, column = int(y), int(x)
        owner, before = int(owners[row, column]), float(joints[j, 2] - depth[row, column])
        if owner == person:
            own = parts[row, column] in allowed_parts(name) and before < _THICKNESS[base_name(name)]
            hidden_by[j] = None if own or before < -_BEHIND else "self"
        elif owner != 0 and before > 0:
            hidden_by[j] = "object" if owner == OBJECT else "person"
        if hidden_by[j]:
            states[j] = JointState.HIDDEN
    return states, hidden_by


def allowed_parts(joint: str) -> frozenset[Part]:
    """The parts that meet in a joint: where they are seen, it is."""
    base = base_name(joint)
    if base == "head_top":
        return frozenset({Part.HEAD})
    side = joint.split("_")[0].upper()
    own = {Part[f"{side}_{part}"] for part in _PARTS[base]}
    return frozenset(own | ({Part.TORSO} if base in _WITH_TORSO else set()))
