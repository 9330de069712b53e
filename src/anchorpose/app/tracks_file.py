"""tracks.jsonl: the finished tracks of a video in the schema of results.jsonl, people with `filled`; and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.io.exports.clip import Clip, PersonClip
from anchorpose.io.files import atomic_path
from anchorpose.io.video.journal import FrameResult, read_header, read_results
from anchorpose.motion.tracks import PersonTrack, Tracks

RESULTS = "results.jsonl"
TRACKS = "tracks.jsonl"
_FILLED = b'"filled":true'
_BLOCK = 256
_MOST_BYTES = 4 << 30
_ONE_FRAME_RATE = 25.0


@dataclass(frozen=True)
class TrackFile:
    """What results.jsonl or tracks.jsonl holds.

    Args:
        header: the first line. indices: (f,) numbers of the frames in the video. tracks: everybody over these frames.
    """

    header: dict[str, Any]
    indices: NDArray[np.int64]
    tracks: Tracks


def read_track_file(path: Path) -> TrackFile:
    """Reads results.jsonl or tracks.jsonl; about 350 bytes for each person in each frame stay in memory.

    Where the picture's size changes, pixels are brought to the first frame's camera, along the same viewing rays.

    Raises:
        InputError: see `read_results` and `Tracks.from_frames`.
    """
    header, frames = read_header(path), read_results(path)
    filled = _filled(path)
    indices: list[int] = []
    blocks: list[Tracks] = []
    while block := list(islice(frames, _BLOCK)):
        camera = blocks[0].camera if blocks else block[0][2].camera
        blocks.append(Tracks.from_frames((time, seen_by(poses, camera)) for _, time, poses in block))
        indices += [index for index, _, _ in block]
    if not blocks:
        raise InputError(f"{path} holds no frame; run the video again")
    tracks = _joined(blocks)
    people = (replace(p, filled=np.isin(p.times, filled.get(p.id, []))) for p in tracks.people)
    return TrackFile(header, np.array(indices, np.int64), replace(tracks, people=tuple(people)))


def write_track_file(path: Path, file: TrackFile) -> None:
    """Writes tracks.jsonl whole or not at all; the header takes its camera and skeleton from the tracks.

    Raises:
        InputError: the file cannot be written.
    """
    nobody = Poses.empty(file.tracks.camera, file.tracks.skeleton).to_dict()
    header = file.header | {"skeleton": nobody["skeleton"], "camera": nobody["camera"]}
    filled = {p.id: set(p.times[p.filled].tolist()) for p in file.tracks.people}
    with atomic_path(path) as temporary:
        try:
            with open(temporary, "w", encoding="utf-8") as out:
                out.write(_line(header))
                for index, time, poses in frames_of(file):
                    people = [entry | {"filled": time in filled[entry["track_id"]]}
                              for entry in poses.to_dict()["people"]]  # fmt: skip
                    out.write(_line({"index": index, "time": time, "people": people}))
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; make room on the disk") from error


def frames_of(file: TrackFile) -> Iterator[FrameResult]:
    """The frames in order; inverse of `read_track_file`, a few at a time in memory."""
    tracks, indices = file.tracks, file.indices.tolist()
    for first in range(0, len(tracks.times), _BLOCK):
        times = tracks.times[first : first + _BLOCK]
        spans = [(p, *np.searchsorted(p.times, [times[0], np.nextafter(times[-1], np.inf)])) for p in tracks.people]
        block = replace(tracks, times=times, people=tuple(p[a:b] for p, a, b in spans if b > a))
        for index, (time, poses) in zip(indices[first : first + _BLOCK], block.frames(), strict=True):
            yield index, time, poses


def to_clip(file: TrackFile) -> Clip:
    """The same people for exports and viewers: 341 bytes for each person and frame, also where they are absent.

    Raises:
        InputError: more than 4 GB.
    """
    tracks = file.tracks
    count, joints = len(tracks.times), len(tracks.skeleton)
    if len(tracks.people) * count * 27 * joints > _MOST_BYTES:
        raise InputError(f"found {len(tracks.people)} people over {count} frames, more than an export can hold; "
                         "leave out who is seen briefly (--min-seconds), or take a part of the video")  # fmt: skip
    people = tuple(_person_clip(p, np.searchsorted(tracks.times, p.times), count, joints) for p in tracks.people)
    rate = float(1 / np.median(np.diff(tracks.times))) if count > 1 else file.header.get("fps") or _ONE_FRAME_RATE
    return Clip(tracks.skeleton, tracks.camera, rate, tracks.times, file.indices, people)


def seen_by(poses: Poses, camera: Camera) -> Poses:
    """The same people in the pixels of another camera at the same place (boxes are not touched)."""
    own = poses.camera
    if own == camera:
        return poses
    rays = (poses.joints2d - [own.cx, own.cy]) / [own.fx, own.fy]
    pixels = rays * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    return replace(poses, camera=camera, joints2d=pixels.astype(np.float32))


def _person_clip(track: PersonTrack, rows: NDArray[np.intp], count: int, joints: int) -> PersonClip:
    def spread(values: NDArray[Any]) -> NDArray[np.float32]:
        wide = np.full((count, *values.shape[1:]), np.nan, np.float32)
        wide[rows] = values
        return wide

    states = np.full((count, joints), JointState.MISSING, np.uint8)
    states[rows] = track.states
    return PersonClip(track.id, spread(track.joints2d), spread(track.joints3d), spread(track.translation),
                      spread(track.joint_scores), states, spread(track.scores))  # fmt: skip


def _joined(blocks: list[Tracks]) -> Tracks:
    times = np.concatenate([b.times for b in blocks])
    if not (np.diff(times) > 0).all():
        raise InputError("found frames whose times do not rise, wanted them in order; run the video again")
    parts: dict[int, list[PersonTrack]] = {}
    for block in blocks:
        for person in block.people:
            parts.setdefault(person.id, []).append(person)
    people = []
    for number in sorted(parts):
        own = parts.pop(number)  # so that no more than one person is in memory twice
        arrays: dict[str, Any] = {f.name: np.concatenate([getattr(p, f.name) for p in own])
                                  for f in fields(PersonTrack)[1:]}  # fmt: skip
        people.append(PersonTrack(number, **arrays))
    return replace(blocks[0], times=times, people=tuple(people))


def _filled(path: Path) -> dict[int, list[float]]:
    """Times at which each person was filled in; results.jsonl has none."""
    filled: dict[int, list[float]] = {}
    with open(path, "rb") as file:
        for raw in file:
            if _FILLED in raw and raw.endswith(b"\n"):
                line = json.loads(raw)
                for person in line.get("people", ()):
                    if person.get("filled"):
                        filled.setdefault(person["track_id"], []).append(line["time"])
    return filled


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")) + "\n"
