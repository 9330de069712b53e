"""Conversions: what comes back is what went in, and what does not is said."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import BODY25, COCO17, LCR13, LSP14, Skeleton
from anchorpose.datasets.convert import convert, find_skeleton
from anchorpose.datasets.keypoint_files import read_coco_people, to_coco_annotations
from anchorpose.io.files import write_json
from anchorpose.io.formats import from_anchorpose, to_anchorpose
from tests.datasets.test_check import WRONG, places
from tests.io.people import people
from tests.io.test_formats import with_gaps

ALL = ("scores", "boxes", "joints2d", "joints3d", "translation", "joint_scores", "joint_states")


def results(counts, seed=0):
    """Pictures of random people: with gaps, hidden and outside joints, and without a place; all or none tracked."""
    return [(f"{100 + i}.jpg", with_gaps(count, 2 * i + seed)) for i, count in enumerate(counts)]


def assert_same(found, wanted, names=ALL):
    assert [file for file, _ in found] == [file for file, _ in wanted]
    for (_, a), (_, b) in zip(found, wanted, strict=True):
        assert a.skeleton == b.skeleton
        assert len(a) == len(b)
        for name in names:
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=2e-5, rtol=2e-6, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 500))
def test_our_results_survive_coco_annotations(tmp_path_factory, counts, seed):
    folder, wanted = tmp_path_factory.mktemp("convert"), results(counts, seed)
    write_json(folder / "a.json", to_anchorpose(wanted))
    there = convert(folder / "a.json", "anchorpose", folder / "b.json", "coco")
    back = convert(folder / "b.json", "coco", folder / "c.json", "anchorpose")
    assert (there.images, there.people, there.lost) == (len(counts), sum(counts), ())
    assert back.lost == ((f"{sum(counts)} areas and ids of annotations",) if sum(counts) else ())
    found = from_anchorpose(json.loads((folder / "c.json").read_text()))
    assert_same(found, wanted)
    for (_, a), (_, b) in zip(found, wanted, strict=True):
        assert a.camera == b.camera
        assert len(b) == 0 or (a.track_ids is None) == (b.track_ids is None)


def test_coco_annotations_survive_our_results(coco_folder, tmp_path):
    path, _ = coco_folder
    done = convert(path, "coco", tmp_path / "a.json", "anchorpose")
    assert done.lost == ("10 areas and ids of annotations",)
    convert(tmp_path / "a.json", "anchorpose", tmp_path / "b.json", "coco", annotations=path)
    before, after = (json.loads(p.read_text()) for p in (path, tmp_path / "b.json"))
    strip = [{k: image[k] for k in ("id", "file_name", "width", "height")} for image in after["images"]]
    assert strip == before["images"]
    assert after["categories"][0]["keypoints"] == before["categories"][0]["keypoints"]
    order = {id: [a for a in before["annotations"] if a["image_id"] == id] for id in (1, 2, 3, 4)}
    for a, b in zip(chain.from_iterable(order.values()), after["annotations"], strict=True):
        assert (a["image_id"], a["num_keypoints"]) == (b["image_id"], b["num_keypoints"])
        np.testing.assert_allclose(a["keypoints"], b["keypoints"], atol=1e-4)
        np.testing.assert_allclose(a["bbox"], b["bbox"], atol=1e-4)


def test_coco_results_and_back(coco_folder, tmp_path):
    path, _ = coco_folder
    done = convert(path, "coco", tmp_path / "r.json", "coco-results", annotations=path)
    assert "4 people without any of COCO's joints" in done.lost
    pycocotools = pytest.importorskip("pycocotools.coco")
    loaded = pycocotools.COCO(str(path)).loadRes(str(tmp_path / "r.json"))
    assert len(loaded.getAnnIds()) == 6
    convert(tmp_path / "r.json", "coco-results", tmp_path / "b.json", "anchorpose", annotations=path)
    found = from_anchorpose(json.loads((tmp_path / "b.json").read_text()))
    wanted = [(file, poses[np.isfinite(poses.joints2d).any((1, 2))]) for file, poses in read_coco_people(path)]
    for (_, a), (_, b) in zip(found, wanted, strict=True):
        assert a.skeleton == COCO17
        for name in ("scores", "boxes", "joints2d", "joint_states"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-2)


def test_openpose_and_back(tmp_path):
    wanted = results([2, 0, 3], seed=1)
    write_json(tmp_path / "images.json", to_coco_annotations(wanted))
    write_json(tmp_path / "a.json", to_anchorpose(wanted))
    (tmp_path / "op").mkdir()
    done = convert(tmp_path / "a.json", "anchorpose", tmp_path / "op", "openpose")
    assert "5 people's scores, boxes and joint states" in done.lost
    heads = sum(int(np.isfinite(p.joints2d[:, 12, 0]).sum()) for _, p in wanted)
    assert f"{heads} joints head_top, which BODY25 lacks" in done.lost
    convert(tmp_path / "op", "openpose", tmp_path / "b.json", "anchorpose", annotations=tmp_path / "images.json")
    for (file, a), (name, b) in zip(
        from_anchorpose(json.loads((tmp_path / "b.json").read_text())), wanted, strict=True
    ):
        assert file == name
        assert a.skeleton == BODY25
        own = b.to_skeleton(BODY25)
        named = BODY25.map_to(LCR13)[:12]
        np.testing.assert_allclose(a.joints2d[:, named], own.joints2d[:, named], atol=1e-4)
        np.testing.assert_array_equal(np.isnan(a.joints2d[:, named, 0]), np.isnan(own.joints2d[:, named, 0]))
        if len(b):
            np.testing.assert_array_equal(a.track_ids, b.track_ids)


@pytest.mark.parametrize("skeleton", [COCO17, LSP14])
def test_joints_are_found_by_their_names(tmp_path, skeleton):
    write_json(tmp_path / "a.json", to_anchorpose(wanted := results([3])))
    done = convert(tmp_path / "a.json", "anchorpose", tmp_path / "b.json", "coco", skeleton)
    assert any("people's 3D" in line for line in done.lost)
    ((_, found),) = read_coco_people(tmp_path / "b.json")
    assert found.skeleton == skeleton
    own = wanted[0][1].to_skeleton(skeleton)
    shown = np.isin(own.joint_states, (JointState.VISIBLE, JointState.HIDDEN))
    np.testing.assert_allclose(found.joints2d[shown], own.joints2d[shown], atol=1e-4)
    assert np.isnan(found.joints2d[~shown]).all()


def test_an_own_skeleton_keeps_its_names(tmp_path):
    mine = Skeleton("mine", ("left_wrist", "right_wrist", "tail"), {"left_wrist": "tail", "right_wrist": "tail"})
    poses = people((0, 0, 4)).to_skeleton(mine)
    write_json(tmp_path / "a.json", to_coco_annotations([("1.jpg", poses)]))
    ((_, found),) = read_coco_people(tmp_path / "a.json")
    assert found.skeleton.joints == mine.joints
    np.testing.assert_allclose(found.joints2d, poses.joints2d, atol=1e-4)


def test_what_is_lost_is_counted(tmp_path, coco_folder):
    path, _ = coco_folder
    data = json.loads(path.read_text())
    data["annotations"][0]["segmentation"] = [[1, 1, 2, 2, 3, 1]]
    data["annotations"][1]["iscrowd"] = 1
    data["annotations"].append({"id": 900, "image_id": 1, "category_id": 2, "bbox": [1, 1, 2, 2]})
    path.write_text(json.dumps(data))
    lost = convert(path, "coco", tmp_path / "a.json", "anchorpose", LCR13).lost
    assert lost[:4] == (
        "1 annotations of other categories",
        "1 crowds",
        "1 segmentations",
        "10 areas and ids of annotations",
    )
    assert "6 joints nose, which LCR13 lacks" in lost


def test_mistakes_are_named(tmp_path, coco_folder):
    path, _ = coco_folder
    two = [("1.jpg", people((0, 0, 3))), ("2.jpg", people((0, 0, 3)).to_skeleton(COCO17))]
    write_json(tmp_path / "two.json", to_anchorpose(two))
    twins = [("a/1.jpg", Poses.empty(two[0][1].camera)), ("b/1.jpg", two[0][1])]
    write_json(tmp_path / "twins.json", to_anchorpose(twins))
    (tmp_path / "bad.json").write_text("{")
    out = tmp_path / "out.json"
    for words, arguments in (
        ("COCO17, LCR13, wanted one", (tmp_path / "two.json", "anchorpose", out, "coco")),
        ("two pictures are called 1", (tmp_path / "twins.json", "anchorpose", tmp_path, "openpose")),
        ("--annotations", (path, "coco-results", out, "anchorpose")),
        ("not a list of people", (path, "coco-results", out, "anchorpose", None, path)),
        ("wanted OpenPose's", (path, "openpose", out, "anchorpose", None, path)),
        ("cannot read", (tmp_path, "openpose", out, "anchorpose", None, path)),
        ("found schema", (path, "anchorpose", out, "coco")),
        ("not JSON", (tmp_path / "bad.json", "anchorpose", out, "coco")),
        ("leave --skeleton out", (path, "coco", out, "openpose", LCR13)),
        ("not among the annotated", (tmp_path / "two.json", "anchorpose", out, "coco", LCR13, path)),
    ):
        with pytest.raises(InputError, match=words) as caught:
            convert(*arguments)
        assert "\n" not in str(caught.value)
    assert not out.exists()
    with pytest.raises(InputError, match="wanted one of LCR13"):
        find_skeleton("LCR14")
    data = json.loads(path.read_text())
    for spoil in ({"keypoints": [None] * 51}, {"keypoints": [1, 2]}, {"bbox": None}, {"image_id": 99}):
        path.write_text(json.dumps(data | {"annotations": [data["annotations"][0] | spoil]}))
        with pytest.raises(InputError, match="data check"):
            read_coco_people(path)


def test_people_of_an_image_without_a_camera_have_an_assumed_one(coco_folder):
    (_, poses), *_ = read_coco_people(coco_folder[0])
    assert poses.camera.assumed
    assert (poses.camera.width, poses.camera.height) == (240, 200)
    assert np.isnan(poses.joints3d).all()
    assert replace(poses).joint_states[0, 13] == JointState.HIDDEN


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_whatever_stands_in_a_file_there_is_no_traceback(coco_folder, wrong):
    path, _ = coco_folder
    content = json.loads(path.read_text())
    for place in [place for place in places(content) if place]:
        changed = inner = json.loads(json.dumps(content))
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = wrong
        path.write_text(json.dumps(changed))
        try:
            to_anchorpose(read_coco_people(path))
        except InputError as error:
            message = str(error)
            assert "\n" not in message, place
        except Exception as error:
            raise AssertionError(f"{place}: {error!r}") from error
