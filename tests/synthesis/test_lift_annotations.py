import json
from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import BLAZEPOSE33, COCO17, LCR13, LSP14
from anchorpose.datasets.coco import read_coco
from anchorpose.evaluation.pose3d import mpjpe
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.lift_annotations import LiftOptions, lift_annotations, lifting_errors
from anchorpose.synthesis.lifting import LEGS, exchange
from anchorpose.synthesis.views import ViewOptions, see
from tests.synthesis.bodies import walking

OPTIONS = LiftOptions(views=ViewOptions(views=60, roll=0.1, turned=0.0))


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "library.npz"
    PoseLibrary(walking(40), ("walk",), np.zeros(40, np.int32)).save(path)
    return path


def write_people(path, skeleton, people, exact=None, **fields):
    """COCO JSON of (n, 13, 2) LCR13 pixels, NaN where unlabelled, in another skeleton."""
    order = LCR13.map_to(skeleton)
    annotations = []
    for i, joints in enumerate(people):
        chosen = np.concatenate([joints, np.full((1, 2), np.nan)])[order]
        known = ~np.isnan(chosen[:, :1])
        keypoints = np.concatenate([np.nan_to_num(chosen), 2.0 * known], 1)
        annotations.append({"id": i + 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [1, 1, 200, 300],
                            "area": 6e4, "num_keypoints": int(known.sum()), "keypoints": keypoints.ravel().tolist(),
                            "note": "kept", **fields})  # fmt: skip
        if exact is not None:
            annotations[-1]["joints3d"] = exact[i].tolist()
    images = [{"id": 1, "file_name": "a.png", "width": 640, "height": 480}]
    categories = [{"id": 1, "name": "person", "keypoints": list(skeleton.joints)}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def walkers(count, seed=0):
    rng = np.random.default_rng(seed)
    angles = np.stack([rng.uniform(0, 2 * np.pi, count), np.full(count, 0.1), np.zeros(count)], 1).astype(np.float32)
    seen = see(walking(61)[rng.integers(61, size=count)], angles)
    return seen, (seen[..., :2] * 120 + [300, 220]).astype(np.float32)


@pytest.mark.parametrize("skeleton", [COCO17, LSP14, LCR13], ids=lambda s: s.name)
def test_annotations_gain_3d_and_keep_everything_else(tmp_path, library, skeleton):
    exact, pixels = walkers(8)
    pixels[1, :9] = np.nan  # too few are left
    pixels[2] = np.random.default_rng(1).uniform(0, 400, (13, 2))  # nobody stands so
    pixels[3, LCR13.indices("left_wrist", "left_elbow")] = np.nan
    source = write_people(tmp_path / "in.json", skeleton, pixels)
    report = lift_annotations(source, library, tmp_path / "out.json", OPTIONS)
    assert (report.people, report.matched, report.taught, report.too_few, report.too_far) == (8, 6, 0, 1, 1)
    assert report.projections == 40 * 2 * 60
    assert 0 < report.median_error < 0.05
    before, after = json.loads(source.read_text()), json.loads((tmp_path / "out.json").read_text())
    added = {"joints2d", "joints3d", "lift_error", "lift_pose", "lift_source"}
    for i, (old, new) in enumerate(zip(before["annotations"], after["annotations"], strict=True)):
        assert {k: v for k, v in new.items() if k not in added} == old
        assert (set(new) - set(old)) == (set() if i in (1, 2) else added)
    people = read_coco(tmp_path / "out.json", tmp_path)[0].people
    lifted = [0, 3, 4, 5, 6, 7]
    assert mpjpe(np.stack([people[i].joints3d for i in lifted]), exact[lifted]).mean() < 60
    assert np.isnan(people[2].joints3d).all()
    labelled = ~np.isnan(pixels[3, :, 0]) & (LCR13.map_to(skeleton).max() >= 0) & (skeleton.map_to(LCR13) >= 0)
    np.testing.assert_allclose(people[3].joints2d[labelled], pixels[3, labelled], atol=1e-3)
    assert np.isfinite(people[3].joints2d).all()


def test_match_and_teacher_complete_each_other_in_either_order(tmp_path, library):
    _, pixels = walkers(3)
    source = write_people(tmp_path / "in.json", COCO17, pixels)
    xyz = np.random.default_rng(2).normal(size=(2, 33, 3)).astype(np.float32)
    np.savez(tmp_path / "teacher.npz", annotation_id=[1, 2], xy=xyz[..., :2] * 100, xyz=xyz,
             visibility=np.ones((2, 33)), agreement=[0.9, 0.5])  # fmt: skip
    options = replace(OPTIONS, prefer="teacher")
    report = lift_annotations(source, library, tmp_path / "out.json", options, tmp_path / "teacher.npz")
    assert (report.taught, report.matched) == (1, 2)
    first, second, _ = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert (first["lift_source"], second["lift_source"]) == ("teacher", "match")
    knees = [LCR13.index("left_knee"), LCR13.index("right_knee")]
    theirs = BLAZEPOSE33.indices("left_knee", "right_knee")
    got, wanted = np.array(first["joints3d"])[knees], xyz[0, theirs]
    np.testing.assert_allclose(got[0] - got[1], wanted[0] - wanted[1], atol=1e-3)
    # The match goes first unless told otherwise; the teacher helps where nothing matches.
    report = lift_annotations(source, library, tmp_path / "out.json", OPTIONS, tmp_path / "teacher.npz")
    assert (report.taught, report.matched) == (0, 3)
    strict = replace(OPTIONS, max_error=1e-6)
    report = lift_annotations(source, library, tmp_path / "out.json", strict, tmp_path / "teacher.npz")
    assert (report.taught, report.matched, report.too_far) == (1, 0, 2)


def test_errors_against_exact_3d(tmp_path, library):
    exact, pixels = walkers(12, seed=3)
    pixels[0, :9] = np.nan
    # The size of the exact people does not count: a picture does not tell it.
    source = write_people(tmp_path / "exact.json", LCR13, pixels, exact * 1.3)
    found = lifting_errors(source, library, OPTIONS)
    assert (found.people, found.kept) == (11, 11)
    assert 0 < found.pa_mpjpe < found.mpjpe < 80
    assert found.mean_pose_mpjpe > 2 * found.mpjpe
    strict = lifting_errors(source, library, LiftOptions(views=OPTIONS.views, max_error=1e-6))
    assert strict.kept == 0
    assert np.isnan(strict.mpjpe)


def test_no_exact_3d_is_said(tmp_path, library):
    source = write_people(tmp_path / "in.json", LCR13, walkers(2)[1])
    with pytest.raises(InputError, match="nobody with joints3d"):
        lifting_errors(source, library, OPTIONS)


def test_broken_files_leave_the_output_alone(tmp_path, library):
    (tmp_path / "out.json").write_text("before")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        lift_annotations(tmp_path / "bad.json", library, tmp_path / "out.json", OPTIONS)
    with pytest.raises(InputError):
        lift_annotations(write_people(tmp_path / "in.json", LCR13, walkers(1)[1]), tmp_path / "no.npz",
                         tmp_path / "out.json", OPTIONS)  # fmt: skip
    assert (tmp_path / "out.json").read_text() == "before"


@pytest.mark.parametrize("bad", [{"min_joints": 1}, {"neighbours": 0}, {"max_error": 0.0}])
def test_impossible_options_are_refused(bad):
    with pytest.raises(InputError, match="found"):
        LiftOptions(**bad)


def test_swapped_labels_are_flagged_and_exchanged_where_asked(tmp_path, library):
    _, pixels = walkers(12, seed=5)
    wrong = pixels.copy()
    wrong[::2] = exchange(wrong[::2], LEGS)
    source = write_people(tmp_path / "in.json", COCO17, wrong)
    report = lift_annotations(source, library, tmp_path / "out.json", replace(OPTIONS, max_error=9.0))
    before, after = (json.loads(p.read_text())["annotations"] for p in (source, tmp_path / "out.json"))
    flagged = [i for i, a in enumerate(after) if a.get("swapped")]
    assert len(flagged) == report.swapped >= 3
    assert f"{report.swapped} with left and right" in report.line()
    assert set(flagged) <= set(range(0, 12, 2))
    assert [a["keypoints"] for a in after] == [a["keypoints"] for a in before]
    fixed = replace(OPTIONS, max_error=9.0, fix_swapped=True)
    lift_annotations(source, library, tmp_path / "fixed.json", fixed)
    for i, annotation in enumerate(json.loads((tmp_path / "fixed.json").read_text())["annotations"]):
        if i in flagged:  # the legs back, or the arms to them: the same person facing the other way
            assert annotation["lift_error"] < 0.75 * after[i]["lift_error"] + 0.01
            assert annotation["keypoints"] != before[i]["keypoints"]
            assert sorted(annotation["keypoints"]) == sorted(before[i]["keypoints"])
        else:
            assert annotation == after[i]
