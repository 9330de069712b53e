import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import COCO17, H36M32, LCR13, LSP14, MUPOTS17, Skeleton
from anchorpose.evaluation.protocols3d import (
    ACTIVITIES,
    H36M17,
    SIX_ACTIONS,
    evaluate_3dhp,
    evaluate_h36m,
    evaluate_mupots,
)
from tests.evaluation.people3d import found, nobody, picture

ACTIONS = ("WalkTogether", "Directions", "Walking", "SittingDown", "Sitting", "WalkingDog")
TURN = Rotation.from_euler("xyz", [20, -130, 40], degrees=True).as_matrix()


def h36m(count=12):
    return [
        picture(f"{i}.jpg", H36M32, seed=i, activity=ACTIONS[i % len(ACTIONS)], subject="S11") for i in range(count)
    ]


def lcr(truth):
    """(13, 3) of the only person."""
    return truth.joints3d[0, truth.skeleton.map_to(LCR13)]


def noisy(truths, rng, size=0.05):
    return {t.file_name: found(lcr(t)[None] + rng.normal(0, size, (1, 13, 3)), LCR13) for t in truths}


def test_h36m_the_truth_has_no_error_wherever_the_person_stands():
    truths = h36m()
    table = evaluate_h36m(truths, {t.file_name: found(lcr(t)[None] + [3.0, -1, 2], LCR13) for t in truths}, "p1")
    assert (table["pictures"], table["found"], table["joints"]) == (12, 12, 13)
    errors = {name: value for name, value in table.items() if "MPJPE" in name}
    assert len(errors) == 3 * (2 + len(ACTIONS))
    assert max(errors.values()) < 1e-3
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_h36m_alignment_forgives_a_turn_and_one_of_the_two_also_the_size():
    truths = h36m()
    table = evaluate_h36m(truths, {t.file_name: found(1.2 * lcr(t)[None] @ TURN.T, LCR13) for t in truths}, "p2")
    assert table["PA-MPJPE"] < 1e-2
    # A body that is only too large is off by a fifth of each joint's distance from the middle of all joints.
    own = [lcr(t) - lcr(t).mean(0) for t in truths]
    assert table["rigid MPJPE"] == pytest.approx(200 * np.linalg.norm(own, axis=-1).mean(), rel=1e-4)
    assert table["MPJPE"] > 300


def test_h36m_is_what_the_definition_says(rng):
    truths = h36m()
    predictions = noisy(truths, rng, 0.1)
    table = evaluate_h36m(truths, predictions, "p1")
    torso = [LCR13.joints.index(j) for j in ("left_hip", "right_hip", "left_shoulder", "right_shoulder")]
    by_action = {}
    for truth in truths:
        exact = lcr(truth)
        guess = predictions[truth.file_name].joints3d[0].astype(float)
        absolute = np.mean([1000 * np.linalg.norm((guess[j] - guess[torso].mean(0)) - (exact[j] - exact[torso].mean(0)))
                            for j in range(13)])  # fmt: skip
        a, b = guess - guess.mean(0), exact - exact.mean(0)
        turned = Rotation.align_vectors(b, a)[0].apply(a)
        scale = (turned * b).sum() / (turned**2).sum()
        errors = [absolute, *(1000 * np.linalg.norm(s * turned - b, axis=1).mean() for s in (1, scale))]
        by_action.setdefault(truth.activity, []).append(errors)
    for k, name in enumerate(("MPJPE", "rigid MPJPE", "PA-MPJPE")):
        means = {action: np.mean(rows, axis=0)[k] for action, rows in by_action.items()}
        assert table[name] == pytest.approx(np.mean([row[k] for rows in by_action.values() for row in rows]), rel=1e-5)
        assert table[f"{name} mean of actions"] == pytest.approx(np.mean(list(means.values())), rel=1e-5)
        for action, mean in means.items():
            assert table[f"{name} {action}"] == pytest.approx(mean, rel=1e-5)
    rows = [name.removeprefix("MPJPE ") for name in table if name.startswith("MPJPE ") and "mean" not in name]
    assert rows == ["Directions", "Sitting", "SittingDown", "Walking", "WalkingDog", "WalkTogether"]  # as table 3


