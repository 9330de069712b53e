from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.skeleton import COCO17
from anchorpose.evaluation.keypoints import Truth, oks
from anchorpose.evaluation.oks_nms import oks_nms, similarity_of_poses
from tests.evaluation.fakes import person


def slow(joints: np.ndarray, scores: np.ndarray, areas: np.ndarray, threshold: float) -> list[int]:
    left = sorted(range(len(scores)), key=lambda i: -scores[i])
    kept = []
    while left:
        best, *left = left
        kept.append(best)
        survivors = []
        for i in left:
            terms = []
            for k, sigma in enumerate(COCO17.sigmas):
                if not np.isnan([joints[best, k], joints[i, k]]).any():
                    area = (areas[best] + areas[i]) / 2
                    terms.append(math.exp(-(math.dist(joints[best, k], joints[i, k]) ** 2) / (8 * sigma**2 * area)))
            if not terms or sum(terms) / len(terms) <= threshold:
                survivors.append(i)
        left = survivors
    return kept


def guesses(seed: int, n: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    people = np.stack([person(rng) for _ in range(3)])
    joints = people[rng.integers(0, 3, n)] + rng.normal(0, 1, (n, 17, 2)) * rng.choice([0, 3, 9], (n, 1, 1))
    joints[rng.random((n, 17)) < 0.1] = np.nan
    return joints, np.round(rng.random(n), 1), rng.uniform(2000, 9000, n)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 12), threshold=st.sampled_from([0.3, 0.7, 0.9]))
def test_equals_a_slow_restatement(seed: int, n: int, threshold: float) -> None:
    joints, scores, areas = guesses(seed, n)
    assert oks_nms(joints, scores, areas, COCO17.sigmas, threshold).tolist() == slow(joints, scores, areas, threshold)


def test_what_is_kept_is_unlike_and_what_is_dropped_is_like_a_better_one() -> None:
    joints, scores, areas = guesses(3)
    kept = oks_nms(joints, scores, areas, COCO17.sigmas, 0.5)
    similar = similarity_of_poses(joints, areas, COCO17.sigmas)
    assert 2 < len(kept) < 12
    assert (similar[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)] <= 0.5).all()
    for i in set(range(12)) - set(kept.tolist()):
        assert ((similar[i, kept] > 0.5) & (scores[kept] >= scores[i])).any()
    np.testing.assert_allclose(similar, similar.T)


def test_of_equal_areas_it_is_the_oks_of_evaluation(rng: np.random.Generator) -> None:
    joints = np.stack([person(rng, centre=(200, 200)) for _ in range(4)])
    none = np.zeros(4, bool)
    boxes = np.concatenate([joints.min(1), joints.max(1)], axis=1)
    truth = Truth(joints, np.ones((4, 17), bool), boxes, np.full(4, 5000.0), none, none)
    expected = oks(joints, truth, COCO17.sigmas)
    np.testing.assert_allclose(similarity_of_poses(joints, truth.areas, COCO17.sigmas), expected, rtol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_nobody_and_people_without_joints(n: int) -> None:
    joints = np.full((n, 17, 2), np.nan)
    assert oks_nms(joints, np.arange(n), np.zeros(n), COCO17.sigmas).tolist() == list(range(n))[::-1]
