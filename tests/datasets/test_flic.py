import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import FLIC11, LCR13
from anchorpose.datasets.flic import FLIC, read_flic
from tests.datasets.matlab import EMPTY, structs

KEYS = ("lsho", "lelb", "lwri", "rsho", "relb", "rwri", "lhip", "lkne", "lank", "rhip", "rkne", "rank", "leye", "reye",
        "lear", "rear", "nose")  # fmt: skip
"""The first 17 of the authors' 29 columns; the others are points between them."""
LABELLED = [k for k in KEYS if k[1:] not in ("kne", "ank", "ear")]
NAMES = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "hip": "hip", "eye": "eye"}


def long_name(key):
    side = {"l": "left", "r": "right"}[key[0]] if key != "nose" else ""
    return f"{side}_{NAMES[key[1:]]}" if side else key


def example(number, name="12-oclock-high-special-edition-00006361.jpg", train=True, **changes):
    coords = np.full((2, 29), np.nan)
    for i, key in enumerate(KEYS):
        if key in LABELLED:
            coords[:, i] = [100 * number + i + 1, 10 * i + 1]
    return {
        "poselet_hit_idx": np.array([[1, 2, 3]], np.uint16), "moviename": "12-oclock-high-special-edition",
        "coords": coords, "filepath": name, "imgdims": np.array([[480, 720, 3]], np.uint16), "currframe": 6361.0,
        "torsobox": np.array([[301.0, 51, 381, 251]]), "istrain": np.array([[train]]),
        "istest": np.array([[not train]]),
    } | changes  # fmt: skip


def write(folder, examples):
    (folder / "images").mkdir(exist_ok=True)
    savemat(folder / "examples.mat", {"examples": structs(examples)})
    return folder


def test_the_eleven_labelled_columns(tmp_path):
    assert [long_name(k) for k in LABELLED] == list(FLIC11.joints)
    samples = read_flic(write(tmp_path, [example(0), example(1, "b.jpg"), example(2, "c.jpg", train=False)]))
    assert [s.image.name for s in samples] == ["12-oclock-high-special-edition-00006361.jpg", "b.jpg"]
    for number, sample in enumerate(samples):
        (person,) = sample.people
        for i, key in enumerate(KEYS):
            if key in LABELLED:
                wanted = [100 * number + i + 0.5, 10 * i + 0.5]
                np.testing.assert_allclose(person.annotation.joints2d[FLIC11.index(long_name(key))], wanted)
                if long_name(key) in LCR13.joints:
                    np.testing.assert_allclose(person.joints2d[LCR13.index(long_name(key))], wanted)
        assert person.labelled.sum() == 8
        assert (person.visible == -1).all()
        np.testing.assert_allclose(person.annotation.torso_box, [300.5, 50.5, 380.5, 250.5])
        assert (person.annotation.id, sample.frame, sample.exhaustive) == (number, 6361, False)
        assert sample.sequence == "12-oclock-high-special-edition"


def test_splits_and_pictures_with_two_people(tmp_path):
    write(tmp_path, [example(0, "a.jpg"), example(1, "b.jpg", train=False), example(2, "a.jpg"), example(3, "b.jpg")])
    ids = {split: [[p.annotation.id for p in s.people] for s in read_flic(tmp_path, split)]
           for split in ("train", "test", "all")}  # fmt: skip
    assert ids == {"train": [[0, 2], [3]], "test": [[1]], "all": [[0, 2], [1, 3]]}


def test_one_example_and_unlabelled_joints(tmp_path):
    coords = np.full((2, 29), np.nan)
    coords[0, 0] = 4.0  # x without y is no place
    (sample,) = read_flic(write(tmp_path, [example(0, coords=coords)]))
    assert not sample.people[0].labelled.any()
    np.testing.assert_allclose(sample.people[0].box, [300.5, 50.5, 380.5, 250.5])


@pytest.mark.parametrize(("changes", "message"), [
    ({"coords": np.zeros((29, 2))}, r"example 1 has coords of shape \(29, 2\)"),
    ({"torsobox": np.zeros((1, 3))}, r"3 numbers of torsobox"),
    ({"coords": EMPTY}, r"coords of shape \(0"),
])  # fmt: skip
def test_other_layouts(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_flic(write(tmp_path, [example(0, **changes)]))


def test_not_flic(tmp_path):
    with pytest.raises(InputError, match=f"wanted also examples.mat, images; .*{FLIC.site}"):
        read_flic(tmp_path)
    record = example(0)
    del record["istest"]
    with pytest.raises(InputError, match="example 1 lacks istest"):
        read_flic(write(tmp_path, [record]))
    savemat(tmp_path / "examples.mat", {"examples": np.zeros((2, 2))})
    with pytest.raises(InputError, match="no structs"):
        read_flic(tmp_path)
