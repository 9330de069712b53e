"""Rendered videos of people who cross, hide each other, leave and come back, with exact truth for every frame.

A folder holds one folder a sequence: `images/000000.jpg` ... and `truth.json`, written last and whole:

- `index`, `fps`, and `header`: seed, options and clips;
- `frames`, one entry a frame: `poses` (schema of `Poses.to_dict`; `track_id` is the person, the same for the whole
  sequence however long they were away; `joint_scores` 1 where a joint is visible), `rotation` (3 x 3, world -> camera
  axes) and `camera_height` (metres above the ground, which is the world's y = 0).

People of whom no joint is inside the picture are not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.io.files import read_json, write_image, write_json
from anchorpose.io.images import read_image
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.mocap.files import find_motions
from anchorpose.synthesis.rendering.assets import Assets, Split, in_split
from anchorpose.synthesis.rendering.camera_effects import develop
from anchorpose.synthesis.rendering.drawing import Maps, Stage, draw_colours, draw_maps
from anchorpose.synthesis.rendering.figures import Figure
from anchorpose.synthesis.rendering.lighting import Light, Shadows, draw_light
from anchorpose.synthesis.rendering.objects import Thing, make_thing
from anchorpose.synthesis.rendering.placement import Viewpoint, draw_viewpoint
from anchorpose.synthesis.rendering.scene import fill
from anchorpose.synthesis.rendering.visibility import joint_visibility
from anchorpose.synthesis.walking import Gait, Walker, read_gait

Floats = NDArray[np.floating]
TRUTH = "truth.json"
_LANE = 0.75
"""Metres of depth between two people's ways, so that they pass each other and never walk through each other."""
_TURNS = 12
_MARGIN = 0.2  # of the picture's size that the background reaches beyond it, for a camera that pans


@dataclass(frozen=True)
class SequenceOptions:
    """How sequences are drawn.

    Args:
        width, height: pixels. frames: of each sequence. fps: frames a second.
        people: fewest and most in a sequence.
        fov: range of the field of view along the longer side, degrees.
        distance: metres to the nearest way; the others are behind it.
        leaving: share of turning points outside the picture.
        panning: share of sequences whose camera turns slowly from side to side, by up to 5 degrees.
        objects: share of sequences with something in front of the people.
    """

    width: int = 384
    height: int = 288
    frames: int = 120
    fps: float = 15.0
    people: tuple[int, int] = (3, 4)
    fov: tuple[float, float] = (55.0, 68.0)
    distance: tuple[float, float] = (2.8, 3.6)
    leaving: float = 0.4
    panning: float = 0.5
    objects: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.people[0] <= self.people[1] <= 20:
            raise InputError(f"found {self.people} people, wanted a range within 1 to 20; give fewest and most")
        if min(self.width, self.height) < 32 or self.frames < 1 or not 1 <= self.fps <= 240:
            raise InputError(f"found {self.frames} frames of {self.width} x {self.height} at {self.fps} a second, "
                             "wanted at least 1 of 32 x 32 at 1 to 240")  # fmt: skip


@dataclass(frozen=True)
class SequenceFrame:
    """One frame: (h, w, 3) uint8 BGR, its people with `track_ids`, seconds, and the camera over the ground."""

    image: NDArray[np.uint8]
    poses: Poses
    time: float
    view: Viewpoint


@dataclass(frozen=True)
class SequencesResult:
    """What a run has made: folders of all sequences, how many are new, and their frames."""

    folders: tuple[Path, ...]
    rendered: int
    frames: int


def render_sequences(
    motions: tuple[str, ...], backgrounds: Path, textures: Path, out: Path, count: int, seed: int = 0,
    split: Split = "all", bodies: int = 120, options: SequenceOptions | None = None,
) -> SequencesResult:  # fmt: skip
    """Render sequences 0 to `count` - 1 into a folder; those that are there already are kept.

    Args:
        motions: motion capture of people who walk: files, folders and globs.
        backgrounds, textures: folders of pictures.
        out: folder, see above.
        count, seed: how many, and of what chance.
        split: 'train' and 'test' share no body, clip, background or texture.
        bodies: size of the pool of bodies.
        options: how they are drawn.

    Raises:
        InputError: wrong inputs, or `out` holds sequences of other settings.
    """
    if count < 1:
        raise InputError(f"found {count} sequences, wanted at least 1")
    options = options or SequenceOptions()
    clips = [p for p in find_motions(motions) if in_split(p.name, split)]
    if not clips:
        raise InputError(f"found no clip for the split {split!r} in {', '.join(motions)}; give more motion capture")
    gaits = tuple(read_gait(path, options.fps) for path in clips)
    library = PoseLibrary(gaits[0].poses, (clips[0].name,), np.zeros(len(gaits[0]), np.int32))
    assets = Assets.load(library, backgrounds, textures, split, bodies)
    header = {"seed": seed, "split": split, "bodies": bodies, "clips": [p.name for p in clips],
              "options": _plain(asdict(options))}  # fmt: skip
    folders, rendered = [], 0
    for index in tqdm(range(count), desc="sequences", disable=None):
        folder = out / f"{index:03d}"
        folders.append(folder)
        if (folder / TRUTH).is_file():
            _check(folder / TRUTH, header)
            continue
        _write(folder, assets, gaits, index, seed, options, header)
        rendered += 1
    return SequencesResult(tuple(folders), rendered, count * options.frames)


