"""`anchorpose train posebert-thin` from outside."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from anchorpose.app.cli import main
from anchorpose.motion.posebert.model import PoseBert
from anchorpose.motion.posebert.refine import refine_tracks
from tests.motion.posebert.graphs import rigid, tracks_of
from tests.synthesis.test_bvh import person_bvh


@pytest.fixture
def motions(tmp_path):
    folder = tmp_path / "motions"
    folder.mkdir()
    for i in range(3):
        person_bvh(folder / f"{i}.bvh", 80, np.random.default_rng(i), turn=3.0)
    return folder


@pytest.mark.slow
def test_motion_capture_in_a_graph_out(motions, tmp_path, capsys):
    words = ["train", "posebert-thin", "--data", str(motions), "--out", str(tmp_path / "run"), "--minutes", "0.01"]
    assert main(words) == 0
    out = tmp_path / "run" / "posebert-thin.onnx"
    assert capsys.readouterr().out.strip() == str(out)
    assert out.stat().st_size < 8e6
    model = PoseBert(out)
    noisy = rigid(70, swing=0.05) + np.random.default_rng(0).normal(0, 0.01, (70, 13, 3))
    noisy[30:36] = np.nan
    refined = refine_tracks(tracks_of([noisy]), model)[1]
    assert np.isfinite(refined.joints3d).all()
    assert len(refined) == 70
    # trained for a moment it is a local average: smoother than what was found, and not far from it
    before, after = (np.abs(np.diff(p[:30], 2, axis=0)).mean() for p in (noisy, refined.joints3d))
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["posebert-thin"], "found no data, wanted motion capture"),
        (["posebert-huge", "--data", "x"], "found no preset 'posebert-huge'"),
        (["posebert-thin", "--data", "nowhere.bvh"], "nowhere.bvh"),
        (["posebert-thin", "--data", "x", "--epochs", "2"], "found --epochs, which PoseBERT does not take"),
        (["posebert-thin", "--data", "x", "--epochs", "0"], "found --epochs, which PoseBERT does not take"),
        (["posebert-thin", "--data", "x", "--second-pass"], "found --second-pass, which PoseBERT does not take"),
    ],
)
def test_bad_input_is_one_line(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("anchorpose: error: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
