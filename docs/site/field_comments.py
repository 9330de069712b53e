"""Takes the comment behind a field (`scores: Floats  # (n,)`) for its description, where it has no docstring."""

from __future__ import annotations

import tokenize
from functools import cache
from pathlib import Path
from typing import Any

import griffe


@cache
def _comments(path: Path) -> dict[int, str]:
    """Comment text by line number; marks for tools are none."""
    with path.open("rb") as file:
        found = {token.start[0]: token.string.lstrip("# ") for token in tokenize.tokenize(file.readline)
                 if token.type == tokenize.COMMENT}  # fmt: skip
    return {line: text for line, text in found.items() if not text.startswith(("fmt:", "noqa", "type:"))}


class FieldComments(griffe.Extension):
    """A griffe extension, named in mkdocs.yml."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Called for every attribute that griffe finds."""
        if attr.docstring is not None or attr.lineno is None or not isinstance(attr.filepath, Path):
            return
        if text := _comments(attr.filepath).get(attr.endlineno or attr.lineno):
            attr.docstring = griffe.Docstring(text, lineno=attr.lineno, parent=attr)
