"""The command's function: files on disk, resumed, in processes, and its errors."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.mosaic.compose import MosaicOptions
from anchorpose.synthesis.mosaic.generate import ATTEMPTS, mosaic
from tests.synthesis.photographs import random_pose, write_photographs

OPTIONS = MosaicOptions(max_distance=5)


@pytest.fixture(scope="module")
def library():
    rng = np.random.default_rng(1)
    poses = np.stack([random_pose(rng) for _ in range(10)])
    return PoseLibrary(poses, ("walk", "jump"), np.array([0] * 5 + [1] * 5, np.int32))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    rng = np.random.default_rng(0)
    return write_photographs(tmp_path_factory.mktemp("people"), [random_pose(rng) for _ in range(60)], rng)


def make(library, photographs, out, count, **settings):
    settings = {"seed": 3, "size": 96, "options": OPTIONS} | settings
    return mosaic(library, *photographs, out, count, **settings)


def contents(folder):
    files = sorted((folder / "images").iterdir())
    return (folder / "annotations.json").read_text(), [(f.name, f.read_bytes()) for f in files]


def test_writes_pictures_and_annotations_that_the_trainer_reads(library, photographs, tmp_path):
    report = make(library, photographs, tmp_path / "out", 4)
    assert (report.written, report.already_there, report.left_out) == (4, 0, 0)
    assert report.attempts >= 4
    samples = read_coco(report.annotations, tmp_path / "out" / "images")
    assert len(samples) == 4
    for sample in samples:
        assert cv2.imread(str(sample.image)).shape == (96, 96, 3)
        assert sample.people[0].labelled.all()
    for entry in json.loads(report.annotations.read_text())["images"]:
        assert library.sources[library.source_index[entry["pose"]]] == entry["clip"]


def test_the_3d_is_the_library_pose_turned(library, photographs, tmp_path):
    report = make(library, photographs, tmp_path / "out", 4)
    data = json.loads(report.annotations.read_text())
    for image, annotation in zip(data["images"], data["annotations"], strict=True):
        found, pose = np.array(annotation["joints3d"]), library.joints3d[image["pose"]]
        lengths = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (found, pose)]
        if image["mirrored_pose"]:
            lengths[1] = lengths[1][LCR13.flip][:, LCR13.flip]
        np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-3)


def test_a_killed_run_goes_on_to_the_same_files(library, photographs, tmp_path):
    make(library, photographs, tmp_path / "whole", 5)
    make(library, photographs, tmp_path / "halves", 2)
    report = make(library, photographs, tmp_path / "halves", 5)
    assert (report.written, report.already_there) == (3, 2)
    assert contents(tmp_path / "whole") == contents(tmp_path / "halves")


def test_other_settings_do_not_go_into_the_same_folder(library, photographs, tmp_path):
    make(library, photographs, tmp_path / "out", 1)
    with pytest.raises(InputError, match="made with other settings"):
        make(library, photographs, tmp_path / "out", 2, seed=4)


def test_poses_that_never_fit_are_counted(library, photographs, tmp_path):
    report = make(library, photographs, tmp_path / "out", 2, options=replace(OPTIONS, max_distance=1e-6))
    assert (report.written, report.left_out, report.attempts, report.distance) == (0, 2, 2 * ATTEMPTS, None)
    assert json.loads(report.annotations.read_text())["images"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"count": 0}, "wanted at least 1"), ({"processes": 0}, "wanted at least 1"), ({"size": 8}, "size of 8 pixels")],
)
def test_numbers_out_of_range_are_refused(library, photographs, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        make(library, photographs, tmp_path / "out", **({"count": 1} | settings))
    assert not (tmp_path / "out").exists()


def test_an_empty_library_and_an_empty_folder_are_refused(library, photographs, tmp_path):
    with pytest.raises(InputError, match="library is empty"):
        make(library.select(np.zeros(10, bool)), photographs, tmp_path / "out", 1)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        make(library, photographs, tmp_path / "out", 1, backgrounds=tmp_path / "none")


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_files(library, photographs, tmp_path):
    make(library, photographs, tmp_path / "one", 40)
    make(library, photographs, tmp_path / "two", 40, processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
