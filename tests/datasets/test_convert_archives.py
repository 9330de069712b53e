"""Original archives become COCO files that hold the same labels."""

import json
import os
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.app.commands_data import Convert
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import FLIC11, LCR13, LSP14, MPII16, POSETRACK17
from anchorpose.datasets import agora, flic, h36m, humaneva, lsp, mpi_inf_3dhp, mupots, panoptic
from anchorpose.datasets.coco import read_coco
from anchorpose.datasets.convert import Format, convert
from anchorpose.datasets.convert_archives import ARCHIVE_FORMATS, fitted_camera
from anchorpose.datasets.crowdpose import read_crowdpose
from anchorpose.datasets.lsp import read_lsp
from anchorpose.datasets.mpii import read_mpii
from anchorpose.datasets.posetrack import read_posetrack
from anchorpose.datasets.samples import Person
from anchorpose.datasets.threedpw import read_3dpw
from anchorpose.evaluation.annotations import load_annotations
from tests.datasets import (
    test_agora,
    test_crowdpose,
    test_flic,
    test_humaneva,
    test_mpi_inf_3dhp,
    test_mpii,
    test_mupots,
    test_panoptic,
    test_posetrack,
    test_threedpw,
)


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
def lsp_archive(tmp_path_factory):
    rng = np.random.default_rng(0)
    joints = rng.uniform(1, 40, (3, 14, 2000))
    joints[2] = rng.random((14, 2000)) < 0.2
    root = tmp_path_factory.mktemp("lsp")
    (root / "images").mkdir()
    savemat(root / "joints.mat", {"joints": joints})
    pictures(read_lsp(root, "test"))
    return root


def test_lsp_of_its_mat_is_the_test_half_unless_told(lsp_archive, tmp_path):
    done = convert(lsp_archive, "lsp-mat", tmp_path / "lsp.json", "coco")
    assert (done.images, done.people, done.lost) == (1000, 1000, ())
    samples = read_lsp(lsp_archive, "test")
    assert_same_labels(tmp_path / "lsp.json", samples, lsp_archive, LSP14)
    flags = json.loads((tmp_path / "lsp.json").read_text())["annotations"][0]["keypoints"][2::3]
    assert flags == np.where(samples[0].people[0].annotation.visible == 1, 2, 1).tolist()
    with pytest.raises(InputError, match=r"im0001.jpg: No such file.*; complete the archive"):
        convert(lsp_archive, "lsp-mat", tmp_path / "train.json", "coco", split="train")
    with pytest.raises(InputError, match="the split 'val' of lsp-mat, wanted one of test, train, all"):
        convert(lsp_archive, "lsp-mat", tmp_path / "val.json", "coco", split="val")
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
    # so that what is learnt from the file is turned towards people as what is learnt from the archive would be
    again = [p for s in read_coco(tmp_path / "b.json", tmp_path) for p in s.people]
    for person, other in zip(again, [p for s in samples for p in s.people], strict=True):
        np.testing.assert_allclose(person.centre3d, other.centre3d, atol=1e-4)
        np.testing.assert_allclose(person.facing3d, other.facing3d, atol=1e-4)
    assert not any("cameras" in lost for lost in done.lost)


def test_lspe_and_flic_keep_their_own_joints(tmp_path, monkeypatch):
    monkeypatch.setattr(lsp, "LSPE_PICTURES", 40)  # test_lsp reads all 10,000
    rng = np.random.default_rng(1)
    joints = rng.uniform(1, 40, (14, 3, 40))
    joints[:, 2] = rng.random((14, 40)) < 0.8
    root = tmp_path / "lspe"
    (root / "images").mkdir(parents=True)
    savemat(root / "joints.mat", {"joints": joints})
    samples = lsp.read_lspe(root)
    pictures(samples)
    done = convert(root, "lspe-mat", tmp_path / "lspe.json", "coco")
    assert (done.images, done.people, done.lost) == (40, 40, ())
    assert_same_labels(tmp_path / "lspe.json", samples, root, LSP14)
    root = tmp_path / "flic"
    root.mkdir()
    test_flic.write(root, [test_flic.example(0, "a.jpg"), test_flic.example(0, "b.jpg", train=False)])
    for split, name in (("train", "a.jpg"), (None, "b.jpg")):
        samples = flic.read_flic(root, split or "test")
        pictures(samples)
        done = convert(root, "flic-mat", tmp_path / "flic.json", "coco", split=split)
        assert_same_labels(tmp_path / "flic.json", samples, root, FLIC11)
        assert [s.image.name for s in samples] == [name]
        assert done.lost == ("1 torso boxes", "1 names of videos")


