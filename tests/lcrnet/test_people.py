"""The graph's grouping against the numpy integration that it has to agree with."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from anchorpose.lcrnet.integration import IntegrationOptions, Proposals, integrate  # noqa: E402
from anchorpose.lcrnet.people import PeopleOptions, people_of  # noqa: E402

from .test_integration import HEIGHT, WIDTH, K, crowd  # noqa: E402


def in_order(proposals):
    return proposals[np.argsort(-proposals.scores, kind="stable")]


def group(proposals, options):
    tensors = (torch.from_numpy(getattr(proposals, n)) for n in ("scores", "joints2d", "joints3d"))
    return [x.numpy() for x in people_of(*tensors, (HEIGHT, WIDTH), options)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.4, 0.6]))
def test_people_are_the_groups_of_the_integration(seed, iou):
    """With every pose of a group in one mode, seeds, averages and their order are those of `integrate`."""
    proposals = in_order(crowd(seed, m=30))
    proposals = Proposals(proposals.boxes, proposals.scores, proposals.labels % K, proposals.joints2d,
                          proposals.joints3d * 0.01, proposals.visibility)  # fmt: skip
    options = PeopleOptions(iou_threshold=iou, min_score=0.02, min_person_score=0.3)
    seeds, joints2d, joints3d = group(proposals, options)
    wanted = integrate(proposals, K, WIDTH, HEIGHT, IntegrationOptions(
        iou_threshold=iou, min_score=0.02, min_person_score=0.3, overlap="upper_body_iou"))  # fmt: skip
    assert len(seeds) == max(len(wanted), 1)
    assert (np.diff(seeds) > 0).all()
    if not len(wanted):  # the likeliest is looked at all the same
        return
    nearest = np.abs(joints2d[:, None] - wanted.joints2d).sum((2, 3)).argmin(1)
    assert sorted(nearest) == list(range(len(wanted)))
    np.testing.assert_allclose(joints2d, wanted.joints2d[nearest], atol=1e-2)
    centred = joints3d - joints3d[:, [4, 5, 10, 11]].mean(1, keepdims=True)
    np.testing.assert_allclose(centred, wanted.joints3d[nearest], atol=1e-4)


def test_far_3d_is_left_out_of_the_average():
    proposals = in_order(crowd(3, m=2, people=1))
    same = np.stack([proposals.joints2d[0]] * 2)
    apart = np.stack([proposals.joints3d[0], proposals.joints3d[0] + np.float32(0.3)])
    pair = Proposals(proposals.boxes, np.array([0.9, 0.8], np.float32), proposals.labels, same, apart,
                     proposals.visibility)  # fmt: skip
    seeds, _, joints3d = group(pair, PeopleOptions(distance3d=0.2))
    assert seeds.tolist() == [0]
    np.testing.assert_allclose(joints3d[0], apart[0], atol=1e-6)
    _, _, together = group(pair, PeopleOptions(distance3d=1.0))
    np.testing.assert_allclose(together[0], (0.9 * apart[0] + 0.8 * apart[1]) / 1.7, atol=1e-6)


def test_nobody_and_too_many():
    empty = crowd(0)[:0]
    assert len(group(empty, PeopleOptions())[0]) == 0
    many = in_order(crowd(1, m=200, people=60))
    assert len(group(many, PeopleOptions(most=5, min_person_score=0.0))[0]) == 5


def test_where_everybody_is_unlikely_the_likeliest_is_looked_at_with_finite_numbers():
    """An average over nobody would be NaN, on which RoIAlign crashes."""
    weak = in_order(crowd(2, m=12))
    weak = Proposals(weak.boxes, weak.scores * np.float32(1e-4), weak.labels, weak.joints2d, weak.joints3d,
                     weak.visibility)  # fmt: skip
    seeds, joints2d, joints3d = group(weak, PeopleOptions(min_score=0.01, min_person_score=0.1))
    assert seeds.tolist() == [0]
    np.testing.assert_allclose(joints2d[0], weak.joints2d[0], rtol=1e-5)
    np.testing.assert_allclose(joints3d[0], weak.joints3d[0], rtol=1e-5)