def test_h36m_in_pixels_and_over_six_actions(rng):
    names = [*SIX_ACTIONS, "Posing"]
    truths = [picture(f"{i}.jpg", H36M32, seed=i, activity=name) for i, name in enumerate(names)]
    predictions = noisy(truths, rng, 0.1)
    by_name = {t.file_name: predictions[t.file_name].joints2d[0] for t in truths}
    for guess in by_name.values():
        guess[:] = rng.uniform(0, 1000, guess.shape)
    by_name["0.jpg"][4] = np.nan
    table = evaluate_h36m(truths, predictions, "p2")
    distances = [np.hypot(*(by_name[t.file_name][j] - t.joints2d[0, H36M32.index(joint)]))
                 for t in truths for j, joint in enumerate(LCR13.joints)]  # fmt: skip
    assert table["2D error"] == pytest.approx(np.mean([d for d in distances if not np.isnan(d)]), rel=1e-5)
    assert table["MPJPE mean of 6 actions"] == pytest.approx(np.mean([table[f"MPJPE {name}"] for name in SIX_ACTIONS]))
    assert "MPJPE mean of 6 actions" not in evaluate_h36m(truths[1:], predictions, "p2")


def test_h36m_means_over_pictures_and_over_actions_differ(rng):
    truths = [picture(f"{i}.jpg", H36M32, seed=i, activity="Eating" if i else "Posing") for i in range(4)]
    moved = {t.file_name: found(lcr(t)[None], LCR13) for t in truths}
    torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    wrong = lcr(truths[0]).copy()
    wrong[[j for j in range(13) if j not in torso]] += [0.13, 0, 0]
    moved["0.jpg"] = found(wrong[None], LCR13)
    table = evaluate_h36m(truths, moved, "p1")
    assert table["MPJPE Posing"] == pytest.approx(90, abs=0.01)  # 9 of 13 joints by 130 mm
    assert table["MPJPE"] == pytest.approx(90 / 4, abs=0.01)
    assert table["MPJPE mean of actions"] == pytest.approx(45, abs=0.01)


def test_h36m_the_best_score_counts_wherever_it_stands():
    truths = h36m(1)
    people = np.stack([lcr(truths[0]), lcr(truths[0]) @ TURN.T, lcr(truths[0]) @ TURN])
    scores = [0.9, 0.3, np.nan]
    right = evaluate_h36m(truths, {"0.jpg": found(people, LCR13, scores=scores)}, "p1")
    other = evaluate_h36m(truths, {"0.jpg": found(people[::-1], LCR13, scores=scores[::-1])}, "p1")
    assert right == other
    assert right["MPJPE"] < 1e-3
    wrong = evaluate_h36m(truths, {"0.jpg": found(people, LCR13, scores=[0.3, 0.9, 0])}, "p1")
    assert wrong["MPJPE"] > 100


def test_h36m_nobody_found_has_no_error_and_is_told(rng):
    truths = h36m()
    predictions = noisy(truths, rng)
    whole = evaluate_h36m(truths, predictions, "p2")
    first = {**predictions, "0.jpg": nobody(COCO17)}  # the joints of nobody do not matter
    table = evaluate_h36m(truths, first, "p2")
    assert (table["found"], table["joints"]) == (11, 13)
    rest = evaluate_h36m(truths[1:], predictions, "p2")
    assert table["MPJPE"] == pytest.approx(rest["MPJPE"])
    assert table["MPJPE"] != whole["MPJPE"]
    none = evaluate_h36m(truths, {t.file_name: nobody(LCR13) for t in truths}, "p2")
    assert none["found"] == 0
    assert {value for name, value in none.items() if "MPJPE" in name} == {None}


def test_h36m_p3_is_only_measured_after_alignment(rng):
    table = evaluate_h36m(h36m(), noisy(h36m(), rng), "p3")
    assert "PA-MPJPE" in table
    assert not [name for name in table if name.startswith("MPJPE")]


def test_h36m_other_joints(rng):
    truths = h36m()
    coco = Skeleton("twelve", tuple(j for j in LCR13.joints if j != "head_top"))
    table = evaluate_h36m(truths, {t.file_name: found(lcr(t)[None, :12], coco) for t in truths}, "p1")
    assert table["joints"] == 12
    assert table["MPJPE"] < 1e-3
    assert "MPJPE of 17 joints" not in table
    own = Skeleton("H36M17", H36M17)
    moved = {}
    for truth in truths:
        joints = truth.joints3d[:, H36M32.indices(*H36M17)].copy()
        joints[:, H36M17.index("spine")] += [0, 0.17, 0]
        moved[truth.file_name] = found(joints, own)
    table = evaluate_h36m(truths, moved, "p1")
    assert table["MPJPE"] < 1e-3
    assert table["MPJPE of 17 joints"] == pytest.approx(10, abs=0.01)


