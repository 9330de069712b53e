"""Each section's data as HTML: a chart, a sentence that says what is counted, and the numbers as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from anchorpose.evaluation.protocols import Table
from anchorpose.evaluation.report.charts import Axis, Row, Series, axis_over, line_chart, range_chart
from anchorpose.evaluation.report.curves import Data

_SAME = 1e-3
"""What differs by less than this share differs by rounding."""
NOTHING = '<p class="soft">Nothing to measure here.</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table that scrolls sideways where it is too wide; None is shown as -."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(_shown(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def details(content: str) -> str:
    """`content` behind a line that opens it."""
    return f"<details><summary>Numbers</summary>{content}</details>"


def card(title: str, content: str, note: str = "") -> str:
    """A box with a heading, and under the content what is counted and how."""
    below = f'<p class="soft">{escape(note)}</p>' if note else ""
    return f'<div class="card"><h3>{escape(title)}</h3>{content}{below}</div>'


def percent(value: float | None, digits: int = 1) -> str:
    """A share in per cent; - for None."""
    return "-" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def _shown(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def figures_section(tables: Mapping[str, Table]) -> str:
    """The tables of the commands, under the names and with the values that they print."""
    cards = []
    for name, figures in tables.items():
        tiles = (f"<div><dt>{escape(figure)}</dt><dd>{_shown(value)}</dd></div>" for figure, value in figures.items())
        cards.append(card(name, f"<dl>{''.join(tiles)}</dl>"))
    return "".join(cards)


def pck_section(data: Data) -> str:
    """PCK over thresholds, with a line for each kind of joint."""
    if data["mean"][0] is None:
        return card("PCK over thresholds", NOTHING)
    at, unit = data["thresholds"], data["unit"]
    lines = [Series("all joints", at, data["mean"], bold=True)]
    lines += [Series(name.replace("_", " "), at, values, number)
              for number, (name, values) in enumerate(data["parts"].items())]  # fmt: skip
    x = Axis(f"threshold, share of the {unit}", 0, at[-1], share=True)
    chart = line_chart("PCK over thresholds", x, Axis("correct joints", 0, 1, share=True), lines, toggles=True)
    where = at.index(data["headline"])
    rows = [(name.replace("_", " "), row["labelled"], percent(row["pck"])) for name, row in data["joints"].items()]
    note = (f"Left and right together; PCK@{data['headline']:g} over all joints {percent(data['mean'][where])}, "
            f"area under the curve {percent(data['auc'])}. People who were not found count as wrong.")  # fmt: skip
    numbers = table(("joint", "labelled", f"PCK@{data['headline']:g}"), rows)
    return card("PCK over thresholds", chart + details(numbers), note)


def precision_recall_section(data: Data | None) -> str:
    """Precision over recall at three thresholds of OKS."""
    title = "Precision over recall"
    if data is None:
        return card(title, NOTHING, "Only one person of a photograph is labelled, so a prediction of somebody else is "
                    "neither right nor wrong and precision has no meaning.")  # fmt: skip
    if not data["people"]:
        return card(title, NOTHING)
    names = {"0.50": "OKS 0.50", "0.75": "OKS 0.75", "mean": "mean of 0.50 to 0.95"}
    lines = [Series(f"{label}: AP {data['AP'][key]:.3f}", data["recall"], data["precision"][key], k)
             for k, (key, label) in enumerate(names.items())]  # fmt: skip
    chart = line_chart(title, Axis("recall", 0, 1, share=True), Axis("precision", 0, 1, share=True), lines)
    rows = [(label, data["AP"][key], data["AR"][key]) for key, label in names.items()]
    return card(title, chart + table(("threshold", "AP", "recall reached"), rows),
                f"COCO's matching and sampling, {data['people']} people.")  # fmt: skip


def error_section(data: Data) -> str:
    """Quartiles of the error by joint and by state."""
    unit, headline = data["unit"], data["headline"]
    if not data["all"]["labelled"]:
        return card("Error by joint", NOTHING)
    tops = [row["quartiles"][2] for row in (*data["joints"].values(), *data["states"].values())]
    axis = axis_over(f"error of people who were found, share of the {unit}", tops, share=True)
    head = ("", "labelled", "not found", "25 %", "median", "75 %", f"PCK@{headline:g}")
    cards = []
    for title, rows in (("Error by joint", data["joints"] | {"all": data["all"]}),
                        ("Error by state of the joint", data["states"])):  # fmt: skip
        if not rows:
            cards.append(card(title, NOTHING, "The annotations do not say which joints are hidden."))
            continue
        bars = quartile_bars(rows, "labelled")
        cells = [(name.replace("_", " "), row["labelled"], percent(row["missed"]), *map(percent, row["quartiles"]),
                  percent(row["pck"])) for name, row in rows.items()]  # fmt: skip
        cards.append(card(title, range_chart(title, axis, bars, len(cards)) + details(table(head, cells)),
                          "Bar: from the lower to the upper quartile; mark and number: the median."))  # fmt: skip
    return "".join(cards)


def quartile_bars(rows: Mapping[str, Data], count: str) -> list[Row]:
    """Quartiles as bars; how many there are shows when the mouse rests on one."""
    bars = []
    for name, row in rows.items():
        low, middle, high = row["quartiles"]
        bars.append(Row(name.replace("_", " "), low, middle, high, f"{name}: {row[count]} joints"))
    return bars


def size_section(data: Data) -> str:
    """AP and PCK by COCO's sizes, and PCK over the size."""
    measured = [row["AP"] for row in data["classes"].values()] != [None] * len(data["classes"])
    rows = [(name, row["people"], row["found"], percent(row["pck"]), *([row["AP"]] if measured else []))
            for name, row in data["classes"].items()]  # fmt: skip
    head = ("size", "people", "found", f"PCK@{data['headline']:g}", *(["AP"] if measured else []))
    numbers = table(head, rows)
    return card("By size of the person", numbers + _binned("size: square root of the person's area, px", data),
                "Small: below 32 x 32 px, large: from 96 x 96 px on. Band: 95 % interval of the mean.")  # fmt: skip


