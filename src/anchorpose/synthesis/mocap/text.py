"""What the readers of text formats share: lines, numbers, and errors that name the line."""

from __future__ import annotations

import math
from pathlib import Path

from anchorpose.core.errors import InputError


def read_lines(path: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a motion capture file") from None


def broken(path: Path, line: int, found: str, wanted: str, advice: str = "fetch or export it again") -> InputError:
    """The error for a broken line; the caller raises it."""
    return InputError(f"{path}:{line}: found {found}, wanted {wanted}; {advice}")


def number(path: Path, line: int, word: str) -> float:
    """A finite number.

    Raises:
        InputError: it is none.
    """
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise broken(path, line, f"'{word[:30]}'", "a number")
    return value
