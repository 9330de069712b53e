import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from anchorpose.lcrnet.low_rank import LowRank, linear  # noqa: E402

KEPT = 4


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(20 + KEPT, 12)


@pytest.fixture
def inputs():
    """Inputs that differ much more in some directions than in others, as features do."""
    rng = torch.Generator().manual_seed(1)
    thin = torch.randn(500, 20, generator=rng) * torch.logspace(1, -3, 20) @ torch.randn(20, 20, generator=rng)
    return torch.cat([thin + 3, torch.randn(500, KEPT, generator=rng)], 1)


def statistics(layer, inputs):
    answers = (inputs[:, :20] @ layer.weight[:, :20].T).detach().numpy()
    return torch.from_numpy(answers.mean(0)), torch.from_numpy(np.cov(answers.T, bias=True))


def imitation(layer, inputs, rank):
    thin = LowRank(20 + KEPT, 12, rank, KEPT)
    thin.imitate(layer, *statistics(layer, inputs))
    return thin


def test_full_rank_is_the_layer_itself(layer, inputs):
    np.testing.assert_allclose(imitation(layer, inputs, 12)(inputs).detach(), layer(inputs).detach(), atol=1e-4)


def test_no_layer_of_the_rank_answers_more_alike(layer, inputs):
    """The error on these inputs is that of the best approximation of all answers (Eckart & Young)."""
    centred = statistics(layer, inputs)[1].numpy()
    spectrum = np.linalg.eigvalsh(centred)[::-1]
    errors = []
    for rank in (1, 3, 6, 9):
        off = (imitation(layer, inputs, rank)(inputs) - layer(inputs)).detach().double()
        errors.append(float(off.square().sum(1).mean()))
        np.testing.assert_allclose(errors[-1], spectrum[rank:].sum(), rtol=0.02, atol=1e-6)
    assert errors == sorted(errors, reverse=True)


def test_kept_inputs_have_the_weights_they_had(layer, inputs):
    thin = imitation(layer, inputs, 2)
    moved = inputs.clone()
    moved[:, 20:] += 1.5
    change = (thin(moved) - thin(inputs)).detach()
    np.testing.assert_allclose(change, (layer(moved) - layer(inputs)).detach(), atol=1e-4)


def test_multiplied_out_it_is_the_same_layer(layer, inputs):
    thin = imitation(layer, inputs, 3)
    np.testing.assert_allclose(thin.multiplied()(inputs).detach(), thin(inputs).detach(), atol=1e-4)


def test_rank_nought_is_a_plain_layer():
    assert isinstance(linear(5, 3, 0, kept=2), nn.Linear)
    thin = linear(50, 30, 2, kept=10)
    assert sum(p.numel() for p in thin.parameters()) == 40 * 2 + (2 + 10) * 30 + 30
