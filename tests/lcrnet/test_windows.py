import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from anchorpose.lcrnet import windows  # noqa: E402


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 24), st.lists(st.floats(0.08, 100), min_size=1, max_size=3))
def test_sums_and_means_are_those_over_all_cells(seed, side, widths):
    """Against the plain sum over cells of map times Gaussian, in numpy and double precision."""
    rng = np.random.default_rng(seed)
    maps, centre = rng.random((3, 2, side, side)) + 0.01, rng.uniform(-0.1, 1.1, (3, 2, 2))
    cells = (np.arange(side) + 0.5) / side
    np.testing.assert_allclose(windows.along(side), cells, rtol=1e-6)
    x, y = windows.factors(torch.from_numpy(centre), torch.from_numpy(cells), tuple(widths))
    places, total = windows.weighted_mean(torch.from_numpy(maps), x, y, torch.from_numpy(cells))
    sums = windows.weighted_sum(torch.from_numpy(maps), x, y)
    for i, width in enumerate(widths):
        squared = ((cells[None, :, None] - centre[..., None, None, 1]) ** 2
                   + (cells[None, None, :] - centre[..., None, None, 0]) ** 2)  # fmt: skip
        weight = maps * np.exp(-squared / (2 * width**2))
        wanted = weight.sum((2, 3))
        mean = np.stack([(weight * cells).sum((2, 3)), (weight * cells[:, None]).sum((2, 3))], -1) / wanted[..., None]
        np.testing.assert_allclose(total[..., i], wanted, rtol=1e-5)
        np.testing.assert_allclose(sums[..., i], wanted, rtol=1e-5)
        np.testing.assert_allclose(places[..., i, :], mean, rtol=1e-5)


def test_a_narrow_window_far_from_everything_is_no_nan():
    cells = windows.along(24)
    x, y = windows.factors(torch.tensor([[-9.0, 9.0]]), cells, (0.02,))
    places, total = windows.weighted_mean(torch.ones(1, 24, 24), x, y, cells)
    assert total.item() == 0
    assert torch.isfinite(places).all()
