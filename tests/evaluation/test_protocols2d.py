"""Perfect predictions have the perfect score, known errors the one that is counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import CROWDPOSE14, LCR13, MPII16, POSETRACK15, POSETRACK17, Skeleton
from anchorpose.evaluation.annotations import Annotations, ImageEntry
from anchorpose.evaluation.crowdpose import crowdpose_average_precision
from anchorpose.evaluation.keypoints import Detections, Truth
from anchorpose.evaluation.protocols2d import (
    evaluate_crowdpose,
    evaluate_mpii_multi,
    evaluate_mpii_single,
    evaluate_posetrack,
)
from anchorpose.evaluation.truth import Benchmark
from tests.evaluation.fakes import poses

HEAD = 20.0
COLUMNS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def people(rng, skeleton, count, spread=400.0):
    """(count, J, 2) people far apart: each joint is many head sizes from every other one."""
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(4)), axis=-1).reshape(-1, 2)[: len(skeleton)] * 100.0
    # Quarters of a pixel, which float32 holds exactly.
    jitter = rng.integers(-20, 20, (count, len(skeleton), 2)) / 4
    return grid + jitter + spread * np.arange(count)[:, None, None] * [2, 0]


def benchmark(rng, skeleton, images=3, count=2, separated=True, **changes):
    joints = [people(rng, skeleton, count) for _ in range(images)]
    visible = [np.ones((count, len(skeleton)), bool) for _ in range(images)]
    no = np.zeros(count, bool)
    truths = tuple(Truth(j, v, np.concatenate([j.min(1), j.max(1)], 1), np.full(count, 9e4), no, no)
                   for j, v in zip(joints, visible, strict=True))  # fmt: skip
    entries = tuple(ImageEntry(i, f"{i}.jpg", 0, 0) for i in range(images))
    values = {
        "head_sizes": (np.full(count, HEAD),) * images, "separated": (np.full(count, separated),) * images,
        "track_ids": (np.arange(count),) * images, "sequences": ("a",) * images, "frames": np.arange(images),
        "crowd_indices": np.linspace(0, 1, images), "ignore_regions": ((),) * images,
    }  # fmt: skip
    return Benchmark(Annotations(skeleton, entries, truths), **(values | changes))


def perfect(bench, skeleton=None, tracks=True):
    result = {}
    for i, (image, truth) in enumerate(zip(bench.annotations.images, bench.annotations.people, strict=True)):
        own = poses(truth.joints, skeleton=bench.annotations.skeleton)
        own = own if skeleton is None else own.to_skeleton(skeleton)
        result[image.file_name] = replace(own, track_ids=bench.track_ids[i] if tracks else None)
    return result


def moved(predictions, joint, by, rows=slice(None), only=None):
    """Predictions with a joint moved by (x, y) pixels, in one image or in all."""
    result = dict(predictions)
    for name, own in predictions.items():
        if only in (None, name):
            joints = own.joints2d.copy()
            joints[rows, own.skeleton.index(joint)] += np.asarray(by, np.float32)
            result[name] = replace(own, joints2d=joints)
    return result


def nobody(predictions, name):
    own = predictions[name]
    return predictions | {name: Poses.empty(own.camera, own.skeleton)}


# --- MPII, single people


@pytest.mark.parametrize("skeleton", [None, LCR13], ids=["MPII16", "LCR13"])
def test_perfect_single_people(rng, skeleton):
    bench = benchmark(rng, MPII16)
    table = evaluate_mpii_single(bench, perfect(bench, skeleton))
    assert {table[name] for name in (*COLUMNS, "PCKh@0.5")} == {100.0}
    assert table["AUC"] == pytest.approx(100)
    assert (table["images"], table["people"], table["not_found"]) == (3, 6, 0)
    # Without pelvis and thorax; LCR13 has no neck either.
    assert table["joints"] == (14 if skeleton is None else 13)


def test_pckh_by_hand(rng):
    bench = benchmark(rng, MPII16)
    # One of 2 x 6 wrists is a pixel too far, one is at the limit, which is right.
    off = moved(perfect(bench), "left_wrist", (HEAD / 2 + 1, 0), rows=[0], only="0.jpg")
    off = moved(off, "right_wrist", (0, HEAD / 2), rows=[1], only="1.jpg")
    table = evaluate_mpii_single(bench, off)
    assert table["wrist"] == pytest.approx(100 * 11 / 12)
    assert {table[name] for name in COLUMNS if name != "wrist"} == {100.0}
    assert (table["PCKh@0.5"], table["PCKh@1"]) == (pytest.approx(100 * (1 - 1 / (6 * 14))), 100)
    far = evaluate_mpii_single(bench, moved(off, "left_knee", (HEAD + 1, 0), rows=[0], only="2.jpg"))
    assert far["PCKh@1"] == pytest.approx(100 * (1 - 1 / (6 * 14)))
    # Every joint a quarter of a head size off: right from 0.25 on, half of the curve from 0 to 0.5.
    shifted = perfect(bench)
    for joint in MPII16.joints:
        shifted = moved(shifted, joint, (HEAD / 4, 0))
    assert evaluate_mpii_single(bench, shifted)["AUC"] == pytest.approx(50, abs=1.01)


def test_whom_single_people_measures(rng):
    alone = np.array([True, False])
    bench = benchmark(rng, MPII16, separated=alone, head_sizes=(np.full(2, HEAD), np.full(2, np.nan), np.full(2, HEAD)))
    table = evaluate_mpii_single(bench, perfect(bench))
    assert (table["people"], table["left_out"]) == (2, 1)
    # Who does not stand apart may be missed or doubled without harm.
    predictions = {name: own[[0, 0, 0]] for name, own in perfect(bench).items()}
    assert evaluate_mpii_single(bench, predictions) == table
    table = evaluate_mpii_single(bench, nobody(perfect(bench), "2.jpg"))
    assert (table["PCKh@0.5"], table["not_found"]) == (pytest.approx(50), 1)


# --- MPII, groups


def test_perfect_groups(rng):
    bench = benchmark(rng, MPII16, separated=False)
    table = evaluate_mpii_multi(bench, perfect(bench))
    assert {table[name] for name in (*COLUMNS, "AP")} == {100.0}
    assert (table["groups"], table["people"], table["joints"]) == (3, 6, 14)
    assert evaluate_mpii_multi(benchmark(rng, MPII16), perfect(bench))["AP"] is None  # everybody stands apart


def test_multi_ap_by_hand(rng):
    bench = benchmark(rng, MPII16, images=1, separated=False)
    own = perfect(bench)["0.jpg"]
    # The better scored person's ankles are wrong: the first of two detections misses, precision 1/2 at recall 1/2.
    scored = replace(own, scores=np.array([0.9, 0.1], np.float32))
    table = evaluate_mpii_multi(bench, moved({"0.jpg": scored}, "left_ankle", (0, 0.6 * HEAD), rows=[0]))
    assert table["ankle"] == pytest.approx((100 + 100 * 0.5 * 0.5) / 2)
    assert (table["AP"], table["AP@1"]) == (pytest.approx((13 * 100 + 25) / 14), 100)
    # By the joints' own scores the wrong one can be last.
    own_scores = np.repeat(np.array([[0.1], [0.9]], np.float32), 16, axis=1)
    ranked = {"0.jpg": replace(scored, joint_scores=own_scores)}
    table = evaluate_mpii_multi(bench, moved(ranked, "left_ankle", (0, 55), rows=[0]), "joint")
    assert table["ankle"] == pytest.approx(75)


def test_people_outside_the_group_are_not_wrong(rng):
    bench = benchmark(rng, MPII16, images=1, separated=False)
    own = perfect(bench)["0.jpg"]
    joints = np.concatenate([own.joints2d, own.joints2d[:1] - 5000, own.joints2d[:1] + 30])
    predictions = {"0.jpg": poses(joints[:3], [0.5, 0.4, 0.9], MPII16)}
    assert evaluate_mpii_multi(bench, predictions)["AP"] == 100
    predictions = {"0.jpg": poses(joints[[0, 1, 3]], [0.5, 0.4, 0.9], MPII16)}
    # Precision is 1/2 and 2/3 at the recalls 1/2 and 1, so 2/3 throughout.
    assert evaluate_mpii_multi(bench, predictions)["AP"] == pytest.approx(100 * 2 / 3)


# --- CrowdPose


def test_crowdpose_is_the_metric_over_the_joints_of_both(rng):
    bench = benchmark(rng, CROWDPOSE14)
    table = evaluate_crowdpose(bench, perfect(bench))
    assert [table[name] for name in ("AP", "AP50", "AP75", "AR", "easy", "medium", "hard")] == pytest.approx([100] * 7)
    assert (table["joints"], table["people"]) == (14, 6)
    assert [table[f"images {name}"] for name in ("easy", "medium", "hard")] == [1, 1, 1]
    table = evaluate_crowdpose(bench, nobody(perfect(bench, LCR13), "2.jpg"))
    assert (table["joints"], table["hard"], table["easy"]) == (13, 0, pytest.approx(100))
    noisy = {name: replace(own, joints2d=own.joints2d + rng.normal(0, 25, own.joints2d.shape).astype(np.float32))
             for name, own in perfect(bench).items()}  # fmt: skip
    result = crowdpose_average_precision(
        bench.annotations.people, [Detections(p.joints2d, p.scores) for p in noisy.values()], bench.crowd_indices,
        CROWDPOSE14,
    )  # fmt: skip
    assert 0 < result.everything.ap < 1
    assert evaluate_crowdpose(bench, noisy)["AP"] == pytest.approx(100 * result.everything.ap)


# --- PoseTrack


def test_perfect_posetrack(rng):
    bench = benchmark(rng, POSETRACK17)
    table = evaluate_posetrack(bench, perfect(bench))
    for figure in ("AP", "MOTA"):
        assert {table[name] for name in (figure, *(f"{figure} {c}" for c in COLUMNS))} == {100.0}
    assert (table["sequences"], table["frames"], table["people"], table["joints"]) == (1, 3, 6, 15)
    untracked = evaluate_posetrack(bench, perfect(bench, tracks=False))
    assert (untracked["AP"], untracked["MOTA"], untracked["MOTA head"]) == (100.0, None, None)
    assert evaluate_posetrack(bench, perfect(bench, LCR13))["MOTA"] == 100


def test_mota_by_hand(rng):
    bench = benchmark(rng, POSETRACK17, images=5)
    own = perfect(bench)
    # The two swap identities from the third frame on; the last frame does not count.
    swapped = own | {f"{i}.jpg": replace(own[f"{i}.jpg"], track_ids=np.array([1, 0])) for i in (2, 3, 4)}
    table = evaluate_posetrack(bench, swapped)
    assert table["MOTA"] == pytest.approx(100 * (1 - 2 / 8))
    assert table["AP"] == 100
    # A wrist that is off in one of the four frames is a miss and a false positive of one of 2 x 8 wrists.
    table = evaluate_posetrack(bench, moved(own, "left_wrist", (0, HEAD), rows=[0], only="1.jpg"))
    assert table["MOTA wrist"] == pytest.approx(100 * (1 - 2 / 8 / 2))
    assert table["MOTA"] == pytest.approx(100 * (1 - 2 / 8 / 15))
    # The order of time is that of `frames`, whatever the ids.
    turned = replace(bench, frames=np.array([4, 3, 2, 1, 0]))
    assert evaluate_posetrack(turned, swapped)["MOTA"] == pytest.approx(100 * (1 - 2 / 8))
    last = own | {"4.jpg": replace(own["4.jpg"], track_ids=np.array([1, 0]))}
    assert evaluate_posetrack(bench, last)["MOTA"] == 100
    assert evaluate_posetrack(turned, last)["MOTA"] == pytest.approx(75)


def test_ignore_regions_take_joints_from_both_sides(rng):
    bench = benchmark(rng, POSETRACK17, images=2)
    wrist = POSETRACK17.index("left_wrist")
    x, y = bench.annotations.people[0].joints[1, wrist]
    square = np.array([[x - 30, y - 30], [x + 30, y - 30], [x + 30, y + 30], [x - 30, y + 30]])
    ignoring = replace(bench, ignore_regions=((square,), ()))
    wrong = moved(perfect(bench), "left_wrist", (25, 0), rows=[1], only="0.jpg")
    assert evaluate_posetrack(bench, wrong)["MOTA wrist"] == pytest.approx(50)
    assert evaluate_posetrack(ignoring, wrong)["MOTA wrist"] == 100
    # Outside of the region the joint counts.
    far = moved(perfect(bench), "left_wrist", (35, 0), rows=[1], only="0.jpg")
    assert evaluate_posetrack(ignoring, far)["MOTA wrist"] == pytest.approx(50)  # 1 of 1 left wrists, and a false one


def test_people_without_head_or_track(rng):
    heads = (np.array([HEAD, np.nan]), np.full(2, HEAD))
    bench = benchmark(rng, POSETRACK17, images=2, head_sizes=heads, track_ids=(np.array([0, 1]), np.array([-1, -1])))
    table = evaluate_posetrack(bench, {k: v[[0]] for k, v in perfect(bench).items()})
    assert (table["people"], table["left_out"]) == (3, 1)
    assert table["MOTA"] == 100  # only the first frame counts, and there only the person with a head


# --- all of them


@pytest.mark.parametrize(("evaluate", "skeleton"), [
    (evaluate_mpii_single, MPII16), (evaluate_mpii_multi, MPII16), (evaluate_crowdpose, CROWDPOSE14),
    (evaluate_posetrack, POSETRACK17),
])  # fmt: skip
def test_the_order_of_people_does_not_matter_and_nobody_is_no_crash(rng, evaluate, skeleton):
    bench = benchmark(rng, skeleton, separated=evaluate is evaluate_mpii_single)
    noisy = {}
    for name, own in perfect(bench).items():
        noise = rng.normal(0, 8, own.joints2d.shape).astype(np.float32)
        noisy[name] = replace(own, joints2d=own.joints2d + noise, scores=rng.random(2).astype(np.float32))
    wanted = evaluate(bench, noisy)
    turned = evaluate(bench, {name: own[[1, 0]] for name, own in noisy.items()})
    assert turned == {name: None if value is None else pytest.approx(value) for name, value in wanted.items()}
    assert all(value is None or np.isfinite(value) for value in wanted.values())
    empty = evaluate(bench, {name: Poses.empty(own.camera, own.skeleton) for name, own in noisy.items()})
    figures = [v for k, v in empty.items() if isinstance(v, float)]
    assert figures
    assert set(figures) == {0.0}
    with pytest.raises(InputError, match="no predictions for 1 of 3"):
        evaluate(bench, {k: v for k, v in noisy.items() if k != "1.jpg"})
    other = poses(np.zeros((1, 2, 2)), skeleton=Skeleton("other", ("wing", "tail")))
    with pytest.raises(InputError, match="no joint name in common"):
        evaluate(bench, dict.fromkeys(noisy, other))


def test_posetrack_wants_its_joints(rng):
    bench = benchmark(rng, MPII16)
    with pytest.raises(InputError, match="in the joints of MPII16, wanted PoseTrack's"):
        evaluate_posetrack(bench, perfect(bench))
    assert len(POSETRACK15) == 15
