import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from anchorpose.datasets.loader import make_target  # noqa: E402
from anchorpose.datasets.samples import Person  # noqa: E402
from anchorpose.lcrnet.anchors import LOWER_LIMBS, denormalise  # noqa: E402
from anchorpose.lcrnet.heads import REGRESSION_SCALE, RegionOutput  # noqa: E402
from anchorpose.lcrnet.localization import is_unknown  # noqa: E402
from anchorpose.lcrnet.losses import region_losses  # noqa: E402
from anchorpose.lcrnet.targets import known_boxes, sample_regions  # noqa: E402


def person_from(pose, scale=100.0, shift=(200, 200), lower=True, with3d=True):
    joints2d = (pose[:, :2] * scale + shift).astype(np.float32)
    if not lower:
        joints2d[list(LOWER_LIMBS)] = np.nan
    low, high = np.nanmin(joints2d, 0), np.nanmax(joints2d, 0)
    joints3d = pose if with3d else np.full_like(pose, np.nan)
    return Person(np.concatenate([low, high]), joints2d, np.ones(13, np.int8), joints3d)


@pytest.fixture
def target(poses3d, anchors):
    people = [person_from(poses3d[0]), person_from(poses3d[1], shift=(600, 200), lower=False)]
    people.append(Person(np.array([900, 100, 980, 300], np.float32)))
    return make_target(people, anchors, exhaustive=True)


def test_full_body_boxes_only_where_a_lower_limb_is_labelled(target):
    assert target.boxes.shape == (2, 2, 4)
    assert not target.boxes[0].isnan().any()
    assert target.boxes[1, 0].isnan().all()
    assert not target.boxes[1, 1].isnan().any()
    assert len(known_boxes(target)) == 3
    assert target.ignore.tolist() == [[900, 100, 980, 300]]
    joints = target.joints2d[0].numpy()
    low, high = joints.min(0), joints.max(0)
    margin = (high - low) / 10
    np.testing.assert_allclose(target.boxes[0, 0], np.concatenate([low - margin, high + margin]), rtol=1e-5)


def test_labels_are_the_nearest_anchor_in_3d(target, poses3d, anchors):
    assert target.labels.tolist() == anchors.nearest3d(poses3d[:2]).tolist()


def test_2d_only_people_take_the_anchor_that_fits_and_have_no_3d(poses3d, anchors):
    people = [person_from(a, with3d=False) for a in anchors.joints3d]
    found = make_target(people, anchors, exhaustive=True)
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    assert found.joints3d.isnan().all()


def test_regions_follow_the_iou_rule(target):
    generator = torch.Generator().manual_seed(0)
    proposals = torch.rand(400, 4, generator=generator) * 300
    proposals[:, 2:] += proposals[:, :2]
    proposals[:50] += torch.tensor([880.0, 60, 880, 60])
    found = sample_regions(proposals, target, 5, 0.5, 64, 4, generator)
    assert len(found.boxes) <= 64
    from torchvision.ops import box_iou

    known, owners = known_boxes(target), [0, 0, 1]
    overlap = box_iou(found.boxes, known)
    for label, person, iou in zip(found.labels.tolist(), found.person.tolist(), overlap, strict=True):
        if label == 10:
            assert person == -1
            assert iou.max() < 0.5
        else:
            best = int(iou.argmax())
            assert iou.max() >= 0.5
            assert person == owners[best]
            assert label % 5 == target.labels[person]
            assert (label >= 5) == (best != 0)
    assert (found.person >= 0).sum() > 4
    # Nothing is said of the person without joints.
    assert not is_unknown(found.boxes[found.labels == 10], known, target.ignore, True).any()


def test_unlabelled_parts_of_a_photograph_are_not_background(target):
    x1, y1, x2, y2 = target.boxes[0, 0].tolist()
    away = torch.tensor([[1200.0, 50, 1300, 200], [x1, y1, (x1 + x2) / 2, (y1 + y2) / 2]])
    assert is_unknown(away, known_boxes(target), target.ignore, exhaustive=False).tolist() == [True, False]
    assert is_unknown(away, known_boxes(target), target.ignore, exhaustive=True).tolist() == [False, False]


def test_perfect_outputs_cost_nothing_and_unlabelled_joints_are_free(target, anchors):
    generator = torch.Generator().manual_seed(1)
    regions = sample_regions(torch.zeros(0, 4), target, 5, 1.0, 12, 4, generator)
    count = len(regions.boxes)
    on = regions.person >= 0
    logits = torch.full((count, 11), -30.0)
    logits[torch.arange(count), regions.labels] = 30.0
    regression = torch.zeros(count, 10, 5, 13)
    offsets2d, offsets3d = regression[:, :, :2].transpose(2, 3), regression[:, :, 2:].transpose(2, 3)  # views
    anchors2d, anchors3d = torch.from_numpy(anchors.joints2d), torch.from_numpy(anchors.joints3d)
    rows = torch.nonzero(on).flatten()
    truth = target.joints2d[regions.person[rows]]
    box = regions.boxes[rows]
    wanted = (truth - box[:, None, :2]) / (box[:, 2:] - box[:, :2])[:, None]
    away2d = torch.nan_to_num(wanted - anchors2d[regions.labels[rows]], nan=77.0)
    away3d = target.joints3d[regions.person[rows]] - anchors3d[regions.labels[rows] % 5]
    offsets2d[rows, regions.labels[rows]] = away2d * REGRESSION_SCALE
    offsets3d[rows, regions.labels[rows]] = away3d * REGRESSION_SCALE
    seen = torch.where(target.visible[regions.person.clamp(min=0)] > 0, 30.0, -30.0)
    perfect = RegionOutput(logits, regression, seen)
    losses = region_losses(perfect, [regions], [target], anchors2d, anchors3d, 0.1)
    for name, value in losses.items():
        assert value.item() == pytest.approx(0, abs=1e-4), name
    # Another class's regression is not looked at; the true class's is.
    offsets2d[rows, (regions.labels[rows] + 1) % 10] = 5.0 * REGRESSION_SCALE
    again = region_losses(perfect, [regions], [target], anchors2d, anchors3d, 0.1)
    assert again["regression2d"].item() == pytest.approx(0, abs=1e-4)
    offsets2d[rows, regions.labels[rows]] += 0.5 * REGRESSION_SCALE
    assert region_losses(perfect, [regions], [target], anchors2d, anchors3d, 0.1)["regression2d"] > 1


def test_decoded_truth_is_the_pose(anchors):
    """normalise, then denormalise in the region, is the joint in pixels."""
    box = np.array([50, 60, 150, 260], np.float32)
    joints = denormalise(anchors.joints2d[0], box)
    assert joints.shape == (13, 2)
    assert (joints[:, 0] >= 45).all()
