from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, MPII16
from anchorpose.evaluation.mpii import JointDetections, JointTruth, average_precision, mpii_pckh, multi_person_ap

J = len(MPII16)


def slow_pckh(pred: np.ndarray, truth: np.ndarray, visible: np.ndarray, sizes: np.ndarray, threshold: float) -> tuple:
    """The toolkit's Head, ..., Ankle and Mean by joint ids."""
    rates, counts = [], []
    for j in range(J):
        hits = [math.dist(pred[i, j], truth[i, j]) / sizes[i] <= threshold
                for i in range(len(pred)) if visible[i, j] and sizes[i] > 0]  # fmt: skip
        rates.append(sum(hits) / len(hits) if hits else math.nan)
        counts.append(len(hits))
    pairs = [(9,), (12, 13), (11, 14), (10, 15), (2, 3), (1, 4), (0, 5)]
    columns = [[rates[j] for j in pair if counts[j]] for pair in pairs]
    kept = [j for j in range(J) if j not in (6, 7) and counts[j]]
    total = sum(counts[j] for j in kept)
    mean = sum(rates[j] * counts[j] for j in kept) / total if total else math.nan
    return [sum(c) / len(c) if c else math.nan for c in columns], mean


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 6))
def test_pckh_equals_the_toolkits_rule_by_joint_ids(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 50, (n, J, 2))
    pred = truth + rng.normal(0, 15, truth.shape)
    pred[rng.random((n, J)) < 0.1] = np.nan
    visible = rng.random((n, J)) < rng.choice([0, 0.5, 0.9])
    sizes = rng.choice([np.nan, 0, 30, 60], n)
    result = mpii_pckh(pred, truth, visible, sizes, MPII16)
    columns, mean = slow_pckh(pred, truth, visible, np.nan_to_num(sizes), 0.5)
    assert list(result.columns) == ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]
    np.testing.assert_allclose(list(result.columns.values()), columns)
    assert result.mean == pytest.approx(mean, nan_ok=True)


def test_pelvis_thorax_and_neck_count_as_the_toolkit_has_it(rng: np.random.Generator) -> None:
    truth = rng.normal(0, 50, (3, J, 2))
    visible, sizes = np.ones((3, J), bool), np.full(3, 40.0)
    for joint, mean in (("pelvis", 1), ("thorax", 1), ("neck", 13 / 14), ("head_top", 13 / 14)):
        pred = truth.copy()
        pred[:, MPII16.index(joint)] += 100
        result = mpii_pckh(pred, truth, visible, sizes, MPII16)
        assert result.mean == pytest.approx(mean)
        assert result.columns["head"] == (joint != "head_top")


def test_the_mean_is_over_labelled_joints(rng: np.random.Generator) -> None:
    truth = rng.normal(0, 50, (4, J, 2))
    visible = np.zeros((4, J), bool)
    visible[:, 0], visible[0, 1] = True, True
    pred = truth.copy()
    pred[:, 0] += 100
    assert mpii_pckh(pred, truth, visible, np.full(4, 40.0), MPII16).mean == pytest.approx(1 / 5)


def slow_ap(truths: list, detections: list, j: int, threshold: float) -> float:
    """poseval's steps for one joint, one comparison at a time."""
    scores, labels, positives = [], [], 0
    for truth, found in zip(truths, detections, strict=True):
        n, m = len(found.joints), len(truth.joints)
        positives += int(truth.visible[:, j].sum())
        near = np.zeros((n, m, found.joints.shape[1]), bool)
        share = np.zeros((n, m))
        for p in range(n):
            for g in range(m):
                for k in range(found.joints.shape[1]):
                    if truth.visible[g, k] and not np.isnan(found.joints[p, k]).any():
                        distance = math.dist(found.joints[p, k], truth.joints[g, k]) / truth.head_sizes[g]
                        near[p, g, k] = distance <= threshold
                if truth.visible[g].any():
                    share[p, g] = near[p, g].sum() / truth.visible[g].sum()
        owner = [-1] * n
        for g in range(m):
            best, value = -1, 0.0
            for p in range(n):
                keeps = max(range(m), key=lambda other, p=p: (share[p, other], -other))
                if keeps == g and share[p, g] > value:
                    best, value = p, share[p, g]
            if best >= 0:
                owner[best] = g
        for p in range(n):
            if not np.isnan(found.joints[p, j]).any():
                scores.append(found.scores[p, j])
                labels.append(owner[p] >= 0 and near[p, owner[p], j])
    if not positives:
        return math.nan
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    recall, precision, hits = [0.0], [0.0], 0
    for rank, i in enumerate(order, 1):
        hits += bool(labels[i])
        recall.append(hits / positives)
        precision.append(hits / rank)
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def crowd(rng: np.random.Generator, images: int = 4) -> tuple[list[JointTruth], list[JointDetections]]:
    """Images with nobody, people twice, joints missing on both sides and ties of score."""
    truths, detections = [], []
    for _ in range(images):
        m = int(rng.integers(0, 4))
        joints = rng.uniform(0, 200, (m, 1, 2)) + rng.normal(0, 40, (m, J, 2))
        visible = rng.random((m, J)) < rng.choice([0, 0.7, 1], (m, 1))
        truths.append(JointTruth(joints, visible, rng.uniform(15, 60, m)))
        copies = np.repeat(np.arange(m), rng.integers(0, 4, m))
        found = np.concatenate([joints[copies] + rng.normal(0, 12, (len(copies), J, 2)),
                                rng.uniform(0, 200, (int(rng.integers(0, 3)), J, 2))])  # fmt: skip
        found[rng.random(found.shape[:2]) < 0.1] = np.nan
        detections.append(JointDetections(found, np.round(rng.random(found.shape[:2]), 1)))
    return truths, detections


