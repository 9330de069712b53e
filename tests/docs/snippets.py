"""The fenced blocks of Markdown pages, with the marks that say how they run here, or why they cannot.

A mark is a comment on a line of its own above the block; several may stand below each other:

- `<!-- not run: REASON -->`: it is parsed, its options and imports are checked, and that is all.
- `<!-- slow: REASON -->`: only the slow tests run it.
- `<!-- run with: OPTIONS -->`: its first command gets these options behind its own, so that it ends in seconds.
- `<!-- serves: ADDRESS -->`: a line of it (or `wait()` in Python) runs until Ctrl-C. It is started, everything after it
  waits until ADDRESS answers, and at the end of the page it gets Ctrl-C and must end well. So the blocks below are its
  clients. Its port is exchanged for a free one, there and in all blocks of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL = ("", "sh", "bash", "console")
MARKS = ("not run", "slow", "run with", "serves")
_COMMENT = re.compile(r"<!-- ([^:]+?)(?:: (.+))? -->")
_INCLUDE = re.compile(r'--8<-- "(.+)"')
_TEST_COMMAND = "test-command"
_OTHERS = ("<!-- card -->", "<!-- end -->")
"""Comments that are for the site and for .ci/run."""


@dataclass(frozen=True)
class Snippet:
    """One fenced block.

    Args:
        page: relative to the project. line: of its first line, from 1. language: as the fence says it.
        source: the text. marks: what stands above it, by the names in `MARKS`.
    """

    page: str
    line: int
    language: str
    source: str
    marks: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def snippets_of(page: Path) -> list[Snippet]:
    """The blocks of a page in their order, those of included pages too.

    Raises:
        ValueError: a fence is not closed, or a mark above a block is none of `MARKS`.
    """
    found: list[Snippet] = []
    above, start, language, lines = list[str](), 0, "", list[str]()
    name = page.relative_to(ROOT).as_posix()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if start and fence:
            found.append(Snippet(name, start, language, "\n".join(lines), _marks(above, f"{name}:{start}")))
            start, above = 0, []
        elif start:
            lines.append(line)
        elif fence:
            start, language, lines = number + 1, fence[1].strip(), []
        elif include := _INCLUDE.fullmatch(line.strip()):
            found += snippets_of(ROOT / include[1])
        elif _COMMENT.fullmatch(line.strip()) and line.strip() not in _OTHERS:
            above.append(line.strip())
        elif line.strip():
            above = []
    if start:
        raise ValueError(f"{name}:{start} opens a block that nothing closes")
    return found


def _marks(comments: list[str], where: str) -> dict[str, str]:
    marks: dict[str, str] = {}
    for comment in comments:
        kind, value = _COMMENT.fullmatch(comment).groups()  # type: ignore[union-attr]
        if kind == _TEST_COMMAND:
            kind, value = "not run", "the command that runs the tests"
        if kind not in MARKS or not value:
            raise ValueError(f"{where} has the mark {comment}, wanted {', '.join(MARKS)}, with `: ` and a value")
        marks[kind] = value
    return marks
