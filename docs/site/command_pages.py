"""A page for each command of `anchorpose`, made of what its `--help` says."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from anchorpose.app import cli

WIDE = "400"
"""Columns of the help, so that no sentence is broken; tables of a page have none."""


@dataclass(frozen=True)
class Command:
    """One page: a command of the first level with all that is below it."""

    name: str
    path: str
    text: str


@cache
def command_pages() -> tuple[Command, ...]:
    """All commands, in the order of `anchorpose --help`."""
    pages = []
    for words, kind in _subcommands(cli.Command):
        below = [(f"{words} {more}", sub) for more, sub in _below(kind)]
        if words == "track":
            below += [(f"track {name}", sub) for name, sub in cli._TRACK.items()]
        sections = [_section(words, 1), *(_section(deeper, 2) for deeper, _ in below)]
        pages.append(Command(words, f"commands/{words}.md", "\n\n".join(sections) + "\n"))
    return tuple(pages)


def help_of(words: str) -> str:
    """What `anchorpose WORDS --help` prints, without colours, each sentence on one line."""
    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR")}
    os.environ.update(COLUMNS=WIDE, NO_COLOR="1")
    try:
        # the encoding decides whether boxes are drawn, by which the parts are told apart below
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as printed:
            code = cli.main([*words.split(), "--help"])
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    if code:
        raise RuntimeError(f"anchorpose {words} --help ended with {code}")
    printed.seek(0)
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.read())


def _below(kind: Any) -> Iterator[tuple[str, Any]]:
    """Names and classes of the commands that a command's class chooses from."""
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            yield from _subcommands(hints[field.name])


def _subcommands(union: Any) -> Iterator[tuple[str, Any]]:
    for member in get_args(union):
        names = [m.name for m in getattr(member, "__metadata__", ()) if type(m).__name__ == "_SubcommandConfig"]
        if names:
            yield names[0], member.__origin__


def _section(words: str, level: int) -> str:
    """One command: heading, usage, description and tables of arguments."""
    usage, _, rest = help_of(words).strip().partition("\n\n")
    description, *boxes = re.split(r"^╭─ ", rest, flags=re.MULTILINE)
    parts = [f"{'#' * level} anchorpose {words}", _prose(description),
             f"```text\n{' '.join(usage.removeprefix('usage: ').split())}\n```"]  # fmt: skip
    return "\n\n".join([*parts, *(table for box in boxes if (table := _table(box)))])


def _table(box: str) -> str:
    """A box of the help as a table; its title and its sentence stand above."""
    title, *lines = box.splitlines()
    lines = [line[2:-1].rstrip() for line in lines if line.startswith("│")]
    name = title.split(" ─")[0]
    if name == "subcommands":
        return ""  # each has a section of its own
    intro = ""
    if any(set(line) == {"─"} for line in lines if line):
        cut = next(i for i, line in enumerate(lines) if line and set(line) == {"─"})
        intro, lines = " ".join(lines[:cut]), lines[cut + 1 :]
    rows: list[list[str]] = []
    for line in lines:
        if line and not line.startswith(" "):
            option, _, meaning = line.partition("  ")
            rows.append([option, meaning.strip()])
        elif rows:
            rows[-1][1] = f"{rows[-1][1]} {line.strip()}".strip()
    cells = [f"| `{option}` | {_prose(meaning)} |" for option, meaning in rows if option[:2] != "-h"]
    if not cells:
        return ""
    heading = f"**{name.split('.')[-1].capitalize()}**{f': {intro}' if intro else ''}"
    return "\n".join([heading, "", "| argument | meaning |", "| --- | --- |", *cells])


def _prose(text: str) -> str:
    """Plain words as Markdown: outside code, what looks like a tag, an emphasis or a new cell is none."""
    plain = {"<": "&lt;", "*": "&#42;", "|": "&#124;"}
    parts = text.strip().split("`")
    return "`".join(p if i % 2 else re.sub(r"[<*|]", lambda m: plain[m[0]], p) for i, p in enumerate(parts))
