from contextlib import suppress

import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, MPII16
from anchorpose.datasets.archives import missing_images
from anchorpose.datasets.mpii import read_mpii
from tests.datasets.matlab import EMPTY, cells, struct, structs

NAME = "mpii_human_pose_v1_u12_1.mat"


def points(joints, visible):
    """`annopoints`: joints {id: (x, y)} in MATLAB's coordinates, is_visible {id: number, character or EMPTY}."""
    records = [{"x": x, "y": y, "id": i} for i, (x, y) in joints.items()]
    for record in records:
        if record["id"] in visible:
            record["is_visible"] = visible[record["id"]]
    return struct(point=structs(records))


def picture(name, annorect, second=1.0, video=1):
    return {"image": struct(name=name), "annorect": annorect, "frame_sec": second, "vidx": video}


def write(root, pictures, img_train, single_person, act=None):
    (root / "images").mkdir(exist_ok=True)
    act = act or [{"cat_name": "sports", "act_name": f"activity {i}", "act_id": i} for i in range(len(pictures))]
    release = struct(
        annolist=structs(pictures), img_train=np.array([img_train], np.uint8), version="12",
        single_person=cells(single_person), act=structs(act).T,
        video_list=cells(["zero-id", "one-id", "two-id"]).T,
    )  # fmt: skip
    savemat(root / NAME, {"RELEASE": release}, do_compression=True)


FULL = {i: (10.0 * i + 1, 5.0 * i + 3) for i in reversed(range(16))}


@pytest.fixture
def archive(tmp_path):
    full = {"x1": 100.0, "y1": 20.0, "x2": 130.0, "y2": 60.0, "scale": 3.5, "objpos": struct(x=201.0, y=151.0),
            "annopoints": points(FULL, {0: 1, 1: "0", 2: "1", 3: EMPTY, 4: 0})}  # fmt: skip
    no_joints = {"x1": 1, "y1": 2, "x2": 3, "y2": 4, "scale": 2.0, "objpos": struct(x=301.0, y=251.0)}
    lone = {"x1": 7.0, "y1": 7.0, "x2": 9.0, "y2": 9.0, "annopoints": points({9: (5.5, 6.5)}, {})}
    tested = [{"scale": 1.5, "objpos": struct(x=11, y=21)}, {"scale": 2.5, "objpos": struct(x=31, y=41)}]
    pictures = [
        picture("015601864.jpg", structs([full, no_joints]), video=2),
        picture("000000001.jpg", structs([lone]), video=EMPTY),
        picture("000000002.jpg", structs(tested)),
        picture("000000003.jpg", EMPTY),
        picture("000000004.jpg", structs([{"x1": 1.0, "y1": 2.0, "x2": 11.0, "y2": 22.0}])),
    ]
    write(tmp_path, pictures, [1, 1, 0, 1, 1], [np.array([[1, 2]]), 1.0, EMPTY, EMPTY, EMPTY])
    return tmp_path


def test_joints_by_id_and_from_the_corner_of_the_first_pixel(archive):
    sample = read_mpii(archive)[0]
    assert sample.image == archive / "images" / "015601864.jpg"
    person = sample.people[0]
    for i, joint in enumerate(MPII16.joints):
        np.testing.assert_allclose(person.annotation.joints2d[i], np.array(FULL[i]) - 0.5)
        if joint in LCR13.joints:
            np.testing.assert_allclose(person.joints2d[LCR13.index(joint)], np.array(FULL[i]) - 0.5)
    assert person.labelled.all()


def test_visibility_is_a_number_a_character_or_nothing(archive):
    annotation = read_mpii(archive)[0].people[0].annotation
    assert annotation.visible[:5].tolist() == [1, 0, 1, -1, 0]
    assert (annotation.visible[5:] == -1).all()
    # Where no point has the field at all.
    lone = read_mpii(archive)[1].people[0]
    assert (lone.annotation.visible == -1).all()
    assert np.flatnonzero(lone.labelled).tolist() == [LCR13.index("head_top")]


def test_head_box_scale_centre_and_who_stands_apart(archive):
    first, second = read_mpii(archive)[0].people
    np.testing.assert_allclose(first.annotation.head_box, [99.5, 19.5, 129.5, 59.5])
    np.testing.assert_allclose(first.annotation.centre, [200.5, 150.5])
    assert first.annotation.scale == 3.5
    assert (first.annotation.separated, second.annotation.separated) == (True, True)
    assert (first.annotation.id, second.annotation.id) == (0, 1)
    lone = read_mpii(archive)[1].people[0].annotation
    assert (lone.separated, lone.scale, lone.centre) == (True, None, None)
    assert read_mpii(archive)[2].people[0].annotation.separated is False


def test_people_without_joints_keep_a_box(archive):
    samples = read_mpii(archive)
    bare = samples[0].people[1]
    assert not bare.labelled.any()
    np.testing.assert_allclose(bare.box, [100.5, 50.5, 500.5, 450.5])
    np.testing.assert_allclose(samples[2].people[0].box, [0.5, 1.5, 10.5, 21.5])


