"""`anchorpose evaluate ARCHIVE --report` on miniature archives with 3D, from their files to the page's numbers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anchorpose.app.cli import main
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets import h36m
from anchorpose.datasets.truth3d import h36m_truths, mupots_truths, threedhp_truths, threedpw_truths
from anchorpose.evaluation.truth3d import Truth3D
from anchorpose.io.files import write_json
from anchorpose.io.formats import to_anchorpose
from tests.datasets import test_mpi_inf_3dhp, test_mupots, test_threedpw
from tests.datasets.test_truth3d import perfect


def off(truths: list[Truth3D], millimetres: float) -> dict[str, Poses]:
    """The truth in our joints, each wrist that much too far to the right; nobody in every third picture."""
    wrists = LCR13.indices("left_wrist", "right_wrist")
    predictions = perfect(truths, LCR13)
    for k, (name, poses) in enumerate(predictions.items()):
        joints = poses.joints3d.copy()
        joints[:, wrists, 0] += millimetres / 1000
        predictions[name] = replace(poses, joints3d=joints) if k % 3 else poses[:0]
    return predictions


def evaluate(protocol: str, root: Path, predictions: dict[str, Poses], out: Path) -> tuple[dict[str, Any], str]:
    """The numbers of the page, and the page; those of `--json` are the same."""
    write_json(out / "p.json", to_anchorpose(predictions.items()))
    own = ["evaluate", protocol, "--root", root, "--predictions", out / "p.json"]
    assert main([str(a) for a in [*own, "--json", out / "t.json", "--report", out / "report"]]) == 0
    page = (out / "report" / "report.html").read_text(encoding="utf-8")
    block = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert block
    data = json.loads(block.group(1))
    assert data["tables"] == {f"anchorpose evaluate {protocol}": json.loads((out / "t.json").read_text())}
    return data, page


def test_mupots_3dhp_and_3dpw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 21):
        test_mupots.write_sequence(tmp_path / "mupots", number, frames=2)
    for number in range(1, 7):
        test_mpi_inf_3dhp.write_test(tmp_path / "3dhp", number)
    test_threedpw.write_sequence(tmp_path / "3dpw", frames=7)
    for name, read in (("mupots", mupots_truths), ("3dhp", threedhp_truths), ("3dpw", threedpw_truths)):
        truths = read(tmp_path / name)
        predictions = off(truths, 100)
        data, page = evaluate(name, tmp_path / name, predictions, tmp_path)
        people = [len(truth) for truth in truths]
        found = sum(len(p) for p in predictions.values())
        assert data["counts"] == {"images": len(truths), "people": sum(people), "found": found, "predictions": found}
        joints = data["space"]["joints"]
        if name == "3dpw":  # the joints are its own, centred on its hips, and nothing is rescaled
            wrists, others = (
                [r for j, r in joints.items() if j.endswith("_wrist") == which] for which in (True, False)
            )
            assert [row["mean"] for row in wrists] == pytest.approx([100, 100], abs=0.1)
            assert max(row["mean"] for row in others) < 0.1
            assert data["space"]["curve"]["joints"]["left_wrist"]["pck"] == pytest.approx(found / sum(people))
        assert joints["left_wrist"]["joints"] == found
        assert joints["left_wrist"]["mean"] > joints["left_elbow"]["mean"] + 20
        if name == "mupots":
            hidden = sum(int((t.states[:, :14] == 2).sum()) for t in truths if len(predictions[t.file_name]))
            assert data["space"]["states"]["hidden"]["joints"] == hidden
        shown = min(12, len(truths))
        assert page.count("data:image/jpeg;base64,") == 2 * shown  # the archive's pictures are there
        assert capsys.readouterr().err.endswith("report.html\n")


def test_human36m_without_pictures(tmp_path: Path) -> None:
    pytest.importorskip("cdflib")
    from tests.datasets.test_h36m import write_recording

    for action in ("Eating", "Walking"):
        write_recording(tmp_path / "h36m", "S11", f"{action}.55011271", pictures=(0,))
    for picture in (tmp_path / "h36m" / "images").iterdir():
        picture.unlink()
    truths = h36m_truths(tmp_path / "h36m", h36m.P1)
    data, page = evaluate("h36m-p1", tmp_path / "h36m", off(truths, 200), tmp_path)
    assert data["counts"]["images"] == len(truths) == 6
    assert data["space"]["MPJPE"] == pytest.approx(2 / 13 * 200, abs=0.1)
    assert data["space"]["curve"]["pck"]["found"] == pytest.approx(11 / 13)
    assert data["space"]["curve"]["pck"]["all"] == pytest.approx(4 / 6 * 11 / 13)
    assert "data:image" not in page
    assert "holds none of these pictures" in page
    assert page.count('class="bodies"') == 6


def test_a_folder_that_cannot_be_made_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test_threedpw.write_sequence(tmp_path / "3dpw", frames=3)
    (tmp_path / "file").touch()
    write_json(tmp_path / "p.json", to_anchorpose(perfect(threedpw_truths(tmp_path / "3dpw"), LCR13).items()))
    arguments = ["evaluate", "3dpw", "--root", tmp_path / "3dpw", "--predictions", tmp_path / "p.json"]
    assert main([str(a) for a in [*arguments, "--report", tmp_path / "file" / "report"]]) == 2
    done = capsys.readouterr()
    assert done.out == ""
    assert "cannot create the folder" in done.err
    assert done.err.count("\n") == 1
