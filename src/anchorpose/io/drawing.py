"""Pictures of results: over the photograph, in 3D, and both side by side. Inputs are never modified."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from anchorpose.core.poses import Poses
from anchorpose.io.figure import DARK, PEOPLE, SIDES, Image, dashes, joint_dot, lighter, stroke, text, text_width
from anchorpose.io.overlay import draw_overlay
from anchorpose.io.scene3d import draw_scene3d

__all__ = ["draw_overlay", "draw_result", "draw_scene3d"]

_SMALLEST, _LARGEST = 480, 1440
_STRIP = (244, 241, 238)


def draw_result(image: Image, poses: Poses) -> Image:
    """The overlay beside the 3D view, over a line that explains the colours.

    Args:
        image: (h, w, 3) uint8 BGR; very small and very large ones are scaled, so that the lines, the 3D view and the
            legend can be read and the file stays small.
        poses: people in pixels of `image`.

    Returns:
        A new uint8 BGR image, between about 500 and 1,500 pixels high.
    """
    height, width = image.shape[:2]
    wanted = float(np.clip(height, _SMALLEST, _LARGEST))
    scale = min(wanted / height, 2.0 * _LARGEST / width)
    if scale != 1:
        image, poses = _scaled(image, poses, scale)
    overlay = draw_overlay(image, poses)
    tall = max(overlay.shape[0], _SMALLEST // 2)
    if overlay.shape[0] < tall:  # a panorama: bars above and below it
        missing = tall - overlay.shape[0]
        above = missing // 2
        overlay = np.asarray(
            cv2.copyMakeBorder(overlay, above, missing - above, 0, 0, cv2.BORDER_CONSTANT, value=DARK), np.uint8
        )
    scene = draw_scene3d(poses, round(tall * 1.05), tall)
    return np.vstack([np.hstack([overlay, scene]), _legend(overlay.shape[1] + scene.shape[1], tall, len(poses))])


def _scaled(image: Image, poses: Poses, scale: float) -> tuple[Image, Poses]:
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    factor = np.array([size[0] / image.shape[1], size[1] / image.shape[0]], np.float32)
    resized = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    return resized, replace(
        poses, joints2d=poses.joints2d * factor, boxes=poses.boxes * np.tile(factor, 2),
        camera=poses.camera.scaled(*size),
    )  # fmt: skip


def _legend(width: int, tall: int, people: int) -> Image:
    """One line: the sides' colours, the look of hidden joints, how many people."""
    letters = float(np.clip(tall / 50, 8, 28))
    strip = np.empty((round(letters * 3), width, 3), np.uint8)
    strip[:] = _STRIP
    middle, x, bar = strip.shape[0] / 2, letters * 1.5, letters * 2.2
    for name in ("left", "right", "hidden or outside"):
        if name in SIDES:
            stroke(strip, (x, middle), (x + bar, middle), DARK, letters * 0.6)
            stroke(strip, (x, middle), (x + bar, middle), SIDES[name], letters * 0.42)
        else:
            dashes(strip, (x, middle), (x + bar, middle), lighter(DARK, 0.45), letters * 0.3, letters * 0.5)
            joint_dot(strip, (x + bar + letters * 0.5, middle), letters * 0.42, PEOPLE[0], inside=_STRIP)
            x += letters * 0.8
        x += bar + letters * 0.8
        text(strip, name, (x, middle + letters * 0.5), letters, DARK)
        x += text_width(name, letters) + letters * 1.8
    words = "1 person" if people == 1 else f"{people} people"
    end = width - text_width(words, letters) - letters * 1.5
    if end > x:
        text(strip, words, (end, middle + letters * 0.5), letters, DARK)
    return strip
