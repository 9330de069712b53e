from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.core.skeleton import LCR13, MUPOTS17
from anchorpose.evaluation.mupots import (
    MupotsFrame,
    evaluate_mupots,
    frame_errors,
    match_people,
    rescale_bones,
    to_mupots17,
)

# The toolkit's tables, counted from 1: parents and a traversal that has parents first.
PARENTS = [2, 16, 2, 3, 4, 2, 6, 7, 15, 9, 10, 15, 12, 13, 15, 15, 2]
ORDER = [15, 16, 2, 1, 17, *range(3, 15)]


def slow_rescale(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    result = pred.copy()
    for joint in ORDER[1:]:
        i, p = joint - 1, PARENTS[joint - 1] - 1
        direction = (pred[i] - pred[p]) / math.dist(pred[i], pred[p])
        result[i] = result[p] + direction * math.dist(truth[i], truth[p])
    return result


def slow_match(pred2d: np.ndarray, truth2d: np.ndarray) -> list[int]:
    free, result = set(range(len(pred2d))), []
    for person in truth2d:
        counts = {}
        for k in sorted(free):
            counts[k] = sum(1 for j in range(1, 14) if all(abs(a - b) < 40 for a, b in
                                                           zip(person[j], pred2d[k, j], strict=True)))  # fmt: skip
        best = max(counts, key=lambda k: (counts[k], -k), default=-1)
        result.append(best if best >= 0 and counts[best] > 0 else -1)
        free -= {result[-1]}
    return result


def frame(rng: np.random.Generator) -> MupotsFrame:
    """Up to 3 people, found or not, twice or not, somebody else among them, with joints missing in 2D."""
    m = int(rng.integers(0, 4))
    truth2d = rng.uniform(100, 400, (m, 1, 2)) + rng.normal(0, 60, (m, 17, 2))
    truth3d = rng.normal(0, 0.4, (m, 17, 3)) + rng.normal(0, 2, (m, 1, 3))
    copies = rng.permutation(np.repeat(np.arange(m), rng.integers(0, 3, m)))
    pred2d = np.concatenate(
        [truth2d[copies] + rng.normal(0, 20, (len(copies), 17, 2)), rng.uniform(0, 500, (1, 17, 2))]
    )
    pred3d = np.concatenate([truth3d[copies] + rng.normal(0, 0.08, (len(copies), 17, 3)), rng.normal(size=(1, 17, 3))])
    pred2d[rng.random(pred2d.shape[:2]) < 0.1] = np.nan
    return MupotsFrame(truth2d, truth3d, pred2d, pred3d)


def slow_pck(frames: list[MupotsFrame], mode: int) -> float:
    """The toolkit's evaluation of one sequence in its mode 0 (all) or 1 (matched)."""
    right, total = 0, 0
    for f in frames:
        for person, k in enumerate(slow_match(f.pred2d, f.truth2d)):
            truth = f.truth3d[person] - f.truth3d[person, 14]
            if k >= 0:
                pred = slow_rescale(f.pred3d[k] - f.pred3d[k, 14], truth)
                errors = [1000 * math.dist(pred[j], truth[j]) for j in range(14)]
            elif mode == 0:
                errors = [1e5] * 14
            else:
                continue
            right, total = right + sum(e < 150 for e in errors), total + 14
    return right / total if total else math.nan


def test_equals_the_toolkits_steps() -> None:
    rng = np.random.default_rng(4)
    sequences = {f"TS{i}": [frame(rng) for _ in range(int(rng.integers(5, 9)))] for i in range(1, 6)}
    result = evaluate_mupots(sequences)
    every, matched = ([slow_pck(frames, mode) for frames in sequences.values()] for mode in (0, 1))
    assert result.pck_all == pytest.approx(np.mean(every))
    assert result.pck_matched == pytest.approx(np.mean(matched))
    assert [a.pck for a, _ in result.sequences.values()] == pytest.approx(every)
    assert 0.2 < result.pck_all < result.pck_matched < 0.95
    matches = [k for frames in sequences.values() for f in frames for k in slow_match(f.pred2d, f.truth2d)]
    assert result.found == pytest.approx(np.mean([k >= 0 for k in matches]))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_matching_equals_a_slow_restatement(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth2d = rng.normal(200, 30, (3, 17, 2))  # so close that all resemble all
    pred2d = rng.normal(200, 30, (int(rng.integers(0, 5)), 17, 2))
    assert match_people(pred2d, truth2d).tolist() == slow_match(pred2d, truth2d)


def test_matching_goes_by_order_and_40_pixels_in_each_direction() -> None:
    truth = np.zeros((2, 17, 2))
    assert match_people(np.zeros((1, 17, 2)), truth).tolist() == [0, -1]
    assert match_people(np.full((1, 17, 2), 39.9), truth[:1]).tolist() == [0]
    assert match_people(np.full((1, 17, 2), 40.0), truth[:1]).tolist() == [-1]
    only_head = np.full((1, 17, 2), 1000.0)
    only_head[0, [0, 14, 15, 16]] = 0  # head top, pelvis, spine and head are not looked at
    assert match_people(only_head, truth[:1]).tolist() == [-1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_rescaling_gives_the_true_lengths_and_keeps_directions(seed: int) -> None:
    pred, truth = np.random.default_rng(seed).normal(size=(2, 17, 3))
    result = rescale_bones(pred, truth)
    np.testing.assert_allclose(result, slow_rescale(pred, truth), atol=1e-9)
    np.testing.assert_allclose(rescale_bones(2.5 * pred, truth) - 2.5 * pred[14], result - pred[14], atol=1e-9)
    np.testing.assert_allclose(rescale_bones(truth * 0.8, truth) - truth[14] * 0.8, truth - truth[14], atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.2, 5))
def test_errors_do_not_depend_on_the_size_and_place_of_predictions_and_on_turning_both(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    f = frame(rng)
    turn = Rotation.random(rng=rng).as_matrix()
    base, found = frame_errors(f)
    moved, same = frame_errors(replace(f, pred3d=(scale * f.pred3d + 3) @ turn, truth3d=(f.truth3d - 1) @ turn))
    np.testing.assert_array_equal(found, same)
    np.testing.assert_allclose(moved, base, rtol=1e-6, atol=1e-6)
    raw, _ = frame_errors(replace(f, pred3d=2 * f.pred3d), rescale=False)
    assert not found.any() or not np.allclose(raw[found], frame_errors(f, rescale=False)[0][found])


def test_missing_joints_are_wrong_and_uncounted_ones_do_not_count(rng: np.random.Generator) -> None:
    truth2d, truth3d = rng.normal(200, 60, (1, 17, 2)), rng.normal(size=(1, 17, 3))
    pred3d = truth3d.copy()
    elbow, wrist = MUPOTS17.indices("left_elbow", "left_wrist")
    pred3d[0, elbow] = np.nan
    whole = MupotsFrame(truth2d, truth3d, truth2d, pred3d)
    assert evaluate_mupots({"TS1": [whole]}).pck_all == pytest.approx(12 / 14)  # the wrist hangs on the elbow
    counted = np.ones((1, 17), bool)
    counted[0, [elbow, wrist]] = False
    assert evaluate_mupots({"TS1": [replace(whole, counted=counted)]}).pck_all == 1


def test_nobody() -> None:
    empty = MupotsFrame(np.zeros((0, 17, 2)), np.zeros((0, 17, 3)), np.zeros((0, 17, 2)), np.zeros((0, 17, 3)))
    for sequences in ({}, {"TS1": []}, {"TS1": [empty]}):
        result = evaluate_mupots(sequences)
        assert all(math.isnan(v) for v in (result.pck_all, result.pck_matched, result.mpjpe_matched, result.found))
    truth = replace(empty, truth2d=np.zeros((2, 17, 2)), truth3d=np.ones((2, 17, 3)))
    result = evaluate_mupots({"TS1": [truth]})
    assert (result.pck_all, result.found) == (0, 0)
    assert math.isnan(result.pck_matched)


def test_other_skeletons_become_mupots17(rng: np.random.Generator) -> None:
    joints = rng.normal(size=(2, 13, 3))
    result = to_mupots17(joints, LCR13)
    for joint in LCR13.joints:
        np.testing.assert_array_equal(result[:, MUPOTS17.index(joint)], joints[:, LCR13.index(joint)])
    hips, shoulders = (joints[:, LCR13.indices(f"left_{j}", f"right_{j}")].mean(1) for j in ("hip", "shoulder"))
    np.testing.assert_allclose(result[:, MUPOTS17.index("pelvis")], hips)
    np.testing.assert_allclose(result[:, MUPOTS17.index("neck")], shoulders)
    np.testing.assert_allclose(result[:, MUPOTS17.index("spine")], (hips + shoulders) / 2)
    assert np.isfinite(result).all()
    own = rng.normal(size=(2, 17, 2))
    np.testing.assert_array_equal(to_mupots17(own, MUPOTS17), own)
