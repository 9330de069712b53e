from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, LSP14, SMPL24, Skeleton
from anchorpose.evaluation.protocols3d import evaluate_3dpw
from tests.datasets.actors import project
from tests.evaluation.people3d import found, nobody, picture

BODY = Skeleton("SMPL24+head_top", (*SMPL24.joints, "head_top"))
FRAMES = 7


def video(people=2, name="walk"):
    """The same people in every frame, slowly moving on."""
    first = picture("", BODY, people)
    rows = []
    for t in range(FRAMES):
        joints = first.joints3d + np.array([0.02 * t, 0.01 * t**2, 0.03 * t])
        rows.append(replace(first, file_name=f"{name}/{t}.jpg", joints3d=joints, joints2d=project(joints),
                            sequence=name, frame=t, ids=np.arange(people)))  # fmt: skip
    return rows


def predicted(truths, noise=None, joints=BODY):
    return {t.file_name: found(t.joints3d + (0 if noise is None else noise[i]), BODY, t.joints2d).to_skeleton(joints)
            for i, t in enumerate(truths)}  # fmt: skip


def test_the_truth_in_any_order_has_no_error():
    truths = video(3)
    turned = {t.file_name: found(t.joints3d[[2, 0, 1]] + [5.0, 0, 0], BODY, t.joints2d[[2, 0, 1]]) for t in truths}
    table = evaluate_3dpw(truths, turned)
    assert (table["people"], table["found"], table["joints"]) == (21, 21, 14)
    assert table["MPJPE"] == pytest.approx(0, abs=1e-3)
    assert table["PA-MPJPE"] == pytest.approx(0, abs=1e-3)
    assert table["acceleration"] == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("joints", [BODY, LCR13])
def test_the_errors_are_what_the_definitions_say(rng, joints):
    truths = video()
    noise = rng.normal(0, 0.04, (FRAMES, 2, len(BODY), 3))
    table = evaluate_3dpw(truths, predicted(truths, noise, joints))
    names = [j for j in LSP14.joints if j in joints.joints]
    assert table["joints"] == len(names) == (14 if joints is BODY else 13)
    places, hips = BODY.indices(*names), BODY.indices("left_hip", "right_hip")

    def relative(body):
        return body[places] - body[hips].mean(0)

    errors, bends = [], []
    for person in range(2):
        exact = [relative(t.joints3d[person]) for t in truths]
        guess = [relative(t.joints3d[person] + noise[i, person]) for i, t in enumerate(truths)]
        errors += [1000 * np.linalg.norm(g - e, axis=1).mean() for g, e in zip(guess, exact, strict=True)]
        for t in range(1, FRAMES - 1):
            twice = [(p[t - 1] - p[t]) + (p[t + 1] - p[t]) for p in (guess, exact)]
            bends.append(1000 * np.linalg.norm(twice[0] - twice[1], axis=1).mean())
    assert table["MPJPE"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert table["acceleration"] == pytest.approx(np.mean(bends), rel=1e-4)


def test_people_in_gaps_and_of_other_videos_are_not_joined():
    truths = [*video(), *video(name="run")]
    noise = np.zeros((2 * FRAMES, 2, len(BODY), 3))
    noise[FRAMES - 1 :, :, BODY.index("left_wrist")] = 0.3  # from the last frame of the first video on
    predictions = predicted(truths, noise)
    jump = evaluate_3dpw(truths, predictions)["acceleration"]
    # One of 5 triples of each person of the first video sees the jump; the second video moves as it should.
    moved = 1000 * np.linalg.norm([0.3] * 3) / 14
    assert jump == pytest.approx(moved / 10, rel=1e-3)
    predictions["walk/5.jpg"] = nobody(LCR13)
    table = evaluate_3dpw(truths, predictions)
    assert table["found"] == 26
    assert table["acceleration"] == pytest.approx(0, abs=2e-3)  # the jump's triples lack a frame
    sparse = evaluate_3dpw(truths[::2], predicted(truths[::2]))
    assert sparse["acceleration"] is None
    unknown = [replace(t, ids=None) for t in truths]
    assert evaluate_3dpw(unknown, predictions)["acceleration"] is None


def test_somebody_else_does_not_count_and_nobody_is_told():
    truths = video()
    aside = {t.file_name: found(t.joints3d, BODY, t.joints2d + 900) for t in truths}
    table = evaluate_3dpw(truths, aside)
    assert (table["people"], table["found"]) == (14, 0)
    assert table["MPJPE"] is table["PA-MPJPE"] is table["acceleration"] is None
    one = {t.file_name: found(t.joints3d[:1], BODY, t.joints2d[:1]) for t in truths}
    assert evaluate_3dpw(truths, one)["found"] == 7


def test_people_without_2d_are_paired_with_nobody():
    truth = replace(video()[0], joints2d=np.full((2, len(BODY), 2), np.nan))
    guess = found(truth.joints3d, BODY, np.zeros((2, len(BODY), 2)))
    assert evaluate_3dpw([truth], {truth.file_name: guess})["found"] == 0


def test_broken_pictures_are_named():
    truth = video()[0]
    with pytest.raises(InputError, match=r"walk/0\.jpg has joints2d of shape \(2, 3, 2\), wanted \(2, 25, 2\)"):
        replace(truth, joints2d=truth.joints2d[:, :3])
    with pytest.raises(InputError, match=r"has ids of shape \(1,\), wanted \(2,\)"):
        replace(truth, ids=np.zeros(1, np.int64))
