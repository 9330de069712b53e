import numpy as np
import pytest

from anchorpose.core import boxes
from anchorpose.lcrnet.anchors import (
    BOX_MARGIN,
    LOWER_LIMBS,
    UPPER_BODY,
    build_anchors,
    denormalise,
    normalise,
    random_views,
)


def test_every_pose_is_nearest_to_its_own_cluster(poses3d, anchors):
    """K-means' own property: the assigned centre is the nearest in the summed squares."""
    assert anchors.joints3d.shape == (5, 13, 3)
    squared = ((poses3d[:, None] - anchors.joints3d[None]) ** 2).sum((2, 3))
    centres = np.stack([poses3d[squared.argmin(1) == k].mean(0) for k in range(5)])
    np.testing.assert_allclose(centres, anchors.joints3d, atol=1e-4)


def test_upper_body_doubles_are_an_affine_of_the_full_body(anchors):
    full, upper = anchors.joints2d[:5], anchors.joints2d[5:]
    for a, b in zip(full, upper, strict=True):
        for axis in range(2):
            slope, offset = np.polyfit(a[:, axis], b[:, axis], 1)
            np.testing.assert_allclose(slope * a[:, axis] + offset, b[:, axis], atol=1e-5)
            assert slope > 0.99
    # The upper body with its margin fills the unit box; the legs hang out below it.
    np.testing.assert_allclose(boxes.around(upper[:, UPPER_BODY], BOX_MARGIN), np.tile([0, 0, 1, 1], (5, 1)), atol=1e-5)
    assert (upper[:, LOWER_LIMBS, 1].max(1) > 1.2).all()
    assert full.min() > -0.05
    assert full.max() < 1.05


def test_same_seed_same_anchors_and_any_count(poses3d):
    pytest.importorskip("sklearn")
    np.testing.assert_array_equal(build_anchors(poses3d, 7, 3).joints3d, build_anchors(poses3d, 7, 3).joints3d)
    assert build_anchors(poses3d, 1).joints2d.shape == (2, 13, 2)
    with pytest.raises(ValueError, match="found 200 poses, wanted at least 500"):
        build_anchors(poses3d, 500)


def test_nearest3d_against_a_loop(poses3d, anchors):
    partly = poses3d[:20].copy()
    partly[::2, 3] = np.nan
    wanted = []
    for pose in partly:
        known = ~np.isnan(pose[:, 0])
        distances = [np.linalg.norm(pose[known] - a[known], axis=1).mean() for a in anchors.joints3d]
        wanted.append(int(np.argmin(distances)))
    assert anchors.nearest3d(partly).tolist() == wanted


def test_fit2d_recovers_an_anchor_under_scale_and_shift(anchors):
    rng = np.random.default_rng(1)
    scale, shift = rng.uniform(20, 200, (5, 1, 1)), rng.uniform(-50, 300, (5, 1, 2))
    joints = (anchors.joints3d[..., :2] * scale + shift).astype(np.float32)
    hidden = joints.copy()
    hidden[:, [0, 6, 12]] = np.nan
    labels, fitted, error = anchors.fit2d(hidden)
    assert labels.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(fitted, joints, rtol=1e-3, atol=0.05)
    assert error.max() < 1e-3


def test_normalise_round_trip(anchors):
    box = np.array([[10, 20, 110, 220]] * 10, np.float32)
    np.testing.assert_allclose(normalise(denormalise(anchors.joints2d, box), box), anchors.joints2d, atol=1e-5)


def test_views_keep_bone_lengths_and_the_count(poses3d):
    views = random_views(poses3d[:10], 4, np.random.default_rng(0))
    assert views.shape == (40, 13, 3)
    length = lambda p: np.linalg.norm(p[:, 0] - p[:, 2], axis=1)  # noqa: E731
    np.testing.assert_allclose(length(views), np.repeat(length(poses3d[:10]), 4), atol=1e-5)
