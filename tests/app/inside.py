"""The command line in this process, which is much faster; commands that are killed or watched run outside."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from anchorpose.app.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """`anchorpose` with these arguments."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main([str(a) for a in arguments])
    return Done(code, out.getvalue(), errors.getvalue())
