"""`anchorpose track finish` and `anchorpose track edit`: tracks.jsonl and exports anew, without the video."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from anchorpose.app.commands_common import OK
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.app.edits import Edit
    from anchorpose.app.finish import FinishOptions, Summary
    from anchorpose.core.camera import Camera
    from anchorpose.io.exports.export import Format

_NEEDED = {"parquet": ("pyarrow", "tables"), "c3d": ("ezc3d", "c3d")}
"""Library and extra of formats that need one."""
_Texts = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(frozen=True)
class FinishArguments:
    """What is made of the results when the last frame is done."""

    filter: Literal["savgol", "butterworth", "one-euro", "none"] = "savgol"
    """How tracks are smoothed over time, after single outliers are repaired."""
    refine: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="[FILE.onnx]", help_behavior_hint="")] = None
    """Let PoseBERT correct the poses in 3D: the embedded weights, or those that `anchorpose train posebert` wrote."""
    fill: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 0.5
    """Fill gaps in a track up to this length; filled poses are marked."""
    min_seconds: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 0.2
    """Leave out people who are found for less."""
    height: Annotated[str | None, tyro.conf.arg(metavar="METRES|ID=METRES,...", help_behavior_hint="")] = None
    """Known body heights: of everybody (1.75) or of single people (3=1.82,5=1.6); distances follow."""
    camera: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json", help_behavior_hint="")] = None
    """Known camera: fx, fy, cx, cy, width and height in pixels."""
    floor: bool = True
    """Find the floor, give people the size at which they stand on it, hold feet, stand exports with a ground on it."""
    export: Annotated[str, tyro.conf.arg(metavar="FORMAT,...", help_behavior_hint="")] = ""
    """Files to write into DIR/exports: bvh, glb, trc, c3d, csv, coco, posetrack, openpose, parquet, npz, or all."""
    html: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write DIR/view.html, which plays the people in 3D in any browser."""

    def options(self) -> FinishOptions:
        """What `finish` takes.

        Raises:
            InputError: something is out of range, unknown, unreadable or not installed.
        """
        from anchorpose.app.finish import FinishOptions

        height, heights = parse_height(self.height)
        camera = None if self.camera is None else read_camera(self.camera)
        return FinishOptions(self.filter, self.fill, self.min_seconds, height, heights, camera, self.floor,
                             parse_formats(self.export), self.html, self._refine())  # fmt: skip

    def _refine(self) -> str | None:
        """As `FinishOptions` has it; a model that cannot be opened is told before a video is read."""
        from anchorpose.app.finish import POSEBERT, find_refiner
        from anchorpose.motion.posebert.model import PoseBert

        if self.refine is None:
            return None
        if len(self.refine) > 1:
            raise InputError(f"found --refine with {len(self.refine)} words, wanted one FILE.onnx at most; put the "
                             "source or folder before the options")  # fmt: skip
        name = self.refine[0] if self.refine else POSEBERT
        PoseBert(find_refiner(name))
        return name


@dataclass(frozen=True)
class TrackFinish:
    """Makes tracks.jsonl and exports anew from the results of a run, without the video.

    Edits that were made before stay.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder that `anchorpose track` wrote."""
    fov: Annotated[float | None, tyro.conf.arg(metavar="DEGREES", help_behavior_hint="")] = None
    """Known field of view along the longer side."""
    finish: FinishArguments = field(default_factory=FinishArguments)

    def run(self) -> int:
        """Exit code."""
        from anchorpose.app.finish import finish, stored

        options = self.finish.options()
        if self.fov is not None:
            options = replace(options, camera=self._camera(options.camera))
        report(finish(self.folder, options, stored(self.folder)[1]), self.folder)
        return OK

    def _camera(self, given: Camera | None) -> Camera:
        from anchorpose.app.tracks_file import RESULTS
        from anchorpose.core.camera import Camera
        from anchorpose.io.video.journal import read_header

        fov = float(self.fov or 0)
        if given is not None:
            raise InputError("found both --camera and --fov, wanted one; the camera tells the field of view")
        if not 0 < fov < 180:
            raise InputError(f"fov must be between 0 and 180 degrees, found {fov:g}")
        used = Camera.from_dict(read_header(self.folder / RESULTS)["camera"])
        return Camera.from_fov(used.width, used.height, fov)


