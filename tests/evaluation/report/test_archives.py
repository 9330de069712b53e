"""What the page shows of an archive: the command's figures, and each section by its definition, joint after joint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import procrustes

from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.report.archives import gather_archive
from anchorpose.evaluation.report.bodies import Bodies
from anchorpose.evaluation.report.confidence import calibration3d_data, coverage3d_data
from anchorpose.evaluation.report.space import space_data
from tests.evaluation.people3d import found, nobody
from tests.evaluation.report.archives import PROTOCOLS, archive, figures


def bodies_of(protocol: str, **options) -> Bodies:
    return gather_archive(protocol, *archive(protocol, **options), rescale=protocol == "mupots")  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_numbers_are_those_of_the_command(protocol) -> None:
    truths, predictions = archive(protocol, 30)
    table = figures(protocol, truths, predictions)
    bodies = gather_archive(protocol, truths, predictions, rescale=protocol == "mupots")
    data = space_data(bodies)
    assert 0 < data["found"] < data["people"] == sum(map(len, truths))
    if protocol == "mupots":
        assert 100 * data["found"] / data["people"] == pytest.approx(table["detected"])
        for ours, theirs in (("all", "all"), ("found", "matched")):
            assert 100 * data["curve"]["pck"][ours] == pytest.approx(table[f"3DPCK {theirs}"])
            assert 100 * data["curve"]["auc"][ours] == pytest.approx(table[f"AUC {theirs}"])
        assert data["MPJPE"] == pytest.approx(table["MPJPE matched"], rel=1e-5)
        assert data["curve"]["groups"] == 3
        return
    assert data["found"] == table["found"]
    assert data["MPJPE"] == pytest.approx(table["PA-MPJPE" if protocol == "h36m-p3" else "MPJPE"], rel=1e-5)
    if protocol == "3dhp":
        assert 100 * data["curve"]["pck"]["all"] == pytest.approx(table["3DPCK"])
        assert 100 * data["curve"]["auc"]["all"] == pytest.approx(table["AUC"])
        rescaled = space_data(gather_archive(protocol, truths, predictions, rescale=True))
        assert rescaled["MPJPE"] == pytest.approx(figures(protocol, truths, predictions, True)["MPJPE"], rel=1e-5)
        assert rescaled["MPJPE"] != pytest.approx(data["MPJPE"], rel=1e-3)


@pytest.mark.parametrize("aligned", [False, True])
def test_human36m_by_hand(aligned: bool) -> None:
    protocol = "h36m-p3" if aligned else "h36m-p2"
    truths, predictions = archive(protocol, 9)
    bodies = gather_archive(protocol, truths, predictions, False)
    torso = LCR13.indices("right_hip", "left_hip", "right_shoulder", "left_shoulder")
    for k, truth in enumerate(truths):
        own = predictions[truth.file_name]
        exact = truth.joints3d[0, truth.skeleton.map_to(LCR13)]
        exact = exact - exact[torso].mean(axis=0)
        if not len(own):
            assert bodies.missed[k]
            assert np.isinf(bodies.error[k]).all()
            continue
        guess = own.joints3d[own.scores.argmax()].astype(float)
        guess -= guess[torso].mean(axis=0)
        if aligned:  # scipy brings both to unit size
            one, two, _ = procrustes(exact, guess)
            size = np.linalg.norm(exact - exact.mean(axis=0))
            wanted = 1000 * size * np.linalg.norm(one - two, axis=1)
        else:
            wanted = 1000 * np.linalg.norm(guess - exact, axis=1)
        assert bodies.error[k] == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("protocol", ["mupots", "3dpw"])
def test_curves_and_quartiles_joint_after_joint(protocol) -> None:
    bodies = bodies_of(protocol, noise=0.2)
    data = space_data(bodies)
    errors = np.array([[1000 * np.sqrt(sum((f - e) ** 2)) for f, e in zip(fs, es, strict=True)]
                       for fs, es in zip(bodies.found, bodies.exact, strict=True)])  # fmt: skip
    groups = {g: np.flatnonzero(bodies.groups == g) for g in set(bodies.groups.tolist())}
    for at, limit in enumerate(range(0, 151, 5)):
        shares = {"all": [], "found": [], "hip": []}
        for rows in groups.values():
            hits = {"all": [], "found": [], "hip": []}
            for k in rows:
                for j, name in enumerate(bodies.joints):
                    right = bool(errors[k, j] < limit)  # False for NaN
                    hits["all"].append(right)
                    if bodies.taken[k] >= 0:
                        hits["found"].append(right)
                    if name.endswith("_hip"):
                        hits["hip"].append(right)
            for name, values in hits.items():
                shares[name].append(sum(values) / len(values))
        assert data["curve"]["thresholds"][at] == limit
        assert data["curve"]["curves"]["all"][at] == pytest.approx(np.mean(shares["all"]))
        assert data["curve"]["curves"]["found"][at] == pytest.approx(np.mean(shares["found"]))
        assert data["curve"]["parts"]["hip"][at] == pytest.approx(np.mean(shares["hip"]))
    assert 0.1 < data["curve"]["pck"]["all"] < data["curve"]["pck"]["found"] < 1
    assert data["curve"]["auc"]["all"] == pytest.approx(np.mean(data["curve"]["curves"]["all"]))
    for j, name in enumerate(bodies.joints):
        known = [errors[k, j] for k in range(len(bodies)) if bodies.taken[k] >= 0]
        row = data["joints"][name]
        assert row["joints"] == len(known)
        assert row["mean"] == pytest.approx(np.mean(known))
        assert row["quartiles"] == pytest.approx(np.percentile(known, [25, 50, 75]))
    if protocol == "3dpw":
        assert data["states"] == {}  # all visible: nothing is told apart
    for state in (JointState.VISIBLE, JointState.HIDDEN) if protocol == "mupots" else ():
        own = [errors[k, j] for k, j in zip(*np.nonzero(bodies.states == state), strict=True) if bodies.taken[k] >= 0]
        row = data["states"][state.name.lower()]
        assert (row["joints"], row["quartiles"][1]) == (len(own), pytest.approx(np.median(own)))


def test_error_that_grows_with_size_and_rarity_shows_there() -> None:
    truths, _ = archive("h36m-p2", 80)
    rng = np.random.default_rng(0)
    joints = [t.skeleton.index(name) for t in truths[:1] for name in ("left_wrist", "left_elbow")]
    predictions = {}
    for k, truth in enumerate(truths):
        truth.joints2d[:] *= 1 + k / 40
        truth.joints3d[0, joints] += rng.normal(0, 0.5 * k / 80, 3)  # the later the picture, the rarer the pose
        own = found(truth.joints3d + rng.normal(0, 0.01 + k / 800, truth.joints3d.shape), truth.skeleton)
        predictions[truth.file_name] = own.to_skeleton(LCR13)
    predictions[truths[0].file_name] = nobody(LCR13)
    bodies = gather_archive("h36m-p2", truths, predictions, False)
    for k, truth in enumerate(truths):
        around = np.ptp(truth.joints2d[0], axis=0)
        assert bodies.size[k] == pytest.approx(around.max(), rel=1e-5)
    data = space_data(bodies)
    error, pck = data["size"]["error"], data["size"]["pck"]
    assert (sum(error["people"]), sum(pck["people"])) == (79, 80)
    order = np.argsort(bodies.size)
    first = order[: pck["people"][0]]
    shares = [np.mean([e < 150 for e in bodies.error[k]]) for k in first]  # of him who was not found all are wrong
    assert pck["mean"][0] == pytest.approx(np.mean(shares))
    last = order[-error["people"][-1] :]
    assert error["mean"][-1] == pytest.approx(np.mean([bodies.error[k].mean() for k in last]))
    assert error["high"][-1] - error["mean"][-1] == pytest.approx(
        1.96 * np.std([bodies.error[k].mean() for k in last], ddof=1) / len(last) ** 0.5
    )
    assert error["mean"] == sorted(error["mean"])
    rarity = data["rarity"]
    assert rarity["people"] == 80
    assert rarity["correlation"] > 0.3
    assert rarity["error"]["mean"][-1] > rarity["error"]["mean"][0]


def test_rarity_does_not_know_where_the_protocol_centres() -> None:
    truths, predictions = archive("3dhp", 60)
    bodies = gather_archive("3dhp", truths, predictions, False)
    moved = replace(bodies, exact=bodies.exact + np.array([0.3, -1.0, 2.0]))
    first, second = (space_data(b)["rarity"]["pck"]["x"] for b in (bodies, moved))
    assert first == pytest.approx(second, rel=1e-6)
    assert len(first) > 1


@pytest.mark.parametrize("protocol", ["mupots", "h36m-p1"])
def test_scores_person_after_person(protocol) -> None:
    truths, predictions = archive(protocol, 40, noise=0.3)
    bodies = gather_archive(protocol, truths, predictions, protocol == "mupots")
    scores, right, joint, wrong, seen = [], [], [], [], []
    for k in range(len(bodies)):
        if bodies.taken[k] < 0:
            continue
        own = predictions[truths[bodies.image[k]].file_name]
        errors = bodies.error[k]
        scores.append(float(own.scores[bodies.taken[k]]))
        right.append(errors.mean() < 150)
        for j, name in enumerate(bodies.joints):
            if name in own.skeleton.joints:  # a neck that is a middle has no score
                joint.append(float(own.joint_scores[bodies.taken[k], own.skeleton.index(name)]))
                wrong.append(errors[j] >= 150)
                seen.append(bodies.states[k, j] == JointState.VISIBLE)
    data = calibration3d_data(bodies)

    def expected_error(claimed: list[float], true: list[bool]) -> float:
        bins = np.clip(np.ceil(np.array(claimed) * 15).astype(int) - 1, 0, 14)
        gaps = [abs(np.mean(np.array(true)[bins == b]) - np.mean(np.array(claimed)[bins == b])) * (bins == b).sum()
                for b in range(15) if (bins == b).any()]  # fmt: skip
        return sum(gaps) / len(claimed)

    assert (data["right"], data["outside"], data["person"]["count"]) == (150, 0, len(scores))
    assert 0 < sum(right) < len(right)
    assert data["person"]["error"] == pytest.approx(expected_error(scores, right))
    if protocol == "mupots":
        assert data["joint"]["error"] == pytest.approx(expected_error(joint, seen))
    else:
        assert "joint" not in data  # nothing is said of what is hidden
    risk = coverage3d_data(bodies)
    assert (risk["joints"], risk["all"]) == (len(joint), pytest.approx(np.mean(wrong)))
    sorted_wrong = np.array(wrong)[np.argsort(-np.array(joint), kind="stable")]
    curve = np.cumsum(sorted_wrong) / np.arange(1, len(joint) + 1)
    assert risk["area"] == pytest.approx(curve.mean(), abs=1e-6)
    at = [round(c * len(joint)) - 1 for c in risk["coverage"]]
    assert risk["risk"] == pytest.approx(curve[at], abs=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_truth_is_perfect_and_nobody_is_wrong_everywhere(protocol) -> None:
    truths, _ = archive(protocol, 12)
    perfect = {t.file_name: found(t.joints3d, t.skeleton, t.joints2d) for t in truths}
    data = space_data(gather_archive(protocol, truths, perfect, protocol == "mupots"))
    assert data["found"] == data["people"]
    assert data["MPJPE"] == pytest.approx(0, abs=0.01)
    assert data["curve"]["pck"] == {"all": 1, "found": 1}
    empty = {t.file_name: nobody(LCR13) for t in truths}
    data = space_data(gather_archive(protocol, truths, empty, protocol == "mupots"))
    assert (data["found"], data["MPJPE"], data["curve"]["pck"]) == (0, None, {"all": 0, "found": None})
    assert all(row["quartiles"] == [None] * 3 for row in data["joints"].values())
