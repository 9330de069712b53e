"""What a camera does to light: defocus, motion blur, grain, tone and JPEG's blocks. None of it moves a pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


def develop(image: Floats, rng: np.random.Generator) -> Image:
    """(h, w, 3) sRGB 0..255 as drawn -> uint8 as photographed; each fault with its own chance."""
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.2))), np.float32)
    if rng.random() < 0.15:
        kernel = motion_kernel(float(rng.uniform(2, 7)), float(rng.uniform(0, np.pi)))
        image = np.asarray(cv2.filter2D(image, -1, kernel), np.float32)
    image = tone(
        image, float(np.exp(rng.normal(0, 0.12))), float(rng.uniform(0.85, 1.15)), float(rng.uniform(0.8, 1.2))
    )
    if rng.random() < 0.7:
        grain = rng.gamma(1.5, 2.0)
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(grain)
    developed = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        developed = _jpeg(developed, int(rng.integers(35, 95)))
    return developed


def motion_kernel(length: float, angle: float) -> Floats:
    """A line of `length` pixels at `angle` radians through the middle; sums to 1, symmetric, so nothing shifts."""
    half = int(np.ceil(length / 2)) + 1
    reach = np.linspace(-length / 2, length / 2, 65)
    x, y = half + reach * np.cos(angle), half + reach * np.sin(angle)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    low_x, low_y = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - (x - low_x)) * np.abs(1 - dy - (y - low_y))
            np.add.at(kernel, (low_y + dy, low_x + dx), share)
    return np.asarray(kernel / kernel.sum(), np.float32)


def tone(image: Floats, gamma: float, contrast: float, saturation: float) -> Floats:
    """Tone curve about the middle grey, then colours towards or away from grey; 0..255."""
    curved = np.power(np.clip(image, 0, 255) / np.float32(255), np.float32(gamma)) * 255
    stretched = (curved - 118) * np.float32(contrast) + 118
    grey = stretched.mean(2, keepdims=True)
    return np.asarray(grey + (stretched - grey) * np.float32(saturation), np.float32)


def _jpeg(image: Image, quality: int) -> Image:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
