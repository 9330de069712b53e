"""IDF1 and HOTA against TrackEval, py-motmetrics and their definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from anchorpose.evaluation.identity import ALPHAS, Hota, Identity, hota, identity
from anchorpose.evaluation.tracking import Frame
from tests.evaluation.tracks import sequence

EMPTY = Frame(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 0)))
KINDS = {
    "random": lambda rng: sequence(rng),
    "with empty frames": lambda rng: [EMPTY, *sequence(rng), EMPTY],
    "ties": lambda rng: [Frame(f.truth_ids, f.ids, np.round(f.similarity, 1)) for f in sequence(rng)],
    "no predictions": lambda rng: [Frame(f.truth_ids, f.ids[:0], f.similarity[:, :0]) for f in sequence(rng)],
    "nobody there": lambda rng: [Frame(f.truth_ids[:0], f.ids, f.similarity[:0]) for f in sequence(rng)],
}


def for_trackeval(frames):
    truth, ids = (sorted({i for f in frames for i in getattr(f, name).tolist()}) for name in ("truth_ids", "ids"))
    return {
        "gt_ids": [np.array([truth.index(i) for i in f.truth_ids], int) for f in frames],
        "tracker_ids": [np.array([ids.index(i) for i in f.ids], int) for f in frames],
        "similarity_scores": [f.similarity for f in frames], "num_timesteps": len(frames),
        "num_gt_ids": len(truth), "num_tracker_ids": len(ids), "num_gt_dets": sum(len(f.truth_ids) for f in frames),
        "num_tracker_dets": sum(len(f.ids) for f in frames),
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_hota_is_trackevals(kind, seed):
    metrics = pytest.importorskip("trackeval.metrics")
    frames = KINDS[kind](np.random.default_rng(seed))
    wanted, found = metrics.HOTA().eval_sequence(for_trackeval(frames)), hota(frames)
    for name in ("hota", "deta", "assa"):
        field = {"hota": "HOTA", "deta": "DetA", "assa": "AssA"}[name]
        np.testing.assert_allclose(getattr(found, name), wanted[field], atol=1e-12)
    hit = found.true_positives > 0
    np.testing.assert_allclose(found.loca[hit], wanted["LocA"][hit], atol=1e-12)
    np.testing.assert_array_equal(found.false_positives, wanted["HOTA_FP"])
    assert np.isnan(found.loca[~hit]).all()


def test_sequences_add_up_as_in_trackeval():
    metrics = pytest.importorskip("trackeval.metrics")
    sequences = [sequence(np.random.default_rng(seed), people=3 + seed) for seed in range(3)]
    each = {str(k): metrics.HOTA().eval_sequence(for_trackeval(frames)) for k, frames in enumerate(sequences)}
    wanted = metrics.HOTA().combine_sequences(each)
    first, *rest = map(hota, sequences)
    found = sum(rest, first)
    for name, field in (("hota", "HOTA"), ("deta", "DetA"), ("assa", "AssA"), ("loca", "LocA")):
        np.testing.assert_allclose(getattr(found, name), wanted[field], atol=1e-12)
    each = {str(k): metrics.Identity().eval_sequence(for_trackeval(frames)) for k, frames in enumerate(sequences)}
    assert sum(map(identity, sequences), Identity()).idf1 == pytest.approx(
        metrics.Identity().combine_sequences(each)["IDF1"], abs=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_identity_is_trackevals_and_motmetrics(kind, seed):
    metrics = pytest.importorskip("trackeval.metrics")
    frames = KINDS[kind](np.random.default_rng(seed))
    found, wanted = identity(frames), metrics.Identity().eval_sequence(for_trackeval(frames))
    assert (found.true_positives, found.false_positives, found.false_negatives) == tuple(
        wanted[name] for name in ("IDTP", "IDFP", "IDFN")
    )
    motmetrics = pytest.importorskip("motmetrics")
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for f in frames:
        accumulator.update(f.truth_ids, f.ids, np.where(f.similarity >= 0.5, 1 - f.similarity, np.nan))
    names = ["idtp", "idfp", "idfn"]
    counts = motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0]
    assert [found.true_positives, found.false_positives, found.false_negatives] == [counts[name] for name in names]


def slow_hota(frames, alpha):
    """HOTA, DetA, AssA as the paper writes them, by trying every assignment of a frame."""
    pairs, soft = {}, {}
    seen_truth = [i for f in frames for i in f.truth_ids.tolist()]
    seen = [i for f in frames for i in f.ids.tolist()]
    for f in frames:
        for a, i in enumerate(f.truth_ids.tolist()):
            for b, k in enumerate(f.ids.tolist()):
                s = f.similarity[a, b]
                soft[i, k] = soft.get((i, k), 0) + s / (f.similarity[a].sum() + f.similarity[:, b].sum() - s)
    fit = {(i, k): v / (seen_truth.count(i) + seen.count(k) - v) for (i, k), v in soft.items()}
    true_positives = 0
    for f in frames:
        m, n = f.similarity.shape
        value = (
            np.array([[fit[i, k] for k in f.ids.tolist()] for i in f.truth_ids.tolist()]).reshape(m, n) * f.similarity
        )
        every = [list(zip(rows, columns, strict=True)) for rows in permutations(range(m), min(m, n))
                 for columns in [range(n)] if n <= m]  # fmt: skip
        every += [list(zip(range(m), columns, strict=True)) for columns in permutations(range(n), m) if m < n]
        best = max(every, key=lambda links: sum(value[a, b] for a, b in links))
        for a, b in best:
            if f.similarity[a, b] >= alpha - 1e-15:
                pair = int(f.truth_ids[a]), int(f.ids[b])
                pairs[pair] = pairs.get(pair, 0) + 1
                true_positives += 1
    association = sum(c * c / (seen_truth.count(i) + seen.count(k) - c) for (i, k), c in pairs.items())
    deta = true_positives / (len(seen_truth) + len(seen) - true_positives)
    assa = association / max(true_positives, 1)
    return (deta * assa) ** 0.5, deta, assa


@pytest.mark.parametrize("seed", range(4))
def test_hota_is_its_definition(seed):
    frames = sequence(np.random.default_rng(seed), frames=8, people=2)
    found = hota(frames)
    for k in (0, 9, 17):
        np.testing.assert_allclose([found.hota[k], found.deta[k], found.assa[k]], slow_hota(frames, ALPHAS[k]),
                                   atol=1e-12)  # fmt: skip


def test_perfect_tracks_split_in_two():
    """One track of 10 frames under two names, 5 each: every frame is found, the association is a half."""
    whole = [Frame(np.array([1]), np.array([5]), np.ones((1, 1))) for _ in range(10)]
    np.testing.assert_array_equal(hota(whole).hota, 1)
    assert identity(whole).idf1 == 1
    split = whole[:5] + [Frame(f.truth_ids, np.array([6]), f.similarity) for f in whole[5:]]
    np.testing.assert_array_equal(hota(split).deta, 1)
    np.testing.assert_allclose(hota(split).assa, 0.5)
    assert identity(split) == Identity(5, 5, 5)


@pytest.mark.parametrize("seed", range(3))
def test_invariances(seed):
    """Names, order of people and order of frames do not matter; swapping the sides swaps the errors."""
    rng = np.random.default_rng(seed)
    frames = sequence(rng)
    found, names = hota(frames), rng.permutation(1000)
    shuffled = []
    for k in rng.permutation(len(frames)):
        f = frames[k]
        a, b = rng.permutation(len(f.truth_ids)), rng.permutation(len(f.ids))
        shuffled.append(Frame(names[f.truth_ids[a]], names[f.ids[b]], f.similarity[np.ix_(a, b)]))
    np.testing.assert_allclose(hota(shuffled).hota, found.hota)
    assert identity(shuffled) == identity(frames)
    turned = [Frame(f.ids, f.truth_ids, f.similarity.T) for f in frames]
    np.testing.assert_allclose(hota(turned).hota, found.hota)
    np.testing.assert_array_equal(hota(turned).false_positives, found.false_negatives)


def test_nobody_and_nan():
    for frames in ([], [EMPTY]):
        result: Hota = hota(frames)
        assert np.isnan(result.hota).all()
        assert np.isnan(identity(frames).idf1)
    blind = [Frame(np.arange(2), np.arange(2), np.full((2, 2), np.nan))]
    np.testing.assert_array_equal(hota(blind).hota, 0)
    assert identity(blind) == Identity(0, 2, 2)
