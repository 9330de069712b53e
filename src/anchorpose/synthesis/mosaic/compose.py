"""One mosaic: a pose placed before a camera, its photographs found, moved and blended, with exact labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.io.images import read_image
from anchorpose.synthesis.mosaic import blending
from anchorpose.synthesis.mosaic.matching import Matches, MatchLimits, PhotoIndex, Query, as_points, match_photographs
from anchorpose.synthesis.scenes import Scene, ScenePerson

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
FIELD_OF_VIEW = 10.0
"""Degrees. The matching knows no perspective, so the camera is a long lens, as in most sports photographs."""
BOX_MARGIN = 0.1
_EDGE = 0.06


@dataclass(frozen=True)
class MosaicOptions:
    """How a mosaic is placed, matched and blended; lengths are metres on the person.

    The paper's own method is `reach=0` with `MatchLimits(depth=0, switch=0, variety=0)`.

    Args:
        size: side of the square picture in pixels.
        extent: least and greatest share of the picture that the joints' longer extent takes.
        margin: share of the picture that stays free around the joints: hands and feet reach beyond them.
        sigma: of the probability exp(-d^2 / sigma^2) that a photograph fits at a joint.
        window: half side of the blend's square on the pose.
        window_growth: how much the half side grows with each metre (pixel) of distance from the pose.
        max_distance: mean D_j in metres above which a mosaic is dropped. On 109 mosaics from LSPE the share of joints
            that lcrnet-lite finds within 10 % of the person's extent falls from 0.99 (D below 0.16) over 0.75 (0.20 to
            0.24) and 0.60 (0.24 to 0.28) to 0.31 (above 0.32); in LSPE's own photographs it is 0.66.
        reach: half a limb's thickness and a little more, to cut away stray parts (`blending.stray_body`); 0 leaves
            them, as the paper does.
        limits: of the matching.
    """

    size: int = 256
    extent: tuple[float, float] = (0.5, 0.72)
    margin: float = 0.08
    sigma: float = 0.08
    window: float = 0.03
    window_growth: float = 0.35
    max_distance: float = 0.28
    reach: float = 0.12
    limits: MatchLimits = field(default_factory=MatchLimits)


@dataclass(frozen=True)
class Placed:
    """A pose before its camera: joints2d (13, 2) pixels, translation (3,) metres, pixels a metre at the body."""

    camera: Camera
    joints2d: Floats
    translation: Floats
    pixels_per_metre: float


def place(joints3d: Floats, rng: np.random.Generator, options: MosaicOptions) -> Placed:
    """Put a pose before a long lens, all joints inside the picture, at a random size and position.

    Args:
        joints3d: (13, 3) metres, camera axes, relative to the body centre.

    `joints2d` is the projection of `joints3d + translation` by the camera, so the labels agree exactly. Perspective
    moves joints by a few per cent of their offset from what a scaled orthographic projection would give.
    """
    size = options.size
    camera = replace(Camera.from_fov(size, size, FIELD_OF_VIEW), assumed=True)
    extent = float(np.ptp(joints3d[:, :2], axis=0).max())
    scale = size * rng.uniform(*options.extent) / max(extent, 0.3)
    translation = np.array([0, 0, camera.fx / scale])
    bounds = boxes.around(camera.project(joints3d + translation))
    room = np.maximum(size * (1 - 2 * options.margin) - (bounds[2:] - bounds[:2]), 0)
    corner = size * options.margin + room * rng.uniform(size=2)
    translation[:2] += (corner - bounds[:2]) / scale
    joints2d = camera.project(joints3d + translation).astype(np.float32)
    return Placed(camera, joints2d, translation.astype(np.float32), scale)


class Mosaicker:
    """Makes mosaics of poses from indexed photographs; keeps the last decoded photographs.

    Args:
        index: people labelled in photographs.
        backgrounds: photographs for what no source covers; without them the source of most pixels is continued.
        options: see `MosaicOptions`.
        cache: number of decoded photographs to keep (about 0.2 MB each).
    """

    def __init__(
        self, index: PhotoIndex, backgrounds: Sequence[Path] = (), options: MosaicOptions | None = None,
        cache: int = 512,
    ) -> None:  # fmt: skip
        self.index = index
        self.backgrounds = tuple(backgrounds)
        self.options = options or MosaicOptions()
        self._read = lru_cache(maxsize=cache)(read_image)

    def __call__(self, joints3d: Floats, rng: np.random.Generator) -> Scene | None:
        """A mosaic of one pose, or None where its photographs fit too badly (`MosaicOptions.max_distance`).

        Args:
            joints3d: (13, 3) metres, camera axes, relative to the body centre, no NaN.
            rng: places the person and varies the photographs.

        Returns:
            One person. Every joint is VISIBLE: no photograph says which of its joints are hidden. `extra` of the person
            holds for each joint the photograph (`sources`, ending in `mirrored` where it was mirrored) and D_j in
            metres (`distances`); `extra` of the scene holds their mean (`distance`) and the background.

        Raises:
            InputError: a photograph cannot be read.
        """
        options = self.options
        placed = place(joints3d, rng, options)
        query = Query(as_points(placed.joints2d), joints3d[:, 2], placed.pixels_per_metre)
        matches = match_photographs(query, self.index, rng, options.limits)
        if matches is None or float(matches.distances.mean()) > options.max_distance:
            return None
        background = self.backgrounds[rng.integers(len(self.backgrounds))] if self.backgrounds else None
        distance = blending.pose_distance(placed.joints2d, options.size, options.size)
        layers, cover = self._layers(matches, distance, options.reach * placed.pixels_per_metre)
        index_map = self._index_map(placed, matches, cover)
        radius = options.window * placed.pixels_per_metre + options.window_growth * distance
        shares = blending.window_shares(index_map, len(layers), np.rint(radius).astype(np.intp))
        image = blending.blend(layers, cover, shares, self._background(background, index_map, matches, rng))
        return self._scene(image, joints3d, placed, matches, background)

    def _layers(self, matches: Matches, distance: Floats, reach: float) -> tuple[list[Image], Floats]:
        """The photographs moved into the mosaic, and how far each may be seen at each pixel (h, w, 13)."""
        size = self.options.size
        layers = []
        cover = np.empty((size, size, len(LCR13)), dtype=np.float32)
        moved = matches.moved.view(np.float32).reshape(*matches.moved.shape, 2)
        for j, row in enumerate(matches.rows.tolist()):
            photograph = self._read(self.index.file(row))
            matrix = _matrix(complex(matches.turns[j]), complex(matches.shifts[j]), self.index.is_mirrored(row))
            layers.append(np.asarray(cv2.warpAffine(photograph, matrix, (size, size)), dtype=np.uint8))
            cover[..., j] = cv2.warpAffine(_faded_edges(*photograph.shape[:2]), matrix, (size, size))
            if reach:
                cover[..., j][blending.stray_body(moved[j], distance, reach)] = 0
        return layers, cover

    def _index_map(self, placed: Placed, matches: Matches, cover: Floats) -> NDArray[np.uint8]:
        """(h, w) photograph of each pixel, among those that cover it; 13 where none does."""
        size = self.options.size
        border = blending.border_points(size, size)
        sigma = self.options.sigma * placed.pixels_per_metre
        errors = np.abs(matches.moved - as_points(placed.joints2d))
        probabilities = blending.vertex_probabilities(errors, placed.joints2d, border, sigma)
        vertices = np.concatenate([placed.joints2d, border])
        maps = blending.probability_maps(vertices, probabilities, size, size)
        maps[cover == 0] = -1
        return np.where(cover.any(-1), maps.argmax(-1), len(LCR13)).astype(np.uint8)

    def _background(
        self, path: Path | None, index_map: NDArray[np.uint8], matches: Matches, rng: np.random.Generator
    ) -> Image:
        size = self.options.size
        if path is not None:
            return random_square(self._read(path), size, rng)
        most = int(np.bincount(index_map.ravel(), minlength=len(LCR13))[: len(LCR13)].argmax())
        row = int(matches.rows[most])
        matrix = _matrix(complex(matches.turns[most]), complex(matches.shifts[most]), self.index.is_mirrored(row))
        photograph = self._read(self.index.file(row))
        moved = cv2.warpAffine(photograph, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, dtype=np.uint8)

    def _scene(
        self, image: Image, joints3d: Floats, placed: Placed, matches: Matches, background: Path | None
    ) -> Scene:
        distances = matches.distances
        names = [self.index.file(int(r)).name + " mirrored" * self.index.is_mirrored(int(r)) for r in matches.rows]
        person = ScenePerson(
            box=boxes.clip(boxes.around(placed.joints2d, BOX_MARGIN), image.shape[1], image.shape[0]),
            joints2d=placed.joints2d, joints3d=joints3d.astype(np.float32), translation=placed.translation,
            states=np.full(len(LCR13), JointState.VISIBLE, dtype=np.uint8),
            extra={"sources": names, "distances": [round(float(d), 4) for d in distances]},
        )  # fmt: skip
        extra = {"made_by": "mosaic", "distance": round(float(distances.mean()), 4),
                 "background": None if background is None else background.name}  # fmt: skip
        return Scene(image, (person,), placed.camera, extra)


def random_square(photograph: Image, size: int, rng: np.random.Generator) -> Image:
    """A random square of the photograph, as large as fits, scaled to (size, size, 3)."""
    height, width = photograph.shape[:2]
    side = min(height, width)
    y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    square = photograph[y : y + side, x : x + side]
    return np.asarray(cv2.resize(square, (size, size), interpolation=how), dtype=np.uint8)


@lru_cache(maxsize=256)
def _faded_edges(height: int, width: int) -> Floats:
    """(h, w) 1 that falls to 0 over a strip at the photograph's edges, so that they do not show as lines."""
    y, x = (np.minimum(np.arange(n) + 0.5, n - 0.5 - np.arange(n)) for n in (height, width))
    strip = _EDGE * min(height, width)
    return np.clip(np.minimum(y[:, None], x) / strip, 0, 1).astype(np.float32)


def _matrix(turn: complex, shift: complex, mirrored: bool) -> NDArray[np.float64]:
    """(2, 3) for warpAffine, which counts from pixel centres, of z -> turn z + shift (of -conj(z) if mirrored)."""
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]]) @ np.diag([-1 if mirrored else 1, 1])
    moved = np.array([shift.real, shift.imag]) + linear @ [0.5, 0.5] - 0.5
    return np.column_stack([linear, moved])
