"""The fenced blocks of Markdown pages, with the marks that say which of them cannot run here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL = ("", "sh", "bash", "console")
_MARK = re.compile(r"<!-- (not run|slow): (.+) -->")
_INCLUDE = re.compile(r'--8<-- "(.+)"')
_TEST_COMMAND = "<!-- test-command -->"


@dataclass(frozen=True)
class Snippet:
    """One fenced block.

    Args:
        page: relative to the project. line: of its first line, from 1. language: as the fence says it.
        source: the text. mark: "not run", "slow" or "". reason: of the mark.
    """

    page: str
    line: int
    language: str
    source: str
    mark: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def snippets_of(page: Path) -> list[Snippet]:
    """The blocks of a page in their order, those of included pages too; ValueError for a fence that is not closed."""
    found: list[Snippet] = []
    last, start, language, lines = "", 0, "", list[str]()
    name = page.relative_to(ROOT).as_posix()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if start and fence:
            mark = _MARK.fullmatch(last)
            kind, reason = mark.groups() if mark else ("", "")
            if last == _TEST_COMMAND:
                kind, reason = "not run", "the command that runs the tests"
            found.append(Snippet(name, start, language, "\n".join(lines), kind, reason))
            start, last = 0, ""
        elif start:
            lines.append(line)
        elif fence:
            start, language, lines = number + 1, fence[1].strip(), []
        elif include := _INCLUDE.fullmatch(line.strip()):
            found += snippets_of(ROOT / include[1])
        elif line.strip():
            last = line.strip()
    if start:
        raise ValueError(f"{name}:{start} opens a block that nothing closes")
    return found
