"""Rarity by its invariances: what is common, what is far from everything."""

from __future__ import annotations

import numpy as np
import pytest

from anchorpose.evaluation.report.people import gather
from anchorpose.evaluation.report.rarity import clusters, normalised, rarity, rarity3d, rarity_data


def crowd(rng: np.random.Generator, n: int = 60, d: int = 2) -> np.ndarray:
    """(n + 1, 12, d): poses around three prototypes, and one that is like none of them."""
    kinds = rng.normal(0, 1, (3, 12, d))
    return np.concatenate(
        [kinds[rng.integers(0, 3, n)] + rng.normal(0, 0.05, (n, 12, d)), rng.normal(0, 1, (1, 12, d))]
    )


def test_a_pose_like_none_is_the_rarest(rng: np.random.Generator) -> None:
    for d, measure in ((2, rarity), (3, rarity3d)):
        distance = measure(crowd(rng, d=d))
        assert distance.argmax() == 60 or distance[60] < 1e-9  # k-means may give it a cluster of its own
        assert (distance >= 0).all()


def test_2d_rarity_does_not_know_place_and_size(rng: np.random.Generator) -> None:
    poses = crowd(rng)
    moved = poses * rng.uniform(0.5, 300, (61, 1, 1)) + rng.normal(0, 500, (61, 1, 2))
    assert rarity(moved) == pytest.approx(rarity(poses), abs=1e-9)


def test_normalised_has_no_mean_and_unit_spread_over_known_joints(rng: np.random.Generator) -> None:
    poses = rng.normal(50, 20, (5, 12, 2))
    poses[1, 3:6] = np.nan
    result = normalised(poses)
    assert np.nanmean(result, axis=1) == pytest.approx(0, abs=1e-12)
    assert np.nanmean((result**2).sum(axis=-1), axis=1) == pytest.approx(1)
    assert np.isnan(result[1, 3:6]).all()
    assert np.isnan(normalised(np.full((1, 12, 2), 3.0))).all()  # all joints in one place have no size


def test_missing_joints_are_left_out_and_few_joints_are_not_judged(rng: np.random.Generator) -> None:
    poses = crowd(rng)
    poses[0, :4] = np.nan
    poses[1, :5] = np.nan
    distance = rarity(poses)
    assert np.isfinite(distance[0])
    assert np.isnan(distance[1])
    assert np.isnan(rarity(np.full((3, 12, 2), np.nan))).all()
    assert rarity(np.zeros((0, 12, 2))).shape == (0,)


def test_few_poses_are_compared_with_their_mean(rng: np.random.Generator) -> None:
    poses = rng.normal(0, 1, (5, 13, 3))
    centre = poses.mean(axis=0)
    assert clusters(poses)[0] == pytest.approx(centre)
    assert rarity3d(poses) == pytest.approx(1000 * np.linalg.norm(poses - centre, axis=-1).mean(axis=-1))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_poses_that_repeat_make_no_more_clusters_than_there_are(rng: np.random.Generator, kinds: int) -> None:
    poses = rng.normal(0, 1, (kinds, 13, 3))[np.arange(90) % kinds]
    assert len(clusters(poses)) == kinds
    assert rarity3d(poses) == pytest.approx(0, abs=1e-9)


def test_accuracy_that_falls_with_rarity_shows_in_curve_and_correlation(plain) -> None:
    annotations, found = plain(images=40)
    rng = np.random.default_rng(3)
    for image, truth in zip(annotations.images, annotations.people, strict=True):
        bend = rng.random() * 60
        truth.joints[0] += rng.normal(0, bend, (17, 2))
        p = found[image.file_name]
        p.joints2d[0] = truth.joints[0] + rng.normal(0, 0.4 * bend, (17, 2))
    data = rarity_data(gather(annotations, found), "box")
    assert data["space"] == "2D"
    assert data["correlation"] < -0.3
    assert data["curve"]["mean"][0] > data["curve"]["mean"][-1]
    assert sum(data["curve"]["people"]) == data["people"] > 70
