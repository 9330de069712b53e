import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from anchorpose.lcrnet.heads import RegionOutput  # noqa: E402
from anchorpose.lcrnet.second_losses import (  # noqa: E402
    PEOPLE,
    STRANGERS,
    SecondTarget,
    jittered_regions,
    second_losses,
    second_targets,
    similarity,
)
from anchorpose.lcrnet.second_pass import GRID, MARGIN, SecondOutput, SecondPass, limited, peaks, region_around  # noqa: E402
from anchorpose.lcrnet.targets import RegionTarget  # noqa: E402

CHANNELS, STRIDES = (5, 6, 7), (8, 16, 32)
SIZE = 128


@pytest.fixture
def second():
    torch.manual_seed(0)
    return SecondPass(3, CHANNELS, STRIDES, width=8, hidden=32).eval()


def maps(seed=0, pictures=2):
    g = torch.Generator().manual_seed(seed)
    return [torch.rand(pictures, c, SIZE // s, SIZE // s, generator=g)
            for c, s in zip((3, *CHANNELS), (4, *STRIDES), strict=True)]  # fmt: skip


def poses(seed=1, n=4):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n, 13, 2, generator=g) * 60 + 30, torch.randn(n, 13, 3, generator=g) * 0.3


def target_of(joints2d, joints3d, true2d, person=None, true3d=None):
    n = len(joints2d)
    person = torch.ones(n, dtype=torch.bool) if person is None else person
    true3d = torch.full((n, 13, 3), torch.nan) if true3d is None else true3d
    return SecondTarget(joints2d, joints3d, torch.zeros(n, dtype=torch.long), person, true2d, true3d,
                        torch.full((n, 13), -1), torch.full((n,), 3000.0))  # fmt: skip


