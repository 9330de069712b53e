"""Corrections of who is who, as short texts: `split 4@12.5`, `swap 1,2@8.0`, `merge 3,7`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from anchorpose.core.errors import InputError
from anchorpose.motion.tracks import Tracks

_FORMS = {
    "split": (re.compile(r"(\d+)@(\d+\.?\d*)"), "ID@SECONDS, such as 4@12.5"),
    "swap": (re.compile(r"(\d+),(\d+)@(\d+\.?\d*)"), "ID,ID@SECONDS, such as 1,2@8.0"),
    "merge": (re.compile(r"(\d+),(\d+)"), "ID,ID, such as 3,7"),
}


@dataclass(frozen=True)
class Edit:
    """One correction; `text` is what follows the kind."""

    kind: str
    text: str

    def __post_init__(self) -> None:
        if self.kind not in _FORMS:
            raise InputError(f"found the edit {self.kind!r}, wanted {', '.join(_FORMS)}")
        form, wanted = _FORMS[self.kind]
        if form.fullmatch(self.text) is None:
            raise InputError(f"found --{self.kind} {self.text!r}, wanted {wanted}")

    @classmethod
    def parse(cls, text: str) -> Edit:
        """Inverse of `str`; InputError for anything else."""
        kind, _, rest = text.partition(" ")
        return cls(kind, rest)

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"

    def apply(self, tracks: Tracks) -> Tracks:
        """The corrected tracks; errors of `Tracks.merge`, `split` and `swap`."""
        numbers = re.split("[,@]", self.text)
        if self.kind == "split":
            return tracks.split(int(numbers[0]), float(numbers[1]))
        if self.kind == "swap":
            return tracks.swap(int(numbers[0]), int(numbers[1]), float(numbers[2]))
        return tracks.merge(int(numbers[0]), int(numbers[1]))


def apply_edits(tracks: Tracks, edits: Sequence[Edit]) -> Tracks:
    """All edits in order.

    Raises:
        InputError: one of them cannot be done; names it.
    """
    for edit in edits:
        try:
            tracks = edit.apply(tracks)
        except InputError as error:
            raise InputError(f"{edit}: {error}") from None
    return tracks
