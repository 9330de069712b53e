"""The close look: what it cuts out, where it says that joints are, and whom it leaves as they are."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

import cv2  # noqa: E402

from anchorpose.core.skeleton import COCO17, LCR13  # noqa: E402
from anchorpose.lcrnet.close_look import SIDE, CloseLook, cut_out  # noqa: E402
from anchorpose.lcrnet.model import DecodedPeople, LCRNet  # noqa: E402
from anchorpose.lcrnet.people import PeopleOptions  # noqa: E402


@pytest.fixture(scope="module")
def close():
    torch.manual_seed(0)
    return CloseLook(width=16).eval()


def picture(seed=0, height=160, width=224):
    """(1, 3, h, w) smooth colours, 0 to 1: what any two ways to resize agree on."""
    noise = np.random.default_rng(seed).random((height // 16, width // 16, 3)).astype(np.float32)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return torch.from_numpy(smooth).permute(2, 0, 1)[None]


def test_a_region_is_cut_out_as_opencv_would_and_black_beyond_the_picture():
    whole = picture()
    regions = torch.tensor([[20.0, 10.0, 148.0, 138.0], [-40.0, -40.0, 60.0, 60.0]])
    found = cut_out(whole, regions, torch.zeros(2, dtype=torch.long))
    assert found.shape == (2, 3, SIDE, SIDE)
    part = np.ascontiguousarray(whole[0, :, 10:138, 20:148].permute(1, 2, 0).numpy())
    wanted = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    inner = slice(4, SIDE - 4)
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy()[inner, inner], wanted[inner, inner], atol=0.01)
    edge = int(SIDE * 0.4)
    assert found[1, :, : edge - 4].abs().max() == 0
    assert found[1, :, :, : edge - 4].abs().max() == 0
    assert found[1, :, edge + 8 :, edge + 8 :].mean() > 0.1


def test_of_several_pictures_each_person_is_cut_out_of_the_own_one():
    both = torch.cat([picture(0), picture(1)])
    region = torch.tensor([[30.0, 30.0, 120.0, 120.0]])
    found = cut_out(both, region.expand(2, 4), torch.tensor([1, 0]))
    torch.testing.assert_close(found[:1], cut_out(both[1:], region, torch.tensor([0])))
    torch.testing.assert_close(found[1:], cut_out(both[:1], region, torch.tensor([0])))


def test_what_is_said_moves_with_the_person_and_grows_with_the_picture(close):
    """The cut-out is the same wherever the person stands, and however large the picture is."""
    person = picture(3, 96, 96)
    g = torch.Generator().manual_seed(1)
    joints2d, joints3d = torch.rand(1, 13, 2, generator=g) * 60 + 10, torch.randn(1, 13, 3, generator=g) * 0.3
    one = torch.zeros(1, dtype=torch.long)
    here = torch.nn.functional.pad(person, (64, 64, 64, 64))
    there = torch.nn.functional.pad(person, (96, 32, 72, 56))
    large = torch.nn.functional.interpolate(here, scale_factor=2, mode="bilinear")
    with torch.inference_mode():
        found = close(here, joints2d + 64, joints3d, one)
        moved = close(there, joints2d + torch.tensor([96.0, 72.0]), joints3d, one)
        grown = close(large, 2 * (joints2d + 64), joints3d, one)
    torch.testing.assert_close(moved.joints2d, found.joints2d, atol=1e-3, rtol=0)
    torch.testing.assert_close(
        moved.pixels - found.pixels, torch.tensor([32.0, 8.0]).expand(1, 13, 2), atol=0.1, rtol=0
    )
    torch.testing.assert_close(grown.regions, 2 * found.regions)
    torch.testing.assert_close(grown.heat.exp(), found.heat.exp(), atol=2e-3, rtol=0)


def test_before_any_training_the_maps_are_the_trunks_own(close):
    cuts = torch.rand(6, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    close.start_from_trunk(cuts)
    with torch.inference_mode():
        own = close.trunk.trunk(cuts).heatmap
        fine = close.trunk(cuts).fine
        evidence = close.evidence(fine)
        standard = close.reading.look_at([fine, *close.trunk(cuts).levels])
    for j, name in enumerate(LCR13.joints):
        if name in COCO17.joints:
            theirs = own[:, COCO17.joints.index(name)]
            mine, theirs = evidence[:, j] - evidence[:, j].mean(), theirs - theirs.mean()
            torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-3)
        else:
            assert evidence[:, j].abs().max() == 0
    assert all(torch.isfinite(m).all() for m in standard)


def test_unlikely_people_stay_as_they_are(close):
    """All but the first, who is looked at whatever is expected: a convolution of nobody fails in ONNX."""
    g = torch.Generator().manual_seed(3)
    people = DecodedPeople(
        torch.arange(4), torch.rand(4, 13, 2, generator=g) * 80 + 20, torch.randn(4, 13, 3, generator=g),
        torch.rand(4, 13, generator=g), torch.rand(4, 13, generator=g), torch.tensor([0.05, 0.6, 0.2, 0.31]),
    )  # fmt: skip
    whole = LCRNet.__new__(LCRNet)
    torch.nn.Module.__init__(whole)
    whole.close, whole.people, whole.lift = close, PeopleOptions(min_quality=0.3), None
    image = (picture(4) * 255).to(torch.uint8)
    with torch.inference_mode():
        found = whole.look_closely(image, people)
        looked = [0, 1, 3]
        alone = close(image / 255, people.refined2d[looked], people.refined3d[looked], torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(found.refined2d[looked], alone.pixels)
    torch.testing.assert_close(found.quality[looked], alone.quality.sigmoid())
    for before, after in zip(people, found, strict=True):
        torch.testing.assert_close(after[2], before[2])
    assert (found.refined2d[looked] - people.refined2d[looked]).abs().amax((1, 2)).min() > 0.1