def test_each_person_is_looked_at_alone(second):
    """Neither the order of the people nor who else is there changes what is said of one."""
    joints2d, joints3d = poses()
    picture = torch.tensor([0, 1, 0, 1])
    with torch.inference_mode():
        together = second(maps(), joints2d, joints3d, picture)
        turned = second(maps(), joints2d.flip(0), joints3d.flip(0), picture.flip(0))
        alone = second([m[1:] for m in maps()], joints2d[1:2], joints3d[1:2], torch.tensor([0]))
    for a, b, c in zip(together, turned, alone, strict=True):
        torch.testing.assert_close(a, b.flip(0), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(a[1:2], c, atol=1e-4, rtol=1e-4)
    assert together.heat.shape == (4, 13, GRID * GRID)
    torch.testing.assert_close(together.heat.exp().sum(2), torch.ones(4, 13))


def test_nobody_to_look_at(second):
    joints2d, joints3d = poses(n=0)
    with torch.inference_mode():
        assert second(maps(), joints2d, joints3d, torch.zeros(0, dtype=torch.long)).pixels.shape == (0, 13, 2)


def test_regions_hold_the_pose_with_a_margin():
    joints2d, _ = poses()
    region = region_around(joints2d)
    side = region[:, 2:] - region[:, :2]
    torch.testing.assert_close(side[:, 0], side[:, 1])
    longer = (joints2d.amax(1) - joints2d.amin(1)).amax(1)
    torch.testing.assert_close(side[:, 0], MARGIN * longer)
    assert (joints2d >= region[:, None, :2]).all()
    assert (joints2d <= region[:, None, 2:]).all()
    jittered = jittered_regions(joints2d, torch.Generator().manual_seed(0))
    assert not torch.equal(jittered, region)
    assert (jittered - region).abs().max() < 0.3 * side.max()


def bumps(cells, *places, spread=0.04):
    """A heat map of Gaussians (x, y, weight) of which the sum is 1."""
    total = sum(w * torch.exp(-((cells - torch.tensor([x, y])) ** 2).sum(1) / (2 * spread**2)) for x, y, w in places)
    return total / total.sum()


def test_one_peak_is_found_within_a_tenth_of_a_cell(second):
    at = torch.rand(50, 2, generator=torch.Generator().manual_seed(5)) * 0.7 + 0.15
    found = peaks(torch.stack([bumps(second.cells, (x, y, 1.0)) for x, y in at.tolist()])[None], second.cells)
    assert (found[0] - at).abs().max() < 0.1 / GRID


def test_of_two_peaks_the_likelier_is_taken_and_not_the_middle(second):
    maps = torch.stack([bumps(second.cells, (0.2, 0.3, 0.55), (0.8, 0.7, 0.45)),
                        bumps(second.cells, (0.2, 0.3, 0.45), (0.8, 0.7, 0.55))])[None]  # fmt: skip
    wanted = torch.tensor([[[0.2, 0.3], [0.8, 0.7]]])
    torch.testing.assert_close(peaks(maps, second.cells), wanted, atol=0.005, rtol=0)
    whole = peaks(maps, second.cells, window=1e3)
    torch.testing.assert_close(whole, maps @ second.cells, atol=1e-4, rtol=0)


def test_a_single_loud_cell_is_no_peak(second):
    broad, loud = bumps(second.cells, (0.7, 0.6, 1.0)), torch.zeros(GRID * GRID)
    loud[5 * GRID + 5] = 1.05 * broad.max()
    found = peaks((broad + loud)[None, None] / (1 + loud.sum()), second.cells)
    torch.testing.assert_close(found[0, 0], torch.tensor([0.7, 0.6]), atol=0.01, rtol=0)


def test_peaks_move_with_their_maps_when_trained(second):
    logits = bumps(second.cells, (0.4, 0.5, 1.0)).log().clone().requires_grad_()
    for _ in range(60):
        off = (peaks(logits.softmax(0)[None, None], second.cells)[0, 0] - torch.tensor([0.45, 0.5])).square().sum()
        (gradient,) = torch.autograd.grad(off, logits)
        logits = (logits - 2000 * gradient).detach().requires_grad_()
    assert off < 0.01**2


def test_losses_are_least_at_the_truth_and_ignore_what_is_unlabelled(second):
    joints2d, joints3d = poses()
    true2d = joints2d + 3.0
    true2d[:, 12] = torch.nan
    target = target_of(joints2d, joints3d, true2d)
    found = second(maps(), joints2d, joints3d, torch.tensor([0, 1, 0, 1]))
    side = (found.regions[:, 2:] - found.regions[:, :2])[:, None]
    exact = torch.nan_to_num((true2d - found.regions[:, None, :2]) / side, nan=9.0)
    at_truth = found._replace(joints2d=exact)
    assert second_losses(at_truth, target, 0.1)["second2d"] < second_losses(found, target, 0.1)["second2d"]
    moved = found.joints2d.detach().clone()
    moved[:, 12] += 5
    torch.testing.assert_close(second_losses(found._replace(joints2d=moved), target, 0.1)["second2d"],
                               second_losses(found, target, 0.1)["second2d"])  # fmt: skip
    losses = second_losses(found, target, 0.1)
    assert losses["second3d"] == 0  # nobody has 3D here
    sum(losses.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in second.parameters() if p.grad is not None)


def test_the_scale_of_least_loss_is_the_mean_error():
    """The Laplace likelihood is best where the predicted scale equals the mean absolute error of a coordinate."""
    joints2d, joints3d = poses(n=1)
    region = region_around(joints2d)
    side = float(region[0, 2] - region[0, 0])
    off = torch.full((1, 13, 2), 0.05)
    wanted = (joints2d - region[:, None, :2]) / side
    scales = torch.linspace(-5, -1, 41)
    heat = torch.full((1, 13, GRID * GRID), -np.log(GRID * GRID))
    target, zeros = target_of(joints2d, joints3d, joints2d), torch.zeros(1, 13)

    def loss(scale):
        found = SecondOutput(region, wanted + off, wanted, heat, zeros + scale, joints3d, zeros, zeros[:, 0])
        return second_losses(found, target, 0.1)["second2d"].item()

    losses = [loss(s) for s in scales]
    assert scales[int(np.argmin(losses))].exp().item() == pytest.approx(0.05, rel=0.06)


def test_similarity_is_one_at_the_truth_and_none_for_background():
    joints2d, joints3d = poses()
    region = region_around(joints2d)
    side = (region[:, 2:] - region[:, :2])[:, None]
    relative = (joints2d - region[:, None, :2]) / side
    zeros = torch.zeros(4, 13)
    found = SecondOutput(
        region, relative, relative, torch.zeros(4, 13, GRID * GRID), zeros, joints3d, zeros, zeros[:, 0]
    )
    person = torch.tensor([True, True, False, True])
    truth = joints2d.clone()
    truth[3] += 1000
    value = similarity(found, target_of(joints2d, joints3d, truth, person))
    np.testing.assert_allclose(value, [1, 1, 0, 0], atol=1e-5)


def test_people_and_the_likeliest_stranger_are_chosen(anchors):
    count, g = len(anchors), torch.Generator().manual_seed(0)
    regions = torch.tensor([[10.0, 10, 90, 110]] * 12)
    person = torch.tensor([0] * 9 + [-1] * 3)
    logits = torch.randn(12, 2 * count + 1, generator=g)
    logits[:, -1] = torch.arange(12.0)  # among the background, the tenth region looks most like a person

    class Picture:
        boxes = torch.tensor([[[10.0, 10, 90, 110], [10, 10, 90, 60]]])
        joints2d = torch.rand(1, 13, 2, generator=g) * 80
        joints3d = torch.full((1, 13, 3), torch.nan)
        visible = torch.ones(1, 13, dtype=torch.int8)

    output = RegionOutput(logits, torch.zeros(12, 2 * count, 5, 13), torch.zeros(12, 13))
    region = RegionTarget(regions, torch.zeros(12, dtype=torch.long), person)
    a2d, a3d = torch.from_numpy(anchors.joints2d), torch.from_numpy(anchors.joints3d)
    chosen = second_targets(output, [region], [Picture()], a2d, a3d, g)
    assert chosen.person.tolist() == [True] * PEOPLE + [False] * STRANGERS
    label = int(logits[9, :-1].argmax())
    np.testing.assert_allclose(chosen.joints2d[-1], anchors.joints2d[label] * [80, 100] + 10, rtol=1e-5)
    assert chosen.true2d[-1].isnan().all()
    assert (chosen.visible[-1] == -1).all()
    torch.testing.assert_close(chosen.true2d[0], Picture.joints2d[0])


@pytest.mark.slow
def test_it_learns_to_find_bright_dots():
    """Joints drawn as dots on the finest map: the first pose is wrong by ten pixels, the second finds the dots."""
    torch.manual_seed(0)
    second = SecondPass(13, CHANNELS, STRIDES, width=16, hidden=64).train()
    optimizer = torch.optim.Adam(second.parameters(), lr=3e-3)
    g = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(32) * 4 + 2, torch.arange(32) * 4 + 2, indexing="ij")

    def batch():
        truth = torch.rand(8, 13, 2, generator=g) * 60 + 30
        fine = torch.exp(-((x - truth[..., 0, None, None]) ** 2 + (y - truth[..., 1, None, None]) ** 2) / 32)
        others = [torch.zeros(8, c, SIZE // s, SIZE // s) for c, s in zip(CHANNELS, STRIDES, strict=True)]
        first = truth + torch.randn(truth.shape, generator=g) * 10
        return [fine, *others], target_of(first, torch.zeros(8, 13, 3), truth)

    for _ in range(450):
        pictures, target = batch()
        found = second(pictures, target.joints2d, target.joints3d, torch.arange(8))
        sum(second_losses(found, target, 0.1).values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    before, after, said = [], [], []
    for _ in range(16):  # one batch has a hundred joints, of which one that is lost weighs as much as all the others
        pictures, target = batch()
        with torch.inference_mode():
            found = second(pictures, target.joints2d, target.joints3d, torch.arange(8))
        before.append((target.joints2d - target.true2d).abs().mean())
        after.append((found.pixels - target.true2d).abs().mean())
        side = (found.regions[:, 2] - found.regions[:, 0])[:, None]
        said.append((found.log_scale.exp() * side).mean())
    assert sum(after) < 0.15 * sum(before)
    # It says how far off it is, within a factor of two.
    assert 0.5 < sum(said) / sum(after) < 2


def test_corrections_are_fine_but_at_the_border():
    places = torch.tensor([[[0.5, 0.5], [0.5, 0.01], [0.5, 0.5]]])
    move = torch.tensor([[[0.3, 0.4], [0.0, -0.3], [0.01, 0.0]]])
    expected = torch.tensor([[[0.3 / GRID, 0.4 / GRID], [0.0, -0.3], [0.01, 0.0]]])
    torch.testing.assert_close(limited(move, places), expected)
    assert limited(torch.zeros(1, 3, 2), places).abs().max() == 0
