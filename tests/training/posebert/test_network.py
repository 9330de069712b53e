"""The network: what is masked never counts, its kinematics are the room's, and it begins close to its input."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anchorpose.motion.posebert.codec import SIXD, WIDTH, encode  # noqa: E402
from anchorpose.motion.posebert.kinematics import MIRRORED, from_6d, to_joints  # noqa: E402
from anchorpose.training.posebert.network import PoseBertNetwork, joints_of  # noqa: E402
from anchorpose.training.posebert.presets import PRESETS, find_posebert  # noqa: E402
from tests.motion.posebert.graphs import LENGTHS, rigid  # noqa: E402


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = PoseBertNetwork(32, 2, 4, 48, 20).eval()
    with torch.no_grad():
        for values in made.parameters():
            values.add_(0.1 * torch.randn_like(values))
    return made


def test_masked_frames_never_influence_anything(network):
    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.normal(size=(3, 20, WIDTH)).astype(np.float32))
    known = torch.from_numpy(rng.random((3, 20)) < 0.5)
    known[:, 3], known[2] = True, torch.arange(20) == 3
    with torch.no_grad():
        first = network.stages(tokens, known)
        for content in (1e3, -7.0, float("nan")):
            other = torch.where(known[..., None], tokens, torch.full_like(tokens, content))
            for a, b in zip(first, network.stages(other, known), strict=True):
                assert torch.equal(a, b)
        known[0, 3] = False
        assert not torch.equal(first[-1][0], network(tokens, known)[0]), "known frames do count"


def test_windows_of_a_batch_do_not_influence_each_other(network):
    tokens = torch.randn(4, 20, WIDTH)
    known = torch.rand(4, 20) < 0.6
    known[:, 0] = True
    with torch.no_grad():
        together = network(tokens, known)
        alone = torch.cat([network(tokens[i : i + 1], known[i : i + 1]) for i in range(4)])
        np.testing.assert_allclose(alone, together, atol=2e-5)


def test_kinematics_are_those_of_numpy_and_have_gradients():
    sixd = np.random.default_rng(0).normal(size=(7, 12, 6))
    values = torch.from_numpy(sixd).requires_grad_()
    found = joints_of(values, torch.from_numpy(LENGTHS))
    np.testing.assert_allclose(found.detach(), to_joints(from_6d(sixd), LENGTHS), atol=1e-9)
    found.square().sum().backward()
    assert torch.isfinite(values.grad).all()
    assert values.grad[..., :3].abs().sum() > 0


def test_a_fresh_network_follows_its_input_and_bridges_gaps():
    """The regressor begins near 0, so the pose begins as a local average of the known frames."""
    torch.manual_seed(0)
    network = PRESETS["posebert-thin"].build().eval()
    poses = rigid(64, swing=0.02)
    tokens, _ = encode(poses, np.ones((64, 13), bool), np.ones(64))
    known = np.ones((1, 64), bool)
    known[:, 20:30] = False
    with torch.no_grad():
        sixd = network(torch.from_numpy(tokens[None]), torch.from_numpy(known)).numpy()[0]
    error = np.linalg.norm(to_joints(from_6d(sixd), LENGTHS) - poses, axis=-1)
    assert error[known[0]].mean() < 0.03
    assert error[20:30].mean() < 0.06
    own = tokens[:, -SIXD:].reshape(64, 12, 6)
    assert not np.allclose(sixd[20:30], own[20:30], atol=1e-4)


def test_factors_are_alike_on_both_sides(network):
    factors = network.factors().detach().numpy()
    np.testing.assert_array_equal(factors, factors[MIRRORED])
    assert len(np.unique(factors)) == 8
    np.testing.assert_array_equal(PRESETS["posebert-thin"].build().factors().detach(), np.ones(12, np.float32))


def test_presets_have_the_size_of_the_paper_and_of_what_can_be_shipped():
    full, thin = (find_posebert(name) for name in ("posebert", "posebert-thin"))
    assert (full.dim, full.layers, full.heads, full.frames) == (512, 4, 8, 64)
    assert 2 * sum(p.numel() for p in thin.build().parameters()) < 8e6, "bytes in fp16"
    with pytest.raises(Exception, match="found no preset 'posebert-huge'; PoseBERT's are posebert, posebert-thin"):
        find_posebert("posebert-huge")