def full_size(samples, size):
    """The samples' pictures as empty ones of their true size: one file under many names."""
    path = samples[0].image
    assert cv2.imwrite(str(path), np.zeros((size[1], size[0], 3), np.uint8))
    for other in {s.image for s in samples} - {path}:
        other.unlink()
        os.link(path, other)


def assert_same_3d(path, samples, root, size):
    """The file has everybody's 2D, 3D and box, and says of projected joints whether they are in the picture."""
    data = json.loads(path.read_text())
    assert data["categories"][0]["keypoints"] == list(LCR13.joints)
    assert [i["file_name"] for i in data["images"]] == [s.image.relative_to(root).as_posix() for s in samples]
    assert {(i["width"], i["height"]) for i in data["images"]} == {size}
    by_image = {i["id"]: [a for a in data["annotations"] if a["image_id"] == i["id"]] for i in data["images"]}
    for people, sample in zip(by_image.values(), samples, strict=True):
        assert len(people) == len(sample.people)
        for entry, person in zip(people, sample.people, strict=True):
            pixels, metres = ([[np.nan] * d if row is None else row for row in entry[name]]
                              for name, d in (("joints2d", 2), ("joints3d", 3)))  # fmt: skip
            np.testing.assert_allclose(pixels, person.joints2d, atol=1e-3)
            np.testing.assert_allclose(metres, person.joints3d, atol=1e-4)
            place = np.array([entry["translation"] or [np.nan] * 3], float)
            np.testing.assert_allclose(place[0], person.centre3d, atol=1e-4)
            x, y, w, h = entry["bbox"]
            np.testing.assert_allclose([x, y, x + w, y + h], person.box, atol=1e-3)
            for joint, state, seen in zip(person.joints2d, entry["joint_state"], person.visible, strict=True):
                inside = ((joint >= 0) & (joint <= size)).all()
                wanted = "missing" if np.isnan(joint).any() else "hidden" if seen == 0 else "visible"
                assert state == (wanted if inside or wanted == "missing" else "outside")


def test_human36m_by_protocol(tmp_path):
    pytest.importorskip("cdflib")
    from tests.datasets.test_h36m import write_recording

    for stem, camera in (("Eating 1", 1), ("Eating", 3), ("Eating 1", 3)):
        name = f"{stem}.{h36m.CAMERAS[camera]}"
        for subject in ("S9", "S11"):
            write_recording(tmp_path, subject, name, frames=7, pictures=(0, 5))
    for name, protocol, count in (("h36m-p1", h36m.P1, 1), ("h36m-p2", h36m.P2, 12), ("h36m-p3", h36m.P3, 4)):
        samples = h36m.read_h36m(tmp_path, protocol)
        full_size(samples, (1000, 1000))
        done = convert(tmp_path, name, tmp_path / "out.json", "coco")
        assert (done.images, done.people) == (count, count)
        assert_same_3d(tmp_path / "out.json", samples, tmp_path, (1000, 1000))
    with pytest.raises(InputError, match="S1/MyPoseFeatures"):
        convert(tmp_path, "h36m-p2", tmp_path / "out.json", "coco", split="train")


