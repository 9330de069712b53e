from __future__ import annotations

from pathlib import Path

import pytest

from .graphs import write_graph


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the tiny graph."""
    return write_graph(tmp_path_factory.mktemp("graph") / "tiny.onnx")
