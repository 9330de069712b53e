"""Each 3D section's data as HTML, as in `sections`; millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from anchorpose.evaluation.protocols import Table
from anchorpose.evaluation.published import COLUMNS, by_row, with_published
from anchorpose.evaluation.report.charts import Axis, Series, axis_over, line_chart, range_chart
from anchorpose.evaluation.report.curves import Data
from anchorpose.evaluation.report.sections import NOTHING, card, details, no_curve, percent, quartile_bars, table

_PCK = "3DPCK: joints within 150 mm"
_ABSURD = 1e6
_ROWS = {"h36m": "By action", "mupots": "By video", "3dhp": "By activity and by scene"}


def number(value: float | None) -> str:
    """One decimal; - for None, whole numbers as they are, and what no body can reach in short."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.1f}" if abs(value) < _ABSURD else f"{value:.1e}"


def protocol_sections(protocol: str, system: str, figures: Table) -> tuple[str, str, str]:
    """Cards: the published table with ours in the first row; the command's figures; ours by action, scene or video."""
    rows = by_row(protocol, figures)
    below = {f"{head} {name}" for head, own in rows.items() for name in own}
    tiles = (f"<div><dt>{escape(name)}</dt><dd>{number(value)}</dd></div>"
             for name, value in figures.items() if name not in below)  # fmt: skip
    headline = card(f"anchorpose evaluate {protocol}", f"<dl>{''.join(tiles)}</dl>")
    names = list(dict.fromkeys(name for own in rows.values() for name in own))
    cells = [(name, *(number(own.get(name)) for own in rows.values())) for name in names]
    detail = card(_ROWS[protocol.split("-")[0]], table(("", *rows), cells)) if rows else ""
    return _beside(protocol, system, figures), headline, detail


def _beside(protocol: str, system: str, figures: Table) -> str:
    systems, sources = with_published(protocol, {system: figures})
    (columns,) = COLUMNS[protocol].values()
    cells = [(name, *(number(own.get(key)) for key in columns.values())) for name, own in systems]
    listed = "".join(f"<li>{escape(source)}</li>" for source in sources)
    return card("Beside published results", f'<div class="systems">{table(("", *columns), cells)}</div>'
                f'<details><summary>Sources</summary><ol class="soft">{listed}</ol></details>')  # fmt: skip


def curve_sections(data: Data) -> tuple[str, str]:
    """Cards: 3DPCK over thresholds with a line for each kind of joint, and the numbers of each joint."""
    title, at = "3DPCK over thresholds", data["thresholds"]
    if data["pck"]["all"] is None:
        return card(title, NOTHING), ""
    lines = [Series("all joints", at, data["curves"]["all"], bold=True)]
    missed = data["curves"]["found"] != data["curves"]["all"]
    if missed:
        lines.append(Series("all joints of people who were found", at, data["curves"]["found"], plain=True))
    lines += [Series(name.replace("_", " "), at, values, number)
              for number, (name, values) in enumerate(data["parts"].items())]  # fmt: skip
    chart = line_chart(title, Axis("threshold, mm", 0, at[-1]), Axis("correct joints", 0, 1, share=True), lines,
                       toggles=True)  # fmt: skip
    cells = [(name.replace("_", " "), row["counted"], percent(row["pck"]), percent(row["auc"]))
             for name, row in data["joints"].items()]  # fmt: skip
    numbers = table(("joint", "counted", "3DPCK@150", "AUC"), cells)
    note = (f"Left and right together. 3DPCK@150 mm {percent(data['pck']['all'])}, area under the curve (AUC) "
            f"{percent(data['auc']['all'])}; people who were not found count as wrong.")  # fmt: skip
    if missed:
        note += f" Of people who were found {percent(data['pck']['found'])} and {percent(data['auc']['found'])}."
    if data["groups"] > 1:
        note += f" Means over {data['groups']} videos."
    return card(title, chart, note), card("3DPCK by joint", numbers)


def joints_section(data: Data, note: str) -> str:
    """Quartiles of the position error by joint; `note` says relative to what."""
    return _quartiles("3D error by joint", data, "joints", note, 2)


def states_section(data: Data, note: str) -> str:
    """Quartiles of the position error by what can be seen of a joint."""
    if not data["states"]:
        return card("3D error by state of the joint", NOTHING, "The annotations do not say which joints are hidden.")
    return _quartiles("3D error by state of the joint", data, "states", note, 3)


def _quartiles(title: str, data: Data, which: str, note: str, colour: int) -> str:
    rows = data[which]
    if not any(row["joints"] for row in rows.values()):
        return card(title, NOTHING)
    tops = [row["quartiles"][2] for group in ("joints", "states") for row in data[group].values()]
    axis = axis_over("position error of people who were found, mm", tops)
    cells = [(name.replace("_", " "), row["joints"], *map(number, (row["mean"], *row["quartiles"])))
             for name, row in rows.items()]  # fmt: skip
    numbers = table(("", "joints", "mean mm", "25 %", "median", "75 %"), cells)
    return card(title, range_chart(title, axis, quartile_bars(rows, "joints"), colour) + details(numbers),
                f"{note} Bar: quartiles; mark and number: the median.")  # fmt: skip


def size_section(data: Data) -> str:
    """Error and 3DPCK over the size of the person in the picture."""
    return card("3D error by size of the person", _binned("longer side of the person's box, px", data),
                "Error of people who were found; in 3DPCK those who were not are wrong. Band: 95 % interval of the "
                "mean.")  # fmt: skip


def rarity_section(data: Data) -> str:
    """Error and 3DPCK over the distance to the closest pose cluster."""
    rank = "" if data["correlation"] is None else f" Rank correlation with the error {data['correlation']:+.2f}."
    return card("3D error by rarity of the pose", _binned("distance to the closest pose cluster, mm", data),
                "As in LCR-Net, figure 6: rare poses are at the right. The clusters (k-means) are of the annotated "
                f"poses themselves; {data['people']} people with all joints.{rank}")  # fmt: skip


def _binned(label: str, data: Data) -> str:
    error, pck = data["error"], data["pck"]
    if nothing := no_curve(label, pck):
        return nothing
    charts = _line_over(label, "mean error, mm", error, None, 0) + _line_over(label, _PCK, pck, 1.0, 2)
    head = (label, "people", "", "95 % from", "to")
    rows = [(f"{x:.0f}", n, number(mean), number(low), number(high)) for x, n, mean, low, high in _bins(error)]
    shares = [(f"{x:.0f}", n, *map(percent, rest)) for x, n, *rest in _bins(pck)]
    numbers = table((*head[:2], "MPJPE mm", *head[3:]), rows) + table((*head[:2], "3DPCK", *head[3:]), shares)
    return charts + details(numbers)


def _bins(curve: Data) -> list[Sequence[float]]:
    return list(zip(*(curve[name] for name in ("x", "people", "mean", "low", "high")), strict=True))


def _line_over(label: str, name: str, curve: Data, top: float | None, colour: int) -> str:
    if nothing := no_curve(label, curve):
        return nothing
    line = Series(name, curve["x"], curve["mean"], colour, curve["low"], curve["high"], dots=True)
    y = axis_over(name, [*curve["mean"], *curve["high"]]) if top is None else Axis(name, 0, top, share=True)
    return line_chart(f"{name} over {label}", axis_over(label, curve["x"], zero=False), y, [line])
