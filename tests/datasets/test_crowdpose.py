import json
from contextlib import suppress

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.datasets.crowdpose import read_crowdpose

NAMES = ["left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
         "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck"]  # fmt: skip


def content(people=6, seed=0):
    """Two pictures, people with random flags; unlabelled joints are 0, 0, 0 as in the files."""
    rng = np.random.default_rng(seed)
    images = [{"file_name": f"{100 + i}.jpg", "id": 100 + i, "height": 400, "width": 600, "crowdIndex": 0.08 + i / 2}
              for i in range(2)]  # fmt: skip
    annotations = []
    for k in range(people):
        keypoints = np.concatenate([rng.integers(1, 400, (14, 2)), rng.integers(0, 3, (14, 1))], 1)
        keypoints[keypoints[:, 2] == 0] = 0
        annotations.append({"num_keypoints": int((keypoints[:, 2] > 0).sum()), "iscrowd": 0,
                            "keypoints": keypoints.ravel().tolist(), "image_id": 100 + k % 2, "category_id": 1,
                            "bbox": [10 + k, 20, 100, 300], "id": 1000 + k})  # fmt: skip
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": NAMES, "skeleton": [[1, 3]]}
    return {"images": images, "annotations": annotations, "categories": [category]}


def write(root, data, split="train", folder="json"):
    (root / "images").mkdir(exist_ok=True)
    (root / folder).mkdir(exist_ok=True)
    path = root / folder / f"crowdpose_{split}.json"
    path.write_text(json.dumps(data))
    return path


def test_joints_and_boxes_are_those_of_the_coco_reader(tmp_path):
    data = content()
    write(tmp_path, data)
    data["categories"][0]["keypoints"] = [name.replace("head", "head_top") for name in NAMES]
    (tmp_path / "renamed.json").write_text(json.dumps(data))
    ours, coco = read_crowdpose(tmp_path), read_coco(tmp_path / "renamed.json", tmp_path / "images")
    assert [s.image for s in ours] == [s.image for s in coco]
    for a, b in zip(ours, coco, strict=True):
        assert len(a.people) == len(b.people) == 3
        for mine, theirs in zip(a.people, b.people, strict=True):
            np.testing.assert_array_equal(mine.joints2d, theirs.joints2d)
            np.testing.assert_array_equal(mine.box, theirs.box)
            seen = theirs.labelled
            np.testing.assert_array_equal(mine.visible[seen], theirs.visible[seen])
            assert (mine.visible[~seen] == -1).all()
    assert any(p.labelled[LCR13.index("head_top")] for s in ours for p in s.people)


def test_what_the_evaluation_needs(tmp_path):
    data = content()
    write(tmp_path, data, "test", "annotations")
    first, second = read_crowdpose(tmp_path, "test")
    assert (first.id, second.id, first.exhaustive) == (100, 101, True)
    assert (first.crowd_index, second.crowd_index) == (0.08, 0.58)
    annotation = second.people[1].annotation
    record = next(r for r in data["annotations"] if r["id"] == annotation.id)
    assert annotation.id == 1003
    assert annotation.area == pytest.approx(0.53 * 100 * 300)
    for j in range(14):
        x, y, v = record["keypoints"][3 * j : 3 * j + 3]
        np.testing.assert_array_equal(annotation.joints2d[j], [x, y] if v else [np.nan, np.nan])
        assert annotation.visible[j] == {0: -1, 1: 0, 2: 1}[v]


def test_people_without_joints_crowds_and_empty_boxes(tmp_path):
    data = content(4)
    bare, crowd, boxless, nobody = data["annotations"]
    bare |= {"keypoints": [0] * 42, "num_keypoints": 0}
    crowd |= {"iscrowd": 1}
    boxless["bbox"] = [10, 20, 0, 0]
    nobody |= {"bbox": [0, 0, 5, 0], "keypoints": [0] * 42, "num_keypoints": 0}
    del data["images"][1]["crowdIndex"]
    write(tmp_path, data)
    first, second = read_crowdpose(tmp_path)
    assert [p.annotation.id for p in first.people] == [bare["id"], boxless["id"]]
    assert [p.annotation.id for p in second.people] == [crowd["id"]]
    assert not first.people[0].labelled.any()
    assert not second.people[0].labelled.any()
    assert (first.people[1].box[2:] > first.people[1].box[:2]).all()
    assert second.crowd_index is None


def test_not_crowdpose(tmp_path):
    with pytest.raises(InputError, match=r"json/crowdpose_val.json or annotations/.*Jeff-sjtu/CrowdPose"):
        read_crowdpose(tmp_path, "val")
    data = content()
    data["categories"][0]["keypoints"] = NAMES[::-1]
    write(tmp_path, data)
    with pytest.raises(InputError, match=r"has the keypoints neck, head_top, .*wanted CrowdPose's 14"):
        read_crowdpose(tmp_path)
    data = content()
    data["annotations"][2]["keypoints"] = [0] * 51
    write(tmp_path, data)
    with pytest.raises(InputError, match="annotation 1002 has 51"):
        read_crowdpose(tmp_path)
    data = content()
    data["annotations"][0]["bbox"] = [1, 2, 3]
    write(tmp_path, data)
    with pytest.raises(InputError, match=r"annotation 1000 has the bbox \[1, 2, 3\], wanted x, y, width"):
        read_crowdpose(tmp_path)
    data = content()
    del data["annotations"][0]["image_id"]
    write(tmp_path, data)
    with pytest.raises(InputError, match=r"not laid out as CrowdPose's .*image_id"):
        read_crowdpose(tmp_path)


@pytest.mark.parametrize("value", [None, "x", -1, [], {}, [None], [[1]], 1e400], ids=repr)
def test_damaged_values_never_give_another_error(tmp_path, value):
    for part in ("images", "annotations", "categories"):
        for key in content()[part][0]:
            data = content()
            data[part][0][key] = value
            write(tmp_path, data)
            with suppress(InputError):
                assert len(read_crowdpose(tmp_path)) == 2
