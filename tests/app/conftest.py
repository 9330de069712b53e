from __future__ import annotations

from pathlib import Path

import pytest

from .graphs import write_graph


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the tiny graph."""
    return write_graph(tmp_path_factory.mktemp("graph") / "tiny.onnx")


@pytest.fixture(scope="session")
def posebert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a graph with PoseBERT's contract that gives each frame's rotations back."""
    pytest.importorskip("onnx")
    from ..motion.posebert.graphs import echo

    return Path(echo(tmp_path_factory.mktemp("posebert") / "echo.onnx"))
