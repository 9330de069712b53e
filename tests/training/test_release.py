"""Going on from released weights, which is how users adapt the network to their own data."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from anchorpose.app.cli import main  # noqa: E402
from anchorpose.app.estimator import find_model  # noqa: E402
from anchorpose.app.runtime import OnnxModel  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.io.cards import read_card as read_model_card  # noqa: E402
from anchorpose.io.images import read_image  # noqa: E402
from anchorpose.io.letterbox import letterbox  # noqa: E402
from anchorpose.training.checkpoint import read_card, read_weights  # noqa: E402
from anchorpose.training.presets import find_preset  # noqa: E402
from anchorpose.training.release import Release  # noqa: E402
from tests.datasets.conftest import coco_folder  # noqa: E402, F401
from tests.training.test_export import PHOTOS  # noqa: E402


def test_the_filled_network_says_what_the_released_file_says():
    release = Release(find_model())
    model = find_preset(release.preset).build(release.anchors)
    start = release.fill(model)
    assert start.released >= {name for name, _ in model.named_parameters()}
    assert "steps from" in start.text
    assert "research" in start.use
    assert len(start.licences) >= 3
    graph = OnnxModel(find_model())
    photo, _ = letterbox(read_image(PHOTOS / "000000366711.jpg"), graph.metadata.max_side)
    with torch.inference_mode():
        found, people = model.eval()(torch.from_numpy(photo)[None])
    wanted, refined = graph(photo)
    np.testing.assert_allclose(found.scores[:10], wanted.scores[:10], atol=2e-3)
    # The same poses, to the precision at which the anchor-poses are folded into the file.
    np.testing.assert_allclose(found.joints2d[0], wanted.joints2d[0], atol=0.02)
    np.testing.assert_allclose(found.joints3d[0], wanted.joints3d[0], atol=1e-3)
    np.testing.assert_allclose(people.refined2d[0], refined.joints2d[0], atol=0.5)
    np.testing.assert_allclose(people.quality[0], refined.quality[0], atol=5e-3)


def test_another_preset_and_other_files_are_named(tmp_path):
    release = Release(find_model())
    other = replace(find_preset("lcrnet-lite"), hidden=64).build(release.anchors)
    with pytest.raises(InputError, match=r"misshapes .* the first 'head\."):
        release.fill(other)
    (tmp_path / "no.onnx").write_bytes(b"no onnx")
    with pytest.raises(InputError, match=r"cannot read|holds no anchor-poses"):
        Release(tmp_path / "no.onnx")
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "empty.onnx")
    with pytest.raises(InputError, match="holds no anchor-poses"):
        Release(tmp_path / "empty.onnx")


@pytest.mark.slow
def test_the_command_line_trains_on_from_the_released_weights(coco_folder, tmp_path):  # noqa: F811
    annotations, images = coco_folder
    code = main(["train", "lcrnet-lite", "--start", "lcrnet-lite", "--data", f"{annotations}={images}", "--out",
                 str(tmp_path / "run"), "--epochs", "1", "--batch-size", "2", "--workers", "0"])  # fmt: skip
    assert code == 0
    card = read_card(tmp_path / "run" / "last")
    assert card["trunk"].startswith("all of lcrnet-lite.onnx (")
    assert "MoveNet" in card["trunk"]
    assert set(read_model_card(find_model())["data"]) < set(card["data"]), "the licences of the start's data stay"
    assert card["progress"]["step"] == 2
    released, trained = Release(find_model()), read_weights(tmp_path / "run" / "last" / "model.safetensors")
    np.testing.assert_array_equal(trained["anchors3d"], released.anchors.joints3d)
    # Two warm-up steps move the heads a little, the trunk's late blocks less, and leave its early ones alone.
    moved = {n: float((trained[n] - t).abs().max()) for n, t in released.tensors.items() if n in trained}
    early = find_preset("lcrnet-lite").frozen_blocks
    first = [f"trunk.trunk.{part}" for part in ("stem.", *(f"blocks.{i}." for i in range(early)))]
    assert all(moved[n] == 0 for n in moved if any(n.startswith(f) for f in first))
    assert max(moved[n] for n in moved if n.startswith(f"trunk.trunk.blocks.{early}.")) > 0
    assert 0 < moved["head.classify.weight"] < 0.01
    assert json.loads((tmp_path / "run" / "last" / "card.json").read_text())["preset"]["name"] == "lcrnet-lite"


def test_a_lift_is_of_the_close_look_that_it_was_trained_on():
    """Weights with another trunk's close look are no start for either."""
    release = Release(find_model("lcrnet-lite"))
    model = find_preset("lcrnet-base").build(release.anchors)
    start = release.fill(model)
    assert not any(name.startswith(("close.", "lift.")) for name in start.released)
    assert any(name.startswith("second.") for name in start.released)
    poses = torch.rand(2, 13, 3)
    with torch.inference_mode():
        assert torch.equal(model.lift(torch.rand(2, 13, 2), torch.full((2, 13), -3.0), torch.rand(2, 13), poses), poses)
    own = release.fill(find_preset("lcrnet-lite").build(release.anchors))
    assert any(name.startswith("lift.") for name in own.released)
