from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ..app.graphs import write_graph
from ..app.test_track import red_squares
from ..io.video.clips import write_clip
from .browsing import browser, visit  # noqa: F401

if TYPE_CHECKING:
    from .servers import Server

_NEEDED = ("fastapi", "uvicorn", "httptools", "python_multipart", "prometheus_client", "requests", "websockets")
collect_ignore_glob = [] if all(find_spec(name) for name in _NEEDED) else ["test_*.py"]  # the [serve] and [dev] extras


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the tiny graph, which takes red pixels for a person."""
    return write_graph(tmp_path_factory.mktemp("graph") / "tiny.onnx")


@pytest.fixture(scope="session")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Shared by tests that leave it as it was."""
    from .servers import Server

    limits = ("--megapixels", "1", "--body-megabytes", "0.5", "--video-megabytes", "3", "--video-seconds", "20",
              "--video-megapixels", "0.1")  # fmt: skip
    with Server(tiny, tmp_path_factory.mktemp("server"), *limits) as running:
        yield running


@pytest.fixture(scope="session")
def red() -> np.ndarray:
    """(200, 256, 3) BGR with one person for the tiny graph."""
    image = np.full((200, 256, 3), 200, np.uint8)
    image[60:140, 100:150] = (0, 0, 255)
    return image


@pytest.fixture(scope="session")
def png(red: np.ndarray) -> bytes:
    return cv2.imencode(".png", red)[1].tobytes()


@pytest.fixture(scope="session")
def jpeg(red: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", red)[1].tobytes()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twenty frames of a walking square."""
    return write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", red_squares(20)).read_bytes()


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two hundred and fifty frames."""
    return write_clip(tmp_path_factory.mktemp("clip") / "long.mp4", red_squares(250)).read_bytes()