@dataclass(frozen=True)
class TrackEdit:
    """Corrects who is who, and makes tracks.jsonl and its exports anew as they were made before.

    Numbers are those of the overlay. Splits are done first, then swaps, then merges; for another order call it again:
    later edits go on from earlier ones.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder that `anchorpose track` wrote."""
    split: Annotated[_Texts, tyro.conf.arg(metavar="ID@SECONDS", help_behavior_hint="")] = ()
    """From this time on it is somebody new, with the next free number."""
    swap: Annotated[_Texts, tyro.conf.arg(metavar="ID,ID@SECONDS", help_behavior_hint="")] = ()
    """From this time on the two change places."""
    merge: Annotated[_Texts, tyro.conf.arg(metavar="ID,ID", help_behavior_hint="")] = ()
    """The second is the first."""
    reset: tyro.conf.FlagCreatePairsOff[bool] = False
    """Forget earlier edits."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.app.edits import Edit
        from anchorpose.app.finish import finish, stored

        given = {"split": self.split, "swap": self.swap, "merge": self.merge}
        new = [Edit(kind, text) for kind, texts in given.items() for text in texts]
        if not new and not self.reset:
            raise InputError("found no edit, wanted --merge, --split, --swap or --reset")
        options, earlier = stored(self.folder)
        edits: Sequence[Edit] = new if self.reset else [*earlier, *new]
        report(finish(self.folder, options, edits), self.folder)
        return OK


def parse_height(text: str | None) -> tuple[float | None, dict[int, float]]:
    """Metres of everybody, and of single people by number; InputError for other texts."""
    everybody, single = None, {}
    for part in [] if text is None else text.split(","):
        number, _, metres = part.rpartition("=")
        try:
            if number:
                single[int(number)] = float(metres)
            else:
                everybody = float(metres)
        except ValueError:
            raise InputError(f"found --height {text!r}, wanted metres such as 1.75, or 3=1.82,5=1.6") from None
    return everybody, single


def parse_formats(text: str) -> tuple[Format, ...]:
    """Formats of `io.exports` without repetition; `glb` is gltf, `all` all that can be written here.

    Raises:
        InputError: an unknown format, or one whose library is not installed.
    """
    from anchorpose.io.exports.export import FORMATS

    known: dict[str, Format] = {name: name for name in FORMATS if name != "html"}
    known["glb"] = "gltf"
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    chosen: dict[Format, None] = {}
    for name in names:
        if name == "all":
            chosen |= {f: None for f in known.values() if _is_installed(f)}
        elif name not in known:
            raise InputError(f"found the format {name!r}, wanted some of {', '.join(known)}, all; --html for the page")
        elif not _is_installed(known[name]):
            library, extra = _NEEDED[name]
            raise InputError(f"found no {library}, which writes {name}; install it: pip install 'anchorpose[{extra}]'")
        else:
            chosen[known[name]] = None
    return tuple(chosen)


def read_camera(path: Path) -> Camera:
    """A known camera from JSON; a file whose `camera` is one will do, such as the first line of results.jsonl.

    Raises:
        InputError: the file cannot be read, or is no camera.
    """
    from anchorpose.core.camera import Camera
    from anchorpose.io.files import read_json

    wanted = ("fx", "fy", "cx", "cy", "width", "height")
    data = read_json(path, "give a camera as JSON")
    data = data.get("camera", data) if isinstance(data, dict) else {}
    try:
        fx, fy, cx, cy, width, height = (float(data[name]) for name in wanted)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path} is no camera, wanted the numbers {', '.join(wanted)} in pixels") from None
    if not (min(fx, fy, width, height) > 0 and max(fx, fy, width, height, abs(cx), abs(cy)) < 1e6):
        raise InputError(f"{path} is no camera: focal lengths and sizes must be above 0 pixels")
    return Camera(fx, fy, cx, cy, round(width), round(height))


def report(summary: Summary, folder: Path) -> None:
    """One line on stderr."""
    people = "1 person" if summary.people == 1 else f"{summary.people} people"
    frames = "1 frame" if summary.frames == 1 else f"{summary.frames} frames"
    short = f", {summary.left_out} seen too briefly left out (--min-seconds)" if summary.left_out else ""
    print(f"anchorpose: {frames} ({summary.seconds:.1f} s), {people}{short} -> {folder}{os.sep}", file=sys.stderr)


def _is_installed(name: str) -> bool:
    return name not in _NEEDED or find_spec(_NEEDED[name][0]) is not None
