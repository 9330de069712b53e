"""ONNX against torch, and what the file carries. Slow: the exporter takes half a minute."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from dataclasses import asdict, replace  # noqa: E402

from anchorpose.app.runtime import OnnxModel, read_card  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.lcrnet.anchors import build_anchors  # noqa: E402
from anchorpose.training.checkpoint import save_checkpoint  # noqa: E402
from anchorpose.training.export import MAX_METRES, MAX_PIXELS, export  # noqa: E402
from anchorpose.training.presets import PRESETS  # noqa: E402
from tests.lcrnet.conftest import body  # noqa: E402


@pytest.fixture
def saved(tmp_path, monkeypatch):
    preset = replace(PRESETS["lcrnet-lite"], hidden=64, width=16, anchors=4)
    monkeypatch.setitem(PRESETS, preset.name, preset)
    torch.manual_seed(0)
    model = preset.build(build_anchors(body(np.random.default_rng(0), 100), 4)).eval()
    # Fresh weights say nearly the same everywhere, and ties may be broken either way: let features reach the output.
    for module in model.trunk.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    weights = model.state_dict()
    card = json.loads(json.dumps({"preset": asdict(preset), "trunk": "random", "data": {}}))
    save_checkpoint(tmp_path / "run" / "last", weights, weights, {}, card)
    return tmp_path / "run", model


@pytest.mark.slow
def test_the_graph_is_torchs_twin_at_any_size(saved, tmp_path):
    run, model = saved
    parity = export(run, tmp_path / "m.onnx", half=False)
    assert parity.proposals > 100
    assert parity.pixels <= MAX_PIXELS
    assert parity.metres <= MAX_METRES
    graph = OnnxModel(tmp_path / "m.onnx")
    rng = np.random.default_rng(1)
    for shape in ((128, 128), (160, 512), (416, 288)):
        image = rng.integers(0, 256, (*shape, 3), np.uint8)
        found = graph(image)
        with torch.inference_mode():
            wanted = model(torch.from_numpy(image[None]))
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    assert read_card(tmp_path / "m.onnx")["storage"] == "fp32"
    assert graph.metadata.anchors == 4
    # fp16 storage halves the file and hardly moves the scores.
    export(run, tmp_path / "h.onnx")
    assert (tmp_path / "h.onnx").stat().st_size < 0.6 * (tmp_path / "m.onnx").stat().st_size
    image = rng.integers(0, 256, (128, 160, 3), np.uint8)
    np.testing.assert_allclose(OnnxModel(tmp_path / "h.onnx")(image).scores, graph(image).scores, atol=0.02)


def test_missing_and_damaged_runs_are_named(saved, tmp_path):
    run, _ = saved
    with pytest.raises(InputError, match="found no checkpoint"):
        export(tmp_path / "nowhere", tmp_path / "m.onnx")
    (run / "last" / "ema.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot read the weights"):
        export(run, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
