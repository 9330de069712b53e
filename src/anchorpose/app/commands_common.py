"""What several commands share: options of the estimator, the progress bar, the report of what failed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import tyro

from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.app.estimator import Estimator

OK, BAD_INPUT = 0, 2
FEW = 5
"""So many images are done before a progress bar could be read."""
Item = TypeVar("Item")
_TRAIN_PACKAGES = ("torch", "torchvision", "timm", "accelerate", "safetensors", "sklearn", "onnx", "onnxscript")


@dataclass(frozen=True)
class EstimatorOptions:
    """Which weights find people, and how."""

    model: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE", help_behavior_hint="")] = None
    """Embedded weights or an exported ONNX file; the embedded default unless given."""
    min_score: Annotated[float | None, tyro.conf.arg(metavar="S", help_behavior_hint="")] = None
    """Leave out people below this score; the model's own threshold unless given."""
    max_side: Annotated[int | None, tyro.conf.arg(metavar="PX", help_behavior_hint="")] = None
    """Scale the longer image side to so many pixels; more finds smaller people and takes longer."""
    fov: Annotated[float | None, tyro.conf.arg(metavar="DEGREES", help_behavior_hint="")] = None
    """Field of view along the longer image side; 60 is assumed unless given."""
    threads: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Threads of the network; every physical core unless given."""
    provider: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """What runs the network: cpu, or what the installed onnxruntime has beside it (openvino, cuda, ...; `anchorpose
    info` lists them). The CPU unless given."""

    def load(self) -> Estimator:
        """The estimator; InputError for an unknown or broken model or an option out of range."""
        from anchorpose.app.estimator import load

        return load(self.model, max_side=self.max_side, min_score=self.min_score, fov=self.fov, threads=self.threads,
                    providers=[self.provider] if self.provider else None)  # fmt: skip


@contextmanager
def needing(extra: str, what: str, packages: Sequence[str]) -> Iterator[None]:
    """Around the imports of a command: InputError where a package of its extra is not installed.

    Args:
        extra: its name. what: that needs it, to begin a sentence. packages: of the extra, as they are imported; any
            other missing module is a fault of ours and stays the error it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in packages:
            raise
        raise InputError(f"{what} needs the [{extra}] extra: pip install 'anchorpose[{extra}]'") from error


def training_extra() -> AbstractContextManager[None]:
    """`needing` of the commands that train."""
    return needing("train", "training", _TRAIN_PACKAGES)


def progress(items: Sequence[Item], label: str) -> Iterator[Item]:
    """The items, with a bar on stderr where there are more than a few and someone is watching."""
    if len(items) <= FEW or not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, desc=label, unit="image", file=sys.stderr, dynamic_ncols=True)


def make_folder(folder: Path) -> None:
    """Creates a folder and its parents; InputError if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file has this name" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise InputError(f"cannot create the folder {folder}: {reason}") from error


def report_failures(failures: Iterable[str], total: int) -> int:
    """Says on stderr what failed, one line each; the exit code."""
    lines = [" ".join(failure.split()) for failure in failures]
    if not lines:
        return OK
    print(f"anchorpose: error: {len(lines)} of {total} inputs failed:", file=sys.stderr)
    for line in lines:
        print(f"  {line}", file=sys.stderr)
    return BAD_INPUT
