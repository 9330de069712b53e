"""Published results stand beside ours, under the same headings."""

import numpy as np
import pytest

from anchorpose.core.skeleton import CROWDPOSE14, MPII16, POSETRACK17
from anchorpose.evaluation.protocols2d import (
    evaluate_crowdpose,
    evaluate_mpii_multi,
    evaluate_mpii_single,
    evaluate_posetrack,
)
from anchorpose.evaluation.published import COLUMNS, PUBLISHED2D, format_beside
from tests.evaluation.test_protocols2d import benchmark, perfect

EVALUATE = {"mpii-single": (evaluate_mpii_single, MPII16), "mpii-multi": (evaluate_mpii_multi, MPII16),
            "crowdpose": (evaluate_crowdpose, CROWDPOSE14), "posetrack": (evaluate_posetrack, POSETRACK17)}  # fmt: skip


@pytest.mark.parametrize("protocol", EVALUATE)
def test_columns_are_figures_that_we_have(protocol):
    evaluate, skeleton = EVALUATE[protocol]
    bench = benchmark(np.random.default_rng(0), skeleton, separated=protocol == "mpii-single")
    table = evaluate(bench, perfect(bench))
    for columns in COLUMNS[protocol].values():
        assert set(columns.values()) <= set(table)
    lines = format_beside(protocol, {"ours": table}).splitlines()
    numbers = [line.split()[1:] for line in lines if line.startswith("ours")] or [
        line.split()[2:] for line in lines if ": ours" in line
    ]
    assert len(numbers) == len(COLUMNS[protocol])
    assert {n for row in numbers for n in row} == {"100.0"}


def test_every_row_is_shown_with_its_source_and_the_mark():
    assert {row.protocol for row in PUBLISHED2D} <= set(COLUMNS)
    for protocol in COLUMNS:
        text = format_beside(protocol, {"ours": {}})
        rows = [row for row in PUBLISHED2D if row.protocol == protocol]
        assert text.count("(published [") == len(rows)
        for row in rows:
            known = {key for columns in COLUMNS[protocol].values() for key in columns.values()}
            assert set(row.figures) <= known
            (line,) = (line for line in text.splitlines() if line.startswith(f"{row.system} (published"))
            decimals = 3 if protocol == "coco" else 1
            assert [n for n in line.split(")")[-1].split() if n != "-"] == [
                f"{value:.{decimals}f}" for value in row.figures.values()
            ]
            assert any(shown.startswith("[") and shown.endswith(row.source) for shown in text.splitlines())


def test_figures_are_in_our_units():
    for row in PUBLISHED2D:
        for value in row.figures.values():
            assert 0 < value < 1 if row.protocol == "coco" else 1 < value < 100
    with pytest.raises(KeyError):
        format_beside("nothing", {})
