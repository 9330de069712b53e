"""Slow depthwise convolutions leave autocast, and stay what they are."""

import copy

import pytest

torch = pytest.importorskip("torch")

from anchorpose.lcrnet.close_look import CloseLook  # noqa: E402
from anchorpose.lcrnet.movenet import LIGHTNING, SameConv  # noqa: E402
from anchorpose.training.depthwise import depthwise_in_float32  # noqa: E402


def answers(network, x, dtype=torch.bfloat16, enabled=True):
    """(what it says, gradients of its parameters by name)."""
    network.zero_grad()
    with torch.autocast("cpu", dtype, enabled=enabled):
        found = network(x)
    found.float().square().mean().backward()
    return found, {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("layer", "leaves"),
    [(SameConv(8, 8, 3, stride=2, groups=8), True), (torch.nn.Conv2d(8, 8, 5, padding=2, groups=8), True),
     (SameConv(8, 8, 3, groups=8), False), (torch.nn.Conv2d(8, 8, 3, padding=1, groups=8), False),
     (SameConv(8, 8, 3, stride=2), False), (torch.nn.Conv2d(8, 8, 5, groups=2), False)],
)  # fmt: skip
def test_the_slow_ones_alone_answer_in_single_precision(layer, leaves):
    x = torch.rand(2, 8, 12, 12, generator=torch.Generator().manual_seed(0))
    wanted, gradients = answers(layer, x, enabled=False)
    names = list(layer.state_dict())
    depthwise_in_float32(layer)
    found, again = answers(layer, x)
    assert list(layer.state_dict()) == names
    assert found.dtype == (torch.float32 if leaves else torch.bfloat16)
    # bfloat16 has eight bits: a half percent off is not exact.
    exact = {"rtol": 1e-5, "atol": 1e-6} if leaves else {"rtol": 0.05, "atol": 0.02}
    torch.testing.assert_close(found.float(), wanted, **exact)
    for name, gradient in gradients.items():
        torch.testing.assert_close(again[name].float(), gradient, **exact)
    assert leaves == torch.allclose(found.float(), wanted, rtol=1e-5, atol=1e-6)


def test_what_is_not_trained_stays_in_autocast():
    layer = SameConv(8, 8, 3, stride=2, groups=8).requires_grad_(False)
    depthwise_in_float32(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.rand(1, 8, 4, 4)).dtype == torch.bfloat16


def test_a_close_look_keeps_its_names_and_answers_and_can_be_copied():
    torch.manual_seed(0)
    close = CloseLook(16, LIGHTNING).eval()
    cut, regions = torch.rand(2, 3, 192, 192), torch.tensor([[0.0, 0.0, 100.0, 100.0]]).expand(2, 4)
    before2d, before3d = torch.full((2, 13, 2), 50.0), torch.zeros(2, 13, 3)
    weights = {name: value.clone() for name, value in close.state_dict().items()}
    wanted = close.judge(cut, regions, before2d, before3d)
    depthwise_in_float32(close)
    changed = [type(m).__name__ for m in close.modules() if type(m).__module__.endswith("depthwise")]
    assert {"_Conv", "_SameConv"} == set(changed)
    copied = copy.deepcopy(close)
    for network in (close, copied):
        assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
        found = network.judge(cut, regions, before2d, before3d)
        torch.testing.assert_close(found.joints2d, wanted.joints2d)
    with torch.no_grad():
        next(m for m in copied.modules() if type(m).__name__ == "_SameConv").weight.add_(1)
    torch.testing.assert_close(close.judge(cut, regions, before2d, before3d).joints2d, wanted.joints2d)
