from __future__ import annotations

import contextlib
import copy
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from anchorpose.core.skeleton import BODY12, COCO17
from anchorpose.evaluation.annotations import load_annotations
from anchorpose.evaluation.keypoints import (
    AveragePrecision,
    Detections,
    Truth,
    oks,
    oks_average_precision,
    oks_average_precision_by_area,
    pck,
    torso_diameter,
)
from tests.evaluation.fakes import annotation, coco, person, scene, write


def reference(data: dict, found: dict, joints: tuple[str, ...] | None = None) -> list[float]:
    """pycocotools' AP, AP50, AP75, AR."""
    figures = all_figures(data, found, joints)
    return [figures[i] for i in (0, 1, 2, 5)]


def all_figures(data: dict, found: dict, joints: tuple[str, ...] | None = None) -> list[float]:
    """pycocotools' AP, AP50, AP75, AP medium, AP large, then AR of the same; -1 where nobody counts."""
    data = copy.deepcopy(data)
    if joints is not None:
        outside = [i for i, name in enumerate(COCO17.joints) if name not in joints]
        for a in data["annotations"]:
            keypoints = np.array(a["keypoints"]).reshape(-1, 3)
            keypoints[outside] = 0
            a["keypoints"], a["num_keypoints"] = keypoints.ravel().tolist(), int((keypoints[:, 2] > 0).sum())
    results = [{"image_id": image, "category_id": 1, "score": float(score),
                "keypoints": np.concatenate([xy, np.ones((len(xy), 1))], 1).ravel().tolist()}
               for image, (people, scores) in found.items()
               for xy, score in zip(people, scores, strict=True)]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = data
        truth.createIndex()
        if results:
            detections = truth.loadRes(results)
        else:  # loadRes cannot take an empty list
            detections = COCO()
            detections.dataset = {**data, "annotations": []}
            detections.createIndex()
        evaluation = COCOeval(truth, detections, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def as_inputs(folder: Path, data: dict, found: dict) -> tuple[Sequence[Truth], list[Detections]]:
    annotations = load_annotations(write(folder, data))
    nobody = (np.zeros((0, 17, 2)), np.zeros(0))
    return annotations.people, [Detections(*found.get(image.id, nobody)) for image in annotations.images]


def ours(folder: Path, data: dict, found: dict, joints: tuple[str, ...] | None = None) -> AveragePrecision:
    truths, detections = as_inputs(folder, data, found)
    return oks_average_precision(truths, detections, COCO17, joints)


def assert_equal(folder: Path, data: dict, found: dict, joints: tuple[str, ...] | None = None) -> list[float]:
    expected = reference(data, found, joints)
    result = ours(folder, data, found, joints)
    values = [result.ap, result.ap50, result.ap75, result.ar]
    assert [-1 if math.isnan(v) else v for v in values] == pytest.approx(expected, abs=1e-6)
    return expected


@pytest.mark.parametrize("joints", [None, BODY12], ids=["all", "body12"])
@pytest.mark.parametrize("seed", range(25))
def test_equals_pycocotools_on_random_scenes(tmp_path: Path, seed: int, joints: tuple[str, ...] | None) -> None:
    data, found = scene(np.random.default_rng(seed))
    assert_equal(tmp_path, data, found, joints)


def assert_all_figures_equal(folder: Path, data: dict, found: dict) -> list[float]:
    sizes = oks_average_precision_by_area(*as_inputs(folder, data, found))
    everyone, medium, large = sizes["all"], sizes["medium"], sizes["large"]
    values = [everyone.ap, everyone.ap50, everyone.ap75, medium.ap, large.ap,
              everyone.ar, everyone.ar50, everyone.ar75, medium.ar, large.ar]  # fmt: skip
    expected = all_figures(data, found)
    assert [-1 if math.isnan(v) else v for v in values] == pytest.approx(expected, abs=1e-6)
    return expected


def test_recall_and_sizes_equal_pycocotools_on_random_scenes(tmp_path: Path) -> None:
    figures = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        data, found = scene(rng)
        for a in data["annotations"]:  # small, medium and large people, some on the limits themselves
            a["area"] = float(rng.choice([0, 500, 32**2, 4000, 96**2, 20000, 1e10, 2e10]))
        scale = rng.choice([0.2, 1, 3])  # detections too fall inside and outside the ranges
        figures.append(assert_all_figures_equal(tmp_path, data, {i: (p * scale, s) for i, (p, s) in found.items()}))
    assert (np.max(figures, axis=0) > 0.1).all()


@pytest.mark.parametrize("area", [32**2, 96**2, 1e10, 1e10 + 1])
def test_the_limits_of_a_range_belong_to_it(tmp_path: Path, rng: np.random.Generator, area: float) -> None:
    joints = person(rng)
    data = coco(1, [annotation(1, 1, joints, np.ones(17, bool)) | {"area": area}])
    expected = assert_all_figures_equal(tmp_path, data, {1: (np.stack([joints, joints + 300]), np.array([0.5, 0.9]))})
    assert (expected[3] >= 0) == (area <= 96**2)
    assert (expected[4] >= 0) == (96**2 <= area <= 1e10)


def test_other_constants_equal_pycocotools_with_them(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sigmas = rng.uniform(0.02, 0.2, 17)
    data, found = scene(rng)
    result = oks_average_precision(*as_inputs(tmp_path, data, found), sigmas=sigmas)
    plain = oks_average_precision(*as_inputs(tmp_path, data, found))
    init = Params.setKpParams
    monkeypatch.setattr(Params, "setKpParams", lambda self: (init(self), setattr(self, "kpt_oks_sigmas", sigmas)))
    assert [result.ap, result.ap50, result.ap75, result.ar] == pytest.approx(reference(data, found), abs=1e-6)
    assert result.ap != plain.ap


@pytest.mark.slow
def test_5000_images_of_4_people_take_less_than_10_seconds(rng: np.random.Generator) -> None:
    truths, detections = [], []
    for _ in range(5000):
        people = rng.uniform(100, 500, (4, 1, 2)) + rng.normal(0, 25, (4, 17, 2))
        truths.append(truth_of(people))
        detections.append(Detections(people + rng.normal(0, 6, people.shape), rng.random(4)))
    start = time.process_time()  # what other processes take does not count
    result = oks_average_precision_by_area(truths, detections)
    seconds = time.process_time() - start
    print(f"{seconds:.1f} s")  # pytest -s shows it
    assert seconds < 10
    assert result["all"].people == 20_000
    assert 0.1 < result["all"].ap < 0.9


def test_random_scenes_are_neither_all_right_nor_all_wrong() -> None:
    values = [reference(*scene(np.random.default_rng(seed)))[0] for seed in range(10)]
    assert 0.05 < np.mean(values) < 0.95


def test_equals_pycocotools_where_everything_ties(tmp_path: Path, rng: np.random.Generator) -> None:
    """The same person twice, the same detections with one score: only the order decides."""
    joints, visible = person(rng), np.ones(17, bool)
    data = coco(2, [annotation(i + 1, 1 + i // 3, joints + (i % 3) // 2, visible) for i in range(6)])
    found = {image: (np.stack([joints, joints, joints + 1, joints + 9]), np.full(4, 0.5)) for image in (1, 2)}
    assert 0 < assert_equal(tmp_path, data, found)[0] < 1


def test_only_the_best_20_detections_of_an_image_count(tmp_path: Path, rng: np.random.Generator) -> None:
    joints = person(rng)
    data = coco(1, [annotation(1, 1, joints, np.ones(17, bool))])
    wrong = np.stack([joints + 400] * 24)
    late, early = np.linspace(1, 0.5, 25), np.linspace(0.5, 1, 25)
    people = np.concatenate([wrong, joints[None]])
    assert assert_equal(tmp_path, data, {1: (people, late)})[3] == 0
    assert assert_equal(tmp_path, data, {1: (people, early)})[3] == 1


def test_a_crowd_takes_any_number_of_detections_and_an_unlabelled_person_takes_one(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    joints, counted = person(rng, centre=(200, 200)), person(rng, centre=(500, 500))
    for crowd in (True, False):
        data = coco(1, [annotation(1, 1, joints, np.zeros(17, bool), crowd),
                        annotation(2, 1, counted, np.ones(17, bool))])  # fmt: skip
        found = {1: (np.stack([joints, joints, joints, counted]), np.array([0.9, 0.8, 0.7, 0.6]))}
        ap = assert_equal(tmp_path, data, found)[0]
        assert ap == pytest.approx(1) if crowd else ap < 0.5


def test_a_labelled_crowd_is_ignored(tmp_path: Path, rng: np.random.Generator) -> None:
    joints = person(rng)
    data = coco(1, [annotation(1, 1, joints, np.ones(17, bool), True), annotation(2, 1, joints, np.ones(17, bool))])
    # Two of the three people found are that crowd's: neither right nor wrong.
    assert assert_equal(tmp_path, data, {1: (np.stack([joints] * 3), np.array([0.9, 0.8, 0.7]))}) == pytest.approx(
        [1] * 4
    )


@pytest.mark.parametrize("case", ["no detections", "no people", "nothing", "only ignored", "no match", "huge"])
def test_equals_pycocotools_at_the_edges(tmp_path: Path, rng: np.random.Generator, case: str) -> None:
    joints = person(rng)
    labelled = np.zeros(17, bool) if case == "only ignored" else np.ones(17, bool)
    people = [] if case in ("no people", "nothing") else [annotation(1, 1, joints, labelled)]
    found = {} if case in ("no detections", "nothing") else {1: (joints[None], np.array([0.5]))}
    if case == "no match":
        found = {1: (joints[None] + 1000, np.array([0.5]))}
    if case == "huge":  # beyond COCO's largest area an unmatched detection is no false one
        found = {1: (np.stack([joints * 1e4, joints]), np.array([0.9, 0.5]))}
    assert_equal(tmp_path, coco(2, people), found)


def test_joints_without_prediction_count_as_wrong(rng: np.random.Generator) -> None:
    joints = person(rng)
    truth = truth_of(joints[None])
    half = joints.copy()
    half[:8] = np.nan
    assert oks(half[None], truth, COCO17.sigmas)[0, 0] == pytest.approx(9 / 17)
    assert oks(np.full((1, 17, 2), np.nan), truth, COCO17.sigmas)[0, 0] == 0


def test_a_person_without_area_matches_only_exactly(rng: np.random.Generator) -> None:
    joints = person(rng)
    truth = truth_of(joints[None], area=0)
    assert oks(np.stack([joints, joints + 1]), truth, COCO17.sigmas)[:, 0].tolist() == pytest.approx([1, 0])


def truth_of(joints: np.ndarray, area: float = 5000) -> Truth:
    n = len(joints)
    boxes = np.concatenate([joints.min(1), joints.max(1)], axis=1)
    none = np.zeros(n, bool)
    return Truth(joints, np.ones(joints.shape[:2], bool), boxes, np.full(n, float(area)), none, none)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.05, 20), dx=st.floats(-500, 500), labelled=st.booleans())
def test_oks_does_not_depend_on_place_scale_and_order(seed: int, scale: float, dx: float, labelled: bool) -> None:
    rng = np.random.default_rng(seed)
    people = np.stack([person(rng) for _ in range(3)])
    guesses = people[[0, 0, 1, 2]] + rng.normal(0, 9, (4, 17, 2))
    base = truth_of(people)
    moved = truth_of(people * scale + dx, 5000 * scale**2)
    if not labelled:
        base, moved = base.only(np.array([], np.intp)), moved.only(np.array([], np.intp))
    expected = oks(guesses, base, COCO17.sigmas)
    np.testing.assert_allclose(oks(guesses * scale + dx, moved, COCO17.sigmas), expected, atol=1e-6)
    assert ((expected >= 0) & (expected <= 1 + 1e-12)).all()
    np.testing.assert_array_equal(oks(guesses[::-1], base, COCO17.sigmas), expected[::-1])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_ap_does_not_depend_on_the_order_of_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = np.stack([person(rng) for _ in range(5)])
    guesses, scores = people[[0, 1, 2, 2, 4]] + rng.normal(0, 5, (5, 17, 2)), rng.permutation(5) / 5
    order = rng.permutation(5)
    a = oks_average_precision([truth_of(people)], [Detections(guesses, scores)])
    b = oks_average_precision([truth_of(people[order])], [Detections(guesses[order], scores[order])])
    assert a == b


def test_perfect_predictions_reach_one(rng: np.random.Generator) -> None:
    people = np.stack([person(rng) for _ in range(4)])
    result = oks_average_precision([truth_of(people)], [Detections(people, np.arange(4.0))])
    assert (result.ap, result.ap50, result.ar, result.people) == (pytest.approx(1), pytest.approx(1), 1, 4)


def slow_pck(pred: np.ndarray, truth: np.ndarray, visible: np.ndarray, size: np.ndarray, threshold: float) -> list:
    rates = []
    for j in range(pred.shape[1]):
        hits = [math.dist(pred[i, j], truth[i, j]) <= threshold * size[i]
                for i in range(len(pred)) if visible[i, j] and size[i] > 0]  # fmt: skip
        rates.append(sum(hits) / len(hits) if hits else math.nan)
    return rates


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 6))
def test_pck_equals_a_slow_restatement(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 50, (n, 5, 2))
    pred = truth + rng.normal(0, 10, truth.shape)
    pred[rng.random((n, 5)) < 0.2] = np.nan
    visible = rng.random((n, 5)) < 0.5
    size = rng.choice([0, np.nan, 40, 80], n).astype(float)
    result = pck(pred, truth, visible, size, 0.2)
    expected = slow_pck(pred, truth, visible, size, 0.2)
    np.testing.assert_allclose(result.per_joint, expected)
    known = [rate for rate in expected if not math.isnan(rate)]
    assert result.mean == pytest.approx(np.mean(known) if known else math.nan, nan_ok=True)


def test_pck_includes_the_limit() -> None:
    truth = np.zeros((1, 2, 2))
    pred = np.array([[[20.0, 0], [20.001, 0]]])
    assert pck(pred, truth, np.ones((1, 2), bool), np.array([100.0]), 0.2).per_joint.tolist() == [1, 0]


def test_torso_falls_back_from_diagonal_to_side_to_nothing(rng: np.random.Generator) -> None:
    joints = person(rng)
    ls, rs, lh, rh = COCO17.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    pairs = {(ls, rh, rs, lh): (ls, rh), (rs, lh, rh): (rs, lh), (ls, lh): (ls, lh), (rs, rh): (rs, rh), (ls, rs): None}
    for labelled, pair in pairs.items():
        visible = np.zeros((1, 17), bool)
        visible[0, list(labelled)] = True
        found = torso_diameter(joints[None], visible, COCO17)[0]
        assert math.isnan(found) if pair is None else found == pytest.approx(math.dist(*joints[list(pair)]))
