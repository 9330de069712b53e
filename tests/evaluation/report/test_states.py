from __future__ import annotations

import json
from pathlib import Path

import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.report.states import read_states


def test_names_win_over_flags_and_other_categories_are_left_out(plain, tmp_path: Path) -> None:
    annotations, _ = plain(LCR13, images=2, each=1)
    path = tmp_path / "annotations.json"
    data = json.loads(path.read_text())
    data["annotations"][0]["joint_state"] = ["outside"] * 13
    data["annotations"].append({**data["annotations"][1], "id": 99, "category_id": 2})
    path.write_text(json.dumps(data))
    states = read_states(path, annotations)
    assert (states["1.jpg"] == JointState.OUTSIDE).all()
    assert states["2.jpg"].shape == (1, 13)
    assert states["2.jpg"][0, :2].tolist() == [JointState.VISIBLE, JointState.HIDDEN]
    assert list(read_states(path, annotations.only(["2.jpg"]))) == ["2.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not JSON"), ("[]", "not COCO"), ('{"categories": []}', "not COCO"), (None, "other people")],
)
def test_files_that_do_not_fit_are_one_line(plain, tmp_path: Path, content: str | None, message: str) -> None:
    annotations, _ = plain()
    path = tmp_path / "annotations.json"
    data = json.loads(path.read_text())
    path.write_text(content or json.dumps(data | {"annotations": data["annotations"][1:]}))
    with pytest.raises(InputError, match=message) as error:
        read_states(path, annotations)
    assert "\n" not in str(error.value)
