from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import BODY12, COCO17, LCR13, LSP14
from anchorpose.evaluation.protocols import LSP_JOINTS, evaluate_coco, evaluate_lsp, format_table, load_annotations
from anchorpose.evaluation.published import COLUMNS, format_beside
from tests.evaluation.fakes import annotation, coco, person, poses, scene, write
from tests.evaluation.test_keypoints import ours, reference

NOBODY = Poses.empty(Camera.from_fov(640, 640))


def as_poses(found: dict[int, Any]) -> dict[str, Poses]:
    return {f"{image}.jpg": poses(people, scores) for image, (people, scores) in found.items()}


def test_coco_equals_pycocotools_from_file_to_table(tmp_path: Path) -> None:
    data, found = scene(np.random.default_rng(5))
    found = {i: (p.astype(np.float32), s.astype(np.float32)) for i, (p, s) in found.items()}
    table = evaluate_coco(load_annotations(write(tmp_path, data)), as_poses(found))
    assert [table[k] for k in ("AP", "AP50", "AP75", "AR")] == pytest.approx(reference(data, found), abs=1e-6)
    body = [table[f"body_{k}"] for k in ("AP", "AP50", "AP75", "AR")]
    assert body == pytest.approx(reference(data, found, BODY12), abs=1e-6)
    assert (table["images"], table["joints"], table["body_joints"]) == (6, 17, 12)
    json.dumps(table, allow_nan=False)


def test_lcr13_is_judged_by_the_twelve_joints_it_shares_with_coco(tmp_path: Path, rng: np.random.Generator) -> None:
    people = np.stack([person(rng) for _ in range(3)])
    data = coco(1, [annotation(i + 1, 1, p, np.ones(17, bool)) for i, p in enumerate(people)])
    annotations = load_annotations(write(tmp_path, data))
    table = evaluate_coco(annotations, {"1.jpg": poses(people).to_skeleton(LCR13)})
    assert (table["joints"], table["people"], table["AP"]) == (12, 3, pytest.approx(1))
    assert table["body_AP"] == table["AP"]


def test_people_with_only_face_joints_do_not_count_for_the_body(tmp_path: Path, rng: np.random.Generator) -> None:
    face = np.arange(17) < 5
    data = coco(1, [annotation(1, 1, person(rng), face)])
    table = evaluate_coco(load_annotations(write(tmp_path, data)), {"1.jpg": NOBODY.to_skeleton(COCO17)})
    assert (table["people"], table["AP"], table["body_people"], table["body_AP"]) == (1, 0, 0, None)
    json.dumps(table, allow_nan=False)


def lsp(folder: Path, people: list[np.ndarray], visible: np.ndarray | None = None) -> Any:
    seen = np.ones(14, bool) if visible is None else visible
    return load_annotations(write(folder, coco(len(people), [annotation(i + 1, i + 1, p, seen)
                                                            for i, p in enumerate(people)], LSP14)))  # fmt: skip


def test_lsp_takes_the_person_that_overlaps_not_the_best_score(tmp_path: Path, rng: np.random.Generator) -> None:
    right, stranger = person(rng, LSP14, (150, 150)), person(rng, LSP14, (450, 450))
    annotations = lsp(tmp_path, [right])
    found = poses(np.stack([stranger, right]), [0.9, 0.2], LSP14).to_skeleton(LCR13)
    table = evaluate_lsp(annotations, {"1.jpg": found})
    assert (table["PCK@0.2"], table["people"], table["not_found"], table["joints"]) == (1, 1, 0, 13)
    assert table["PCK@0.2 head_top"] == table["body_PCK@0.2"] == 1
    assert "PCK@0.2 neck" not in table


def test_lsp_kinds_of_joints_are_the_mean_of_their_sides(tmp_path: Path, rng: np.random.Generator) -> None:
    truth = [person(rng, LSP14) for _ in range(4)]
    found = [p.copy() for p in truth]
    for i, (side, joint) in enumerate((("left", "wrist"), ("right", "wrist"), ("left", "wrist"), ("left", "knee"))):
        found[i][LSP14.index(f"{side}_{joint}")] += 1e4
    found[1][LSP14.index("head_top")] += 1e4
    people = {f"{i + 1}.jpg": poses(joints[None], None, LSP14) for i, joints in enumerate(found)}
    table = evaluate_lsp(lsp(tmp_path, truth), people)
    kinds = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    assert [table[f"PCK@0.2 {kind}"] for kind in kinds] == [0.75, 1, 1, (0.5 + 0.75) / 2, 1, (0.75 + 1) / 2, 1]
    assert {column for columns in COLUMNS["lsp"].values() for column in columns.values()} <= set(table)
    first, ours, *_ = format_beside("lsp", {"ours": table}).splitlines()
    assert first.split() == [*(kind.title() for kind in kinds), "Mean", "12", "body", "joints"]
    assert ours.split()[:5] == ["ours", "0.750", "1.000", "1.000", "0.625"]


@pytest.mark.parametrize("found", ["nobody", "a stranger", "nan"])
def test_lsp_counts_a_missed_person_as_all_joints_wrong(tmp_path: Path, rng: np.random.Generator, found: str) -> None:
    first, second = person(rng, LSP14, (150, 150)), person(rng, LSP14, (150, 150))
    other = {"nobody": NOBODY, "a stranger": poses(second[None] + 400, None, LSP14).to_skeleton(LCR13),
             "nan": poses(second[None] * np.nan, None, LSP14).to_skeleton(LCR13)}[found]  # fmt: skip
    good = poses(first[None], None, LSP14).to_skeleton(LCR13)
    table = evaluate_lsp(lsp(tmp_path, [first, second]), {"1.jpg": good, "2.jpg": other})
    assert (table["PCK@0.2"], table["people"], table["not_found"]) == (0.5, 2, 1)


