"""`anchorpose evaluate` in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from anchorpose.app.cli import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def figures(done: tuple[int, str, str]) -> dict[str, Any]:
    """The table of `--json -`."""
    assert done[0] == 0, done[2]
    table = json.loads(done[1])
    assert isinstance(table, dict)
    return table


def assert_refused(done: tuple[int, str, str], *words: str) -> None:
    code, out, err = done
    assert (code, out) == (2, ""), done
    assert err.startswith("anchorpose: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err, err
