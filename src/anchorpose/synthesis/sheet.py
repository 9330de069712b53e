"""Contact sheets: what a person must look at before believing synthesised or lifted people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.datasets.samples import Person, Sample
from anchorpose.io.drawing import draw_overlay, draw_result, draw_scene3d
from anchorpose.io.files import write_image
from anchorpose.io.images import read_image
from anchorpose.lcrnet.placement import place

Image = NDArray[np.uint8]
_GAP = 4


def contact_sheet(annotations: Path, images: Path, out: Path, count: int = 16, columns: int = 2, seed: int = 0,
                  tile: int = 640) -> Path:  # fmt: skip
    """A picture of `count` photographs with the 2D and 3D of their people drawn, chosen at random.

    Args:
        annotations: COCO JSON, of `anchorpose synthesize` or by hand. images: its folder.
        out: the picture to write. columns: tiles side by side. seed: of the choice. tile: width of each, pixels.

    Returns:
        `out`.

    Raises:
        InputError: the file holds nobody, or a picture cannot be read.
    """
    samples = [s for s in read_coco(annotations, images) if any(p.labelled.any() for p in s.people)]
    if not samples:
        raise InputError(f"{annotations} holds nobody with joints; there is nothing to preview")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:count])
    tiles = [_fit(_drawn(samples[int(i)]), tile) for i in chosen]
    write_image(out, _rows_of(tiles, columns))
    return out


def pose_sheet(joints3d: NDArray[np.float32], out: Path, count: int = 32, seed: int = 0, tile: int = 240) -> Path:
    """A picture of `count` poses of a library, chosen at random, each on a floor of 1 m squares.

    Args:
        joints3d: (n, 13, 3) metres, relative to the body centre, y down. out: the picture to write.

    Returns:
        `out`.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(joints3d))[:count])
    tiles = [draw_scene3d(_alone(joints3d[int(i)]), tile, tile) for i in chosen]
    write_image(out, _rows_of(tiles, columns=min(8, len(tiles))))
    return out


def _alone(joints3d: NDArray[np.float32]) -> Poses:
    """One body 4 m in front of a camera."""
    place_at = np.array([[0, 0, 4]], np.float32)
    camera = Camera.from_fov(640, 640)
    joints2d = camera.project(joints3d[None] + place_at[:, None]).astype(np.float32)
    seen = np.ones((1, len(LCR13)), np.float32)
    return Poses(LCR13, camera, np.ones(1, np.float32), boxes.around(joints2d, 0.1), joints2d, joints3d[None], place_at,
                 seen, seen.astype(np.uint8))  # fmt: skip


def people_as_poses(people: list[Person], width: int, height: int) -> Poses:
    """Labelled people as `Poses`, placed by reprojection with an assumed camera where their 3D is known."""
    joints2d = np.stack([p.joints2d for p in people])
    visible = np.stack([p.visible for p in people])
    with np.errstate(invalid="ignore"):
        outside = ((joints2d < 0) | (joints2d >= [width, height])).any(-1)
    unknown = np.isnan(joints2d[..., 0])
    states = np.select([unknown, outside, visible == 0], [JointState.MISSING, JointState.OUTSIDE, JointState.HIDDEN],
                       JointState.VISIBLE).astype(np.uint8)  # fmt: skip
    camera, joints3d = Camera.from_fov(width, height), np.stack([p.joints3d for p in people])
    return Poses(
        LCR13, camera, np.ones(len(people), np.float32), boxes.around(joints2d, 0.1), joints2d, joints3d,
        place(joints2d, joints3d, camera), (states == JointState.VISIBLE).astype(np.float32), states,
    )  # fmt: skip


def _drawn(sample: Sample) -> Image:
    image = read_image(sample.image)
    people = [p for p in sample.people if p.labelled.any()]
    poses = people_as_poses(people, image.shape[1], image.shape[0])
    if np.isnan(poses.translation).all():  # nobody has 3D to show
        return draw_overlay(image, poses, labels=False)
    return draw_result(image, poses)


def _fit(image: Image, width: int) -> Image:
    height = round(image.shape[0] * width / image.shape[1])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _rows_of(tiles: list[Image], columns: int) -> Image:
    rows = []
    for start in range(0, len(tiles), columns):
        row = tiles[start : start + columns]
        height = max(t.shape[0] for t in row)
        padded = [np.pad(t, ((0, height - t.shape[0] + _GAP), (0, _GAP), (0, 0))) for t in row]
        padded += [np.zeros_like(padded[0])] * (columns - len(row))
        rows.append(np.concatenate(padded, axis=1))
    return np.concatenate(rows, axis=0)