def rarity_section(data: Data) -> str:
    """PCK over the distance to the closest pose cluster."""
    label = ("distance to the closest pose cluster, mm" if data["space"] == "3D"
             else "distance to the closest pose cluster, % of the pose")  # fmt: skip
    rank = "" if data["correlation"] is None else f" Rank correlation {data['correlation']:+.2f}."
    return card("By rarity of the pose", _binned(label, data, share=data["space"] == "2D"),
                "As in LCR-Net, figure 6: rare poses are at the right. The clusters (k-means) are of the annotated "
                f"poses themselves; {data['people']} people with enough labelled joints.{rank}")  # fmt: skip


def no_curve(label: str, curve: Data) -> str:
    """What stands in the place of a chart of `breakdown.binned` that has no line to draw; empty where it has.

    Args:
        label: what x is.
        curve: the bins.
    """
    x = curve["x"]
    if not x:
        return NOTHING
    if len(x) == 1:
        return f'<p class="soft">{curve["people"][0]} people are too few for a curve, which takes 40.</p>'
    same = max(x) - min(x) <= _SAME * max(abs(max(x)), 1.0)
    return f'<p class="soft">All have the same {escape(label)}.</p>' if same else ""


def _binned(label: str, data: Data, share: bool = False) -> str:
    curve = data["curve"]
    if nothing := no_curve(label, curve):
        return nothing
    pck = f"PCK@{data['headline']:g} of the {data['unit']}"
    line = Series(pck, curve["x"], curve["mean"], 0, curve["low"], curve["high"], dots=True)
    chart = line_chart(pck, axis_over(label, curve["x"], share, zero=False), Axis(pck, 0, 1, share=True), [line])
    columns = [curve[name] for name in ("x", "people", "mean", "low", "high")]
    rows = [(f"{100 * x:.1f} %" if share else f"{x:.0f}", n, *map(percent, shares))
            for x, n, *shares in zip(*columns, strict=True)]  # fmt: skip
    return chart + details(table((label, "people", "PCK", "95 % from", "to"), rows))


def calibration_section(data: Data, right: str) -> str:
    """Reliability diagram of people's and joints' scores; `right` says when a person is."""
    names = {"person": f"person is right ({right})", "joint": "joint is visible"}
    curves = [(names[key], data[key]) for key in names if key in data and data[key]["count"]]
    if not curves:
        return card("Calibration of scores", NOTHING)
    lines = [Series(name, *_known(curve), colour, dots=True) for colour, (name, curve) in enumerate(curves)]
    lines.append(Series("as claimed", (0.0, 1.0), (0.0, 1.0), plain=True))
    chart = line_chart("Calibration of scores", Axis("score", 0, 1, share=True),
                       Axis("came true", 0, 1, share=True), lines)  # fmt: skip
    rows = [(name, curve["count"], percent(curve["error"])) for name, curve in curves]
    note = ("Above the diagonal scores are too modest, below it too bold; 15 bins of equal width. ECE: expected "
            "calibration error.")  # fmt: skip
    content = chart + table(("score says", "scores", "ECE"), rows)
    if data["outside"]:
        lower = _by_score(data["by_score"])
        note += (f" {data['outside']} scores of people are no probabilities: above 1 they count as 1, below 0 as 0"
                 f"{'; the lower chart has them as they are.' if lower else '.'}")  # fmt: skip
        content += lower
    return card("Calibration of scores", content, note)


def _by_score(curve: Data) -> str:
    if no_curve("score", curve):
        return ""
    line = Series("right", curve["x"], curve["mean"], 0, curve["low"], curve["high"], dots=True)
    scores = axis_over("score of the person", curve["x"], zero=min(curve["x"], default=0.0) >= 0)
    return line_chart("Right predictions over the score", scores,
                      Axis("right people", 0, 1, share=True), [line])  # fmt: skip


def _known(curve: Data) -> tuple[list[float], list[float]]:
    pairs = [(c, a) for c, a in zip(curve["confidence"], curve["accuracy"], strict=True) if c is not None]
    return [c for c, _ in pairs], [a for _, a in pairs]


def coverage_section(data: Data, limit: str) -> str:
    """Wrong joints among the surest ones; `limit` says beyond what a joint is wrong."""
    title = "Risk over coverage of joint scores"
    if not data["coverage"]:
        return card(title, NOTHING)
    lines = [Series("the surest joints", data["coverage"], data["risk"], 0, bold=True),
             Series("all joints", (0.0, 1.0), (data["all"], data["all"]), plain=True)]  # fmt: skip
    chart = line_chart(title, Axis("coverage: share of joints that are kept, surest first", 0, 1, share=True),
                       axis_over("wrong joints", [*data["risk"], data["all"]], share=True), lines)  # fmt: skip
    note = (f"Wrong: further than {limit}; {data['joints']} joints of people who were found. All: "
            f"{percent(data['all'])}, area under the curve {percent(data['area'])}. The further the line lies below "
            "the dashed one, the better scores tell which joints to trust.")  # fmt: skip
    return card(title, chart, note)