def test_splits_origin_and_pictures_without_people(archive):
    names = {split: [s.image.name for s in read_mpii(archive, split)] for split in ("train", "test", "all")}
    assert names["train"] == ["015601864.jpg", "000000001.jpg", "000000004.jpg"]
    assert names["test"] == ["000000002.jpg"]
    assert sorted(names["all"]) == sorted(names["train"] + names["test"])
    first, second, _ = read_mpii(archive)
    assert (first.id, first.sequence, first.activity, first.exhaustive) == (0, "one-id", "activity 0", False)
    assert second.sequence is None
    tested = read_mpii(archive, "test")[0]
    assert len(tested.people) == 2
    assert all(not p.labelled.any() and p.annotation.head_box is None for p in tested.people)
    assert len(missing_images([first, second])) == 2


def test_the_folder_inside_the_annotations_download(archive):
    inner = archive / "mpii_human_pose_v1_u12_2"
    inner.mkdir()
    wanted = [s.image for s in read_mpii(archive)]
    (archive / NAME).rename(inner / NAME)
    assert [s.image for s in read_mpii(archive)] == wanted


def test_one_picture_of_one_person(tmp_path):
    """MATLAB and scipy make one struct of an array of one."""
    person = {"x1": 1, "y1": 1, "x2": 3, "y2": 4, "annopoints": points({0: (2, 3)}, {0: 1})}
    write(tmp_path, [picture("a.jpg", structs([person]))], [1], [np.array([[1]])])
    (sample,) = read_mpii(tmp_path)
    np.testing.assert_allclose(sample.people[0].joints2d[LCR13.index("right_ankle")], [1.5, 2.5])
    assert sample.people[0].visible[LCR13.index("right_ankle")] == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"img_train": [1]}, "2 pictures in RELEASE.annolist and 1 in img_train"),
    ({"single_person": [1.0, EMPTY, EMPTY]}, "3 entries in RELEASE.single_person, wanted 2"),
    ({"single_person": ["one", EMPTY]}, "something else than numbers in RELEASE.single_person"),
])  # fmt: skip
def test_lists_of_different_length(tmp_path, change, message):
    person = structs([{"annopoints": points({0: (2, 3)}, {})}])
    pictures = [picture("a.jpg", person), picture("b.jpg", person)]
    write(tmp_path, pictures, **({"img_train": [1, 0], "single_person": [1.0, EMPTY]} | change))
    with pytest.raises(InputError, match=message):
        read_mpii(tmp_path)


@pytest.mark.parametrize(("person", "message"), [
    ({"annopoints": points({16: (1, 1)}, {})}, "has the id 16.0, wanted 0 to 15"),
    ({"annopoints": points({3: ("far", 1)}, {})}, "field x is 'far', wanted a number"),
])  # fmt: skip
def test_impossible_values(tmp_path, person, message):
    write(tmp_path, [picture("a.jpg", structs([person]))] * 2, [1, 1], [EMPTY, EMPTY])
    with pytest.raises(InputError, match=message):
        read_mpii(tmp_path)


def test_not_mpii(tmp_path):
    with pytest.raises(InputError, match=r"wanted also mpii_human_pose_v1_u12_1.mat .*human-pose.mpi-inf.mpg.de"):
        read_mpii(tmp_path)
    (tmp_path / "images").mkdir()
    savemat(tmp_path / NAME, {"RELEASE": struct(version="12")})
    with pytest.raises(InputError, match="0 pictures"):
        read_mpii(tmp_path)
    write(tmp_path, [{"image": EMPTY, "annorect": EMPTY}], [1], [EMPTY])
    assert read_mpii(tmp_path) == []
    nameless = [{"image": EMPTY, "annorect": structs([{"annopoints": points({0: (1, 1)}, {})}])}]
    write(tmp_path, nameless, [1], [EMPTY])
    with pytest.raises(InputError, match=r"annolist\(1\) has no image.name"):
        read_mpii(tmp_path)


@pytest.mark.parametrize("value", [EMPTY, "x", -1.0, np.nan, np.inf, np.eye(2), structs([{"y": 1}])], ids=str)
def test_damaged_values_never_give_another_error(tmp_path, value):
    def person():
        return {"x1": 1, "y1": 1, "x2": 3, "y2": 4, "scale": 1.0, "objpos": struct(x=1, y=2),
                "annopoints": points({0: (2, 3)}, {0: 1})}  # fmt: skip

    def attempt(*pictures):
        write(tmp_path, list(pictures), [1, 1], [1.0, EMPTY])
        with suppress(InputError):
            assert len(read_mpii(tmp_path)) <= 2

    whole = picture("a.jpg", structs([person()]))
    for key in whole:
        attempt(whole, whole | {key: value})
    for key in person():
        attempt(whole, picture("b.jpg", structs([person() | {key: value}])))
    for key in ("x", "y", "id", "is_visible"):
        point = {"x": 1.0, "y": 2.0, "id": 3, "is_visible": 1} | {key: value}
        attempt(whole, picture("b.jpg", structs([person() | {"annopoints": struct(point=structs([point]))}])))
