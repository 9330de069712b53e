"""`render_scene`: one photograph of rendered people with everything that is known of it (SURREAL's kind of data)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.io.images import read_image
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.camera_effects import develop
from anchorpose.synthesis.rendering.drawing import Maps, Stage, draw_colours, draw_maps
from anchorpose.synthesis.rendering.figures import Figure, make_figure
from anchorpose.synthesis.rendering.lighting import Shadows, draw_light
from anchorpose.synthesis.rendering.objects import Thing, make_thing
from anchorpose.synthesis.rendering.placement import Viewpoint, draw_viewpoint, place
from anchorpose.synthesis.rendering.rasterizer import choose_device
from anchorpose.synthesis.rendering.visibility import joint_visibility
from anchorpose.synthesis.scenes import Scene, ScenePerson

Floats = NDArray[np.float32]
_SCENE_TRIES = 8
_FEWEST_SEEN = 3
"""People with fewer visible joints are taken out again: nobody would label them."""


@dataclass(frozen=True)
class RenderOptions:
    """How scenes are drawn.

    Args:
        width, height: pixels.
        people: fewest and most in a scene.
        fov: range of the field of view along the longer side, degrees.
        distance: range of people's distances, metres.
        truncated: share of scenes whose people may reach over the border.
        close: share of scenes taken from nearby (1.2 to 2.5 m).
        together: share of scenes whose people stand close to each other.
        objects: share of scenes with something in front of somebody.
        device: what draws, see `rasterizer.choose_device`. The CPU unless given, because the worker processes of a
            trainer are forked, and a fork cannot start CUDA.
    """

    width: int = 384
    height: int = 384
    people: tuple[int, int] = (1, 5)
    fov: tuple[float, float] = (40.0, 75.0)
    distance: tuple[float, float] = (1.9, 7.5)
    truncated: float = 0.35
    close: float = 0.2
    together: float = 0.5
    objects: float = 0.4
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not 1 <= self.people[0] <= self.people[1] <= 20:
            raise InputError(f"found {self.people} people, wanted a range within 1 to 20; give fewest and most")
        if min(self.width, self.height) < 32:
            raise InputError(f"found {self.width} x {self.height} pixels, wanted at least 32 x 32; give a larger size")


@dataclass(frozen=True)
class RenderedScene:
    """A scene with its maps.

    Args:
        scene: picture and people.
        depth: (h, w) metres along the camera's axis, infinity for the background.
        parts: (h, w) of `chart.Part`.
        persons: (h, w) 0 nobody, 1.. the person in `scene.people`, 255 an object.
    """

    scene: Scene
    depth: Floats
    parts: NDArray[np.uint8]
    persons: NDArray[np.uint8]


@dataclass(frozen=True)
class _Actor:
    """A placed figure and where it comes from."""

    figure: Figure
    body: int
    pose: int


def render_scene(assets: Assets, index: int, seed: int, options: RenderOptions | None = None) -> RenderedScene:
    """Draw scene number `index`; the same for the same assets, index, seed and options, in any process.

    Raises:
        InputError: a picture cannot be read, or the options leave no room for anybody, or the device is not here.
    """
    options = options or RenderOptions()
    device = choose_device(options.device)
    rng = np.random.default_rng([seed, index])
    camera = Camera.from_fov(options.width, options.height, float(rng.uniform(*options.fov)))
    path = assets.backgrounds[rng.integers(len(assets.backgrounds))]
    background = fill(read_image(path), options.width, options.height, rng)
    for _ in range(_SCENE_TRIES):
        view, actors = _cast(assets, camera, options, rng)
        things = _things(view, [a.figure for a in actors], options, rng)
        actors, stage, maps = _without_unseen(actors, things, camera, device)
        if actors:
            break
    else:
        raise InputError(f"found no place for anybody in scene {index}; widen the range of distances or the picture")
    light = draw_light(background, view.up, rng)
    shadows = Shadows.of(stage.vertices, stage.faces, light, rng, device)
    drawn = draw_colours(stage, camera, background, view.ground(), shadows, assets.texture, device)
    people = tuple(_person(assets, actor, number, camera, maps) for number, actor in enumerate(actors, 1))
    scene = Scene(develop(drawn, rng), people, camera, {"background": path.name})
    return RenderedScene(scene, maps.depth, maps.parts, maps.owners)


def fill(image: NDArray[np.uint8], width: int, height: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random cut of the picture, of the wanted shape, scaled to the wanted size; mirrored half of the time."""
    tall, wide = image.shape[:2]
    scale = min(wide / width, tall / height) * rng.uniform(0.7, 1.0)
    cut_wide, cut_tall = max(1, int(width * scale)), max(1, int(height * scale))
    left, top = rng.integers(wide - cut_wide + 1), rng.integers(tall - cut_tall + 1)
    cut = image[top : top + cut_tall, left : left + cut_wide]
    how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    resized = cv2.resize(cut, (width, height), interpolation=how)
    return np.asarray(resized[:, ::-1] if rng.random() < 0.5 else resized, np.uint8)


