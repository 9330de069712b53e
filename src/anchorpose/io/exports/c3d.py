"""C3D: labelled points, as motion capture laboratories exchange them, through ezc3d."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.io.exports.axes import to_axes
from anchorpose.io.exports.clip import Clip
from anchorpose.io.files import atomic_path

_MILLIMETRES = 1000.0


def write_c3d(path: Path, clip: Clip, identity: int) -> None:
    """One person's joints as points in millimetres, z up (x right, y forward), labelled by joint.

    A missing joint has the residual -1, the format's mark of an invalid point. POINT:X_SCREEN and Y_SCREEN say which
    axes point right and up.

    Raises:
        InputError: ezc3d is not installed, no such person, or the file cannot be written.
    """
    try:
        import ezc3d  # the [c3d] extra
    except ImportError:
        raise InputError(f"found no ezc3d, which writes {path}; install it: pip install 'anchorpose[c3d]'") from None
    even = clip.at_constant_rate()
    points = to_axes(even.person(identity).in_camera(), "z", _MILLIMETRES)
    missing = np.asarray(np.isnan(points).any(-1))
    data = ezc3d.c3d()
    data["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    data["parameters"]["POINT"]["RATE"]["value"] = [even.fps]
    data["parameters"]["POINT"]["LABELS"]["value"] = list(clip.skeleton.joints)
    data["parameters"]["POINT"]["DESCRIPTIONS"]["value"] = [f"{clip.skeleton.name} joint"] * len(clip.skeleton)
    data.add_parameter("POINT", "X_SCREEN", ["+X"])
    data.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    flat = np.concatenate([np.where(missing[..., None], 0, points), np.ones((*missing.shape, 1))], axis=-1)
    data["data"]["points"] = flat.transpose(2, 1, 0)
    data["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, 0.0).T[None]
    data["data"]["meta_points"]["camera_masks"] = np.zeros((7, missing.shape[1], missing.shape[0]), dtype=bool)
    with atomic_path(path) as temporary:
        data.write(str(temporary))
