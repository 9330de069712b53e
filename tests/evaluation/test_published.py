"""Published results stand beside ours, under the same headings."""

import re

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import CROWDPOSE14, H36M32, LCR13, MPII16, POSETRACK17
from anchorpose.evaluation.protocols2d import (
    evaluate_crowdpose,
    evaluate_mpii_multi,
    evaluate_mpii_single,
    evaluate_posetrack,
)
from anchorpose.evaluation.protocols3d import evaluate_h36m
from anchorpose.evaluation.published import COLUMNS, format_beside, published
from anchorpose.evaluation.published2d import PUBLISHED2D
from anchorpose.evaluation.published3d import PUBLISHED3D
from tests.evaluation.people3d import found, picture
from tests.evaluation.test_protocols2d import benchmark, perfect

EVALUATE = {"mpii-single": (evaluate_mpii_single, MPII16), "mpii-multi": (evaluate_mpii_multi, MPII16),
            "crowdpose": (evaluate_crowdpose, CROWDPOSE14), "posetrack": (evaluate_posetrack, POSETRACK17)}  # fmt: skip


def figures(protocol):
    return {key for columns in COLUMNS[protocol].values() for key in columns.values()}


@pytest.mark.parametrize("protocol", EVALUATE)
def test_columns_are_figures_that_we_have(protocol):
    evaluate, skeleton = EVALUATE[protocol]
    bench = benchmark(np.random.default_rng(0), skeleton, separated=protocol == "mpii-single")
    table = evaluate(bench, perfect(bench))
    for columns in COLUMNS[protocol].values():
        assert set(columns.values()) <= set(table)
    lines = format_beside(protocol, {"ours": table}).splitlines()
    numbers = [line.split()[1:] for line in lines if line.startswith("ours ")] or [
        line.split()[2:] for line in lines if ": ours" in line
    ]
    assert len(numbers) == len(COLUMNS[protocol])
    assert {n for row in numbers for n in row} == {"100.0"}


def test_every_row_is_shown_with_its_source_and_the_mark():
    for protocol in COLUMNS:
        text = format_beside(protocol, {"ours": {}})
        rows = published(protocol)
        tables = [set(columns.values()) for columns in COLUMNS[protocol].values()]
        assert text.count("(published [") == sum(bool(t & set(row.figures)) for t in tables for row in rows)
        for row in rows:
            assert set(row.figures) <= figures(protocol)
            lines = [line for line in text.splitlines()
                     if re.match(rf"(AP: |MOTA: )?{re.escape(row.system)} \(published", line)]  # fmt: skip
            decimals = 3 if protocol == "coco" else 1
            numbers = [[n for n in line.split(")")[-1].split() if n != "-"] for line in lines]
            for table in tables:
                wanted = [f"{value:.{decimals}f}" for name, value in row.figures.items() if name in table]
                # A system may stand in two sources.
                assert not wanted or wanted in numbers
            assert any(shown.startswith("[") and shown.endswith(row.source) for shown in text.splitlines())


def test_figures_are_in_our_units():
    for row in PUBLISHED2D:
        for value in row.figures.values():
            assert 0 < value < 1 if row.protocol == "coco" else 1 < value < 100


def test_every_3d_row_fits_a_protocol_and_names_its_source():
    for row in PUBLISHED3D:
        assert set(row.figures) <= figures(row.protocol)
        assert row.figures
        assert len(row.source) > 10
    keys = [(row.protocol, row.system, figure) for row in PUBLISHED3D for figure in row.figures]
    assert len(set(keys)) == len(keys)
    assert all(published(protocol) for protocol in COLUMNS if protocol != "lsp")


def test_ours_stand_first_and_the_others_are_marked():
    truths = [picture(f"{i}.jpg", H36M32, seed=i, activity=a) for i, a in enumerate(("Walking", "Eating", "Eating"))]
    source = H36M32.map_to(LCR13)
    predictions = {t.file_name: found(t.joints3d[:, source], LCR13) for t in truths}
    lines = format_beside("h36m-p1", {"ours": evaluate_h36m(truths, predictions, "p1")}).splitlines()
    assert lines[0].split() == ["MPJPE", "PA-MPJPE", "rigid", "MPJPE"]
    assert lines[1].split() == ["ours", "0.0", "0.0", "0.0"]
    best = next(line for line in lines if line.startswith("LCR-Net + PPI"))
    assert best.split() == ["LCR-Net", "+", "PPI", "(published", "[1])", "63.2", "53.4", "-"]
    assert [line.split()[-2] for line in lines[2:7]] == ["115.7", "108.3", "88.1", "55.6", "53.4"]
    assert "[1] Rogez et al., LCR-Net, CVPR 2017, table 2" in lines
    rows = lines[lines.index("ours:") + 2 :]
    assert [row.split("  ")[0] for row in rows[:3]] == ["mean of actions", "Eating", "Walking"]
    assert lines[-1] == "ours: pictures 3, found 3, joints 13"


def test_details_go_below_their_own_figure():
    table = {"people": 2, "3DPCK all": 50.0, "3DPCK all hidden": 20.0, "3DPCK all TS1": 40.0, "AUC matched TS1": 30.0,
             "3DPCK matched": None}  # fmt: skip
    text = format_beside("mupots", {"a": table, "b": {}})
    first = text.splitlines()[1].split()
    assert first == ["a", "50.0", *["-"] * 6, "20.0"]
    assert re.search(r"\na:\n +3DPCK all +AUC matched\nTS1 +40\.0 +30\.0\n", text)
    assert "hidden  " not in text.split("a:")[1]


def test_unknown_protocols_are_refused():
    with pytest.raises(InputError, match="found the protocol 'h36m', wanted one of coco, lsp, mpii-single, "):
        published("h36m")