def _cast(
    assets: Assets, camera: Camera, options: RenderOptions, rng: np.random.Generator
) -> tuple[Viewpoint, list[_Actor]]:
    """A viewpoint and people before it; fewer than drawn where there is no room, perhaps nobody."""
    near, far = (1.2, 2.5) if rng.random() < options.close else options.distance
    truncated = bool(rng.random() < options.truncated) or far <= 2.5
    middle = float(np.exp(rng.uniform(np.log(near), np.log(far))))
    view = draw_viewpoint(camera, middle, rng)
    if rng.random() < options.together:
        near, far = max(near, middle * 0.75), min(far, middle * 1.35)
    actors: list[_Actor] = []
    for _ in range(int(rng.integers(options.people[0], options.people[1] + 1))):
        body, pose = int(rng.integers(len(assets.pool))), int(rng.integers(len(assets.poses)))
        joints = assets.poses[pose] @ Rotation.from_euler("Y", rng.uniform(0, 2 * np.pi)).as_matrix()
        if rng.random() < 0.5:  # everything anybody does can be done with the other hand
            joints = joints[LCR13.flip] * [-1, 1, 1]
        figure = make_figure(assets.pool, assets.chart, body, joints, rng)
        placed = place(figure, view, [a.figure for a in actors], (near, far), truncated, rng)
        if placed is not None:
            actors.append(_Actor(placed, body, pose))
    return view, actors


def _things(
    view: Viewpoint, figures: list[Figure], options: RenderOptions, rng: np.random.Generator
) -> tuple[Thing, ...]:
    """Things on the ground between the camera and somebody, in the camera frame."""
    if not figures or rng.random() >= options.objects:
        return ()
    things = []
    for _ in range(rng.integers(1, 3)):
        thing, behind = make_thing(rng), figures[rng.integers(len(figures))]
        centre = behind.joints.mean(0) @ view.rotation  # world axes, the camera at the origin
        nearest = float((behind.vertices @ view.rotation)[:, 2].min())
        away = rng.uniform(0.5, 0.95) * (nearest - np.abs(thing.vertices[:, 2]).max())
        if away < 0.6:
            continue
        aside = centre[0] / centre[2] * away + rng.normal(0, 0.25)
        world = thing.vertices + np.array([aside, 0, away])
        things.append(Thing(view.to_camera(world).astype(np.float32),
                            (thing.normals @ view.rotation.T).astype(np.float32), thing.faces, thing.texture,
                            thing.cloth))  # fmt: skip
    return tuple(things)


def _without_unseen(
    actors: list[_Actor], things: tuple[Thing, ...], camera: Camera, device: str
) -> tuple[list[_Actor], Stage, Maps]:
    """Take out people of whom too little is seen, until all that are left can be labelled."""
    while True:
        stage = Stage.of(tuple(a.figure for a in actors), things)
        maps = draw_maps(stage, camera, device)
        seen = [_visible_count(a.figure, number, camera, maps) for number, a in enumerate(actors, 1)]
        kept = [a for a, count in zip(actors, seen, strict=True) if count >= _FEWEST_SEEN]
        if len(kept) == len(actors):
            return actors, stage, maps
        actors = kept


def _visible_count(figure: Figure, number: int, camera: Camera, maps: Maps) -> int:
    states, _ = joint_visibility(figure.joints, camera, number, maps.depth, maps.parts, maps.owners)
    return int((states == JointState.VISIBLE).sum())


def _person(assets: Assets, actor: _Actor, number: int, camera: Camera, maps: Maps) -> ScenePerson:
    joints = actor.figure.joints
    states, hidden_by = joint_visibility(joints, camera, number, maps.depth, maps.parts, maps.owners)
    own = maps.owners == number
    rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
    centre = body_centre(joints)
    extra = {
        "area": int(own.sum()), "hidden_by": hidden_by, "body": actor.body,
        "age": round(float(assets.pool.ages[actor.body]), 1), "clip": assets.clips[actor.pose],
    }  # fmt: skip
    return ScenePerson(box, camera.project(joints).astype(np.float32), (joints - centre).astype(np.float32),
                       centre.astype(np.float32), states, extra)  # fmt: skip
