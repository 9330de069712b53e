"""What an untrained close look begins with."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from anchorpose.lcrnet.close_look import CloseLook  # noqa: E402
from anchorpose.training.second import begin  # noqa: E402
from anchorpose.training.second.begin import _Fit, begin_close_look  # noqa: E402


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
    # The maps that it reads are nearer to those of the second pass than their mean is.
    from anchorpose.datasets.loader import collate

    images, joined = collate([dataset[i] for i in range(8)])
    with torch.inference_mode():
        cut, pooled = begin._seen_by_both(model, second, images, joined.split(), torch.Generator().manual_seed(5))
        maps = model.close.sized(reading.look_at(model.close.maps(cut)))
    for own, theirs in zip(maps, pooled, strict=True):
        wanted = torch.nn.functional.interpolate(theirs, own.shape[2:], mode="bilinear", align_corners=False)
        off, spread = (own - wanted).square().mean(), (wanted - wanted.mean((0, 2, 3), keepdim=True)).square().mean()
        assert off < 0.9 * spread
