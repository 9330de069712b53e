"""Charts as a reader sees them: whole SVG, inside its frame, with round numbers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from anchorpose.evaluation.report.charts import HEIGHT, WIDTH, Axis, Row, Series, axis_over, line_chart, range_chart


def drawn(figure: str) -> ElementTree.Element:
    svg = ElementTree.fromstring(figure).find("svg")
    assert svg is not None
    return svg


@pytest.mark.parametrize("low", [0.0, -3.0, 0.4, 1234.5])
@pytest.mark.parametrize("span", [1e-4, 0.3, 1.0, 7.0, 50.0, 99.0, 4321.0])
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    axis = Axis("x", low, low + span)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)
    steps = np.diff(ticks)
    assert steps == pytest.approx(steps[0], rel=1e-6)
    digits = f"{steps[0]:.3e}".split("e")[0].rstrip("0").rstrip(".")
    assert digits in {"1", "2", "2.5", "5"}


def test_lines_go_through_their_points_and_stay_inside() -> None:
    x, y = Axis("threshold", 0, 10), Axis("share", 0, 1, share=True)
    svg = drawn(line_chart("t <&>", x, y, [Series("a", [0, 5, 7, 10, 20], [0.0, 0.5, None, 1.0, 3.0])]))
    points = svg.find(".//polyline").attrib["points"].split()  # type: ignore[union-attr]
    corners = np.array([p.split(",") for p in points], float)
    assert len(corners) == 4  # None is left out
    assert (corners >= 0).all()
    assert (corners <= [WIDTH, HEIGHT]).all()
    assert corners[1] == pytest.approx((corners[0] + corners[2]) / 2, abs=0.1)
    assert corners[3] == pytest.approx(corners[2])  # beyond the axes: at the corner
    texts = [t.text for t in svg.iter("text")]
    assert {"threshold", "share", "0 %", "100 %"} <= set(texts)


def test_every_line_can_be_switched_off_and_has_a_name() -> None:
    series = [Series(f"joint {k}", [0, 1], [0.0, 1.0], k) for k in range(9)]
    figure = line_chart("t", Axis("x", 0, 1), Axis("y", 0, 1), series, toggles=True)
    assert sorted(re.findall(r'data-toggle="(\d+)"', figure)) == sorted(re.findall(r'data-series="(\d+)"', figure))
    looks = re.findall(r'<svg class="key (\w+)".*?<line class="([^"]+)"', figure)
    assert len(set(looks)) == 9  # no two look alike
    assert all(f"joint {k}</label>" in figure for k in range(9))


def test_bands_lie_around_their_line() -> None:
    series = Series("a", [0, 1], [0.5, 0.6], low=[0.4, 0.5], high=[0.6, 0.9])
    svg = drawn(line_chart("t", Axis("x", 0, 1), Axis("y", 0, 1), [series]))
    band = np.array([p.split(",") for p in svg.find(".//polygon").attrib["points"].split()], float)  # type: ignore[union-attr]
    line = np.array([p.split(",") for p in svg.find(".//polyline").attrib["points"].split()], float)  # type: ignore[union-attr]
    assert (band[:2, 1] < line[:, 1]).all()  # y grows downwards
    assert (band[2:, 1] > line[::-1, 1]).all()
    gone = drawn(line_chart("t", Axis("x", 0, 1), Axis("y", 0, 1), [Series("a", [0.5], [0.5], 0, [None], [None])]))
    assert gone.find(".//polygon") is None


def test_bars_reach_from_quartile_to_quartile() -> None:
    rows = [Row("knee", 1.0, 2.0, 4.0), Row("none", None, None, None)]
    svg = drawn(range_chart("t", axis_over("error, mm", [4.0, None]), rows))
    bars = list(svg.iter("rect"))
    assert len(bars) == 1
    start, width = float(bars[0].attrib["x"]), float(bars[0].attrib["width"])
    mark = float(svg.find(".//line[@class='mark']").attrib["x1"])  # type: ignore[union-attr]
    assert (mark - start) / width == pytest.approx(1 / 3, abs=0.01)
    texts = [t.text for t in svg.iter("text")]
    assert {"knee", "none", "2.0", "-", "error, mm"} <= set(texts)