def test_h36m_names_what_does_not_fit(rng):
    truths = h36m(3)
    predictions = noisy(truths, rng)
    with pytest.raises(InputError, match=r"no predictions for 2 of 3 annotated pictures, the first is 1\.jpg"):
        evaluate_h36m(truths, {"0.jpg": predictions["0.jpg"]}, "p1")
    with pytest.raises(InputError, match="found no annotated picture"):
        evaluate_h36m([], predictions, "p1")
    with pytest.raises(InputError, match=r"found 0\.jpg twice"):
        evaluate_h36m([truths[0], truths[0]], predictions, "p1")
    with pytest.raises(InputError, match="has 2 annotated people, wanted one"):
        evaluate_h36m([picture("0.jpg", H36M32, people=2)], predictions, "p1")
    torso_less = Skeleton("legs", ("right_hip", "left_hip", "left_knee"))
    legs = found(lcr(truths[0])[None], LCR13).to_skeleton(torso_less)
    with pytest.raises(InputError, match=r"predictions \(legs\) have no right_shoulder, left_shoulder"):
        evaluate_h36m(truths[:1], {"0.jpg": legs}, "p1")
    with pytest.raises(InputError, match="annotated in the joints of COCO17, which lack head_top"):
        evaluate_h36m([picture("0.jpg", COCO17)], predictions, "p1")


def mupots_pictures(people=2):
    return [picture(f"TS{k}/img_{i:06d}.jpg", MUPOTS17, people, seed=10 * k + i, sequence=f"TS{k}", frame=i)
            for k, frames in ((1, 3), (2, 1)) for i in range(frames)]  # fmt: skip


def test_mupots_the_truth_in_any_order_is_right():
    truths = mupots_pictures()
    table = evaluate_mupots(truths, {t.file_name: found(t.joints3d[::-1], MUPOTS17) for t in truths})
    assert (table["pictures"], table["people"], table["detected"]) == (4, 8, 100)
    for which in ("all", "matched"):
        assert table[f"3DPCK {which}"] == table[f"3DPCK {which} TS1"] == table[f"3DPCK {which} TS2"] == 100
        assert table[f"AUC {which}"] == pytest.approx(100 * 30 / 31)
    assert table["3DPCK all visible"] == 100
    assert table["3DPCK all hidden"] is None
    assert table["MPJPE matched"] == pytest.approx(0, abs=1e-3)


def test_mupots_bones_are_rescaled_and_lcr13_is_enough():
    truths = mupots_pictures()
    larger = {}
    for truth in truths:
        centre = truth.joints3d[:, [MUPOTS17.index("pelvis")]]
        joints = 1.3 * (truth.joints3d - centre) + centre
        larger[truth.file_name] = found(joints, MUPOTS17, truth.joints2d)
    assert evaluate_mupots(truths, larger)["3DPCK all"] == 100
    assert evaluate_mupots(truths, larger, rescale=False)["3DPCK all"] < 80
    few = {name: poses.to_skeleton(LCR13) for name, poses in larger.items()}
    whole, part = (evaluate_mupots(truths, p, rescale=False) for p in (larger, few))
    known = {name: value for name, value in whole.items() if value is not None}
    assert {name: part[name] for name in known} == pytest.approx(known, rel=1e-6)
    assert whole.keys() - known.keys() == {"3DPCK all hidden"}


def test_mupots_means_are_over_videos_and_people_missed_cost_only_all():
    truths = mupots_pictures()
    predictions = {t.file_name: found(t.joints3d, MUPOTS17) for t in truths}
    predictions["TS2/img_000000.jpg"] = predictions["TS2/img_000000.jpg"][:1]
    table = evaluate_mupots(truths, predictions)
    assert table["3DPCK all TS2"] == 50
    assert table["3DPCK all"] == 75  # of two videos, not of 8 people
    assert table["3DPCK matched"] == 100
    assert table["detected"] == pytest.approx(100 * 7 / 8)
    none = evaluate_mupots(truths, {t.file_name: nobody(LCR13) for t in truths})
    assert (none["3DPCK all"], none["3DPCK matched"], none["detected"]) == (0, None, 0)


