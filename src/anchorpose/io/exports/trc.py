"""TRC: tab-separated marker positions, as OpenSim reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anchorpose.io.exports.axes import to_axes
from anchorpose.io.exports.clip import Clip
from anchorpose.io.files import atomic_write

_MILLIMETRES = 1000.0


def write_trc(path: Path, clip: Clip, identity: int) -> None:
    """One person's joints as markers in millimetres, y up (x right, z towards the camera), a constant frame rate.

    Layout as in OpenSim's documentation ("Marker (.trc) Files"). A joint that is missing leaves its three fields empty,
    which OpenSim takes as not seen. Times begin at the clip's first frame.

    Raises:
        InputError: no such person, or the file cannot be written.
    """
    even = clip.at_constant_rate()
    points = to_axes(even.person(identity).in_camera(), "y", _MILLIMETRES)
    names, t = clip.skeleton.joints, len(even)
    rate = f"{even.fps:.6f}"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{Path(path).name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{t}\t{len(names)}\tmm\t{rate}\t1\t{t}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ"),
        "",
    ]
    flat = points.reshape(t, -1)
    for k in range(t):
        values = ("" if missing else f"{v:.4f}" for v, missing in zip(flat[k], np.isnan(flat[k]), strict=True))
        lines.append(f"{k + 1}\t{even.times[k]:.6f}\t" + "\t".join(values))
    atomic_write(path, "\n".join(lines) + "\n")
