import json

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.scenes import SceneWriter


def test_what_is_written_is_read_back(tmp_path, make_scene):
    writer = SceneWriter(tmp_path / "out", {"seed": 1})
    for i in (1, 0):
        writer.write(i, make_scene(i))
    path = writer.finish()
    samples = read_coco(path, tmp_path / "out" / "images")
    assert [s.image.name for s in samples] == ["000000.jpg", "000001.jpg"]
    for i, sample in enumerate(samples):
        for read, made in zip(sample.people, make_scene(i).people, strict=True):
            np.testing.assert_allclose(read.joints2d, made.joints2d, atol=0.006)
            np.testing.assert_allclose(read.joints3d, made.joints3d, atol=6e-5)
            np.testing.assert_allclose(read.box, made.box, atol=0.02)
            np.testing.assert_array_equal(read.visible, made.as_person().visible)
            np.testing.assert_array_equal(read.visible, made.states == JointState.VISIBLE)


def test_the_truth_projects_onto_itself_from_the_file_alone(tmp_path, make_scene):
    writer = SceneWriter(tmp_path, {})
    writer.write(0, make_scene(0))
    data = json.loads(writer.finish().read_text())
    camera = Camera.from_dict(data["images"][0]["camera"])
    for a in data["annotations"]:
        points = np.array(a["joints3d"]) + a["translation"]
        np.testing.assert_allclose(camera.project(points), a["joints2d"], atol=0.05)
        assert data["images"][0]["seed"] == 0
        assert a["body"] == 0


def test_pycocotools_reads_it_and_outside_joints_are_unlabelled_there(tmp_path, make_scene):
    writer = SceneWriter(tmp_path, {})
    writer.write(0, make_scene(0))
    coco = COCO(str(writer.finish()))
    cut = coco.loadAnns(coco.getAnnIds())[1]
    flags = np.array(cut["keypoints"]).reshape(-1, 3)[:, 2]
    outside = np.array([s == "outside" for s in cut["joint_state"]])
    assert outside.any()
    assert (flags[outside] == 0).all()
    assert cut["num_keypoints"] == (~outside).sum()
    assert coco.loadCats(1)[0]["keypoints"] == list(LCR13.joints)


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path, make_scene):
    whole = SceneWriter(tmp_path / "a", {"seed": 1})
    for i in range(3):
        whole.write(i, make_scene(i))
    killed = SceneWriter(tmp_path / "b", {"seed": 1})
    for i in range(2):
        killed.write(i, make_scene(i))
    with (tmp_path / "b" / "scenes.jsonl").open("a") as log:
        log.write('{"index": 2, "file_na')  # killed in the middle of a line
    again = SceneWriter(tmp_path / "b", {"seed": 1})
    assert again.done == {0, 1}
    again.write(2, make_scene(2))
    assert again.finish().read_text() == whole.finish().read_text()
    assert cv2.imread(str(tmp_path / "b" / "images" / "000002.jpg")).shape == (240, 320, 3)


def test_other_settings_are_refused(tmp_path, make_scene):
    SceneWriter(tmp_path, {"seed": 1}).write(0, make_scene(0))
    with pytest.raises(InputError, match="other settings"):
        SceneWriter(tmp_path, {"seed": 2})
    (tmp_path / "scenes.jsonl").write_text("nonsense\n")
    with pytest.raises(InputError, match="damaged"):
        SceneWriter(tmp_path, {"seed": 1})


@pytest.mark.parametrize("broken", [[[1, 2, 3]], [[1, 2]] * 13])
def test_wrong_3d_in_a_file_is_named(tmp_path, make_scene, broken):
    writer = SceneWriter(tmp_path, {})
    writer.write(0, make_scene(0))
    path = writer.finish()
    data = json.loads(path.read_text())
    data["annotations"][0]["joints3d"] = broken
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="joints3d that are not 13 x 3"):
        read_coco(path, tmp_path)
