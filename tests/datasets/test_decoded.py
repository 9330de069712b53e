"""Views made by torch on photographs kept in memory are those that OpenCV makes of the files."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.datasets import decoded  # noqa: E402
from anchorpose.datasets.decoded import Photographs, PlannedDataset, collate_plans  # noqa: E402
from anchorpose.datasets.loader import PoseDataset  # noqa: E402
from anchorpose.datasets.samples import Person, Sample  # noqa: E402
from anchorpose.datasets.transforms import Augmentation  # noqa: E402
from anchorpose.lcrnet.anchors import build_anchors  # noqa: E402
from tests.lcrnet.conftest import body  # noqa: E402

STRONG = Augmentation(size=192, rotation=25.0, colour=0.3, occluder=0.7)
SIZES = ((240, 180), (150, 210), (200, 200), (97, 131))


def smooth(rng, height, width):
    """A picture without edges: what differs is then where pixels are looked up, not how they are rounded."""
    noise = rng.integers(0, 256, (9, 9, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def samples(tmp_path):
    rng = np.random.default_rng(0)
    found = []
    for i, (height, width) in enumerate(SIZES):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), smooth(rng, height, width))
        joints = (rng.random((13, 2)) * [width, height]).astype(np.float32)
        box = np.concatenate([joints.min(0), joints.max(0)])
        person = Person(box, joints, np.ones(13, np.int8), body(rng, 1)[0])
        found.append(Sample(path, (person,)))
    return found


@pytest.fixture
def anchors():
    pytest.importorskip("sklearn")
    return build_anchors(body(np.random.default_rng(0), 100), 4)


def both(samples, anchors, options, side, epoch, seed=3):
    """[(picture by OpenCV, picture by torch, target, target)], pictures as floats."""
    photographs = Photographs([s.image for s in samples], side)
    files, plans = (d(samples, anchors, options, seed, *more) for d, more in
                    ((PoseDataset, ()), (PlannedDataset, (photographs,))))  # fmt: skip
    files.epoch = plans.epoch = epoch
    batch, joined = collate_plans([plans[i] for i in range(len(samples))])
    targets = joined.split()
    shown = photographs.pictures(batch, options.size)
    assert shown.dtype == torch.uint8
    return [(files[i][0].float(), shown[i].float(), files[i][1], targets[i]) for i in range(len(samples))]


@pytest.mark.parametrize("epoch", range(6))
def test_pictures_and_people_are_those_of_the_files(samples, anchors, epoch):
    for wanted, found, truth, target in both(samples, anchors, STRONG, 256, epoch):
        off = (wanted - found).abs().amax(0)
        # OpenCV looks pixels up to 1/32 px and the borders of photograph and occluders lie a rounding apart.
        assert off.mean() < 0.7
        assert (off > 4).float().mean() < 0.02
        for a, b in zip(truth, target, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("side", [96, 150])
def test_smaller_copies_show_the_same_with_less_detail(samples, anchors, side):
    plain = replace(STRONG, occluder=0.0)
    for wanted, found, truth, target in both(samples, anchors, plain, side, 0):
        inside = (wanted.amin(0) > 12) & (found.amin(0) > 12)
        assert (wanted - found).abs()[:, inside].mean() < 5
        np.testing.assert_array_equal(truth.joints2d, target.joints2d)


def test_what_is_named_twice_is_kept_once(samples):
    photographs = Photographs([samples[0].image, samples[1].image, samples[0].image], 64)
    assert photographs.pixels.shape == (2, 64, 64, 3)
    np.testing.assert_array_equal(photographs.original, [[180, 240], [210, 150]])
    np.testing.assert_array_equal(photographs.kept, [[48, 64], [64, 46]])


def test_unreadable_files_and_too_little_memory_are_told(samples, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"cannot read the photograph .*no\.png"):
        Photographs([tmp_path / "no.png"], 64)
    monkeypatch.setattr(decoded.os, "sysconf", lambda name: 10_000)
    with pytest.raises(
        InputError, match=r"4 photographs, which take 0\.2 GB at 4000 px, and 0\.1 GB of free memory; give"
    ):
        Photographs([s.image for s in samples], 4000)
