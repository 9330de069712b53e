import cv2
import numpy as np
import pytest
import torch

from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.loader import PoseDataset
from anchorpose.datasets.samples import Person, Sample
from anchorpose.datasets.tiles import four_close_ups
from anchorpose.datasets.transforms import Augmentation
from anchorpose.lcrnet.anchors import build_anchors

STILL = Augmentation(size=256, flip=0.0, colour=0.0, occluder=0.0, tiles=1.0, tile_rotation=0.0)


def photograph(rng, grey=0):
    """A photograph of one colour with a person whose right wrist is a white dot, 2D being the projection of 3D."""
    joints3d = rng.normal(size=(13, 3)).astype(np.float32)
    joints2d = (joints3d[:, :2] * 15 + [130, 90]).astype(np.float32)
    box = np.concatenate([joints2d.min(0), joints2d.max(0)])
    image = np.full((180, 260, 3), grey, np.uint8)
    cv2.circle(image, tuple(int(v) for v in joints2d[LCR13.joints.index("right_wrist")]), 3, (255, 255, 255), -1)
    return image, (Person(box, joints2d, np.ones(13, np.int8), joints3d),)


@pytest.mark.parametrize("seed", range(8))
def test_dots_and_joints_move_together_in_every_quarter(seed):
    rng = np.random.default_rng(seed)
    options = Augmentation(size=256, flip=0.5, colour=0.0, occluder=0.0, tiles=1.0, tile_rotation=50.0)
    picture, people = four_close_ups([photograph(rng) for _ in range(4)], options, rng)
    assert picture.shape == (256, 256, 3)
    assert len(people) == 4
    seen = 0
    for number, person in enumerate(people):
        left, top = 128 * (number % 2), 128 * (number // 2)
        quarter = picture[top : top + 128, left : left + 128, 0]
        # After a mirror the dot is the other wrist.
        wrists = person.joints2d[[LCR13.joints.index(f"{side}_wrist") for side in ("right", "left")]] - [left, top]
        bright = np.argwhere(quarter > 128)
        if len(bright):
            centre = bright.mean(0)[::-1] + 0.5
            distance = np.linalg.norm(wrists - centre, axis=1).min()
            border = min(centre.min(), 128 - centre.max())
            assert distance < (2.0 if border > 8 else 6.0)
            seen += 1
    assert seen >= 2


def test_quarters_show_the_four_photographs_in_reading_order():
    rng = np.random.default_rng(0)
    picture, _ = four_close_ups([photograph(rng, grey) for grey in (40, 80, 120, 160)], STILL, rng)
    halves = [picture[y : y + 128, x : x + 128] for y in (0, 128) for x in (0, 128)]
    assert [int(np.median(h[h > 0])) for h in halves] == [40, 80, 120, 160]


@pytest.mark.parametrize("seed", range(6))
def test_people_fill_their_quarter_and_stay_the_projection_of_their_3d(seed):
    rng = np.random.default_rng(seed)
    options = Augmentation(size=256, tiles=1.0, tile_rotation=60.0, enlarge=10.0, occluder=0.0)
    _, people = four_close_ups([photograph(rng) for _ in range(4)], options, rng)
    for number, person in enumerate(people):
        left, top = 128 * (number % 2), 128 * (number // 2)
        assert (person.box >= [left, top, left, top]).all()
        assert (person.box <= [left + 128, top + 128, left + 128, top + 128]).all()
        # Some scale and shift takes 3D to 2D, whatever the rotation and the mirror were.
        flat, deep = person.joints2d - person.joints2d.mean(0), person.joints3d[:, :2] - person.joints3d[:, :2].mean(0)
        scale = (flat * deep).sum() / (deep**2).sum()
        np.testing.assert_allclose(flat, deep * scale, atol=0.05 * scale)
        inside = ((person.joints2d >= [left, top]) & (person.joints2d < [left + 128, top + 128])).all(1)
        assert (person.visible[~inside] == 0).all()


def test_photographs_without_joints_and_without_people_have_their_place():
    rng = np.random.default_rng(1)
    image, (person,) = photograph(rng, 90)
    boxed = Person(person.box)
    picture, people = four_close_ups([(image, ()), (image, (boxed,)), (image, (person,)), (image, ())], STILL, rng)
    assert sum(p.labelled.any() for p in people) == 1
    assert (picture[:128, :128] == 90).any()
    assert (picture[128:, 128:] == 90).any()


def test_the_data_set_makes_them_repeatably_and_knows_what_is_unknown(tmp_path):
    rng = np.random.default_rng(2)
    samples = []
    for number in range(5):
        image, people = photograph(rng, 30 * number)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
        samples.append(Sample(tmp_path / f"{number}.png", people, exhaustive=True))
    anchors = build_anchors(rng.normal(size=(60, 13, 3)).astype(np.float32), 4, 0)
    first, second = (PoseDataset(samples, anchors, STILL, 7) for _ in range(2))
    picture, target = first[0]
    again, same = second[0]
    assert torch.equal(picture, again)
    assert torch.equal(target.joints2d, same.joints2d)
    assert len(target.boxes) == 4
    assert target.exhaustive
    second.epoch = 1
    assert not torch.equal(picture, second[0][0])
    # One photograph with unlabelled people makes the rest of the picture unknown.
    partly = [s if i else Sample(s.image, s.people, exhaustive=False) for i, s in enumerate(samples)]
    assert not PoseDataset(partly, anchors, STILL, 7)[0][1].exhaustive
    plain = PoseDataset(samples, anchors, Augmentation(size=256, tiles=0.0), 7)
    assert len(plain[0][1].boxes) <= 1
