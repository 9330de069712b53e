"""One HTML page that plays a clip in 3D: no server, no network, nothing to install."""

from __future__ import annotations

import base64
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.io.exports.clip import Clip
from anchorpose.io.figure import PEOPLE, SIDES, css, links
from anchorpose.io.files import atomic_write

MOST_OVERLAY_BYTES = 64 << 20
"""A larger video makes a page that browsers open slowly or not at all."""
_UNKNOWN = -32768
_STEPS = 32000
_VIDEOS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}


def write_viewer(path: Path, clip: Clip, overlay: Path | None = None, title: str = "anchorpose") -> None:
    """Write a page with the people over a floor grid, to turn, zoom and play; beside it the picture's 2D or a video.

    Everything is in the file: coordinates as 16-bit numbers (a scene 20 m wide is kept to 0.6 mm), the program, the
    video. The page follows the system's light or dark mode and works with mouse, touch and keyboard.

    Args:
        path: ends in .html.
        clip: the tracked people.
        overlay: an .mp4 or .webm of the same video from its first frame, played in step; None draws the 2D bodies.
        title: heading of the page.

    Raises:
        InputError: `overlay` is missing, of another kind or larger than `MOST_OVERLAY_BYTES`, or the page cannot be
            written.
    """
    files = resources.files("anchorpose.io.viewer")
    parts = {name: (files / name).read_text(encoding="utf-8") for name in
             ("page.html", "page.css", "shared/scene.js", "shared/orbit.js", "player.js")}  # fmt: skip
    # "</script>" in a name must not end the script
    data = json.dumps(_page_data(clip, title), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    html = parts["page.html"]
    for mark, text in (("/*CSS*/", parts["page.css"]), ("/*SCENE*/", parts["shared/scene.js"]),
                       ("/*ORBIT*/", parts["shared/orbit.js"]), ("/*PLAYER*/", parts["player.js"]), ("/*DATA*/", data),
                       ("/*VIDEO*/", "" if overlay is None else _video(overlay))):  # fmt: skip
        html = html.replace(mark, text, 1)
    atomic_write(path, html)


def _page_data(clip: Clip, title: str) -> dict[str, Any]:
    space = [person.in_camera() for person in clip.people]
    flat = [person.joints2d for person in clip.people]
    sizes = [_step(space), _step(flat)]
    return {
        "title": title, "times": (clip.times - clip.times[0]).round(4).tolist(), "start": float(clip.times[0]),
        "indices": clip.indices.tolist(), "joints": [name.replace("_", " ") for name in clip.skeleton.joints],
        "links": [[list(link.start), list(link.end), link.side] for link in links(clip.skeleton)],
        "sides": {side: css(colour) for side, colour in SIDES.items()}, "width": clip.camera.width,
        "height": clip.camera.height, "focal": [clip.camera.fx, clip.camera.fy, clip.camera.cx, clip.camera.cy],
        "step3d": sizes[0], "step2d": sizes[1],
        "people": [
            {"id": person.id, "colour": css(PEOPLE[person.id % len(PEOPLE)]), "joints3d": _packed(space[i], sizes[0]),
             "joints2d": _packed(flat[i], sizes[1]), "states": base64.b64encode(person.states.tobytes()).decode()}
            for i, person in enumerate(clip.people)
        ],
    }  # fmt: skip


def _step(arrays: list[NDArray[np.float32]]) -> float:
    """What one step of the 16-bit numbers means."""
    reach = max((float(np.nanmax(np.abs(a))) for a in arrays if np.isfinite(a).any()), default=1.0)
    return max(reach, 1e-6) / _STEPS


def _packed(values: NDArray[np.float32], step: float) -> str:
    whole = np.where(np.isfinite(values), np.round(values / step), _UNKNOWN)
    return base64.b64encode(whole.astype("<i2").tobytes()).decode()


def _video(path: Path) -> str:
    kind = _VIDEOS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path} is no video that a page plays, wanted .mp4 or .webm; give the overlay video")
    try:
        size = path.stat().st_size
        if size > MOST_OVERLAY_BYTES:
            raise InputError(f"{path} has {size / 1e6:.0f} MB, wanted at most {MOST_OVERLAY_BYTES / 1e6:.0f} to put it "
                             "into a page; leave it out or write a smaller one")  # fmt: skip
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give the overlay video or leave it out") from None
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