def test_mupots_hidden_joints_are_told_apart():
    truths = mupots_pictures()
    left, right, elbow = MUPOTS17.indices("left_wrist", "right_wrist", "right_elbow")
    predictions = {}
    for truth in truths:
        truth.states[:, [left, right]] = JointState.HIDDEN, JointState.OUTSIDE
        joints = truth.joints3d.copy()
        joints[:, right] = 2 * joints[:, elbow] - joints[:, right]  # bent the other way, as long as before
        predictions[truth.file_name] = found(joints, MUPOTS17)
    table = evaluate_mupots(truths, predictions)
    assert (table["3DPCK all visible"], table["3DPCK all hidden"]) == (100, 50)
    assert table["3DPCK all"] == pytest.approx(100 * 13 / 14)


def test_mupots_wants_a_video_and_hips():
    truth = picture("a.jpg", MUPOTS17)
    with pytest.raises(InputError, match="of no sequence"):
        evaluate_mupots([truth], {"a.jpg": nobody(LCR13)})
    hipless = Skeleton("arms", ("left_wrist", "right_wrist"))
    guess = found(truth.joints3d, MUPOTS17).to_skeleton(hipless)
    with pytest.raises(InputError, match="have no right_hip, left_hip"):
        evaluate_mupots(mupots_pictures()[:1], {"TS1/img_000000.jpg": guess})


def threedhp_pictures():
    return [picture(f"TS{1 + i % 6}/{i}.jpg", MUPOTS17, seed=i, sequence=f"TS{1 + i % 6}", activity=ACTIVITIES[i % 5])
            for i in range(12)]  # fmt: skip


def test_3dhp_is_what_the_definition_says(rng):
    truths = threedhp_pictures()
    predictions, rows = {}, []
    for i, truth in enumerate(truths):
        joints = truth.joints3d + rng.normal(0, 0.1, truth.joints3d.shape)
        hips = joints[0, MUPOTS17.indices("left_hip", "right_hip")].mean(0)
        joints[0, MUPOTS17.index("pelvis")] = hips
        predictions[truth.file_name] = nobody(MUPOTS17) if i == 4 else found(joints, MUPOTS17)
        exact = truth.joints3d[0] - truth.joints3d[0, MUPOTS17.index("pelvis")]
        away = [np.inf if i == 4 else 1000 * np.linalg.norm(joints[0, j] - hips - exact[j]) for j in range(14)]
        rows.append((truth.activity, truth.sequence, away))
    table = evaluate_3dhp(truths, predictions)
    assert (table["pictures"], table["found"]) == (12, 11)
    scenes = {"Studio GS": ("TS1", "TS2"), "Studio no GS": ("TS3", "TS4"), "Outdoor": ("TS5", "TS6")}
    groups = {"": rows} | {f" {a}": [r for r in rows if r[0] == a] for a in ACTIVITIES[:5]}
    groups |= {f" {scene}": [r for r in rows if r[1] in names] for scene, names in scenes.items()}
    for suffix, members in groups.items():
        joints = np.array([away for *_, away in members])
        assert table[f"3DPCK{suffix}"] == pytest.approx(100 * np.mean(joints < 150))
        curve = [np.mean(joints < limit) for limit in range(0, 151, 5)]
        assert table[f"AUC{suffix}"] == pytest.approx(100 * np.mean(curve))
        means = [row.mean() for row in joints if np.isfinite(row).all()]
        assert table[f"MPJPE{suffix}"] == pytest.approx(np.mean(means), rel=1e-4)
    assert table["3DPCK Sports"] is table["MPJPE Misc."] is None


def test_3dhp_size_is_given_away_only_when_asked():
    truths = threedhp_pictures()
    smaller = {t.file_name: found(0.7 * t.joints3d, MUPOTS17) for t in truths}
    assert evaluate_3dhp(truths, smaller)["3DPCK"] < 100
    assert evaluate_3dhp(truths, smaller)["PA-MPJPE"] < 0.01
    rescaled = evaluate_3dhp(truths, smaller, rescale=True)
    assert rescaled["3DPCK"] == 100
    assert rescaled["MPJPE"] < 0.01


def test_3dhp_a_joint_that_is_not_predicted_is_wrong():
    truths = threedhp_pictures()
    headless = Skeleton("headless", tuple(j for j in LSP14.joints if j != "head_top"))
    few = {t.file_name: found(t.joints3d, MUPOTS17).to_skeleton(headless) for t in truths}
    table = evaluate_3dhp(truths, few)
    assert table["3DPCK"] == pytest.approx(100 * 13 / 14)
    assert table["MPJPE"] < 0.01
