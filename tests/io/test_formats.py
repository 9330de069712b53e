from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import BODY25, COCO17, LCR13
from anchorpose.io.formats import coco_image_ids, from_anchorpose, to_anchorpose, to_coco, to_openpose
from tests.io.people import people


def with_gaps(count: int, seed: int) -> Poses:
    """Random people: some joints missing, some without a place, some tracked."""
    rng = np.random.default_rng(seed)
    poses = people(*rng.uniform([-2, -1, 2], [2, 1, 9], (count, 3)).tolist(), seed=seed)
    gone = rng.random((count, 13)) < 0.2
    flat, space, states = poses.joints2d.copy(), poses.joints3d.copy(), poses.joint_states.copy()
    flat[gone], space[gone] = np.nan, np.nan
    states[:] = rng.integers(1, 4, states.shape)
    states[gone] = JointState.MISSING
    translation = np.where(rng.random((count, 1)) < 0.3, np.nan, poses.translation).astype(np.float32)
    ids = rng.integers(0, 99, count) if seed % 2 else None
    return replace(poses, joints2d=flat, joints3d=space, joint_states=states, translation=translation, track_ids=ids)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=4), st.integers(0, 1000))
def test_our_format_round_trip(counts: list[int], seed: int) -> None:
    results = [(f"dir/bild {i}.jpg", with_gaps(count, seed + i)) for i, count in enumerate(counts)]
    data = json.loads(json.dumps(to_anchorpose(results), allow_nan=False))
    assert data["schema"] == "anchorpose/results/1"
    back = from_anchorpose(data)
    assert [file for file, _ in back] == [file for file, _ in results]
    for (_, found), (_, wanted) in zip(back, results, strict=True):
        assert found.camera == wanted.camera
        for name in ("scores", "boxes", "joints2d", "joints3d", "translation", "joint_scores", "joint_states"):
            np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=2e-5, rtol=1e-6)
        if len(wanted) and wanted.track_ids is not None:
            np.testing.assert_array_equal(found.track_ids, wanted.track_ids)
    assert to_anchorpose(back)["images"] == data["images"] or any(counts)


def test_image_size_is_told() -> None:
    (image,) = to_anchorpose([("a.jpg", people(width=640, height=480))])["images"]
    assert (image["file"], image["width"], image["height"]) == ("a.jpg", 640, 480)


@pytest.mark.parametrize("bad", [{}, [], None, {"schema": "anchorpose/results/9"},
                                 {"schema": "anchorpose/results/1", "images": [{"file": "a"}]},
                                 {"schema": "anchorpose/results/1", "images": [3]}])  # fmt: skip
def test_broken_results(bad: object) -> None:
    with pytest.raises(InputError) as caught:
        from_anchorpose(bad)
    assert "\n" not in str(caught.value)


def test_image_ids() -> None:
    assert coco_image_ids(["x/000000000139.jpg", "COCO_val2014_000000000042.jpg"]) == [139, 42]
    assert coco_image_ids(["a1.jpg", "b1.jpg"]) == [1, 2]
    assert coco_image_ids(["7.jpg", "street.jpg"]) == [1, 2]
    assert coco_image_ids([]) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 4), st.integers(0, 1000))
def test_coco(count: int, seed: int) -> None:
    poses = with_gaps(count, seed)
    entries = json.loads(json.dumps(to_coco([("000000000139.jpg", poses)]), allow_nan=False))
    assert len(entries) == count
    for i, entry in enumerate(entries):
        assert (entry["image_id"], entry["category_id"]) == (139, 1)
        points = np.array(entry["keypoints"]).reshape(17, 3)
        assert not points[:5].any()  # LCR13 has no face
        for j, name in enumerate(COCO17.joints[5:], start=5):
            wanted = poses.joints2d[i, LCR13.index(name)]
            if np.isnan(wanted).any():
                assert not points[j].any()
            else:
                np.testing.assert_allclose(points[j, :2], wanted, atol=1e-3)
                seen = poses.joint_states[i, LCR13.index(name)] == JointState.VISIBLE
                assert points[j, 2] == (2 if seen else 1)
        x1, y1, x2, y2 = poses.boxes[i]
        np.testing.assert_allclose(entry["bbox"], [x1, y1, x2 - x1, y2 - y1], atol=2e-3)


def test_coco_ids_by_hand_and_people_without_joints() -> None:
    poses = people((0, 0, 4), (1, 0, 4))
    poses.joints2d[1] = np.nan
    poses.boxes[0] = np.nan
    (entry,) = to_coco([("a.jpg", poses)], {"a.jpg": 99})
    assert entry["image_id"] == 99
    assert all(np.isfinite(entry["bbox"]))
    with pytest.raises(InputError, match=r"b\.jpg has no image id"):
        to_coco([("b.jpg", poses)], {"a.jpg": 99})


def test_pycocotools_scores_the_truth_as_perfect() -> None:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    results = [(f"{i}.jpg", people((-1, 0, 5), (1, 0, 6), seed=i)) for i in (1, 2)]
    entries = to_coco(results)
    truth = coco.COCO()
    annotations = [{**e, "id": k, "area": e["bbox"][2] * e["bbox"][3], "iscrowd": 0, "num_keypoints": 12}
                   for k, e in enumerate(entries, 1)]  # fmt: skip
    truth.dataset = {"images": [{"id": 1}, {"id": 2}], "annotations": annotations,
                     "categories": [{"id": 1, "name": "person"}], "info": {}}  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(json.loads(json.dumps(entries))), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_openpose() -> None:
    poses = replace(people((0, 0, 4), (1, 0, 5)), track_ids=np.array([7, 9]))
    poses.translation[1] = np.nan
    poses.joint_scores[0, LCR13.index("left_knee")] = 0
    data = json.loads(json.dumps(to_openpose(poses), allow_nan=False))
    assert data["version"] == 1.3
    assert [person["person_id"] for person in data["people"]] == [[7], [9]]
    flat = np.array(data["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    space = np.array(data["people"][0]["pose_keypoints_3d"]).reshape(25, 4)
    for name in ("right_wrist", "left_ankle"):
        np.testing.assert_allclose(flat[BODY25.index(name), :2], poses.joints2d[0, LCR13.index(name)], atol=1e-4)
        camera = poses.joints3d_camera[0, LCR13.index(name)]
        np.testing.assert_allclose(space[BODY25.index(name), :3], camera, atol=1e-4)
    for middle, part in (("neck", "shoulder"), ("mid_hip", "hip")):
        wanted = poses.joints2d[0, LCR13.indices(f"left_{part}", f"right_{part}")].mean(0)
        np.testing.assert_allclose(flat[BODY25.index(middle)], [*wanted, 0.8], atol=1e-4)
    assert not flat[BODY25.index("nose")].any()
    assert flat[BODY25.index("left_knee"), 2] == 0.01  # known, though never visible
    assert not any(data["people"][1]["pose_keypoints_3d"])
    assert any(data["people"][1]["pose_keypoints_2d"])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 4), st.integers(0, 1000))
def test_openpose_never_holds_nan(count: int, seed: int) -> None:
    data = to_openpose(with_gaps(count, seed))
    json.dumps(data, allow_nan=False)
    assert [len(p["pose_keypoints_2d"]) for p in data["people"]] == [75] * count
    assert [len(p["pose_keypoints_3d"]) for p in data["people"]] == [100] * count