def test_lsp_leaves_people_without_torso_out(tmp_path: Path, rng: np.random.Generator) -> None:
    visible = np.array(["hip" not in joint for joint in LSP14.joints])
    table = evaluate_lsp(lsp(tmp_path, [person(rng, LSP14)], visible), {"1.jpg": NOBODY})
    assert (table["people"], table["left_out"], table["PCK@0.2"]) == (0, 1, None)
    json.dumps(table, allow_nan=False)


def test_lsp_does_not_depend_on_scale_and_order(tmp_path: Path, rng: np.random.Generator) -> None:
    truth = [person(rng, LSP14) for _ in range(4)]
    found = [np.stack([p + rng.normal(0, 8, p.shape), person(rng, LSP14)]) for p in truth]

    def figures(scale: float, shift: float, flip: int) -> dict[str, Any]:
        people = {f"{i + 1}.jpg": poses((f * scale + shift)[::flip], None, LSP14) for i, f in enumerate(found)}
        return evaluate_lsp(lsp(tmp_path, [p * scale + shift for p in truth]), people)

    base = figures(1, 0, 1)
    assert 0 < base["PCK@0.2"] < 1
    assert figures(4, 64, 1) == base == figures(1, 0, -1)


def test_the_joints_shared_with_lsp_are_all_of_lcr13() -> None:
    assert sorted(LSP_JOINTS) == sorted(LCR13.joints)


def test_images_without_predictions_are_an_error(tmp_path: Path, rng: np.random.Generator) -> None:
    annotations = lsp(tmp_path, [person(rng, LSP14), person(rng, LSP14)])
    for evaluate in (evaluate_coco, evaluate_lsp):
        with pytest.raises(InputError, match=r"1 of 2 .*2\.jpg") as error:
            evaluate(annotations, {"1.jpg": NOBODY})
        assert "\n" not in str(error.value)
    assert evaluate_lsp(annotations.only(["1.jpg"]), {"1.jpg": NOBODY})["images"] == 1


def test_joints_without_a_common_name_are_an_error(tmp_path: Path) -> None:
    data = coco(1, [])
    data["categories"][0]["keypoints"] = ["paw", "tail"]
    for evaluate in (evaluate_coco, evaluate_lsp):
        with pytest.raises(InputError, match="no joint name in common"):
            evaluate(load_annotations(write(tmp_path, data)), {"1.jpg": NOBODY})


def test_pck_without_a_torso_is_an_error(tmp_path: Path) -> None:
    data = coco(1, [])
    data["categories"][0]["keypoints"] = ["left_knee", "left_ankle"]
    with pytest.raises(InputError, match="no left_shoulder"):
        evaluate_lsp(load_annotations(write(tmp_path, data)), {"1.jpg": NOBODY})


def broken(**changes: Any) -> dict[str, Any]:
    good = annotation(1, 1, person(np.random.default_rng(0)), np.ones(17, bool))
    return coco(1, [good | changes])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        ("{", "not a JSON file"),
        ("", "not a JSON file"),
        ("\ud83d".encode("utf-16", "surrogatepass"), "not a JSON file"),
        ("[" * 100_000, "not a JSON file"),
        ([1], "list where an object"),
        ({"images": []}, "'categories' is missing"),
        ({**coco(1, []), "categories": [{"id": 1, "name": "cat"}]}, "no category has 'keypoints'"),
        ({**coco(1, []), "categories": 3}, "not COCO"),
        ({**coco(1, []), "images": ["a"]}, "not COCO"),
        (coco(0, []), "no images"),
        (broken(keypoints=[1, 2, 3]), "3 keypoint numbers, wanted 51"),
        (broken(keypoints=["a"] * 51), "not COCO"),
        (broken(keypoints=[float("nan")] * 51), "not finite"),
        (broken(bbox=[1, 2, 3]), "3 box numbers, wanted 4"),
        (broken(area=None), "not finite"),
        (broken(bbox=[5]), "1 box numbers, wanted 4"),
        (broken(image_id=7), "of image 7"),
        ({**coco(1, []), "images": coco(1, [])["images"] * 2}, "same id"),
    ],
)
def test_broken_annotations_are_one_clear_line(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        raw = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    with pytest.raises(InputError, match=message) as error:
        load_annotations(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_annotations_of_other_categories_and_without_keypoints(tmp_path: Path) -> None:
    data = broken()
    plain = {k: v for k, v in data["annotations"][0].items() if k not in ("keypoints", "num_keypoints", "area")}
    data["annotations"] += [{**plain, "id": 2}, {**plain, "id": 3, "category_id": 9}]
    annotations = load_annotations(write(tmp_path, data))
    assert annotations.skeleton is COCO17
    assert annotations.people[0].ignore.tolist() == [False, True]


def test_reading_keeps_the_order_of_image_ids(tmp_path: Path) -> None:
    data, found = scene(np.random.default_rng(1))
    base = ours(tmp_path, data, found)
    data["images"].reverse()
    assert ours(tmp_path, data, found) == base


def test_table_is_aligned() -> None:
    lines = format_table({"anchorpose": {"images": 12, "AP": 0.51234}, "peer": {"AP": None, "AP50": 1.0}}).split("\n")
    assert lines == ["        anchorpose   peer", "images          12      -", "AP           0.512      -",
                     "AP50             -  1.000"]  # fmt: skip