def read_sequence(folder: Path) -> Iterator[SequenceFrame]:
    """The frames of one sequence that `render_sequences` wrote.

    Raises:
        InputError: the folder holds no sequence, or a picture is missing.
    """
    truth = read_json(folder / TRUTH, "render the sequences first")
    for number, entry in enumerate(truth["frames"]):
        poses = Poses.from_dict(entry["poses"])
        if not len(poses):
            poses = _nobody(poses.camera)
        view = Viewpoint(poses.camera, entry["camera_height"], np.array(entry["rotation"]))
        yield SequenceFrame(read_image(folder / "images" / f"{number:06d}.jpg"), poses, number / truth["fps"], view)


def draw_sequence(
    assets: Assets, gaits: tuple[Gait, ...], index: int, seed: int, options: SequenceOptions
) -> Iterator[SequenceFrame]:
    """Frames of sequence number `index`; the same for the same arguments, in any process."""
    rng = np.random.default_rng([seed, index])
    camera = Camera.from_fov(options.width, options.height, float(rng.uniform(*options.fov)))
    near = float(rng.uniform(*options.distance))
    base = draw_viewpoint(camera, near + _LANE, rng)
    beyond_x, beyond_y = round(_MARGIN * options.width), round(_MARGIN * options.height)
    wide = camera.cropped(-beyond_x, -beyond_y, options.width + 2 * beyond_x, options.height + 2 * beyond_y)
    path = assets.backgrounds[rng.integers(len(assets.backgrounds))]
    background = fill(read_image(path), wide.width, wide.height, rng)
    walkers = _walkers(assets, gaits, camera, near, options, rng)
    things = _things(near, camera, options, rng)
    light = draw_light(background, base.up, rng)
    swing = np.radians(rng.uniform(2, 5)) if rng.random() < options.panning else 0.0
    start, period, fixed = rng.uniform(0, 2 * np.pi), rng.uniform(5, 9), int(rng.integers(1 << 30))
    for number in range(options.frames):
        time = number / options.fps
        pan = Rotation.from_rotvec([0, swing * np.sin(start + 2 * np.pi * time / period), 0]).as_matrix()
        view = Viewpoint(camera, base.height, pan @ base.rotation)
        stepped = [w.step(assets) for w in walkers]
        walkers = [w for _, w in stepped]
        behind = _turned_background(background, wide, camera, pan)
        image, poses = _shoot(assets, [f for f, _ in stepped], things, view, behind, light, pan, fixed)
        yield SequenceFrame(image, poses, time, view)


def _shoot(
    assets: Assets, figures: list[Figure], things: list[Thing], view: Viewpoint, background: NDArray[np.uint8],
    light: Light, pan: Floats, fixed: int,
) -> tuple[NDArray[np.uint8], Poses]:  # fmt: skip
    """Picture and truth; `fixed` seeds what must not flicker (the sky's samples, the camera's faults)."""
    shift = view.to_camera(np.zeros(3))
    placed = tuple(f.moved(view.rotation, shift) for f in figures)
    stage = Stage.of(placed, tuple(
        Thing(view.to_camera(t.vertices).astype(np.float32), (t.normals @ view.rotation.T).astype(np.float32), t.faces,
              t.texture, t.cloth) for t in things
    ))  # fmt: skip
    # the light stays with the world when the camera turns
    lit = Light((pan @ light.direction).astype(np.float32), light.key, light.sky, light.ground, view.up)
    shadows = Shadows.of(stage.vertices, stage.faces, lit, np.random.default_rng(fixed))
    drawn = draw_colours(stage, view.camera, background, view.ground(), shadows, assets.texture)
    return develop(drawn, np.random.default_rng(fixed)), _truth(placed, view.camera, draw_maps(stage, view.camera))


