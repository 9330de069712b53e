"""Cut-outs that are turned: pixels, 2D and 3D move together."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anchorpose.core.skeleton import LCR13  # noqa: E402
from anchorpose.lcrnet.second_losses import SecondTarget  # noqa: E402
from anchorpose.training.second.turned import Turned, Turning, recoloured  # noqa: E402

STRONG = Turning(flip=0.5, rotation=30.0, scale=1.3, shift=0.05)
SIDE = 192


def regions(rng, count):
    corner, side = rng.uniform(-40, 200, (count, 2)), rng.uniform(60, 300, (count, 1))
    return torch.from_numpy(np.concatenate([corner, corner + side], 1).astype(np.float32))


def test_a_joint_stays_on_what_it_was_on():
    """Each cut-out has one bright spot, where its one joint is; it is found again where the joint went."""
    rng = np.random.default_rng(0)
    count, size = 24, 256
    where, own = regions(rng, count), rng.uniform(0.35, 0.65, (count, 2))
    y, x = np.mgrid[:size, :size] + 0.5
    spots = np.exp(-((x - own[:, :1, None] * size) ** 2 + (y - own[:, 1:, None] * size) ** 2) / (2 * 5.0**2))
    cut = torch.from_numpy(spots.astype(np.float32))[:, None].expand(-1, 3, -1, -1)
    side = where[:, 2:] - where[:, :2]
    middle = LCR13.joints.index("head_top")
    joints = torch.full((count, 13, 2), torch.nan)
    joints[:, middle] = where[:, :2] + torch.from_numpy(own).float() * side
    turned = Turned.draw(count, STRONG, rng)
    assert 4 <= int(turned.mirrored.sum()) <= 20
    seen = turned.cut(cut, SIDE)[:, 0]
    steps = (torch.arange(SIDE) + 0.5) / SIDE
    total = seen.sum((1, 2))
    found = torch.stack([(seen.sum(1) * steps).sum(1) / total, (seen.sum(2) * steps).sum(1) / total], 1)
    wanted = (turned.points(joints, where)[:, middle] - where[:, :2]) / side
    torch.testing.assert_close(found, wanted, atol=0.1 / SIDE, rtol=0)


def test_3d_turns_as_its_projection_does():
    rng = np.random.default_rng(1)
    count, where = 16, regions(np.random.default_rng(2), 16)
    joints3d = torch.from_numpy(rng.normal(0, 0.4, (count, 13, 3)).astype(np.float32))
    middle, pixels = (where[:, None, :2] + where[:, None, 2:]) / 2, 90.0
    turned = Turned.draw(count, STRONG, rng)
    after2d = turned.points(middle + pixels * joints3d[..., :2], where)
    after3d = turned.bodies(joints3d)
    centre = middle + turned.shift[:, None] * (where[:, None, 2:] - where[:, None, :2])
    torch.testing.assert_close(after2d, centre + pixels * turned.scale * after3d[..., :2], atol=1e-2, rtol=0)
    assert torch.equal(after3d[..., 2], turned.each(joints3d[..., 2]))


def test_left_and_right_change_sides_only_in_mirrors():
    mirrored = torch.tensor([True, False])
    turned = Turned(mirrored, torch.eye(2).expand(2, 2, 2), torch.ones(2, 1, 1), torch.zeros(2, 2))
    values = torch.arange(13.0).expand(2, 13)
    found = turned.each(values)
    assert found[0].tolist() == [float(j) for j in LCR13.flip]
    assert found[1].tolist() == values[1].tolist()


def test_what_is_unknown_stays_unknown_and_areas_grow_with_the_person():
    rng = np.random.default_rng(3)
    where = regions(rng, 5)
    nan2d, nan3d = torch.full((5, 13, 2), torch.nan), torch.full((5, 13, 3), torch.nan)
    some = torch.zeros(5, 13, 2)
    person, visible = torch.tensor([True] * 5), torch.full((5, 13), -1)
    target = SecondTarget(some, torch.zeros(5, 13, 3), torch.zeros(5), person, nan2d, nan3d, visible, torch.ones(5))
    turned = Turned.draw(5, STRONG, rng)
    found = turned.target(target, where)
    assert found.true2d.isnan().all()
    assert found.true3d.isnan().all()
    assert (found.visible == -1).all()
    torch.testing.assert_close(found.area, turned.scale.flatten() ** 2)


def test_without_ranges_nothing_changes_and_the_seed_decides():
    still = Turning(flip=0.0, rotation=0.0, scale=1.0, shift=0.0, colour=0.0)
    cut = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    turned = Turned.draw(3, still, np.random.default_rng(0))
    torch.testing.assert_close(turned.cut(cut, 256), cut, atol=1e-4, rtol=0)
    torch.testing.assert_close(recoloured(cut, still, np.random.default_rng(0)), cut)
    one, two, three = (recoloured(cut, Turning(), np.random.default_rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert (one - three).abs().mean() > 0.01
    assert (one - cut).abs().mean() < 0.3
    assert one.min() >= 0
    assert one.max() <= 1
