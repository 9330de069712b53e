"""What a data set's original archive consists of, where it comes from, and what of it is missing on this disk.

Nothing is fetched: each data set is to be had from its authors, under their terms. The licences are given as their
sites state them; where they state none, that is said.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from anchorpose.core.errors import InputError
from anchorpose.datasets.samples import Sample
from anchorpose.io import files

# What scipy raises for files that are cut, damaged, of another kind or of MATLAB's HDF5 version.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, NotImplementedError, MemoryError, MatReadError, zlib.error)


@dataclass(frozen=True)
class Archive:
    """One data set as its authors distribute it.

    Args:
        name: what people call it.
        site: where to get it.
        paper: where it was published.
        licence: the terms, in a few words.
        parts: paths inside the unpacked archive; `a|b` where either will do.
    """

    name: str
    site: str
    paper: str
    licence: str
    parts: tuple[str, ...]

    def missing(self, root: Path) -> list[str]:
        """The parts that are not below `root`."""
        return [part for part in self.parts if not any((Path(root) / path).exists() for path in part.split("|"))]

    def require(self, root: Path) -> None:
        """Check that all parts are there.

        Raises:
            InputError: some are missing; the message says which, where to get them and under which licence.
        """
        if not Path(root).is_dir():
            raise InputError(f"{root} is not a folder, wanted the unpacked {self.name}; {self.source}")
        if missing := self.missing(root):
            found = [part for part in self.parts if part not in missing]
            wanted = ", ".join(part.replace("|", " or ") for part in missing)
            raise InputError(f"{root} has {', '.join(found) or 'nothing'} of {self.name}, wanted also {wanted}; "
                             f"{self.source}")  # fmt: skip

    def part(self, root: Path, index: int) -> Path:
        """Path of one part below `root`, the first of its alternatives that exists (or the first of all)."""
        paths = [Path(root) / path for path in self.parts[index].split("|")]
        return next((path for path in paths if path.exists()), paths[0])

    @property
    def source(self) -> str:
        """Where to get it and under which licence, as the end of a message."""
        return f"get it from {self.site} ({self.paper}; licence: {self.licence})"


def missing_images(samples: Iterable[Sample]) -> list[Path]:
    """The pictures of the samples that are not on the disk, each once, in their order."""
    return [path for path in dict.fromkeys(sample.image for sample in samples) if not path.is_file()]


def require_images(samples: Iterable[Sample], archive: Archive) -> None:
    """Check that every picture is there.

    Raises:
        InputError: some are missing; the message counts them, names the first and says where to get them.
    """
    samples = list(samples)
    if missing := missing_images(samples):
        raise InputError(f"{archive.name} lacks {len(missing)} of {len({s.image for s in samples})} pictures, the "
                         f"first is {missing[0]}; {archive.source}")  # fmt: skip


def read_mat(path: Path, variable: str, archive: Archive) -> Any:
    """One variable of a MATLAB file (up to v7): structs as objects, arrays without dimensions of size one.

    Raises:
        InputError: no MATLAB file, or it lacks the variable.
    """
    try:
        content = loadmat(path, struct_as_record=False, squeeze_me=True)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path} cannot be read as a MATLAB file ({reason}); {archive.source}") from None
    if variable not in content:
        names = ", ".join(sorted(name for name in content if not name.startswith("__")))
        raise InputError(f"{path} holds {names or 'nothing'}, wanted the variable {variable}; {archive.source}")
    return content[variable]


def read_json(path: Path, keys: tuple[str, ...], archive: Archive) -> dict[str, Any]:
    """A JSON object that has `keys`.

    Raises:
        InputError: the file cannot be read, is not JSON, or lacks a key.
    """
    data = files.read_json(path, archive.source)
    absent = [key for key in keys if not isinstance(data, dict) or key not in data]
    if absent:
        raise InputError(f"{path} lacks {', '.join(absent)}, wanted the annotations of {archive.name}; "
                         f"{archive.source}")  # fmt: skip
    return dict(data)
