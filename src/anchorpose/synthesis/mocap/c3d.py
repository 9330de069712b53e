"""C3D: labelled points over time, from optical motion capture, through ezc3d."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.synthesis.mocap.motion import Motion, to_library_axes

_METRES = {"mm": 0.001, "cm": 0.01, "dm": 0.1, "m": 1.0, "in": 0.0254}


def read_c3d(path: Path, stride: int = 1, scale: float | None = None, up: str | None = None) -> Motion:
    """Points of a C3D file: free markers without a hierarchy or rotations.

    Args:
        path: the file.
        stride: keep every stride-th frame.
        scale: metres a unit; None takes POINT:UNITS, which is millimetres where it is absent.
        up: the file's vertical axis, "y" or "z"; None takes POINT:Y_SCREEN, which is z where it is absent.

    Raises:
        InputError: ezc3d is not installed, or the file is missing, broken or has no points.
    """
    try:
        import ezc3d  # the [c3d] extra
    except ImportError:
        raise InputError(f"found no ezc3d, which reads {path}; install it: pip install 'anchorpose[c3d]'") from None
    if not Path(path).is_file():
        raise InputError(f"cannot read {path}: found no such file; give a C3D file")
    try:
        data = ezc3d.c3d(str(path))
        parameters = data["parameters"]["POINT"]
        points = np.asarray(data["data"]["points"], dtype=np.float64)[:3].transpose(2, 1, 0)[::stride]
    except (OSError, RuntimeError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}; give a whole C3D file") from None
    names = _labels(parameters)[: points.shape[1]]
    rate = _first(parameters, "RATE", 0.0)
    if not names or len(names) != points.shape[1] or not rate > 0:
        raise InputError(f"{path}: found {points.shape[1]} points, {len(names)} labels and {rate} frames a second, "
                         "wanted labelled points; the file is broken, export it again")  # fmt: skip
    unit = str(_first(parameters, "UNITS", "mm")).strip().lower() or "mm"
    if scale is None and unit not in _METRES:
        raise InputError(f"{path}: found the unit '{unit}', wanted one of {', '.join(_METRES)}; give the scale")
    chosen = _METRES[unit] if scale is None else scale
    screen = str(_first(parameters, "Y_SCREEN", "+Z")).strip().lower()
    positions, _ = to_library_axes((points * chosen).astype(np.float32), None, up or screen[-1:] or "z")
    words = "given" if scale is not None else f"{unit} (the file's)"
    return Motion(names, (-1,) * len(names), positions, stride / float(rate), None, None, chosen, words)


def _labels(parameters: Any) -> tuple[str, ...]:
    """All labels: more than 255 go on in LABELS2, LABELS3, ...; a repeated one gets its number."""
    found: list[str] = []
    for key in ("LABELS", *(f"LABELS{i}" for i in range(2, 10))):
        found += [str(label).strip() for label in parameters[key]["value"]] if key in parameters else []
    return tuple(name if name and name not in found[:i] else f"{name}#{i}" for i, name in enumerate(found))


def _first(parameters: Any, key: str, default: Any) -> Any:
    value = parameters[key]["value"] if key in parameters else []
    return value[0] if len(value) else default
