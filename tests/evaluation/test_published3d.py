import re

import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import H36M32, LCR13
from anchorpose.evaluation.protocols3d import evaluate_h36m
from anchorpose.evaluation.published3d import PUBLISHED3D, SUMMARY, format_beside, published
from tests.evaluation.people3d import found, picture


def test_every_row_fits_a_protocol_and_names_its_source():
    for row in PUBLISHED3D:
        assert set(row.figures) <= set(SUMMARY[row.protocol])
        assert row.figures
        assert len(row.source) > 10
    keys = [(row.protocol, row.system, figure) for row in PUBLISHED3D for figure in row.figures]
    assert len(set(keys)) == len(keys)
    assert all(published(protocol) for protocol in SUMMARY)


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
    with pytest.raises(InputError, match="found the protocol 'h36m', wanted one of h36m-p1, "):
        published("h36m")
