"""Original archives become COCO files that hold the same labels."""

import json

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, LSP14, MPII16, POSETRACK17
from anchorpose.datasets.convert import convert
from anchorpose.datasets.crowdpose import read_crowdpose
from anchorpose.datasets.lsp import read_lsp
from anchorpose.datasets.mpii import read_mpii
from anchorpose.datasets.posetrack import read_posetrack
from anchorpose.datasets.threedpw import read_3dpw
from anchorpose.evaluation.annotations import load_annotations
from tests.datasets import test_crowdpose, test_mpii, test_posetrack, test_threedpw


def pictures(samples, width=60, height=40):
    for sample in samples:
        sample.image.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(sample.image), np.zeros((height, width, 3), np.uint8))


def assert_same_labels(path, samples, root, skeleton):
    annotations = load_annotations(path)
    assert annotations.skeleton.joints == skeleton.joints
    assert [i.file_name for i in annotations.images] == [s.image.relative_to(root).as_posix() for s in samples]
    for image, people, sample in zip(annotations.images, annotations.people, samples, strict=True):
        assert (image.width, image.height) == (60, 40)
        own = [p for p in sample.people if p.annotation is not None]
        assert len(people) == len(own)
        for k, person in enumerate(own):
            labelled = person.annotation.labelled
            np.testing.assert_array_equal(people.visible[k], labelled)
            np.testing.assert_allclose(people.joints[k][labelled], person.annotation.joints2d[labelled], atol=1e-4)
            np.testing.assert_allclose(people.boxes[k], person.box, atol=1e-3)


@pytest.fixture(scope="module")
def lsp(tmp_path_factory):
    rng = np.random.default_rng(0)
    joints = rng.uniform(1, 40, (3, 14, 2000))
    joints[2] = rng.random((14, 2000)) < 0.2
    root = tmp_path_factory.mktemp("lsp")
    (root / "images").mkdir()
    savemat(root / "joints.mat", {"joints": joints})
    pictures(read_lsp(root, "test"))
    return root


def test_lsp_of_its_mat_is_the_test_half_unless_told(lsp, tmp_path):
    done = convert(lsp, "lsp-mat", tmp_path / "lsp.json", "coco")
    assert (done.images, done.people, done.lost) == (1000, 1000, ())
    samples = read_lsp(lsp, "test")
    assert_same_labels(tmp_path / "lsp.json", samples, lsp, LSP14)
    flags = json.loads((tmp_path / "lsp.json").read_text())["annotations"][0]["keypoints"][2::3]
    assert flags == np.where(samples[0].people[0].annotation.visible == 1, 2, 1).tolist()
    with pytest.raises(InputError, match=r"im0001.jpg: No such file.*; complete the archive"):
        convert(lsp, "lsp-mat", tmp_path / "train.json", "coco", split="train")
    with pytest.raises(InputError, match="the split 'val' of lsp-mat, wanted one of test, train, all"):
        convert(lsp, "lsp-mat", tmp_path / "val.json", "coco", split="val")
    with pytest.raises(InputError, match="the split 'test' of a file in the format coco, wanted none"):
        convert(tmp_path / "lsp.json", "coco", tmp_path / "again.json", "anchorpose", split="test")


def test_mpii_keeps_all_people_and_says_what_is_lost(tmp_path):
    full = {"x1": 5.0, "y1": 5.0, "x2": 15.0, "y2": 20.0, "scale": 0.2, "objpos": test_mpii.struct(x=20.0, y=20.0),
            "annopoints": test_mpii.points({i: (2.0 * i + 1, i + 3.0) for i in range(16)}, {0: 1, 1: 0})}  # fmt: skip
    bare = {"scale": 0.1, "objpos": test_mpii.struct(x=30.0, y=20.0)}
    test_mpii.write(tmp_path, [test_mpii.picture("a.jpg", test_mpii.structs([full, bare]))] * 1, [1], [1.0])
    samples = read_mpii(tmp_path)
    pictures(samples)
    done = convert(tmp_path, "mpii-mat", tmp_path / "mpii.json", "coco")
    assert_same_labels(tmp_path / "mpii.json", samples, tmp_path, MPII16)
    assert (done.images, done.people) == (1, 2)
    assert done.lost == ("1 head boxes", "2 scales and rough places of people", "1 names of videos",
                         "1 names of activities")  # fmt: skip


def test_crowdpose_and_posetrack(tmp_path):
    test_crowdpose.write(tmp_path, test_crowdpose.content(), "test")
    samples = read_crowdpose(tmp_path, "test")
    pictures(samples)
    done = convert(tmp_path, "crowdpose", tmp_path / "crowd.json", "coco")
    assert_same_labels(tmp_path / "crowd.json", samples, tmp_path, samples[0].people[0].annotation.skeleton)
    assert done.lost == ("2 crowd indices",)
    video = test_posetrack.video(7)
    video["annotations"] = [a for a in video["annotations"] if a["image_id"] == video["images"][1]["id"]]
    video["images"][2] |= {"ignore_regions_x": [[1, 9, 9]], "ignore_regions_y": [[1, 1, 9]]}
    (tmp_path / "pt").mkdir()
    samples = read_posetrack(test_posetrack.write(tmp_path / "pt", {7: video}))
    pictures(samples)
    # The second frame has nobody but an ignore region, and must not change the skeleton.
    done = convert(tmp_path / "pt", "posetrack", tmp_path / "pt.json", "coco")
    assert_same_labels(tmp_path / "pt.json", samples, tmp_path / "pt", POSETRACK17)
    assert done.lost == ("2 head boxes", "1 ignore regions", "2 names of videos")
    assert [a["track_id"] for a in json.loads((tmp_path / "pt.json").read_text())["annotations"]] == [7, 6]


def test_3d_stays_relative_to_the_body_centre(tmp_path):
    test_threedpw.write_sequence(tmp_path)
    samples = read_3dpw(tmp_path)
    done = convert(tmp_path, "3dpw", tmp_path / "a.json", "anchorpose")
    convert(tmp_path, "3dpw", tmp_path / "b.json", "coco", split="test")
    truth = load_annotations(tmp_path / "b.json")
    assert truth.skeleton.joints == LCR13.joints
    for people, sample in zip(truth.people, samples, strict=True):
        np.testing.assert_allclose(people.joints3d, [p.joints3d for p in sample.people], atol=1e-4)
    assert f"{done.people} people's places and cameras" in done.lost
