import json
from contextlib import suppress

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, POSETRACK15, POSETRACK17
from anchorpose.datasets.posetrack import read_posetrack

NAMES = ["nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
         "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
         "right_ankle"]  # fmt: skip


def video(number, frames=3, people=2, seed=0):
    """A video as PoseTrack18 writes it: the ears are 0, 0, 0, the middle frame is labelled, and so is the last."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for f in range(frames):
        id = 10_000_000_000 + number * 10_000 + f
        images.append({
            "has_no_densepose": True, "is_labeled": f > 0, "frame_id": id, "id": id, "nframes": frames,
            "file_name": f"images/val/{number:06}_mpii_test/{f:06}.jpg", "vid_id": f"{number:06}",
        })  # fmt: skip
        for k in range(people if f else 0):
            keypoints = np.concatenate([rng.uniform(1, 400, (17, 2)), np.ones((17, 1))], 1)
            keypoints[[3, 4, 5 + k]] = 0
            annotations.append({"bbox_head": [10 + k, 20, 30, 40], "keypoints": keypoints.ravel().tolist(),
                                "track_id": 7 - k, "image_id": id, "bbox": [5.5 + k, 6, 200, 300], "scores": [],
                                "category_id": 1, "id": id * 100 + k})  # fmt: skip
    category = {"supercategory": "person", "name": "person", "id": 1, "keypoints": NAMES, "skeleton": [[16, 14]]}
    return {"images": images, "annotations": annotations, "categories": [category]}


def write(root, videos, split="val"):
    (root / "images").mkdir(exist_ok=True)
    (root / "annotations" / split).mkdir(parents=True, exist_ok=True)
    for number, data in videos.items():
        (root / "annotations" / split / f"{number:06}_mpii_test.json").write_text(json.dumps(data))
    return root


def test_frames_of_all_videos_in_order(tmp_path):
    write(tmp_path, {4707: video(4707), 342: video(342, 4)})
    samples = read_posetrack(tmp_path)
    assert [(s.sequence, s.frame) for s in samples] == [
        ("000342_mpii_test", 1), ("000342_mpii_test", 2), ("000342_mpii_test", 3),
        ("004707_mpii_test", 1), ("004707_mpii_test", 2),
    ]  # fmt: skip
    assert samples[0].image == tmp_path / "images/val/000342_mpii_test/000001.jpg"
    assert samples[0].id == 10003420001
    assert samples[0].exhaustive
    everything = read_posetrack(tmp_path, labelled_only=False)
    assert len(everything) == 7
    assert (everything[0].people, everything[0].exhaustive, everything[0].frame) == ((), False, 0)


def test_joints_by_name_tracks_and_head_boxes(tmp_path):
    data = video(342)
    assert list(POSETRACK17.joints) == NAMES
    sample = read_posetrack(write(tmp_path, {342: data}))[0]
    records = [r for r in data["annotations"] if r["image_id"] == sample.id]
    assert [p.annotation.track_id for p in sample.people] == [7, 6]
    for k, (person, record) in enumerate(zip(sample.people, records, strict=True)):
        np.testing.assert_allclose(person.annotation.head_box, [10 + k, 20, 40 + k, 60])
        np.testing.assert_allclose(person.box, [5.5 + k, 6, 205.5 + k, 306])
        assert person.annotation.id == record["id"]
        for j, name in enumerate(NAMES):
            x, y, v = record["keypoints"][3 * j : 3 * j + 3]
            wanted = [x, y] if v else [np.nan, np.nan]
            np.testing.assert_allclose(person.annotation.joints2d[j], wanted, rtol=1e-6)
            if name in LCR13.joints:
                np.testing.assert_allclose(person.joints2d[LCR13.index(name)], wanted, rtol=1e-6)
        assert person.labelled.sum() == 12
        assert (person.visible == -1).all()
        evaluated = person.annotation.joints2d[POSETRACK17.map_to(POSETRACK15)]
        assert np.isfinite(evaluated).all(axis=1).sum() == 14


def test_ignore_regions_are_polygons_and_people_without_joints(tmp_path):
    data = video(342)
    data["images"][1] |= {"ignore_regions_x": [[0, 50, 50, 0], [100, 120, 110], [1, 2], []],
                          "ignore_regions_y": [[10, 10, 90, 90], [5, 5, 25], [1, 2], []]}  # fmt: skip
    data["images"][2] |= {"ignore_regions_x": [3, 9, 9], "ignore_regions_y": [4, 4, 8]}
    first, second = read_posetrack(write(tmp_path, {342: data}))
    assert [r.tolist() for r in first.ignore_regions] == [
        [[0, 10], [50, 10], [50, 90], [0, 90]], [[100, 5], [120, 5], [110, 25]]
    ]  # fmt: skip
    assert [p.box.tolist() for p in first.people[2:]] == [[0, 10, 50, 90], [100, 5, 120, 25]]
    assert not any(p.labelled.any() for p in first.people[2:])
    assert all(p.annotation is None for p in first.people[2:])
    assert [r.tolist() for r in second.ignore_regions] == [[[3, 4], [9, 4], [9, 8]]]


def test_people_without_boxes_or_joints(tmp_path):
    data = video(342, frames=2, people=4)
    no_box, head_only, nothing, no_head = data["annotations"]
    no_box.pop("bbox")
    head_only |= {"keypoints": [0] * 51, "bbox": []}
    nothing |= {"keypoints": [], "bbox": [0, 0, 0, 0], "bbox_head": []}
    no_head.pop("bbox_head")
    (sample,) = read_posetrack(write(tmp_path, {342: data}))
    assert [p.annotation.id for p in sample.people] == [no_box["id"], head_only["id"], no_head["id"]]
    first, head, last = sample.people
    labels = first.annotation.joints2d[first.annotation.labelled]
    size = np.ptp(labels, axis=0)
    np.testing.assert_allclose(first.box, [*(labels.min(0) - 0.1 * size), *(labels.max(0) + 0.1 * size)], rtol=1e-4)
    np.testing.assert_array_equal(head.box, head.annotation.head_box)
    assert not head.labelled.any()
    assert last.annotation.head_box is None


def test_videos_without_labels(tmp_path):
    data = {"images": [image | {"is_labeled": False} for image in video(9)["images"]]}
    write(tmp_path, {9: data}, "test")
    assert read_posetrack(tmp_path, "test") == []
    assert len(read_posetrack(tmp_path, "test", labelled_only=False)) == 3


def test_not_posetrack(tmp_path):
    with pytest.raises(InputError, match=r"wanted also annotations/val or .*, images; get it from posetrack.net"):
        read_posetrack(tmp_path)
    write(tmp_path, {})
    with pytest.raises(InputError, match="holds no JSON files, wanted one for each video"):
        read_posetrack(tmp_path)
    data = video(342)
    data["images"][1] |= {"ignore_regions_x": [[1, 2, 3]], "ignore_regions_y": [[1, 2]]}
    with pytest.raises(InputError, match=r"ignore regions of \[3\] x and \[2\] y"):
        read_posetrack(write(tmp_path, {342: data}))
    data = video(342)
    del data["images"][1]["frame_id"]
    with pytest.raises(InputError, match=r"000342_mpii_test.json is not laid out as PoseTrack18's .*frame_id"):
        read_posetrack(write(tmp_path, {342: data}))


@pytest.mark.parametrize("value", [None, "x", -1, [], {}, [None], [[1]], 1e400], ids=repr)
def test_damaged_values_never_give_another_error(tmp_path, value):
    for part in ("images", "annotations", "categories"):
        for key in video(342)[part][-1]:
            data = video(342)
            data[part][-1][key] = value
            write(tmp_path, {342: data})
            with suppress(InputError):
                assert 1 <= len(read_posetrack(tmp_path)) <= 2