@pytest.mark.parametrize("seed", range(15))
def test_multi_person_ap_equals_posevals_steps(seed: int) -> None:
    truths, detections = crowd(np.random.default_rng(seed))
    result = multi_person_ap(truths, detections, MPII16)
    expected = [slow_ap(truths, detections, j, 0.5) for j in range(J)]
    np.testing.assert_allclose(result.per_joint, expected)
    known = [v for v in expected if not math.isnan(v)]
    assert result.mean == pytest.approx(np.mean(known) if known else math.nan, nan_ok=True)
    assert result.counts.tolist() == [sum(int(t.visible[:, j].sum()) for t in truths) for j in range(J)]


def test_random_crowds_are_neither_all_right_nor_all_wrong() -> None:
    assert 0.1 < np.nanmean([multi_person_ap(*crowd(np.random.default_rng(s)), MPII16).mean for s in range(15)]) < 0.9


def test_multi_person_ap_at_the_edges(rng: np.random.Generator) -> None:
    joints = rng.normal(0, 50, (2, J, 2)) + np.array([[[0, 0]], [[500, 0]]])
    truth = JointTruth(joints, np.ones((2, J), bool), np.full(2, 30.0))
    nobody = JointDetections(np.zeros((0, J, 2)), np.zeros((0, J)))
    empty = JointTruth(np.zeros((0, J, 2)), np.zeros((0, J), bool), np.zeros(0))
    exact = JointDetections(joints[::-1], np.ones((2, J)))
    assert multi_person_ap([truth], [exact], MPII16).mean == 1
    assert multi_person_ap([truth], [nobody], MPII16).mean == 0
    assert math.isnan(multi_person_ap([empty], [exact], MPII16).mean)
    assert math.isnan(multi_person_ap([], [], MPII16).mean)
    # A picture without people, whose detections have better scores, halves the precision.
    doubled = multi_person_ap([empty, truth], [JointDetections(joints, np.full((2, J), 2.0)), exact], MPII16)
    assert doubled.mean == pytest.approx(0.5)
    missing = exact.scores.copy()
    missing[0, 0] = np.nan
    with pytest.raises(InputError, match="score NaN"):
        multi_person_ap([truth], [JointDetections(exact.joints, missing)], MPII16)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10), shift=st.floats(-500, 500))
def test_multi_person_ap_does_not_depend_on_place_and_scale(seed: int, scale: float, shift: float) -> None:
    truths, detections = crowd(np.random.default_rng(seed), 3)
    moved = multi_person_ap(
        [JointTruth(t.joints * scale + shift, t.visible, t.head_sizes * scale) for t in truths],
        [JointDetections(d.joints * scale + shift, d.scores) for d in detections], MPII16)  # fmt: skip
    np.testing.assert_allclose(moved.per_joint, multi_person_ap(truths, detections, MPII16).per_joint)


def test_multi_person_ap_does_not_depend_on_the_order_of_people() -> None:
    """Where no two of them are equally good, as the order decides then."""
    compared = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truths, detections = crowd(rng, 2)
        if _has_ties(truths, detections):
            continue
        detections = [JointDetections(d.joints, rng.random(d.scores.shape)) for d in detections]
        turned = multi_person_ap(
            [JointTruth(t.joints[::-1], t.visible[::-1], t.head_sizes[::-1]) for t in truths],
            [JointDetections(d.joints[::-1], d.scores[::-1]) for d in detections], MPII16)  # fmt: skip
        np.testing.assert_allclose(turned.per_joint, multi_person_ap(truths, detections, MPII16).per_joint)
        compared += sum(len(d.joints) > 1 for d in detections)
    assert compared > 20


def _has_ties(truths: list[JointTruth], detections: list[JointDetections]) -> bool:
    for t, d in zip(truths, detections, strict=True):
        near = np.linalg.norm(d.joints[:, None] - t.joints, axis=-1) <= 0.5 * t.head_sizes[:, None]
        share = (near & t.visible).sum(-1) / np.maximum(t.visible.sum(-1), 1)
        for line in (*share, *share.T):
            if len(line) > 1 and (top := np.sort(line)[::-1])[0] > 0 and top[0] == top[1]:
                return True
    return False


def test_head_column_of_another_skeleton(rng: np.random.Generator) -> None:
    joints = rng.normal(0, 50, (2, 13, 2))
    result = mpii_pckh(joints, joints, np.ones((2, 13), bool), np.full(2, 30.0), LCR13)
    assert set(result.columns.values()) == {1.0}


def test_average_precision_by_hand() -> None:
    """Right, wrong, right of three: precision 1 up to a third, 2/3 up to two thirds, then 0."""
    assert average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 3) == pytest.approx(5 / 9)
    assert average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0
