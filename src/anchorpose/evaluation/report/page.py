"""The page around the sections: one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from anchorpose.core.errors import InputError
from anchorpose.evaluation.report.curves import Data
from anchorpose.evaluation.report.pictures import Picture
from anchorpose.evaluation.report.sections import NOTHING
from anchorpose.evaluation.report.style import CSS, SCRIPT
from anchorpose.io.files import atomic_write

FILE = "report.html"
_DRAWN = ("truth", "prediction", "bodies")
"""Fields of `Picture` that the page draws; the others are numbers."""


def write_page(folder: Path, text: str) -> Path:
    """Write `folder/report.html` and make the folder where it does not exist.

    Raises:
        InputError: that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; choose another for the report") from None
    atomic_write(folder / FILE, text)
    return folder / FILE


def page(title: str, introduction: str, parts: Mapping[str, str], data: Data,
         pictures: Mapping[str, Sequence[Picture]]) -> str:  # fmt: skip
    """The whole document.

    Args:
        title: heading.
        introduction: HTML below it.
        parts: name of a part -> its HTML; empty parts are left out.
        data: what the element `data` holds as JSON, beside the title and the figures of the pictures.
        pictures: of which that element has the figures.
    """
    listed = {name: [{k: v for k, v in asdict(p).items() if k not in _DRAWN} for p in group]
              for name, group in pictures.items()}  # fmt: skip
    everything = json.dumps({"title": title, **data, "pictures": listed}, allow_nan=False)
    shown = {name: content for name, content in parts.items() if content}
    links = "".join(f'<a href="#{_id(name)}">{name}</a>' for name in shown)
    body = "".join(f'<section id="{_id(name)}"><h2>{name}</h2>{content}</section>' for name, content in shown.items())
    # "</script>" inside the JSON would end the element.
    safe = everything.replace("<", "\\u003c")
    head = (f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{CSS}</style>")  # fmt: skip
    scripts = f'<script type="application/json" id="data">{safe}</script><script>{SCRIPT}</script>'
    return (f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>'
            f"{introduction}<nav>{links}</nav>{body}{scripts}</body></html>\n")  # fmt: skip


def row(*cards: str) -> str:
    """Cards side by side where there is room."""
    return f'<div class="row">{"".join(cards)}</div>'


def pictures_part(groups: Mapping[str, Sequence[Picture]], order: str, number: Callable[[float], str]) -> str:
    """The pictures of `pictures.choose`.

    Args:
        groups: name -> its pictures.
        order: what they are ordered by, and how they are drawn.
        number: how a picture's score is written.
    """
    if not any(groups.values()):
        return NOTHING
    parts = [f'<p class="soft">{escape(order)}</p>']
    for name, group in groups.items():
        if group:
            parts.append(f"<h3>The {name} pictures</h3>{row(*(_figure(p, number(p.score)) for p in group))}")
    return "".join(parts)


def _figure(picture: Picture, score: str) -> str:
    sides = "".join(f'<div><img src="{uri}" alt="{escape(picture.file)}, {name}"><span>{name}</span></div>'
                    for uri, name in ((picture.truth, "annotated"), (picture.prediction, "found")) if uri)  # fmt: skip
    unread = "" if picture.bodies else '<p class="soft">The picture cannot be read.</p>'
    shown = f'<div class="pair">{sides}</div>' if sides else unread
    extra = f", {picture.extra} more predicted" if picture.extra else ""
    return (f'<figure class="card">{shown}{picture.bodies}<figcaption><b>{score}</b> {escape(picture.file)}: '
            f"{picture.found} of {picture.people} found{extra}</figcaption></figure>")  # fmt: skip


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")