def test_3dhp_mupots_and_humaneva(tmp_path):
    for number in mpi_inf_3dhp.TEST_SEQUENCES:
        test_mpi_inf_3dhp.write_test(tmp_path / "3dhp", number)
    for number in mupots.SEQUENCES:
        test_mupots.write_sequence(tmp_path / "mupots", number)
    test_humaneva.write_recording(tmp_path / "humaneva", numbers=range(87, 99))
    cases = (("3dhp", "3dhp-test", mpi_inf_3dhp.read_3dhp_test, 18), ("mupots", "mupots", mupots.read_mupots, 40),
             ("humaneva", "humaneva", humaneva.read_humaneva, 11))  # fmt: skip
    for folder, name, read, count in cases:
        samples = read(tmp_path / folder)
        full_size(samples, (640, 480))
        done = convert(tmp_path / folder, name, tmp_path / "out.json", "coco")
        assert done.images == len(samples) == count
        assert not any("cameras" in lost for lost in done.lost)
        assert_same_3d(tmp_path / "out.json", samples, tmp_path / folder, (640, 480))
    # A crowded picture of MuPoTS-3D also goes on as our own results and as OpenPose's.
    convert(tmp_path / "mupots", "mupots", tmp_path / "own.json", "anchorpose")
    assert len(json.loads((tmp_path / "own.json").read_text())["images"]) == 40


def test_3dhp_training_videos(tmp_path):
    for subject in mpi_inf_3dhp.SUBJECTS:
        test_mpi_inf_3dhp.write_train(tmp_path, subject, frames=1)
    samples = mpi_inf_3dhp.read_3dhp_train(tmp_path)
    full_size(samples, (1100, 2048))  # some joints lie at the right of it
    done = convert(tmp_path, "3dhp-train", tmp_path / "out.json", "coco")
    assert done.images == 8 * 2 * len(mpi_inf_3dhp.CAMERAS)
    assert_same_3d(tmp_path / "out.json", samples, tmp_path, (1100, 2048))


def test_panoptic_of_all_cameras_and_agora_in_its_pictures_size(tmp_path):
    sequence, _ = test_panoptic.write_sequence(tmp_path)
    samples = panoptic.read_panoptic(sequence, ("00_00", "00_01"))
    full_size(samples, (1920, 1080))
    convert(sequence, "panoptic", tmp_path / "out.json", "coco")
    assert_same_3d(tmp_path / "out.json", samples, sequence, (1920, 1080))
    with pytest.raises(InputError, match=r"nowhere is not a folder.*domedb"):
        convert(tmp_path / "nowhere", "panoptic", tmp_path / "out.json", "coco")
    table, _ = test_agora.write_table(tmp_path)
    samples = agora.read_agora(table, tmp_path / "validation", (1280, 720))
    full_size(samples, (1280, 720))
    done = convert(table, "agora", tmp_path / "out.json", "coco")
    assert_same_3d(tmp_path / "out.json", samples, tmp_path, (1280, 720))
    assert done.people == 6
    for picture in (tmp_path / "validation").iterdir():
        picture.unlink()
    with pytest.raises(InputError, match=r"is neither beside .* nor in a folder there"):
        convert(table, "agora", tmp_path / "out.json", "coco")
    table.write_text("[]")
    with pytest.raises(InputError, match="has no rows"):
        convert(table, "agora", tmp_path / "out.json", "coco")


def test_the_command_offers_all_formats():
    offered = get_type_hints(Convert)["read_as"]
    names = {name for part in get_args(offered) for name in (get_args(part) or [part])}
    assert names == {*ARCHIVE_FORMATS, *get_args(Format)}


@pytest.mark.parametrize(("noise", "found"), [(0.0, True), (1.0, True), (30.0, False)])
def test_a_camera_is_fitted_where_2d_and_3d_are_of_one(noise, found):
    rng = np.random.default_rng(4)
    camera = Camera(900.0, 940.0, 310.0, 260.0, 640, 480)
    people = []
    for place in ([-1.0, 0.2, 4.0], [0.8, -0.1, 6.0]):
        joints3d = rng.normal(0, 0.4, (13, 3))
        flat = camera.project(joints3d + place) + rng.normal(0, noise, (13, 2))
        people.append(Person(np.zeros(4, np.float32), flat, np.ones(13, np.int8), joints3d, np.array(place)))
    fitted = fitted_camera(people, (640, 480))
    assert (fitted is not None) == found
    if fitted is not None:
        wanted, got = ([c.fx, c.fy, c.cx, c.cy] for c in (camera, fitted))
        np.testing.assert_allclose(got, wanted, rtol=0.02 * noise + 1e-9)
    assert fitted_camera([], (640, 480)) is None
    assert fitted_camera([Person(np.zeros(4, np.float32))], (640, 480)) is None
