"""ONNX against torch on the released weights, and what the file carries. Slow: the exporter takes half a minute."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from anchorpose.app.estimator import find_model  # noqa: E402
from anchorpose.app.runtime import OnnxModel  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.io.cards import read_card  # noqa: E402
from anchorpose.io.images import read_image  # noqa: E402
from anchorpose.io.letterbox import letterbox  # noqa: E402
from anchorpose.training.checkpoint import save_checkpoint  # noqa: E402
from anchorpose.training.export import (  # noqa: E402
    MAX_METRES,
    MAX_PIXELS,
    WRONG_METRES,
    WRONG_PIXELS,
    Parity,
    _compare_people,
    _parity,
    _people_parity,
    _soft_noise,
    export,
    load_model,
)
from anchorpose.training.presets import find_preset  # noqa: E402
from anchorpose.training.release import Release  # noqa: E402

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose checkpoint is the released network: weights that mean something, as a user exports them."""
    release = Release(find_model())
    model = find_preset(release.preset).build(release.anchors)
    release.fill(model)
    folder = tmp_path_factory.mktemp("run")
    card = {"preset": {"name": release.preset}, "trunk": "released", "data": {}}
    save_checkpoint(folder / "last", model.state_dict(), model.state_dict(), {}, card)
    return folder


@pytest.mark.slow
def test_the_graph_is_torchs_twin_at_any_size(run, tmp_path, capfd):
    metadata = OnnxModel(find_model()).metadata
    photos = [letterbox(read_image(path), metadata.max_side)[0] for path in sorted(PHOTOS.glob("*.jpg"))]
    parity = export(run, tmp_path / "m.onnx", photos, half=False)
    assert "def forward" not in capfd.readouterr().err, "the exporter printed a graph of a thousand lines"
    assert parity.proposals > 100
    assert parity.people >= 6
    assert parity.people_pixels <= MAX_PIXELS == 1e-3
    assert parity.median_pixels <= MAX_PIXELS / 5
    assert parity.pixels <= WRONG_PIXELS == 1e-2
    assert parity.metres <= MAX_METRES == 1e-4
    graph, (model, _, _) = OnnxModel(tmp_path / "m.onnx"), load_model(run)
    rng = np.random.default_rng(1)
    for shape in ((128, 128), (160, 512), (416, 288)):
        image = rng.integers(0, 256, (*shape, 3), np.uint8)
        with torch.inference_mode():
            wanted, _ = model(torch.from_numpy(image[None]))
        np.testing.assert_allclose(graph(image)[0].scores, wanted.scores, atol=1e-4)
    # Where no pictures are given; every proposal counts, however unlikely.
    soft = [_soft_noise(320, 320 + 32 * seed, seed) for seed in range(6)]
    parity = _parity(model, onnx.load(tmp_path / "m.onnx"), soft, 0.0)
    assert parity.people >= 3
    assert parity.people_pixels <= MAX_PIXELS
    assert parity.pixels <= WRONG_PIXELS / 3
    assert read_card(tmp_path / "m.onnx")["storage"] == "fp32"
    assert b"stack_trace" not in (tmp_path / "m.onnx").read_bytes()
    # The released file is this graph with its weights stored in half the bytes.
    shipped = OnnxModel(find_model())
    assert shipped.metadata == graph.metadata
    assert shipped.path.stat().st_size < 0.6 * (tmp_path / "m.onnx").stat().st_size
    photo, _ = letterbox(read_image(PHOTOS / "000000366711.jpg"), shipped.metadata.max_side)
    # The named tensors were rounded to fp16 before; folded constants (grids, anchor-poses) keep their digits.
    (ours, people), (theirs, others) = graph(photo), shipped(photo)
    np.testing.assert_allclose(theirs.scores[:20], ours.scores[:20], atol=1e-3)
    assert len(people.quality) == len(others.quality) >= 1
    np.testing.assert_allclose(others.joints2d[0], people.joints2d[0], atol=0.02)


@pytest.mark.slow
def test_another_graph_than_torchs_is_refused(run, tmp_path, monkeypatch):
    from anchorpose.lcrnet import heads

    # A graph made with a wrong constant must not be written.
    trace = export.__globals__["_trace"]

    def wrong(model):
        monkeypatch.setattr(heads.JointEvidence, "SHARPNESS", 2.0)
        graph = trace(model)
        monkeypatch.undo()
        return graph

    monkeypatch.setitem(export.__globals__, "_trace", wrong)
    with pytest.raises(RuntimeError, match="differs from torch"):
        export(run, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_joint_in_two_places_equally_well_makes_no_other_graph(run):
    """In this noise torch itself puts a joint elsewhere once its person is cut out 1e-4 pixels beside.

    It is so with the weights that ship; for others it may be another noise.
    """
    model, _, _ = load_model(run)
    picture = _soft_noise(320, 416, 1)
    image, generator = torch.from_numpy(picture[None]), torch.Generator().manual_seed(1)
    with torch.inference_mode():
        (_, before), (_, ours) = model.look(image), model(image)
        for _ in range(200):
            beside = before.refined2d + 1e-4 * torch.randn(before.refined2d.shape, generator=generator)
            theirs = model.look_closely(image.permute(0, 3, 1, 2), before._replace(refined2d=beside))
            if (theirs.refined2d - ours.refined2d).abs().max() > 1:
                break
    assert not _compare_people([ours], theirs).is_twin()
    parity = _people_parity(model, picture, ours, theirs)
    assert parity.is_twin()
    assert parity.people == len(ours.seeds) >= 1
    off = {"refined2d": 2 * WRONG_PIXELS, "refined3d": 2 * WRONG_METRES}
    for name, amount in off.items():  # any joint but slightly elsewhere is another graph's
        for answer in (ours, theirs):
            moved = getattr(answer, name).clone()
            moved[0, 5] += amount
            assert not _people_parity(model, picture, ours, answer._replace(**{name: moved})).is_twin()


def test_the_noise_is_as_soft_as_photographs():
    noise = _soft_noise(320, 416, 3)
    assert noise.shape == (320, 416, 3)
    assert noise.dtype == np.uint8
    steps = {}
    for name, picture in {"noise": noise, "photo": read_image(PHOTOS / "000000366711.jpg")}.items():
        assert picture.std() > 30  # neither is grey
        steps[name] = np.abs(np.diff(picture.astype(float), axis=1)).mean()
    assert 0.5 < steps["noise"] / steps["photo"] < 2
    assert np.array_equal(noise, _soft_noise(320, 416, 3))
    assert not np.array_equal(noise, _soft_noise(320, 416, 4))


def test_missing_and_damaged_runs_are_named(run, tmp_path):
    with pytest.raises(InputError, match="found no checkpoint"):
        export(tmp_path / "nowhere", tmp_path / "m.onnx")
    copy = tmp_path / "run" / "last"
    copy.mkdir(parents=True)
    (copy / "card.json").write_text(json.dumps({"preset": {"name": "lcrnet-lite"}}))
    (copy / "ema.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot read the weights"):
        export(tmp_path / "run", tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("name", ["median_pixels", "pixels", "metres"])
def test_each_difference_alone_makes_a_graph_another_one(name):
    limit = {"median_pixels": MAX_PIXELS, "metres": WRONG_METRES}.get(name, WRONG_PIXELS)
    assert Parity(**{name: limit}).is_twin()
    assert not Parity(**{name: 1.01 * limit}).is_twin()
