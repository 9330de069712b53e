"""Reading pickles of numbers without running the code that a pickle may carry."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.datasets.archives import Archive


def read_numbers(path: Path, archive: Archive) -> dict[str, Any]:
    """The dictionary that a pickle holds: plain Python values and numpy arrays, Python 2's included.

    Every global that the pickle names must be one that numpy itself writes for arrays; anything else is refused
    before it runs.

    Raises:
        InputError: the file cannot be read, names another global, or holds no dictionary.
    """
    try:
        with Path(path).open("rb") as file:
            content = _NumbersOnly(file).load()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {archive.source}") from None
    except InputError as error:
        raise InputError(f"{path} {error}; {archive.source}") from None
    except Exception as error:  # a broken pickle may raise almost anything
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{path} is not a whole pickle ({reason}); {archive.source}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, wanted a dictionary; {archive.source}")
    return content


def _latin1(text: str, encoding: str) -> bytes:
    """What pickles of protocol 2 call to carry bytes."""
    if encoding != "latin1":
        raise InputError(f"decodes {encoding}, wanted latin1")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], Callable[..., Any]]:
    """Globals by (module, name); numpy 2 renamed the modules that it and its predecessors write."""
    parts: list[Any] = [np.zeros(1).__reduce__(), np.float64(1).__reduce__()]
    reconstruct, scalar = (part[0] for part in parts)
    numbers: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("_codecs", "encode"): _latin1,
    }  # fmt: skip
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        numbers |= {(module, "_reconstruct"): reconstruct, (module, "scalar"): scalar}
    return numbers


class _NumbersOnly(pickle.Unpickler):
    """Python 2's strings become str (latin1, as numpy asks for)."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")
        self._known = _allowed()

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return self._known[module, name]
        except KeyError:
            raise InputError(f"calls {module}.{name}, wanted numbers and numpy arrays only") from None
