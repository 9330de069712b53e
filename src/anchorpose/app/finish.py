"""From results.jsonl to tracks.jsonl and exports: what needs all frames of a video, but none of its pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.app.edits import Edit, apply_edits
from anchorpose.app.tracks_file import RESULTS, TRACKS, TrackFile, read_track_file, to_clip, write_track_file
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.export import Format, export_clip
from anchorpose.io.video.journal import read_header
from anchorpose.io.viewer.page import MOST_OVERLAY_BYTES, write_viewer
from anchorpose.motion.bones import ANKLE_HEIGHT
from anchorpose.motion.floor import Floor
from anchorpose.motion.gaps import fill_gaps
from anchorpose.motion.placement import Placed, PlacementOptions, place_tracks
from anchorpose.motion.posebert.model import PoseBert
from anchorpose.motion.posebert.refine import refine_tracks
from anchorpose.motion.smoothing import FilterName, repair_outliers, smooth_tracks
from anchorpose.motion.tracks import Tracks

OVERLAY = "overlay.mp4"
EXPORTS = "exports"
PAGE = "view.html"
POSEBERT = "posebert"
"""Name of the embedded weights that refine poses over time."""
_ON_THE_GROUND: tuple[Format, ...] = ("bvh", "c3d", "trc", "gltf")
_ADULT = 1.7


@dataclass(frozen=True)
class FinishOptions:
    """What is made of the results of a video.

    Args:
        filter: over time; outliers are repaired first unless it is 'none'.
        fill: seconds of the longest gap that is filled.
        min_seconds: people who are found for less are left out (never asked for more than the whole video).
        height: metres of everybody; heights: of single people by number, which go before.
        camera: the known camera, of any size of the same shape; None takes that of the results.
        floor: look for the floor, give people the size at which they stand on it, hold standing feet and stand exports
            with a ground on it.
        exports: formats of `io.exports`. html: also the page.
        refine: PoseBERT gives the poses in 3D: `POSEBERT` for the embedded weights, or the path of an ONNX file. The
            filter still smooths joints2d and the way.
    """

    filter: FilterName = "savgol"
    fill: float = 0.5
    min_seconds: float = 0.2
    height: float | None = None
    heights: dict[int, float] = field(default_factory=dict)
    camera: Camera | None = None
    floor: bool = True
    exports: tuple[Format, ...] = ()
    html: bool = False
    refine: str | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.fill < np.inf and 0 <= self.min_seconds < np.inf):
            raise InputError(f"found --fill {self.fill:g} and --min-seconds {self.min_seconds:g}, wanted 0 or more")
        PlacementOptions(heights=self.heights | ({} if self.height is None else {0: self.height}))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FinishOptions:
        """Inverse of `dataclasses.asdict`, by way of JSON."""
        camera = None if data["camera"] is None else Camera.from_dict(data["camera"])
        heights = {int(number): metres for number, metres in data["heights"].items()}
        return cls(**data | {"camera": camera, "heights": heights, "exports": tuple(data["exports"])})


@dataclass(frozen=True)
class Summary:
    """Frames, seconds from the first to the last, people kept and left out, whether a floor was found, and files."""

    frames: int
    seconds: float
    people: int
    left_out: int
    floor: bool
    files: tuple[Path, ...]


def finish(out: Path, options: FinishOptions | None = None, edits: Sequence[Edit] = ()) -> Summary:
    """Makes tracks.jsonl and the exports from results.jsonl alone, so that it can be done again at any time.

    Edits, short people out, outliers repaired, gaps filled, filter, one body a person and their way through the room
    (`place_tracks`). tracks.jsonl has the schema of results.jsonl; its header also tells `finish`, `edits`, `heights`
    and `floor`, and people have `filled`. Takes about 1.3 kB of memory for each person in each frame.

    Args:
        out: the folder of a run.
        options: what to make.
        edits: of who is who, in order.

    Raises:
        InputError: no results there or broken ones, an edit that cannot be done, a camera of another shape, a height of
            nobody, a library that is not installed, or a file that cannot be written.
    """
    options = options or FinishOptions()
    raw = read_track_file(out / RESULTS)
    edited = apply_edits(raw.tracks, edits)
    kept = _with_camera(_longer_than(edited, options.min_seconds), options.camera)
    placed = finished(kept, options)
    told = {"finish": asdict(options), "edits": [str(e) for e in edits],
            "heights": {str(k): round(h, 4) for k, h in placed.heights.items()},
            "floor": None if placed.floor is None else _plain_floor(placed.floor)}  # fmt: skip
    file = TrackFile(raw.header | told, raw.indices, placed.tracks)
    write_track_file(out / TRACKS, file)
    files = (out / TRACKS, *_export(out, file, placed, options))
    times = raw.tracks.times
    return Summary(len(times), float(times[-1] - times[0]), len(kept.people), len(edited.people) - len(kept.people),
                   placed.floor is not None, files)  # fmt: skip


def finished(tracks: Tracks, options: FinishOptions) -> Placed:
    """What `finish` makes of tracks: repaired, filled, smooth or refined, placed in the room."""
    return _placed(_smoothed(tracks, options), options)


def stored(out: Path) -> tuple[FinishOptions, list[Edit]]:
    """What the tracks.jsonl of a folder was made with; nothing special where there is none.

    Raises:
        InputError: it is broken.
    """
    if not (out / TRACKS).exists():
        return FinishOptions(), []
    header = read_header(out / TRACKS)
    try:
        return FinishOptions.from_dict(header["finish"]), [Edit.parse(text) for text in header["edits"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{out / TRACKS} does not tell what it was made with; remove it") from None


def find_refiner(name: str) -> Path:
    """The ONNX file of `FinishOptions.refine`; InputError where no PoseBERT is embedded and none was given."""
    from anchorpose.app.estimator import WEIGHTS

    if name != POSEBERT:
        return Path(name)
    if not (path := WEIGHTS / f"{POSEBERT}.onnx").is_file():
        raise InputError("found no embedded weights of PoseBERT; train them (`anchorpose train posebert`) and give "
                         "--refine FILE.onnx, or leave out --refine")  # fmt: skip
    return path


def check_camera(camera: Camera, width: int, height: int) -> None:
    """InputError where a known camera cannot be that of a video of this size: its pictures have another shape."""
    if abs(camera.width * height - camera.height * width) > 0.01 * camera.width * height:
        raise InputError(f"found a camera of {camera.width} x {camera.height} pixels, the video has {width} x "
                         f"{height}; give the camera of this video")  # fmt: skip


def level(clip: Clip, floor: Floor, ground: bool, height: float = _ADULT) -> Clip:
    """The clip with y straight down on the floor.

    Args:
        clip: in the camera frame. floor: of ankles.
        ground: the origin is the ground under the camera; else it stays the camera.
        height: metres of the people, which tells how far ankles are above the ground.
    """
    down = -floor.normal
    forward = np.array([0.0, 0.0, 1.0]) - down[2] * down
    forward /= np.linalg.norm(forward)
    below = floor.offset + ANKLE_HEIGHT * height if ground else 0.0
    return clip.moved(np.stack([np.cross(down, forward), down, forward]), below * down)


def read_floor(header: dict[str, Any]) -> Floor | None:
    """The floor that the header of tracks.jsonl tells of; results.jsonl has none."""
    found = header.get("floor")
    if found is None:
        return None
    try:
        floor = Floor(np.array(found["normal"], np.float64).reshape(3), float(found["offset"]), float(found["share"]))
    except (KeyError, TypeError, ValueError):
        raise InputError("the floor in the header is broken; make the tracks anew: anchorpose track finish") from None
    return floor


def _longer_than(tracks: Tracks, seconds: float) -> Tracks:
    if len(tracks.times) < 2:
        return tracks
    step = float(np.median(np.diff(tracks.times)))
    needed = min(ceil(seconds / step - 1e-6), len(tracks.times))
    return tracks.longer_than(needed - 1)


def _with_camera(tracks: Tracks, camera: Camera | None) -> Tracks:
    if camera is None:
        return tracks
    own = tracks.camera
    check_camera(camera, own.width, own.height)
    return replace(tracks, camera=replace(camera.scaled(own.width, own.height), assumed=False))


def _smoothed(tracks: Tracks, options: FinishOptions) -> Tracks:
    whole = tracks if options.filter == "none" else repair_outliers(tracks)
    smooth = smooth_tracks(fill_gaps(whole, options.fill), options.filter)
    if options.refine is None:
        return smooth
    # it was trained on poses as they are found, so it gets them as they are
    refined = refine_tracks(tracks, PoseBert(find_refiner(options.refine)), options.fill)
    people = (replace(s, joints3d=r.joints3d) if len(r) == len(s) else s  # who lacks a bone is not refined
              for s, r in zip(smooth.people, refined.people, strict=True))  # fmt: skip
    return replace(smooth, people=tuple(people))


def _placed(tracks: Tracks, options: FinishOptions) -> Placed:
    everybody = {} if options.height is None else {p.id: options.height for p in tracks.people}
    return place_tracks(tracks, PlacementOptions(heights=everybody | options.heights, feet=options.floor))


def _export(out: Path, file: TrackFile, placed: Placed, options: FinishOptions) -> list[Path]:
    if not options.exports and not options.html:
        return []
    clip = to_clip(file)
    height = float(np.median(list(placed.heights.values()))) if placed.heights else _ADULT
    standing = clip if placed.floor is None else level(clip, placed.floor, True, height)
    files: list[Path] = []
    for name in options.exports:
        made = export_clip(out / EXPORTS, standing if name in _ON_THE_GROUND else clip, [name])
        _remove_old(out / EXPORTS, name, clip)
        files += made
    if options.html:
        write_page(out / PAGE, clip if placed.floor is None else level(clip, placed.floor, False), out / OVERLAY,
                   str(file.header.get("source", "anchorpose")))  # fmt: skip
        files.append(out / PAGE)
    return files


def write_page(path: Path, clip: Clip, overlay: Path, title: str) -> None:
    """The page, with the overlay video where there is one that a page can hold."""
    fits = overlay.is_file() and overlay.stat().st_size <= MOST_OVERLAY_BYTES
    write_viewer(path, clip, overlay if fits else None, title)


def _remove_old(folder: Path, name: Format, clip: Clip) -> None:
    """Files of people and frames that an earlier run had and this one has not."""
    if name in ("bvh", "c3d", "trc"):
        kept = {f"person_{p.id}.{name}" for p in clip.people}
        form, place = re.compile(rf"person_\d+\.{name}"), folder
    elif name == "openpose":
        kept = {f"video_{index:012d}_keypoints.json" for index in clip.indices.tolist()}
        form, place = re.compile(r"video_\d{12}_keypoints\.json"), folder / "openpose"
    else:
        return
    for path in place.iterdir():
        if form.fullmatch(path.name) and path.name not in kept:
            path.unlink(missing_ok=True)


def _plain_floor(floor: Floor) -> dict[str, Any]:
    return {"normal": floor.normal.tolist(), "offset": floor.offset, "share": floor.share}
