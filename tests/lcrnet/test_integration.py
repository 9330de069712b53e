"""PPI against the paper's text, restated in plain Python below."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core import boxes as box_ops
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.lcrnet.integration import (
    IntegrationOptions,
    People,
    Proposals,
    integrate,
    non_maximum_suppression,
)

K = 10
WIDTH, HEIGHT = 640, 480
LOWER = LCR13.indices("right_ankle", "left_ankle", "right_knee", "left_knee")
UPPER = [i for i in range(13) if i not in LOWER]
ALL = IntegrationOptions(min_score=1e-6, min_mode_score=0.0, min_person_score=0.0, max_hypotheses=1000)

seeds = st.integers(0, 2**32 - 1)
choices = st.builds(
    IntegrationOptions,
    iou_threshold=st.sampled_from([0.08, 0.3, 0.5]),
    distance3d=st.sampled_from([0.05, 0.1, 0.2, 0.4]),
    min_score=st.sampled_from([0.001, 0.2]),
    min_mode_score=st.sampled_from([0.0, 0.5]),
    min_person_score=st.sampled_from([0.0, 0.6]),
    lower_limb_weight=st.sampled_from([0.1, 0.5, 1.0]),
    max_hypotheses=st.sampled_from([0, 1, 100]),
    overlap=st.sampled_from(["iou", "upper_body_iou"]),
)


def crowd(seed: int, m: int = 40, people: int = 3, noise3d: float = 0.1) -> Proposals:
    """m proposals of a few people, some partly outside the image, each between two 3D poses so that modes share."""
    rng = np.random.default_rng(seed)
    who, between = rng.integers(0, people, m), rng.uniform(0, 1, (m, 1, 1))
    body2d = rng.uniform(0, 1, (people, 1, 2)) * [WIDTH, HEIGHT] + rng.normal(0, 50, (people, 13, 2))
    one_end, other_end = rng.normal(0, 0.4, (2, people, 13, 3))[:, who]
    joints3d = one_end + between * (other_end - one_end) + rng.normal(0, rng.uniform(0, noise3d), (m, 13, 3))
    joints3d -= body_centre(joints3d)[:, None]
    return Proposals(
        rng.uniform(0, 400, (m, 4)).astype(np.float32),
        rng.permutation(np.linspace(0.01, 0.99, m)).astype(np.float32),
        rng.integers(0, 2 * K, m),
        (body2d[who] + rng.normal(0, rng.uniform(0, 25), (m, 13, 2))).astype(np.float32),
        joints3d.astype(np.float32),
        rng.uniform(0, 1, (m, 13)).astype(np.float32),
    )


def one(score: float = 0.5, label: int = 0, shift: float = 0.0, **changes: Any) -> Proposals:
    """One proposal of a fixed body; `shift` metres moves one ankle so that D to the unmoved body is shift / 13."""
    rng = np.random.default_rng(5)
    joints3d = rng.normal(0, 0.4, (1, 13, 3))
    joints3d -= body_centre(joints3d)[:, None]
    joints3d[:, 0, 0] += shift
    joints2d = rng.uniform(100, 300, (1, 13, 2))
    arrays = {"boxes": np.zeros((1, 4)), "scores": np.array([score]), "labels": np.array([label]),
              "joints2d": joints2d, "joints3d": joints3d, "visibility": np.full((1, 13), 0.5)}  # fmt: skip
    return Proposals(**(arrays | changes))


def join(*parts: Proposals) -> Proposals:
    return Proposals(*(np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])))


# --- the paper's text, section 3.5, sentence by sentence and without arrays ---


def paper_box(joints: list[list[float]]) -> list[float]:
    xs = [min(max(x, 0.0), WIDTH) for x, _ in joints]
    ys = [min(max(y, 0.0), HEIGHT) for _, y in joints]
    return [min(xs), min(ys), max(xs), max(ys)]


def paper_iou(a: list[float], b: list[float]) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0.0) * max(h, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def paper_ppi(proposals: Proposals, o: IntegrationOptions) -> list[list[dict[str, Any]]]:
    """People, best first; each is a list of modes, best first."""
    s, labels = proposals.scores.tolist(), proposals.labels.tolist()
    p2, p3 = proposals.joints2d.tolist(), proposals.joints3d.tolist()
    seen = proposals.visibility.tolist()
    compared = range(13) if o.overlap == "iou" else UPPER
    box = [paper_box([pose[j] for j in compared]) for pose in p2]
    people = []
    left = [i for i in range(len(s)) if s[i] >= o.min_score]
    while left:
        top = max(left, key=lambda i: s[i])
        group = [i for i in left if i == top or paper_iou(box[top], box[i]) > o.iou_threshold]
        left = [i for i in left if i not in group]
        modes, uncovered = [], list(group)
        while uncovered:
            best = max(uncovered, key=lambda i: s[i])
            near = []
            for i in group:
                distance = sum(math.dist(p3[best][j], p3[i][j]) for j in range(13)) / 13
                if distance < o.distance3d:
                    near.append(i)
            uncovered = [i for i in uncovered if i not in near]
            modes.append(paper_average(near, s, labels, p2, p3, seen, o))
        modes.sort(key=lambda mode: -mode["score"])
        if modes[0]["score"] >= o.min_person_score:
            further = [mode for mode in modes[1:] if mode["score"] >= o.min_mode_score]
            people.append([modes[0], *further[: o.max_hypotheses]])
    return sorted(people, key=lambda modes: -modes[0]["score"])


def paper_average(
    near: list[int], s: list[float], labels: list[int], p2: Any, p3: Any, seen: Any, o: IntegrationOptions
) -> dict[str, Any]:
    mode: dict[str, Any] = {"score": sum(s[i] for i in near), "joints2d": [], "joints3d": [], "visibility": []}
    for j in range(13):
        w = {i: s[i] * (o.lower_limb_weight if j in LOWER and labels[i] >= K else 1.0) for i in near}
        total = sum(w.values())
        mode["joints2d"].append([sum(w[i] * p2[i][j][c] for i in near) / total for c in range(2)])
        mode["joints3d"].append([sum(w[i] * p3[i][j][c] for i in near) / total for c in range(3)])
        mode["visibility"].append(sum(w[i] * seen[i][j] for i in near) / total)
    torso = LCR13.indices("right_hip", "left_hip", "right_shoulder", "left_shoulder")
    centre = [sum(mode["joints3d"][j][c] for j in torso) / 4 for c in range(3)]
    mode["joints3d"] = [[joint[c] - centre[c] for c in range(3)] for joint in mode["joints3d"]]
    return mode


def assert_same(people: People, wanted: list[list[dict[str, Any]]]) -> None:
    assert len(people) == len(wanted) == len(people.hypotheses)
    for i, (first, *further) in enumerate(wanted):
        np.testing.assert_allclose(people.scores[i], first["score"], rtol=1e-5)
        np.testing.assert_allclose(people.joints2d[i], first["joints2d"], rtol=1e-6, atol=1e-4)
        np.testing.assert_allclose(people.joints3d[i], first["joints3d"], atol=1e-5)
        np.testing.assert_allclose(people.visibility[i], first["visibility"], atol=1e-5)
        modes = people.hypotheses[i]
        assert len(modes) == len(further)
        for k, mode in enumerate(further):
            np.testing.assert_allclose(modes.scores[k], mode["score"], rtol=1e-5)
            np.testing.assert_allclose(modes.joints2d[k], mode["joints2d"], rtol=1e-6, atol=1e-4)
            np.testing.assert_allclose(modes.joints3d[k], mode["joints3d"], atol=1e-5)


def assert_equal(a: People, b: People, atol: float = 1e-6) -> None:
    assert len(a) == len(b)
    for name in ("scores", "boxes", "joints2d", "joints3d", "visibility"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, atol=atol)
    for one_a, one_b in zip(a.hypotheses, b.hypotheses, strict=True):
        for name in ("scores", "joints2d", "joints3d"):
            np.testing.assert_allclose(getattr(one_a, name), getattr(one_b, name), rtol=1e-6, atol=atol)


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 40), st.integers(1, 5), choices)
def test_integration_is_what_the_paper_says(seed: int, m: int, people: int, options: IntegrationOptions) -> None:
    proposals = crowd(seed, m, people)
    assert_same(integrate(proposals, K, WIDTH, HEIGHT, options), paper_ppi(proposals, options))


def test_the_comparison_above_sees_people_hypotheses_and_shared_members() -> None:
    wanted = paper_ppi(crowd(3, 60, 4), ALL)
    assert len(wanted) >= 3
    assert max(len(modes) for modes in wanted) >= 2
    assert sum(mode["score"] for modes in wanted for mode in modes) > crowd(3, 60, 4).scores.sum() + 0.1


@settings(max_examples=40, deadline=None)
@given(seeds, seeds)
def test_the_order_of_the_proposals_does_not_matter(seed: int, other: int) -> None:
    proposals = crowd(seed)
    order = np.random.default_rng(other).permutation(len(proposals))
    people = integrate(proposals, K, WIDTH, HEIGHT, ALL)
    assert 1 <= len(people) < len(proposals)
    assert_equal(integrate(proposals[order], K, WIDTH, HEIGHT, ALL), people)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_pixels_scale_with_the_image_and_metres_do_not(seed: int, factor: float) -> None:
    proposals = crowd(seed)
    small = integrate(proposals, K, WIDTH, HEIGHT, ALL)
    assert len(small) >= 1
    large = integrate(proposals.scaled(factor), K, WIDTH * factor, HEIGHT * factor, ALL)
    assert_equal(large, replace(
        small, joints2d=small.joints2d * factor, boxes=small.boxes * factor,
        hypotheses=tuple(replace(h, joints2d=h.joints2d * factor) for h in small.hypotheses),
    ), atol=1e-3)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(["ppi", "nms"]))
def test_people_are_centred_sorted_and_boxed(seed: int, method: Any) -> None:
    proposals = crowd(seed)
    proposals = replace(proposals, joints3d=proposals.joints3d + np.float32(0.3))
    people = integrate(proposals, K, WIDTH, HEIGHT, replace(ALL, method=method))
    assert len(people) >= 1
    np.testing.assert_allclose(body_centre(people.joints3d), 0, atol=1e-6)
    assert (np.diff(people.scores) <= 0).all()
    np.testing.assert_allclose(people.boxes, box_ops.around(people.joints2d, 0.1), atol=1e-3)
    assert {a.dtype for a in vars(people).values() if isinstance(a, np.ndarray)} == {np.dtype(np.float32)}
    for modes in people.hypotheses:
        np.testing.assert_allclose(body_centre(modes.joints3d), 0, atol=1e-6)


def test_upper_body_proposals_count_a_tenth_for_knees_and_ankles_only() -> None:
    moved = one().joints2d + 10
    pair = join(one(0.5, label=K - 1), one(0.4, label=K, joints2d=moved))
    people = integrate(pair, K, WIDTH, HEIGHT)
    shift = people.joints2d[0] - one().joints2d[0]
    np.testing.assert_allclose(shift[LOWER], 10 * 0.04 / 0.54, atol=1e-4)
    np.testing.assert_allclose(shift[UPPER], 10 * 0.4 / 0.9, atol=1e-4)
    assert len(people) == 1
    np.testing.assert_allclose(people.scores, 0.9, atol=1e-6)


@pytest.mark.parametrize("label", [0, K, 2 * K - 1])
def test_one_proposal_is_one_person_as_it_is(label: int) -> None:
    proposal = one(0.5, label)
    people = integrate(proposal, K, WIDTH, HEIGHT)
    np.testing.assert_allclose(people.joints2d, proposal.joints2d, atol=1e-4)
    np.testing.assert_allclose(people.joints3d, proposal.joints3d, atol=1e-6)
    np.testing.assert_allclose(people.visibility, 0.5)
    assert people.scores == pytest.approx(0.5)
    assert [len(h) for h in people.hypotheses] == [0]


def test_the_strongest_mode_is_the_person_even_if_another_has_the_best_proposal() -> None:
    far = 13 * 0.5
    proposals = join(one(0.6), *(one(score, shift=far) for score in (0.5, 0.3)))
    people = integrate(proposals, K, WIDTH, HEIGHT)
    np.testing.assert_allclose(people.scores, [0.8], atol=1e-6)
    np.testing.assert_allclose(people.joints3d[0], one(shift=far).joints3d[0], atol=1e-5)
    np.testing.assert_allclose(people.hypotheses[0].scores, [0.6], atol=1e-6)
    np.testing.assert_allclose(people.hypotheses[0].joints3d[0], one().joints3d[0], atol=1e-5)
    none = integrate(proposals, K, WIDTH, HEIGHT, IntegrationOptions(min_mode_score=0.7))
    assert [len(h) for h in none.hypotheses] == [0]


def test_a_covered_proposal_may_belong_to_two_modes() -> None:
    a, b, c = one(0.6), one(0.3, shift=13 * 0.15), one(0.5, shift=13 * 0.3)
    people = integrate(join(a, b, c), K, WIDTH, HEIGHT)
    np.testing.assert_allclose(people.scores, [0.9], atol=1e-6)
    np.testing.assert_allclose(people.hypotheses[0].scores, [0.8], atol=1e-6)


def test_overlap_is_that_of_the_poses_not_of_the_candidate_regions() -> None:
    proposals = crowd(1)
    elsewhere = replace(proposals, boxes=np.zeros_like(proposals.boxes))
    people = integrate(proposals, K, WIDTH, HEIGHT)
    assert len(people) >= 1
    assert_equal(integrate(elsewhere, K, WIDTH, HEIGHT), people)


def test_overlap_is_measured_inside_the_image() -> None:
    """Two guesses at legs below the border differ by 1000 pixels; what the image shows is one person."""
    low = one().joints2d.copy()
    low[:, LOWER, 1] = 480
    lower = low.copy()
    lower[:, LOWER, 1] = 1480
    pair = join(one(0.5, joints2d=low), one(0.4, joints2d=lower))
    assert len(integrate(pair, K, WIDTH, HEIGHT)) == 1
    assert len(integrate(pair, K, WIDTH, 2000)) == 2
    assert len(integrate(pair, K, WIDTH, 2000, IntegrationOptions(overlap="upper_body_iou"))) == 1


def test_people_outside_the_image_are_kept() -> None:
    assert len(integrate(one(joints2d=one().joints2d - 1000), K, WIDTH, HEIGHT)) == 1


def test_nms_takes_the_best_proposal_of_each_group() -> None:
    proposals = crowd(2, 40, 3)
    people = integrate(proposals, K, WIDTH, HEIGHT, replace(ALL, method="nms"))
    assert_equal(people, non_maximum_suppression(proposals, K, WIDTH, HEIGHT, ALL))
    assert 1 < len(people) < len(proposals)
    np.testing.assert_allclose(people.scores[0], proposals.scores.max())
    for i, score in enumerate(people.scores):
        source = int(np.argmin(abs(proposals.scores - score)))
        np.testing.assert_allclose(people.joints2d[i], proposals.joints2d[source], atol=1e-4)
    assert [len(h) for h in people.hypotheses] == [0] * len(people)
    assert len(non_maximum_suppression(proposals, K, WIDTH, HEIGHT, IntegrationOptions(min_person_score=1.0))) == 0


@pytest.mark.parametrize("method", ["ppi", "nms"])
def test_no_proposals_no_people(method: Any) -> None:
    options = IntegrationOptions(method=method)
    for proposals in (crowd(0)[:0], crowd(0).scaled(2)[np.zeros(40, bool)], one(0.001)):
        people = integrate(proposals, K, WIDTH, HEIGHT, options)
        assert len(people) == 0
        assert people.hypotheses == ()
        assert people.joints3d.shape == (0, 13, 3)
        assert people.boxes.shape == (0, 4)


@pytest.mark.parametrize("name", ["scores", "joints2d", "joints3d", "visibility"])
def test_proposals_that_are_not_finite_are_ignored(name: str) -> None:
    broken = one(0.9)
    broken = replace(broken, **{name: np.full_like(getattr(broken, name), np.nan)})
    people = integrate(join(broken, one(0.4)), K, WIDTH, HEIGHT)
    assert len(people) == 1
    assert_equal(people, integrate(one(0.4), K, WIDTH, HEIGHT))


@pytest.mark.parametrize("label", [-1, 2 * K])
def test_labels_of_another_k_are_an_error(label: int) -> None:
    with pytest.raises(ValueError, match=rf"wanted 0\.\.{2 * K - 1}"):
        integrate(one(label=label), K, WIDTH, HEIGHT)


def test_arrays_of_another_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="joints2d"):
        one(joints2d=np.zeros((2, 13, 2)))


@pytest.mark.parametrize("changes", [{"iou_threshold": 2.0}, {"distance3d": 0.0}, {"min_score": 0.0},
                                     {"lower_limb_weight": 0.0}, {"max_hypotheses": -1}, {"overlap": "area"},
                                     {"method": "mean"}])  # fmt: skip
def test_options_out_of_range_are_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        IntegrationOptions(**changes)


def test_options_survive_metadata() -> None:
    options = IntegrationOptions(distance3d=0.1, method="nms")
    assert IntegrationOptions(**asdict(options)) == options


def test_proposals_are_scaled_by_axis_and_picked_in_order() -> None:
    scaled = crowd(0).scaled((2, 3))[[4, 1]]
    np.testing.assert_allclose(scaled.joints2d, crowd(0).joints2d[[4, 1]] * [2, 3], rtol=1e-6)
    np.testing.assert_allclose(scaled.boxes, crowd(0).boxes[[4, 1]] * [2, 3, 2, 3], rtol=1e-6)
    np.testing.assert_array_equal(scaled.joints3d, crowd(0).joints3d[[4, 1]])
    assert scaled.joints2d.dtype == np.float32


def test_integration_is_fast() -> None:
    proposals, times = crowd(0, 256, 10), []
    for _ in range(30):
        start = time.perf_counter()
        integrate(proposals, K, WIDTH, HEIGHT)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.020  # the fastest run, because tests share their cores
