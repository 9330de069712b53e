"""Each section's data: by its definition, and on perfect, random and no predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.skeleton import COCO17
from anchorpose.evaluation.keypoints import oks
from anchorpose.evaluation.report.breakdown import binned, error_rows, size_data
from anchorpose.evaluation.report.confidence import calibration_data, coverage_data, person_scores
from anchorpose.evaluation.report.curves import correct_share, pck_data, precision_recall_data
from anchorpose.evaluation.report.people import gather
from anchorpose.evaluation.report.sections import calibration_section, no_curve


def test_perfect_predictions_are_perfect_everywhere(plain) -> None:
    annotations, found = plain()
    people = gather(annotations, found)
    pck = pck_data(people, "box")
    assert pck["mean"][1:] == [1.0] * 30
    assert all(row["pck"] == 1 for row in pck["joints"].values())
    curve = precision_recall_data(annotations, found, COCO17.joints)
    assert curve["AP"]["mean"] == pytest.approx(1)
    errors = error_rows(people, "box")
    for row in (errors["all"], *errors["joints"].values(), *errors["states"].values()):
        assert row["quartiles"] == pytest.approx([0, 0, 0], abs=1e-6)
        assert (row["missed"], row["pck"]) == (0, 1)
    assert sum(row["labelled"] for row in errors["states"].values()) == errors["all"]["labelled"] == 16 * 17
    size = size_data(annotations, found, people, "box", True)
    assert size["classes"]["large"] == {"people": 0, "found": 0, "pck": None, "AP": None}
    assert size["classes"]["medium"]["AP"] == pytest.approx(1)
    scores, right = person_scores(annotations, found, people)
    assert (scores == 0.75).all()
    assert (right == 1).all()
    assert calibration_data(scores, right, people)["person"]["error"] == pytest.approx(0.25)
    assert coverage_data(people, "box")["risk"] == [0.0] * 198


def test_nobody_found_is_wrong_everywhere(plain) -> None:
    annotations, found = plain(nobody=True)
    people = gather(annotations, found)
    assert people.missed.all()
    assert pck_data(people, "box")["mean"] == [0.0] * 31
    assert precision_recall_data(annotations, found, COCO17.joints)["AP"]["mean"] == 0
    errors = error_rows(people, "box")
    assert errors["all"] == {"labelled": 272, "missed": 1, "pck": 0, "quartiles": [None] * 3}
    assert list(errors["states"]) == ["visible", "hidden"]
    assert all((row["missed"], row["pck"]) == (1, 0) for row in errors["states"].values())
    assert coverage_data(people, "box")["coverage"] == []
    assert calibration_data(*person_scores(annotations, found, people), people)["person"]["error"] is None


def test_random_precision_falls_with_recall_and_with_the_threshold(crowded) -> None:
    for seed in range(5):
        annotations, found = crowded(seed)
        curve = precision_recall_data(annotations, found, COCO17.joints)
        low, high = (np.array(curve["precision"][name]) for name in ("0.50", "0.75"))
        assert (np.diff(low) <= 0).all()
        assert (high <= low + 1e-12).all()
        assert max(curve["AP"]["0.75"], curve["AP"]["mean"]) <= curve["AP"]["0.50"]


def test_error_rows_are_their_definition(crowded) -> None:
    annotations, found = crowded(5)
    people = gather(annotations, found)
    rows = error_rows(people, "box")
    for j, name in enumerate(COCO17.joints):
        errors, labelled = [], 0
        for k in range(len(people)):
            if people.labelled[k, j]:
                labelled += 1
                if not people.missed[k]:
                    errors.append(np.hypot(*(people.found[k, j] - people.truth[k, j])) / people.reference[k])
        row = rows["joints"][name]
        assert row["labelled"] == labelled
        assert row["quartiles"] == pytest.approx(np.percentile(errors, [25, 50, 75]))
        assert row["missed"] == pytest.approx(1 - len(errors) / labelled)
        assert row["pck"] == pytest.approx(sum(e <= 0.1 for e in errors) / labelled)


def test_hidden_joints_with_more_error_have_a_row_of_their_own(plain) -> None:
    annotations, found = plain()
    for p in found.values():
        p.joints2d[:, 1::2] += 10
    people = gather(annotations, found)
    rows = error_rows(people, "box")["states"]
    assert list(rows) == ["visible", "hidden"]
    assert rows["visible"]["quartiles"][1] == pytest.approx(0, abs=1e-6)
    hidden = np.median(10 * 2**0.5 / people.reference)
    assert rows["hidden"]["quartiles"][1] == pytest.approx(hidden, rel=0.02)


def test_pooled_parts_and_shares_of_people_agree_with_the_joints(crowded) -> None:
    annotations, found = crowded(6)
    people = gather(annotations, found)
    data = pck_data(people, "box")
    both = [data["joints"][f"{side}_knee"] for side in ("left", "right")]
    pooled = sum(r["pck"] * r["labelled"] for r in both) / sum(r["labelled"] for r in both)
    assert data["parts"]["knee"][10] == pytest.approx(pooled)
    share = correct_share(people, 0.1)
    counts = people.labelled.sum(axis=1)
    total = sum(r["pck"] * r["labelled"] for r in data["joints"].values())
    assert np.nansum(share * counts) == pytest.approx(total)


def test_bins_hold_everybody_once_in_order(rng: np.random.Generator) -> None:
    x, y = rng.random(213), rng.random(213)
    x[5], y[9] = np.nan, np.nan
    data = binned(x, y)
    known = ~np.isnan(x + y)
    assert sum(data["people"]) == known.sum()
    assert max(data["people"]) - min(data["people"]) <= 1
    assert data["x"] == sorted(data["x"])
    assert np.average(data["mean"], weights=data["people"]) == pytest.approx(y[known].mean())
    assert all(low <= mean <= high for low, mean, high in zip(data["low"], data["mean"], data["high"], strict=True))
    assert binned(np.zeros(0), np.zeros(0))["x"] == []
    assert binned(np.ones(1), np.ones(1))["low"] == [None]


def test_person_scores_are_right_where_one_annotated_person_is_theirs(crowded) -> None:
    annotations, found = crowded(8)
    people = gather(annotations, found)
    scores, right = person_scores(annotations, found, people)
    assert len(scores) == sum(len(p) for p in found.values())
    at = 0
    for image, truth in zip(annotations.images, annotations.people, strict=True):
        own = found[image.file_name]
        order = np.argsort(-own.scores, kind="stable")
        similarity = oks(own.joints2d[order].astype(np.float64), truth, COCO17.sigmas)
        outcome = right[at : at + len(own)]
        assert np.array_equal(scores[at : at + len(own)], own.scores[order].astype(np.float64))
        assert (similarity[outcome == 1].max(axis=1, initial=0) >= 0.5).all()
        assert (outcome == 1).sum() <= (~truth.ignore).sum()
        best = similarity[:, ~truth.ignore].max(axis=0, initial=0) >= 0.5
        assert best.any() == (outcome == 1).any()
        at += len(own)


def test_scores_that_are_no_probabilities_count_as_the_nearest(plain) -> None:
    annotations, found = plain()
    people = gather(annotations, found)
    data = calibration_data(np.array([30.0, 2.0, -3.0, 0.5]), np.array([1.0, 0.0, 1.0, np.nan]), people)
    assert (data["outside"], data["person"]["count"]) == (3, 3)
    assert data["person"]["error"] == pytest.approx((2 * 0.5 + 1) / 3)  # a wrong one of two at 1, a right one at 0
    section = calibration_section(data, "OKS 0.5")
    assert "3 scores of people are no probabilities" in section
    assert section.count("<svg viewBox") == 1  # four scores make no curve
    data = calibration_data(np.arange(50.0), np.arange(50) % 2 * 1.0, people)
    section = calibration_section(data, "OKS 0.5")
    assert "48 scores" in section
    assert "the lower chart" in section
    assert section.count("<svg viewBox") == 2
    assert calibration_section(data | {"outside": 0}, "").count("<svg viewBox") == 1
    unknown = replace(annotations, people=tuple(replace(t, states=None) for t in annotations.people))
    assert "joint" in data
    assert "joint" not in calibration_data(np.zeros(0), np.zeros(0), gather(unknown, found))


def test_joints_whose_score_tells_the_error_have_less_risk(plain) -> None:
    annotations, found = plain(images=20)
    rng = np.random.default_rng(0)
    for p in found.values():
        off = rng.random(p.joint_scores.shape) < 0.3
        p.joints2d[off] += 80
        p.joint_scores[:] = np.where(off, 0.2, 0.9) + rng.random(off.shape) * 0.1
    data = coverage_data(gather(annotations, found), "box")
    assert 0.2 < data["all"] < 0.4
    assert max(r for c, r in zip(data["coverage"], data["risk"], strict=True) if c < 0.6) == 0
    assert data["risk"][-1] == data["all"]
    assert data["area"] < data["all"] / 2


def test_a_line_that_cannot_be_drawn_is_a_sentence(rng: np.random.Generator) -> None:
    shares = rng.random(50)
    assert "too few" in no_curve("size", binned(shares[:39], shares[:39]))
    assert no_curve("size", binned(shares, shares)) == ""
    same = no_curve("size <", binned(np.full(50, 7.0) + 1e-6 * shares, shares))
    assert "the same size &lt;" in same
    assert "Nothing" in no_curve("size", binned(shares[:0], shares[:0]))
