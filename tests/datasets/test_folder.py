import json

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.datasets.folder import read_folder, read_own


def test_pictures_of_a_folder_in_natural_order(tmp_path):
    for name in ("img10.png", "img2.png", "deep/img1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    samples = read_folder(tmp_path)
    assert [s.image.name for s in samples] == ["img2.png", "img10.png"]
    assert all(s.people == () and not s.exhaustive for s in samples)
    assert len(read_folder(tmp_path, recursive=True)) == 3
    assert len(read_folder(tmp_path / "img2.png")) == 1


@pytest.mark.parametrize(("name", "message"), [("nowhere", "does not exist"), (".", "holds no pictures")])
def test_folders_without_pictures(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path / name)


def test_own_json_with_pictures_beside_it(coco_folder):
    path, images = coco_folder
    own, coco = read_own(path), read_coco(path, images)
    assert [s.image for s in own] == [s.image for s in coco]
    for a, b in zip(own, coco, strict=True):
        for mine, theirs in zip(a.people, b.people, strict=True):
            np.testing.assert_array_equal(mine.joints2d, theirs.joints2d)
    assert not read_own(path, exhaustive=False)[0].exhaustive
    moved = images / "people.json"
    path.rename(moved)
    assert [s.image for s in read_own(moved)] == [s.image for s in coco]


def test_own_skeleton_uses_the_joints_it_shares(coco_folder):
    path, _ = coco_folder
    data = json.loads(path.read_text())
    data["categories"][0]["keypoints"] = ["tail", "left_wrist"]
    for annotation in data["annotations"]:
        annotation |= {"keypoints": [1, 2, 2, 30, 40, 1], "num_keypoints": 2}
    path.write_text(json.dumps(data))
    person = read_own(path)[0].people[0]
    assert np.flatnonzero(person.labelled).tolist() == [LCR13.index("left_wrist")]
    np.testing.assert_array_equal(person.joints2d[LCR13.index("left_wrist")], [30, 40])


def test_what_is_wrong_with_an_own_file(coco_folder):
    path, images = coco_folder
    data = json.loads(path.read_text())
    (images / "2.png").unlink()
    with pytest.raises(InputError, match=r"1 of 4 pictures of .* are not in .*images, first 2.png; give the folder"):
        read_own(path)
    del data["annotations"][0]["bbox"]
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="'bbox' is missing"):
        read_own(path)
    data["categories"][0]["keypoints"] = [f"point {i}" for i in range(17)]
    data["annotations"] = []
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"has the joints point 0, .*rename its keypoints"):
        read_own(path)
    with pytest.raises(InputError, match="cannot read"):
        read_own(images / "none.json")
