from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ...io.video.clips import write_clip

Make = Callable[..., Path]


def picture(x: int = 100, y: int = 40, people: int = 1) -> np.ndarray:
    """What the tiny graph takes for a person (it finds one at most)."""
    image = np.full((120, 160, 3), 200, np.uint8)
    if people:
        image[y : y + 20, x : x + 20] = (0, 0, 255)
    return image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs in folders: 30 with a person somewhere, one with nobody, and two that cannot be read."""
    folder = tmp_path / "in"
    for i in range(30):
        path = folder / f"{i % 3}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture(20 + 3 * i, 30 + i))
    assert cv2.imwrite(str(folder / "nobody.png"), picture(people=0))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "0" / "text.jpg").write_bytes(b"this is no picture")
    return folder


def walking(path: Path, count: int = 12) -> Path:
    """A video in which somebody walks."""
    return write_clip(path, [picture(20 + 6 * i, 50) for i in range(count)])
