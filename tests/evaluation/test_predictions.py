"""Predictions of all formats find their images, and what does not fit is said."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import COCO17, LCR13, LSP14, POSETRACK17
from anchorpose.evaluation.annotations import ImageEntry, load_annotations
from anchorpose.evaluation.predictions import read_predictions
from anchorpose.evaluation.protocols import evaluate_coco
from anchorpose.io.formats import to_anchorpose, to_coco
from tests.evaluation.fakes import poses, scene

IMAGES = [ImageEntry(7, "val/a.jpg", 640, 640), ImageEntry(9, "val/b.jpg", 640, 640)]


def write(folder, data, name="predictions.json"):
    path = folder / name
    path.write_text(json.dumps(data))
    return path


def people(rng, count=2, skeleton=LCR13):
    return poses(rng.uniform(1, 600, (count, len(skeleton), 2)), rng.random(count), skeleton)


@pytest.mark.parametrize("folder", ["", "val/", "deep/val/", "./val/", "other/val/"])
def test_our_own_json_by_the_end_of_the_name(tmp_path, rng, folder):
    own = {"a.jpg": people(rng), "b.jpg": people(rng, 0), "c.jpg": people(rng)}
    path = write(tmp_path, to_anchorpose((f"{folder}{name}", p) for name, p in own.items()))
    found = read_predictions(path, IMAGES, COCO17)
    assert (list(found.people), found.kind, found.absent) == (["val/a.jpg", "val/b.jpg"], "anchorpose", ())
    np.testing.assert_allclose(found.people["val/a.jpg"].joints2d, own["a.jpg"].joints2d, atol=1e-4)
    assert len(found.people["val/b.jpg"]) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab/.", min_size=1, max_size=6), max_size=4), st.integers(0, 3))
def test_odd_names_never_give_anothers_people(tmp_path_factory, names, seed):
    """Whatever is matched, one name ends in the other, and no entry is given to two images."""
    tmp_path = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(seed)
    own = [(name, people(rng, 1)) for name in names]
    images = [ImageEntry(1, "a/b", 9, 9), ImageEntry(2, "b", 9, 9), ImageEntry(3, "b/b", 9, 9)]
    path = write(tmp_path, to_anchorpose(own))
    try:
        found = read_predictions(path, images, COCO17, "nobody")
    except InputError:
        return
    given = [p.joints2d.tolist() for p in found.people.values() if len(p)]
    assert len({str(g) for g in given}) == len(given)
    for image, mine in found.people.items():
        for name, p in own:
            if len(mine) and np.allclose(p.joints2d, mine.joints2d, atol=1e-3):
                parts = [part for part in name.split("/") if part not in ("", ".")]
                short = min(len(parts), len(image.split("/")))
                assert parts[-short:] == image.split("/")[-short:]


def test_names_that_fit_twice(tmp_path, rng):
    path = write(tmp_path, to_anchorpose([("x/val/a.jpg", people(rng)), ("y/val/a.jpg", people(rng))]))
    with pytest.raises(InputError, match=r"has 2 entries that may be val/a.jpg, such as x/val/a.jpg, wanted one"):
        read_predictions(path, IMAGES[:1], COCO17)
    path = write(tmp_path, to_anchorpose([("a.jpg", people(rng))]))
    twice = [IMAGES[0], ImageEntry(1, "train/a.jpg", 1, 1)]
    with pytest.raises(InputError, match=r"has a.jpg, which may be val/a.jpg or train/a.jpg"):
        read_predictions(path, twice, COCO17)
    # The exact name goes before others that end alike.
    path = write(tmp_path, to_anchorpose([("x/val/a.jpg", people(rng)), ("val/a.jpg", people(rng, 1))]))
    assert len(read_predictions(path, IMAGES[:1], COCO17).people["val/a.jpg"]) == 1


def test_missing_images_are_counted_or_nobody(tmp_path, rng):
    own = people(rng, 2, LSP14)
    path = write(tmp_path, to_anchorpose([("val/b.jpg", own)]))
    with pytest.raises(InputError, match=r"no predictions for 1 of 2 .* the first is val/a.jpg; .*--missing nobody"):
        read_predictions(path, IMAGES, COCO17)
    found = read_predictions(path, IMAGES, COCO17, "nobody")
    assert found.absent == ("val/a.jpg",)
    # In the joints of the others, so that nobody's absence changes what is measured.
    assert (len(found.people["val/a.jpg"]), found.people["val/a.jpg"].skeleton) == (0, LSP14)
    path = write(tmp_path, to_anchorpose([("val/c.jpg", own)]))
    with pytest.raises(InputError, match="for 2 of 2"):
        read_predictions(path, IMAGES, COCO17, "nobody")


def test_coco_results_of_ours_and_of_others(tmp_path, rng):
    own = people(rng)
    path = write(tmp_path, to_coco([("val/a.jpg", own)], {"val/a.jpg": 7}))
    found = read_predictions(path, IMAGES, LSP14)
    assert (found.kind, found.absent) == ("coco-results", ("val/b.jpg",))
    # LCR13 has 12 of COCO's 17 joints; the others are 0, 0, 0 in all of the file.
    assert len(found.people["val/a.jpg"].skeleton) == 12
    wanted = own.to_skeleton(found.people["val/a.jpg"].skeleton)[np.argsort(-own.scores)]
    np.testing.assert_allclose(found.people["val/a.jpg"].joints2d, wanted.joints2d, atol=1e-3)
    np.testing.assert_allclose(found.people["val/a.jpg"].scores, wanted.scores)
    # Confidences as third numbers, in the annotations' own joints; a joint of no confidence is still a prediction.
    flat = np.column_stack([np.arange(28).reshape(14, 2) + 1.5, np.linspace(0, 0.9, 14)])
    whole = flat.ravel().tolist()
    flat[3] = 0
    path = write(tmp_path, [{"image_id": 9, "keypoints": flat.ravel().tolist(), "score": 3},
                            {"image_id": 7, "keypoints": whole, "score": 1}])  # fmt: skip
    (person,) = read_predictions(path, IMAGES, LSP14).people["val/b.jpg"]
    assert person.skeleton == LSP14
    assert np.flatnonzero(np.isnan(person.joints2d[0, :, 0])).tolist() == [3]
    np.testing.assert_allclose(person.joints2d[0, 0], [1.5, 2.5])
    np.testing.assert_allclose(person.joint_scores[0], np.where(np.arange(14) == 3, 0, flat[:, 2]), rtol=1e-6)
    nobody = read_predictions(write(tmp_path, []), IMAGES, LSP14)
    assert nobody.absent == ("val/a.jpg", "val/b.jpg")
    assert [len(p) for p in nobody.people.values()] == [0, 0]


def test_results_of_others_score_as_in_pycocotools(tmp_path, rng, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    data, found = scene(rng, images=8)
    results = [{"image_id": image, "category_id": 1, "score": float(score),
                "keypoints": np.column_stack([j, rng.random(17)]).ravel().tolist()}
               for image, (joints, scores) in found.items()
               for j, score in zip(joints, scores, strict=True)]  # fmt: skip
    annotations = load_annotations(write(tmp_path, data, "truth.json"))
    read = read_predictions(write(tmp_path, results), annotations.images, annotations.skeleton)
    truth = coco.COCO(str(tmp_path / "truth.json"))
    reference = cocoeval.COCOeval(truth, truth.loadRes(str(tmp_path / "predictions.json")), "keypoints")
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    capsys.readouterr()
    table = evaluate_coco(annotations, read.people)
    assert table["AP"] == pytest.approx(reference.stats[0], abs=1e-6)
    assert table["AR"] == pytest.approx(reference.stats[5], abs=1e-6)
    assert 0.05 < table["AP"] < 0.95


def posetrack(rng, ids=(7, 9), count=2, **changes):
    annotations = [{"image_id": i, "track_id": 10 + k, "scores": rng.random(17).tolist(),
                    "keypoints": rng.uniform(1, 9, (17, 3)).ravel().tolist()} | changes
                   for i in ids for k in range(count)]  # fmt: skip
    return {"images": [{"id": i, "file_name": "anything"} for i in ids], "annotations": annotations,
            "categories": [{"keypoints": list(POSETRACK17.joints)}]}  # fmt: skip


def test_posetrack_of_a_folder_is_that_of_its_files(tmp_path, rng):
    whole = posetrack(rng)
    file = write(tmp_path, whole)
    (tmp_path / "parts").mkdir()
    for k, id in enumerate((7, 9)):
        part = {**whole, "images": [whole["images"][k]],
                "annotations": [a for a in whole["annotations"] if a["image_id"] == id]}  # fmt: skip
        write(tmp_path / "parts", part, f"{id}.json")
    for path in (file, tmp_path / "parts"):
        found = read_predictions(path, IMAGES, POSETRACK17)
        assert found.kind == "posetrack"
        for image in IMAGES:
            entries = [a for a in whole["annotations"] if a["image_id"] == image.id]
            own = found.people[image.file_name]
            order = np.argsort([-np.mean(a["scores"]) for a in entries])
            assert own.track_ids.tolist() == [entries[k]["track_id"] for k in order]
            np.testing.assert_allclose(own.joint_scores, [entries[k]["scores"] for k in order], rtol=1e-5)
            np.testing.assert_allclose(own.scores, [np.mean(entries[k]["scores"]) for k in order], rtol=1e-5)
    write(tmp_path / "parts", whole, "again.json")
    with pytest.raises(InputError, match=r"has image 7, which another file has too"):
        read_predictions(tmp_path / "parts", IMAGES, POSETRACK17)
    with pytest.raises(InputError, match="for 1 of 2 annotated images"):
        read_predictions(write(tmp_path, posetrack(rng, ids=(7,))), IMAGES, POSETRACK17)


@pytest.mark.parametrize(("data", "message"), [
    ({}, "holds no predictions that are known"),
    ("text", "holds no predictions that are known"),
    ([{"image_id": 1, "keypoints": [1, 2, 3] * 17, "score": 1}], "such as 1, none of which is annotated"),
    ([{"image_id": 7, "keypoints": [1, 2, 3] * 17}], "broken as COCO results .'score' is missing"),
    ([{"image_id": 7, "keypoints": [1, 2, 3] * 5, "score": 1}], "broken as COCO results .cannot reshape"),
    ([{"image_id": 7, "keypoints": [1e9, 2, 3] * 17, "score": 1}], "beyond a million pixels"),
    ([{"image_id": 7, "keypoints": [1, 2, 3] * 17, "score": float("nan")}], "a score is not a finite number"),
    ([{"image_id": [], "keypoints": [1, 2, 3] * 17, "score": 1}], "broken as COCO results"),
    ([3], "broken as COCO results"),
    ({"schema": "anchorpose/results/1", "images": [{"file": "a"}]}, "image 0 of the results is broken"),
    ({"images": [{"id": 7}], "annotations": [{"image_id": 8, "keypoints": [1] * 51}]}, "broken as PoseTrack's"),
    ({"images": [{"id": 7}], "annotations": [{"image_id": 7, "track_id": 1, "scores": [1], "keypoints": [1] * 51}]},
     "1 scores for 17 joints"),
    ({"images": [{"id": 7}], "annotations": [{"image_id": 7, "keypoints": [1] * 51}]}, "'score' is missing"),
])  # fmt: skip
def test_broken_files_are_one_line(tmp_path, data, message):
    path = write(tmp_path, data)
    with pytest.raises(InputError, match=message) as error:
        read_predictions(path, IMAGES, COCO17)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_no_file_and_no_json(tmp_path):
    (tmp_path / "a.json").write_text("[")
    with pytest.raises(InputError, match="is not JSON"):
        read_predictions(tmp_path / "a.json", IMAGES, COCO17)
    with pytest.raises(InputError, match="cannot read"):
        read_predictions(tmp_path / "b.json", IMAGES, COCO17)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no JSON files"):
        read_predictions(tmp_path / "empty", IMAGES, COCO17)