def _truth(figures: tuple[Figure, ...], camera: Camera, maps: Maps) -> Poses:
    """Who is in the picture, best seen first; the number of a person is their identity."""
    joints = np.stack([f.joints for f in figures])
    states = np.stack([joint_visibility(f.joints, camera, number, maps.depth, maps.parts, maps.owners)[0]
                       for number, f in enumerate(figures, 1)])  # fmt: skip
    joints2d = camera.project(joints).astype(np.float32)
    here = np.flatnonzero((states != JointState.OUTSIDE).any(1) & np.isfinite(joints2d).all((1, 2)))
    visible = (states == JointState.VISIBLE)[here]
    here = here[np.argsort(-visible.sum(1), kind="stable")]
    centre = body_centre(joints)[here]
    seen = (states[here] == JointState.VISIBLE).astype(np.float32)
    return Poses(LCR13, camera, np.ones(len(here), np.float32), boxes.around(joints2d[here], 0.1), joints2d[here],
                 (joints[here] - centre[:, None]).astype(np.float32), centre.astype(np.float32), seen, states[here],
                 track_ids=here.astype(np.int64))  # fmt: skip


def _walkers(
    assets: Assets, gaits: tuple[Gait, ...], camera: Camera, near: float, options: SequenceOptions,
    rng: np.random.Generator,
) -> list[Walker]:  # fmt: skip
    """People on ways of their own depth, to and fro, half of them in each direction at first."""
    count = int(rng.integers(options.people[0], options.people[1] + 1))
    bodies = rng.choice(len(assets.pool), count, replace=len(assets.pool) < count)
    side = float(rng.choice([-1.0, 1.0]))
    walkers = []
    for number, lane in enumerate(rng.permutation(count)):
        depth = near + _LANE * lane + rng.uniform(-0.15, 0.15, _TURNS)
        half = depth * camera.width / (2 * camera.fx)
        outside = rng.random(_TURNS) < options.leaving
        reach = np.where(outside, half + rng.uniform(0.3, 0.7, _TURNS), half * rng.uniform(0.2, 0.8, _TURNS))
        first = side * (-1) ** number
        path = np.column_stack([reach * first * (-1.0) ** np.arange(_TURNS), depth])
        place = np.array([-first * half[0] * rng.uniform(0.1, 0.85), depth[0]])
        way = path[0] - place
        gait = gaits[rng.integers(len(gaits))]
        walkers.append(Walker(int(bodies[number]), gait, int(rng.integers(1 << 30)), path,
                              float(np.arctan2(-way[0], -way[1])), int(rng.integers(len(gait))), place))  # fmt: skip
    return walkers


def _things(near: float, camera: Camera, options: SequenceOptions, rng: np.random.Generator) -> list[Thing]:
    """Perhaps one thing on the ground before the nearest way, in world axes."""
    if rng.random() >= options.objects:
        return []
    thing = make_thing(rng)
    away = near - 0.5 - float(np.abs(thing.vertices[:, 2]).max())
    if away < 0.8:
        return []
    aside = rng.uniform(-0.35, 0.35) * camera.width / camera.fx * away
    moved = (thing.vertices + np.array([aside, 0, away])).astype(np.float32)
    return [Thing(moved, thing.normals, thing.faces, thing.texture, thing.cloth)]


def _turned_background(
    background: NDArray[np.uint8], wide: Camera, camera: Camera, pan: Floats
) -> NDArray[np.uint8]:  # fmt: skip
    """What the camera sees of a far background after it has turned by `pan` (3, 3)."""
    to_wide = _matrix(wide) @ pan.T @ np.linalg.inv(_matrix(camera))
    return np.asarray(cv2.warpPerspective(background, to_wide, (camera.width, camera.height),
                                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                                          borderMode=cv2.BORDER_REFLECT), np.uint8)  # fmt: skip


def _matrix(camera: Camera) -> Floats:
    """(3, 3) intrinsics; OpenCV counts from the middle of the top-left pixel."""
    return np.array([[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1]])


def _write(
    folder: Path, assets: Assets, gaits: tuple[Gait, ...], index: int, seed: int, options: SequenceOptions,
    header: dict[str, Any],
) -> None:  # fmt: skip
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another --out") from None
    frames = []
    for number, frame in enumerate(draw_sequence(assets, gaits, index, seed, options)):
        write_image(folder / "images" / f"{number:06d}.jpg", frame.image)
        frames.append({"poses": frame.poses.to_dict(), "rotation": frame.view.rotation,
                       "camera_height": frame.view.height})  # fmt: skip
    write_json(folder / TRUTH, {"index": index, "fps": options.fps, "header": header, "frames": frames})


def _check(path: Path, header: dict[str, Any]) -> None:
    if read_json(path, "remove the folder and make it again").get("header") != header:
        raise InputError(f"{path.parent} holds a sequence made with other settings; give another --out or remove it")


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}


def _nobody(camera: Camera) -> Poses:
    empty = Poses.empty(camera)
    return Poses(LCR13, camera, empty.scores, empty.boxes, empty.joints2d, empty.joints3d, empty.translation,
                 empty.joint_scores, empty.joint_states, track_ids=np.zeros(0, np.int64))  # fmt: skip
