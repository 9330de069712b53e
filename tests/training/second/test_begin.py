"""What an untrained close look begins with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from anchorpose.app.estimator import find_model  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.datasets.loader import PoseDataset  # noqa: E402
from anchorpose.datasets.transforms import Augmentation  # noqa: E402
from anchorpose.io.images import read_image  # noqa: E402
from anchorpose.io.letterbox import letterbox  # noqa: E402
from anchorpose.lcrnet.close_look import CloseLook  # noqa: E402
from anchorpose.training.data import read_data  # noqa: E402
from anchorpose.training.presets import find_preset  # noqa: E402
from anchorpose.training.release import Release  # noqa: E402
from anchorpose.training.second import begin  # noqa: E402
from anchorpose.training.second import collect as collecting  # noqa: E402
from anchorpose.training.second.begin import _Fit, begin_close_look  # noqa: E402

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"


def test_the_fit_is_numpys_least_squares():
    g = torch.Generator().manual_seed(0)
    given, mixing = torch.randn(40, 5, 6, 6, generator=g), torch.randn(3, 5, generator=g)
    wanted = torch.einsum("oc,schw->sohw", mixing, given) + 0.7 + 0.1 * torch.randn(40, 3, 6, 6, generator=g)
    fit = _Fit(5, 3)
    for first in range(0, 40, 10):
        fit.add(given[first : first + 10], wanted[first : first + 10])
    weight, bias = fit.solve()
    rows = given.movedim(1, -1).reshape(-1, 5).numpy()
    found = np.linalg.lstsq(np.column_stack([rows, np.ones(len(rows))]), wanted.movedim(1, -1).reshape(-1, 3).numpy())[
        0
    ]
    np.testing.assert_allclose(weight.T.numpy(), found[:-1], atol=3e-3)
    np.testing.assert_allclose(bias.numpy(), found[-1], atol=3e-3)


def test_the_close_look_begins_as_the_second_pass(drawn, monkeypatch):
    monkeypatch.setattr(begin, "_PICTURES", 8)
    _, model, _, dataset = drawn
    model.close = CloseLook(width=16)
    trunk = {n: t.clone() for n, t in model.close.trunk.state_dict().items()}
    rest = {n: t.clone() for n, t in model.state_dict().items() if not n.startswith("close.")}
    begin_close_look(model, dataset, seed=0)
    second, reading = model.second, model.close.reading
    for name, values in reading.state_dict().items():
        theirs = second.state_dict()[name]
        if name.startswith("heat."):
            assert len(values) == 4 * len(theirs)
            torch.testing.assert_close(values.unflatten(0, (13, 4)).mean(1), theirs)
        elif not name.startswith("project."):
            torch.testing.assert_close(values, theirs)
    for name, values in model.close.trunk.state_dict().items():
        torch.testing.assert_close(values, trunk[name])
    for name, values in rest.items():
        torch.testing.assert_close(model.state_dict()[name], values)


def test_nobody_to_begin_with_is_said(drawn, monkeypatch):
    _, model, _, dataset = drawn
    model.close = CloseLook(width=16)
    dataset.samples = [replace(sample, people=()) for sample in dataset.samples]
    monkeypatch.setattr(collecting, "_STRANGERS", 0.0)
    with pytest.raises(
        InputError, match="found nobody with joints in 8 photographs to begin the close look with; give"
    ):
        begin_close_look(model, dataset, seed=0)


@pytest.mark.slow
def test_people_are_found_before_any_training(monkeypatch):
    """Maps made like the second pass' by least squares alone already say where joints are."""
    release = Release(find_model("lcrnet-base"))
    model = find_preset("lcrnet-base").build(release.anchors)
    release.fill(model)
    trained = {n: t.clone() for n, t in model.close.reading.state_dict().items()}
    torch.manual_seed(0)
    for name, module in CloseLook(64).named_children():
        if name != "trunk":
            getattr(model.close, name).load_state_dict(module.state_dict())
    read = read_data([f"{PHOTOS / 'annotations.json'}={PHOTOS}"])
    samples = [sample for sample in read.samples() for _ in range(4)]
    monkeypatch.setattr(begin, "_PICTURES", len(samples))
    begin_close_look(model, PoseDataset(samples, release.anchors, Augmentation(), seed=0), seed=0)
    own = model.close.reading.state_dict()
    assert not torch.equal(own["project.0.1.weight"], trained["project.0.1.weight"])
    off = []
    for path in sorted(PHOTOS.glob("*.jpg")):
        picture = torch.from_numpy(letterbox(read_image(path), 448)[0])[None]
        with torch.inference_mode():
            close, model.close = model.close, None
            _, before = model(picture)
            model.close = close
            after = model.look_closely(picture.permute(0, 3, 1, 2), before)
        best = int(before.quality.argmax())
        size = (before.refined2d[best].amax(0) - before.refined2d[best].amin(0)).max()
        off.append(float(((after.refined2d - before.refined2d)[best].square().sum(1).sqrt() / size).median()))
    assert len(off) == 6
    assert np.median(off) < 0.05
