"""Line and range charts as plain SVG.

Drawn here and not by matplotlib so that charts follow the page's light and dark colours, lines can be switched off, and
nothing has to be installed. Colours are classes (`c0` .. `c6`, see `style`); numbers stand on the axes and in the text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Value = float | None
WIDTH, HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 22, 12, 46
_COLOURS = 7
_ROW, _NAMES, _NUMBERS = 24, 112, 64


@dataclass(frozen=True)
class Series:
    """One line: y at x, None where there is nothing; optionally a band from `low` to `high` around it."""

    name: str
    x: Sequence[float]
    y: Sequence[Value]
    colour: int = 0
    low: Sequence[Value] = ()
    high: Sequence[Value] = ()
    dots: bool = False
    plain: bool = False  # a thin dashed line without colour, for comparison
    bold: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis shows and from where to where; `share` writes 0 to 1 as per cent."""

    label: str
    low: float
    high: float
    share: bool = False

    def ticks(self) -> list[float]:
        """At most seven round numbers from `low` to `high`."""
        step = 10.0 ** math.floor(math.log10(max(self.high - self.low, 1e-9)))
        step = next(s for s in (step / 5, step / 4, step / 2, step, step * 2) if (self.high - self.low) / s <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def place(self, value: float) -> float:
        """0 at `low`, 1 at `high`, cut there."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def text(self, value: float) -> str:
        """The number as it stands on the axis."""
        return f"{100 * value:.3g} %" if self.share else f"{value:.6g}"

    def number(self, value: float) -> str:
        """A measured value, to one decimal."""
        return f"{100 * value:.1f} %" if self.share else f"{value:.1f}"


def axis_over(label: str, values: Sequence[Value], share: bool = False, zero: bool = True) -> Axis:
    """An axis that holds all values, with a little room above."""
    known = [v for v in values if v is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    low = 0.0 if zero else low
    return Axis(label, low, high if high > low else low + 1.0, share)


def line_chart(title: str, x: Axis, y: Axis, series: Sequence[Series], toggles: bool = False) -> str:
    """An HTML figure: the chart over its legend.

    Args:
        title: what is shown, for those who do not see it.
        x, y: the axes; values beyond are drawn at the border.
        series: the lines, the first one on top.
        toggles: whether each line can be switched off in the legend.
    """
    body = [_grid(x, y), *(_line(s, k, x, y) for k, s in reversed(list(enumerate(series))))]
    legend = _legend(series, toggles) if len(series) > 1 else ""
    return (f'<div class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{''.join(body)}</svg>{legend}</div>")  # fmt: skip


def _point(px: float, py: float) -> tuple[float, float]:
    """Shares of the axes -> pixels of the chart."""
    return _LEFT + px * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - py * (HEIGHT - _TOP - _BOTTOM)


def _grid(x: Axis, y: Axis) -> str:
    parts = []
    for value in x.ticks():
        at, base = _point(x.place(value), 0)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{base}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{base + 17}" text-anchor="middle">{x.text(value)}</text>')
    for value in y.ticks():
        _, at = _point(0, y.place(value))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y.text(value)}</text>')
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    labels = (f'<text class="label" x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
              f'{escape(x.label)}</text><text class="label" transform="translate(13 {middle}) rotate(-90)" '
              f'text-anchor="middle">{escape(y.label)}</text>')  # fmt: skip
    return "".join(parts) + labels


def _classes(series: Series) -> tuple[str, str]:
    """Of the group, which has the colour, and of the line: after seven colours they come again dashed."""
    names = ["line", *(["dashed"] if series.colour >= _COLOURS else []), *(["bold"] if series.bold else [])]
    return "plain" if series.plain else f"c{series.colour % _COLOURS}", " ".join(names)


def _line(series: Series, number: int, x: Axis, y: Axis) -> str:
    known = [(a, *_point(x.place(a), y.place(b)), b) for a, b in zip(series.x, series.y, strict=True) if b is not None]
    path = " ".join(f"{px:.1f},{py:.1f}" for _, px, py, _ in known)
    colour, line = _classes(series)
    parts = [_band(series, x, y), f'<polyline class="{line}" points="{path}"/>']
    if series.dots:
        parts += [f'<circle class="dot" cx="{px:.1f}" cy="{py:.1f}" r="3.5"><title>{escape(series.name)}: '
                  f"{y.number(b)} at {x.number(a)}</title></circle>" for a, px, py, b in known]  # fmt: skip
    return f'<g class="{colour}" data-series="{number}">{"".join(parts)}</g>'


def _band(series: Series, x: Axis, y: Axis) -> str:
    rows = [(a, l, h) for a, l, h in zip(series.x, series.low, series.high, strict=False)
            if l is not None and h is not None]  # fmt: skip
    corners = [_point(x.place(a), y.place(h)) for a, _, h in rows]
    corners += [_point(x.place(a), y.place(l)) for a, l, _ in reversed(rows)]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in corners)
    return f'<polygon class="band" points="{path}"/>' if rows else ""


def _legend(series: Sequence[Series], toggles: bool) -> str:
    entries = []
    for number, s in enumerate(series):
        colour, line = _classes(s)
        key = (f'<svg class="key {colour}" viewBox="0 0 24 8" aria-hidden="true">'
               f'<line class="{line}" x1="1" x2="23" y1="4" y2="4"/></svg>')  # fmt: skip
        box = f'<input type="checkbox" checked data-toggle="{number}">' if toggles else ""
        entries.append(f"<label>{box}{key}{escape(s.name)}</label>")
    return f'<div class="legend">{"".join(entries)}</div>'


@dataclass(frozen=True)
class Row:
    """One row of `range_chart`: a bar from `low` to `high` with a mark at `middle`; None where nothing was measured."""

    name: str
    low: Value
    middle: Value
    high: Value
    note: str = ""


def range_chart(title: str, axis: Axis, rows: Sequence[Row], colour: int = 0) -> str:
    """Horizontal bars, one below the other, with the middle written at the right.

    Args:
        title: what is shown, for those who do not see it.
        axis: of the values; bars are cut at its ends.
        rows: from top to bottom.
        colour: which of the colours.
    """
    end = WIDTH - _NUMBERS
    height = len(rows) * _ROW + 10 + _BOTTOM

    def at(value: float) -> float:
        return _NAMES + axis.place(value) * (end - _NAMES)

    parts = []
    for value in axis.ticks():
        parts.append(f'<line class="grid" x1="{at(value):.1f}" x2="{at(value):.1f}" y1="6" y2="{height - _BOTTOM}"/>'
                     f'<text class="tick" x="{at(value):.1f}" y="{height - _BOTTOM + 17}" text-anchor="middle">'
                     f"{axis.text(value)}</text>")  # fmt: skip
    parts.append(f'<text class="label" x="{(_NAMES + end) / 2}" y="{height - 8}" text-anchor="middle">'
                 f"{escape(axis.label)}</text>")  # fmt: skip
    for number, row in enumerate(rows):
        middle = 8 + number * _ROW + _ROW / 2
        number_text = "-" if row.middle is None else axis.number(row.middle)
        parts.append(f'<text class="tick name" x="{_NAMES - 8}" y="{middle + 4}" text-anchor="end">{escape(row.name)}'
                     f'</text><text class="tick name" x="{end + 8}" y="{middle + 4}">{number_text}</text>')  # fmt: skip
        if row.low is not None and row.middle is not None and row.high is not None:
            start, stop, mark = at(row.low), at(row.high), at(row.middle)
            parts.append(f'<g class="c{colour}"><title>{escape(row.note)}</title><rect class="bar" x="{start:.1f}" '
                         f'y="{middle - 7}" width="{max(stop - start, 1):.1f}" height="14" rx="2"/><line class="mark" '
                         f'x1="{mark:.1f}" x2="{mark:.1f}" y1="{middle - 9}" y2="{middle + 9}"/></g>')  # fmt: skip
    return (f'<div class="chart"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{''.join(parts)}</svg></div>")  # fmt: skip
