import json

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import BLAZEPOSE33, LCR13
from anchorpose.datasets.coco import HEAD_TOP_ABOVE_EARS, blazepose_to_lcr13, mirrored, read_coco, read_lifted


def test_reads_joints_by_name(coco_folder):
    samples = read_coco(*coco_folder)
    assert [len(s.people) for s in samples] == [2, 3, 2, 3]
    person = samples[0].people[0]
    assert person.labelled.tolist() == [True] * 12 + [False]
    # The person faces us, so their left is at our right.
    assert person.joints2d[LCR13.index("left_wrist"), 0] > person.joints2d[LCR13.index("right_wrist"), 0]
    assert person.visible[LCR13.index("left_knee")] == 0
    assert person.visible[LCR13.index("right_knee")] == 1
    assert person.visible[LCR13.index("head_top")] == -1
    assert not samples[0].people[1].labelled.any()


def test_lifted_guesses_are_used_from_an_agreement_of_08(coco_folder, tmp_path):
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(2, 33, 3))
    np.savez(tmp_path / "lifted.npz", annotation_id=[1, 2], xy=rng.random((2, 33, 2)) * 100, xyz=xyz,
             visibility=np.ones((2, 33)), agreement=[0.9, 0.7])  # fmt: skip
    guesses = read_lifted(tmp_path / "lifted.npz")
    assert list(guesses) == [1]
    samples = read_coco(*coco_folder, lifted=tmp_path / "lifted.npz")
    with_guess, without = samples[0].people[0], samples[1].people[0]
    assert np.isfinite(with_guess.joints3d).all()
    assert np.isnan(without.joints3d).all()
    # Labels by hand stay, the head top comes from the guess.
    np.testing.assert_allclose(with_guess.joints2d[:12], read_coco(*coco_folder)[0].people[0].joints2d[:12])
    np.testing.assert_allclose(with_guess.joints2d[12], guesses[1][0][12])
    torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    np.testing.assert_allclose(with_guess.joints3d[torso].mean(0), 0, atol=1e-6)


def test_head_top_continues_the_line_from_shoulders_to_ears():
    joints = np.zeros((33, 3), np.float32)
    joints[BLAZEPOSE33.indices("left_ear", "right_ear")] = [0, -0.2, 0]
    np.testing.assert_allclose(blazepose_to_lcr13(joints)[12], [0, -0.2 * (1 + HEAD_TOP_ABOVE_EARS), 0], rtol=1e-6)


def test_mirroring_twice_changes_nothing(coco_folder):
    person = read_coco(*coco_folder)[1].people[0]
    once = mirrored(person, 240)
    twice = mirrored(once, 240)
    np.testing.assert_allclose(twice.joints2d, person.joints2d, atol=1e-4)
    np.testing.assert_allclose(twice.box, person.box, atol=1e-4)
    left, right = LCR13.index("left_wrist"), LCR13.index("right_wrist")
    assert once.joints2d[left, 0] == pytest.approx(240 - person.joints2d[right, 0])


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("{}", "lacks images"), (None, "cannot read")])
def test_broken_files_are_named(tmp_path, text, message):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_coco(path, tmp_path)


def test_categories_without_keypoints_give_nobody(tmp_path):
    data = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 3, "name": "cat"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [0, 0, 5, 5]}]}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert read_coco(tmp_path / "a.json", tmp_path)[0].people == ()


def placed(coco_folder, tmp_path, translation):
    """The people of one picture as if they were rendered."""
    annotations, images = coco_folder
    data, rng = json.loads(annotations.read_text()), np.random.default_rng(0)
    for person in data["annotations"]:
        person |= {"joint_state": ["visible"] * 13, "joints2d": rng.uniform(9, 190, (13, 2)).tolist(),
                   "joints3d": rng.normal(0, 0.4, (13, 3)).tolist(), "translation": translation}  # fmt: skip
    (tmp_path / "placed.json").write_text(json.dumps(data))
    return read_coco(tmp_path / "placed.json", images)[0].people[0]


def test_people_are_turned_towards_whoever_looks_at_them_by_their_place(coco_folder, tmp_path):
    beside, nowhere = (placed(coco_folder, tmp_path, t) for t in ([3.0, 0.0, 3.0], None))
    np.testing.assert_array_equal(beside.centre3d, [3.0, 0.0, 3.0])
    assert np.isnan(nowhere.centre3d).all()
    np.testing.assert_array_equal(nowhere.facing3d, nowhere.joints3d)
    # 45 degrees to the right: what is along the ray is ahead
    ahead = beside.joints3d @ (np.array([1.0, 0.0, 1.0]) / np.sqrt(2))
    np.testing.assert_allclose(beside.facing3d[:, 2], ahead, atol=1e-6)
    np.testing.assert_allclose(beside.facing3d[:, 1], beside.joints3d[:, 1], atol=1e-6)


def test_a_translation_of_two_numbers_is_named(coco_folder, tmp_path):
    with pytest.raises(InputError, match=r"annotation \d+ has a translation of 2 numbers, wanted x, y and z"):
        placed(coco_folder, tmp_path, [1.0, 2.0])
