"""Every kind of problem: made on purpose in a sound file, found, counted and named; and nothing else is."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import COCO17, LCR13, base_name
from anchorpose.datasets.check import KINDS, check, load_coco, sound
from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.scenes import Scene, ScenePerson, SceneWriter
from tests.synthesis.photographs import random_pose

HEADS = [base_name(joint) in ("nose", "eye", "ear") for joint in COCO17.joints]


def swap_body(data):
    keypoints = np.array(data["annotations"][0]["keypoints"]).reshape(17, 3)
    data["annotations"][0]["keypoints"] = (
        np.where(np.array(HEADS)[:, None], keypoints, keypoints[COCO17.flip]).ravel().tolist()
    )


def set_keypoint(index, value):
    def change(data):
        data["annotations"][0]["keypoints"][index] = value

    return change


def set_field(entry, name, value):
    def change(data):
        data[entry][0][name] = value

    return change


def copy_person(data):
    data["annotations"].append(data["annotations"][0] | {"id": 999})


def repeat_id(data):
    data["annotations"][1]["id"] = data["annotations"][0]["id"]


def rename(old, new):
    def change(data):
        joints = data["categories"][0]["keypoints"]
        joints[joints.index(old)] = new

    return change


MISTAKES = {
    "outside": (set_keypoint(0, 240.5), 1),
    "not_finite": (set_keypoint(4, float("nan")), 1),
    "zero_box": (set_field("annotations", "bbox", [10, 10, 0, 30]), 1),
    "broken": (set_field("annotations", "keypoints", [1, 2, 2]), 1),
    "swapped_sides": (swap_body, 1),
    "duplicate_person": (copy_person, 1),
    "repeated_id": (repeat_id, 1),
    "missing_image": (set_field("images", "file_name", "gone.png"), 1),
    "duplicate_name": (set_field("images", "file_name", "1.png"), 1),
}


def rewrite(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def counts(report):
    return {kind: len(report.of(kind)) for kind in KINDS if report.of(kind)}


def test_a_sound_file_is_clean(coco_folder):
    path, images = coco_folder
    report = check([path], [images])
    assert counts(report) == {}
    assert (report.images, report.annotations) == (4, 10)
    assert report.lines() == ["4 images, 10 annotations in 1 file(s): nothing wrong was found"]


@pytest.mark.parametrize("kind", MISTAKES)
def test_each_mistake_is_found_and_nothing_else(coco_folder, kind):
    path, images = coco_folder
    change, count = MISTAKES[kind]
    rewrite(path, change)
    report = check([path], [images])
    extra = {"duplicate_content": 1} if kind == "duplicate_name" else {}
    assert counts(report) == {kind: count} | extra
    text = "\n".join(report.lines())
    assert f"{kind}: {count} " in text
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["problems"][kind]["count"] == count


@pytest.mark.parametrize("kind", MISTAKES)
def test_what_is_left_can_be_read(coco_folder, kind):
    path, images = coco_folder
    rewrite(path, MISTAKES[kind][0])
    (cleaned := path.with_name("cleaned.json")).write_text(
        json.dumps(sound(path, check([path], [images])), allow_nan=False)
    )
    samples = read_coco(cleaned, images)
    assert sum(len(s.people) for s in samples) >= 7
    assert all(s.image.is_file() for s in samples)


def test_nulls_wrong_types_and_lost_people_are_broken_or_not_finite(coco_folder):
    path, images = coco_folder

    def change(data):
        data["annotations"][0]["bbox"] = [1, 2, None, 4]
        data["annotations"][1]["bbox"] = None
        data["annotations"][2]["image_id"] = 77
        data["annotations"][3]["keypoints"] = "none"
        data["annotations"][4] = 3
        del data["annotations"][5]["category_id"]

    rewrite(path, change)
    assert counts(check([path], [images])) == {"broken": 5, "not_finite": 1}


def test_joint_names(coco_folder):
    path, images = coco_folder
    rewrite(path, rename("left_knee", "left_kne"))
    report = check([path], [images])
    assert [p.id for p in report.of("unknown_joint")] == ["left_kne"]
    assert [p.id for p in report.of("no_mirror")] == ["left_kne", "right_knee"]
    rewrite(path, rename("left_kne", "right_knee"))
    with pytest.raises(InputError, match="joint right_knee twice"):
        check([path], [images])


def test_splits_must_not_share_pictures(coco_folder, tmp_path):
    """The same name, and the same content under another name."""
    path, images = coco_folder
    other, folder = tmp_path / "val.json", tmp_path / "val"
    folder.mkdir()
    data = json.loads(path.read_text())
    shutil.copy(images / "0.png", folder / "copy.png")
    (folder / "2.png").write_bytes((images / "3.png").read_bytes() + b"longer")
    named = [data["images"][0] | {"file_name": "copy.png"}, data["images"][2]]
    other.write_text(json.dumps(data | {"images": named, "annotations": []}))
    report = check([path, other], [images, folder])
    assert [(p.file, p.id) for p in report.of("duplicate_content")] == [(other, 1)]
    assert [(p.file, p.id) for p in report.of("duplicate_name")] == [(other, 3)]
    assert f"image 3 of {other}" in "\n".join(report.lines())
    assert counts(check([path, other], [None, None])) == {"duplicate_name": 1}


def test_neighbours_are_no_duplicates_but_unlabelled_boxes_can_be(coco_folder):
    path, images = coco_folder

    def change(data):
        person, empty = data["annotations"][0], data["annotations"][1]
        moved = np.array(person["keypoints"]).reshape(17, 3) + np.array([30, 0, 0])
        data["annotations"].append(person | {"id": 500, "keypoints": moved.ravel().tolist()})
        data["annotations"].append(empty | {"id": 501})
        data["annotations"].append(empty | {"id": 502, "iscrowd": 1})

    rewrite(path, change)
    report = check([path], [images])
    assert [p.id for p in report.of("duplicate_person")] == [501]
    assert set(counts(report)) == {"duplicate_person"}


def scenes(folder, rng, change=lambda joints3d: joints3d, count=12):
    """Exact people at 2 to 6 m as `anchorpose synthesize` writes them; `change` spoils the 3D afterwards."""
    camera, writer = Camera.from_fov(320, 240), SceneWriter(folder, {"seed": 0}, ".png")
    for i in range(count):
        pose, depth = random_pose(rng, bend=0.2), rng.uniform(2, 6)
        place = np.array([rng.uniform(-0.2, 0.2) * depth, 0, depth], np.float32)
        joints2d = camera.project(pose + place).astype(np.float32)
        inside = ((joints2d >= 0) & (joints2d <= [320, 240])).all(-1)
        states = np.where(inside, JointState.VISIBLE, JointState.OUTSIDE).astype(np.uint8)
        box = np.concatenate([joints2d.min(0), joints2d.max(0)])
        person = ScenePerson(box, joints2d, change(pose).astype(np.float32), place, states)
        picture = np.random.default_rng(i).integers(0, 255, (240, 320, 3), np.uint8)
        writer.write(i, Scene(picture, (person,), camera))
    return writer.finish(), folder / "images"


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize(("change", "share"), [
    (lambda pose: pose, 0.0), (lambda pose: pose[LCR13.flip], 1.0), (lambda pose: pose * [-1, 1, 1], 1.0),
    (lambda pose: pose * [1, -1, 1], 1.0),
])  # fmt: skip
def test_3d_must_project_onto_2d(tmp_path, placed, change, share):
    path, images = scenes(tmp_path, np.random.default_rng(0), change)
    if not placed:
        rewrite(path, lambda data: [image.pop("camera") for image in data["images"]])
    report = check([path], [images])
    assert len(report.of("projection")) == share * 12
    assert set(counts(report)) <= {"projection", "swapped_sides"}
    assert share or counts(report) == {}


def test_scale_shows_only_where_the_place_is_known(tmp_path):
    """Millimetres in place of metres."""
    path, images = scenes(tmp_path, np.random.default_rng(0), lambda pose: pose * 1000)
    assert len(check([path], [images]).of("projection")) == 12
    rewrite(path, lambda data: [annotation.update(translation=None) for annotation in data["annotations"]])
    assert counts(check([path], [images])) == {}


def test_unknown_3d_is_no_problem_but_a_gap_is(tmp_path):
    path, images = scenes(tmp_path, np.random.default_rng(0), count=3)

    def change(data):
        data["annotations"][0]["joints3d"] = [None] * 13
        data["annotations"][1]["joints3d"][4] = None
        data["annotations"][2]["joints3d"][4], data["annotations"][2]["joint_state"][4] = None, "missing"

    rewrite(path, change)
    report = check([path], [images])
    assert [(p.kind, p.id) for p in report.problems] == [("not_finite", 2)]


@pytest.mark.parametrize(("content", "words"), [
    ("{", "not JSON"), ("[]", "lacks a list"), ('{"images": [], "annotations": [], "categories": []}', "no category"),
    ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "file_name"),
])  # fmt: skip
def test_what_is_no_coco_file_is_said(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        load_coco(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot read"):
        load_coco(tmp_path / "none.json")


WRONG = (None, -1, 0, 1e300, float("nan"), "text", [], [None], [[1, 2]], {}, {"a": 1}, True)


def places(value, path=()):
    """Paths to all values, of each list only into the first entry."""
    yield path
    inner = value.items() if isinstance(value, dict) else [(0, value[0])] if isinstance(value, list) and value else ()
    for key, part in inner:
        yield from places(part, (*path, key))


def _check_and_read(path, images):
    report = check([path], [images])
    json.dumps([report.lines(), report.to_dict()], allow_nan=False)
    path.write_text(json.dumps(sound(path, report)))
    read_coco(path, images)


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_whatever_stands_in_a_file_there_is_no_traceback(coco_folder, wrong):
    """Each value of an image, an annotation and the category is replaced: what is reported as sound can be read."""
    path, images = coco_folder
    content, spoiled = json.loads(path.read_text()), path.with_name("spoiled.json")
    for place in [place for place in places(content) if place]:
        changed = inner = json.loads(json.dumps(content))
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = wrong
        spoiled.write_text(json.dumps(changed))
        try:
            _check_and_read(spoiled, images)
        except InputError as error:
            message = str(error)
            assert "\n" not in message, place
        except Exception as error:
            raise AssertionError(f"{place}: {error!r}") from error


def test_a_wrong_folder_is_said(coco_folder, tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        check([coco_folder[0]], [tmp_path / "nowhere"])
