"""CLEAR MOT against py-motmetrics and by its definition; PoseTrack's MOTA by joint."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.evaluation.tracking import Clear, Frame, PoseFrame, clear, posetrack
from tests.evaluation.tracks import pose_sequence, sequence


def by_motmetrics(frames):
    """Misses, false positives, switches, fragmentations, matches, summed distance."""
    motmetrics = pytest.importorskip("motmetrics")
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for frame in frames:
        distance = np.where(frame.similarity >= 0.5, 1 - frame.similarity, np.nan)
        accumulator.update(frame.truth_ids, frame.ids, distance)
    names = [
        "num_misses",
        "num_false_positives",
        "num_switches",
        "num_fragmentations",
        "num_detections",
        "mota",
        "motp",
    ]
    return motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0].to_dict()


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_motmetrics(seed):
    frames = sequence(np.random.default_rng(seed), frames=25)
    wanted, found = by_motmetrics(frames), clear(frames)
    assert found.misses == wanted["num_misses"]
    assert found.false_positives == wanted["num_false_positives"]
    assert found.switches == wanted["num_switches"]
    assert found.fragmentations == wanted["num_fragmentations"]
    assert found.matches == wanted["num_detections"]
    np.testing.assert_allclose([found.mota, 1 - found.motp], [wanted["mota"], wanted["motp"]], atol=1e-12)
    assert seed or (found.switches and found.fragmentations and found.misses and found.false_positives)


def test_perfect_tracks_and_renamed_ones():
    frames = [Frame(np.arange(3), np.arange(3) + 7, np.eye(3)) for _ in range(4)]
    assert clear(frames) == Clear(matches=12, similarity=12.0)
    swapped = [*frames[:2], *(replace(f, ids=f.ids[[1, 0, 2]]) for f in frames[2:])]
    assert clear(swapped).switches == 2
    assert clear(swapped).mota == 1 - 2 / 12


def test_a_match_is_kept_though_another_is_better():
    early = Frame(np.array([1]), np.array([5]), np.array([[0.9]]))
    late = Frame(np.array([1]), np.array([5, 6]), np.array([[0.5, 0.9]]))
    assert clear([early, late]).switches == 0
    worse = replace(late, similarity=np.array([[0.49, 0.9]]))
    assert clear([early, worse]).switches == 1


def test_switches_are_remembered_over_gaps():
    """Who was away and comes back under another identity is switched; being away is neither a miss nor a fragment."""
    match = Frame(np.array([1]), np.array([5]), np.array([[1.0]]))
    away = Frame(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 0)))
    missed = Frame(np.array([1]), np.zeros(0, int), np.zeros((1, 0)))
    back = replace(match, ids=np.array([6]))
    assert clear([match, away, away, back]) == Clear(matches=2, switches=1, similarity=2.0)
    assert clear([match, missed, away, missed, match]).fragmentations == 1
    assert clear([missed, match, missed]).fragmentations == 0


def test_as_many_as_possible_are_matched():
    """Greedily, 0.99 would leave the second person without anyone."""
    frame = Frame(np.array([1, 2]), np.array([5, 6]), np.array([[0.99, 0.6], [0.6, 0.1]]))
    assert clear([frame]).matches == 2


@pytest.mark.parametrize("seed", range(3))
def test_names_of_identities_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    frames = sequence(rng, frames=15)
    names = rng.permutation(1000)
    renamed = [Frame(names[f.truth_ids], names[f.ids + 200], f.similarity) for f in frames]
    assert clear(renamed) == clear(frames)


def test_nobody_and_nan():
    nobody = clear([])
    assert nobody == Clear()
    assert math.isnan(nobody.mota)
    assert math.isnan(nobody.motp)
    assert math.isnan(nobody.precision)
    blind = clear([Frame(np.arange(2), np.arange(2), np.full((2, 2), np.nan))])
    assert (blind.misses, blind.false_positives, blind.mota) == (2, 2, -1.0)
    assert blind.recall == 0


def test_mistakes_are_named():
    with pytest.raises(InputError, match="predicted identity 4 twice"):
        Frame(np.array([1]), np.array([4, 4]), np.zeros((1, 2)))
    with pytest.raises(InputError, match="annotated identity 1 twice"):
        Frame(np.array([1, 1]), np.array([4]), np.zeros((2, 1)))
    with pytest.raises(InputError, match=r"shape \(2, 1\), wanted \(1, 2\)"):
        Frame(np.array([1]), np.array([4, 5]), np.zeros((2, 1)))
    with pytest.raises(InputError, match="no frame"):
        posetrack([[]])
    frame = pose_sequence(np.random.default_rng(0), 1)[0]
    with pytest.raises(InputError, match="head sizes"):
        replace(frame, head_sizes=np.ones(99)).of_joint(0)


def test_posetrack_is_motmetrics_joint_by_joint():
    """As poseval calls it: distances beyond half a head are NaN, the last frame is left out, counts are summed."""
    motmetrics = pytest.importorskip("motmetrics")
    rng = np.random.default_rng(3)
    sequences = [pose_sequence(rng, 12), pose_sequence(rng, 9)]
    found = posetrack(sequences)
    motas, motps = [], []
    for joint in range(sequences[0][0].truth.shape[1]):
        wrong = people = hits = 0
        distances = 0.0
        for frames in sequences:
            accumulator = motmetrics.MOTAccumulator(auto_id=True)
            for frame in frames[:-1]:
                a = [i for i in range(len(frame.truth)) if not np.isnan(frame.truth[i, joint]).any()]
                b = [k for k in range(len(frame.joints)) if not np.isnan(frame.joints[k, joint]).any()]
                distance = [[np.linalg.norm(frame.truth[i, joint] - frame.joints[k, joint]) / frame.head_sizes[i]
                             for k in b] for i in a]  # fmt: skip
                distance = np.array(distance).reshape(len(a), len(b))
                distance[distance > 0.5] = np.nan
                accumulator.update(frame.truth_ids[a], frame.ids[b], distance)
            names = ["num_misses", "num_switches", "num_false_positives", "num_objects", "num_detections", "motp"]
            counts = motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0].to_dict()
            wrong += counts["num_misses"] + counts["num_switches"] + counts["num_false_positives"]
            people += counts["num_objects"]
            hits += counts["num_detections"]
            distances += counts["num_detections"] * counts["motp"]
        motas.append(1 - wrong / people)
        motps.append(1 - distances / hits)
    np.testing.assert_allclose([joint.mota for joint in found.joints], motas, atol=1e-12)
    np.testing.assert_allclose([found.mota, found.motp], [np.mean(motas), np.mean(motps)], atol=1e-12)
    assert posetrack(sequences, drop_last_frame=False).joints[0].people > found.joints[0].people


def test_joints_that_nobody_has_are_left_out_of_the_mean():
    frames = pose_sequence(np.random.default_rng(1), 6)
    unlabelled = [replace(f, truth=np.where(np.arange(4)[:, None] == 2, np.nan, f.truth)) for f in frames]
    result = posetrack([unlabelled])
    assert math.isnan(result.joints[2].mota)
    assert result.mota == pytest.approx(np.mean([result.joints[j].mota for j in (0, 1, 3)]))


def test_who_has_no_head_size_cannot_be_matched():
    frame = PoseFrame(np.array([1, 2]), np.array([3]), np.zeros((2, 1, 2)), np.zeros((1, 1, 2)), np.array([np.nan, 0]))
    assert posetrack([[frame, frame]]).joints[0] == Clear(misses=2, false_positives=1)
