import sys

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import H36M32
from anchorpose.datasets.h36m import ACTIONS, CAMERAS, P1, P2, P3, h36m_frames, read_h36m, recordings
from tests.datasets.actors import bodies, check_person, picture, project

cdfwrite = pytest.importorskip("cdflib.cdfwrite")
FOCAL, CENTRE = 1145.0, (512.0, 512.0)


def write_cdf(path, values):
    """The variable Pose (1, frames, 32 d), as the data set stores it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = cdfwrite.CDF(path, delete=True)
    file.write_var({"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True,
                    "Dim_Sizes": list(values.shape[1:])}, var_data=values)  # fmt: skip
    file.close()


def write_recording(root, subject, stem, frames=130, pictures=()):
    """Both CDF files and some of the pictures of one video; (frames, 32, 3) metres in the camera frame."""
    rng = np.random.default_rng(sum(map(ord, subject + stem)))
    actors = bodies(H36M32, seed=1) + np.cumsum(rng.normal(0, 0.002, (frames, 1, 3)), 0)
    features = root / subject / "MyPoseFeatures"
    write_cdf(features / "D3_Positions_mono" / f"{stem}.cdf", (actors * 1000).reshape(1, frames, 96).astype(np.float32))
    pixels = project(actors, FOCAL, CENTRE).reshape(1, frames, 64).astype(np.float32)
    write_cdf(features / "D2_Positions" / f"{stem}.cdf", pixels)
    for i in pictures:
        picture(root / "images" / f"{subject}_{stem.replace(' ', '_')}_{i + 1:06d}.jpg")
    return actors


def test_p1_takes_every_64th_frame_of_s11_camera_2(tmp_path):
    actors = write_recording(tmp_path, "S11", "Directions 1.55011271", pictures=(0, 64, 128))
    write_recording(tmp_path, "S11", "Directions 1.54138969")
    samples = read_h36m(tmp_path, P1)
    assert [s.image.name for s in samples] == [f"S11_Directions_1.55011271_{i:06d}.jpg" for i in (1, 65, 129)]
    assert samples[1].activity == "Directions"
    for sample in samples:
        check_person(sample.people[0], actors[sample.frame], H36M32, FOCAL, CENTRE)


def test_p2_takes_every_5th_frame_of_all_cameras_and_p3_one_camera_of_the_first_trial(tmp_path):
    stems = [f"{name}.{camera}" for name in ("Photo 1", "Photo") for camera in CAMERAS]
    for subject in ("S9", "S11"):
        for stem in stems:
            write_recording(tmp_path, subject, stem, frames=11, pictures=(0, 5, 10))
    assert len(read_h36m(tmp_path, P2)) == 2 * 8 * 3
    tested = read_h36m(tmp_path, P3)
    assert {s.sequence for s in tested} == {"S9_Photo_1.60457274", "S11_Photo_1.60457274"}
    assert {s.activity for s in tested} == {"TakingPhoto"}
    assert not P3.absolute
    assert P3.aligned


def test_subjects_are_the_papers():
    assert set(P1.train) == {"S1", "S5", "S6", "S7", "S8", "S9"}
    assert set(P2.train) == set(P3.train) == {"S1", "S5", "S6", "S7", "S8"}
    assert (P1.test, P2.test, P3.test) == (("S11",), ("S9", "S11"), ("S9", "S11"))
    assert not set(P1.train) & set(P1.test)
    assert (P1.stride, P2.stride) == (64, 5)
    assert len(ACTIONS) == 15


def test_the_corrupted_video_and_the_range_of_motion_are_left_out(tmp_path):
    for stem in ("_ALL.54138969", "_ALL 1.54138969", "Directions.54138969", "Directions 1.54138969",
                 "Phoning 3.54138969", "Phoning 2.54138969", "WalkDog.54138969"):  # fmt: skip
        write_recording(tmp_path, "S11", stem, frames=1, pictures=(0,))
    found = {r.stem: (r.action, r.trial) for r in recordings(tmp_path, "S11")}
    assert found == {"Directions 1.54138969": ("Directions", 1), "Phoning 2.54138969": ("Phoning", 1),
                     "Phoning 3.54138969": ("Phoning", 2), "WalkDog.54138969": ("WalkingDog", 1)}  # fmt: skip


def test_training_takes_all_cameras_and_pictures_may_lie_in_folders_by_subject(tmp_path):
    for subject in P2.train:
        write_recording(tmp_path, subject, "Walking 1.58860488", frames=6, pictures=(0, 5))
    (tmp_path / "images" / "S1").mkdir()
    for path in (tmp_path / "images").glob("S1_*.jpg"):
        path.rename(tmp_path / "images" / "S1" / path.name)
    samples = read_h36m(tmp_path, P2, "train")
    assert len(samples) == 5 * 2
    assert samples[0].image.parent.name == "S1"


def test_what_is_missing_or_broken_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"S11/MyPoseFeatures/D3_Positions_mono.*; get it from vision\.imar\.ro"):
        read_h36m(tmp_path, P1)
    with pytest.raises(InputError, match="wanted train or test"):
        read_h36m(tmp_path, P1, "validation")
    write_recording(tmp_path, "S11", "Eating.55011271", frames=65, pictures=(0,))
    with pytest.raises(InputError, match=r"lacks 1 of 2 pictures, .*S11_Eating\.55011271_000065\.jpg"):
        read_h36m(tmp_path, P1)
    pose2d = tmp_path / "S11" / "MyPoseFeatures" / "D2_Positions" / "Eating.55011271.cdf"
    recording = recordings(tmp_path, "S11")[0]
    write_cdf(pose2d, np.zeros((1, 3, 64), np.float32))
    with pytest.raises(InputError, match="3 frames of 2D and 65 of 3D"):
        next(h36m_frames(tmp_path, recording))
    write_cdf(pose2d, np.zeros((1, 3, 50), np.float32))
    with pytest.raises(InputError, match="holds no Pose of 32 joints"):
        next(h36m_frames(tmp_path, recording))
    pose2d.write_bytes(b"no CDF")
    with pytest.raises(InputError, match="holds no Pose of 32 joints"):
        next(h36m_frames(tmp_path, recording))
    pose2d.unlink()
    with pytest.raises(InputError, match="found no file"):
        next(h36m_frames(tmp_path, recording))
    monkeypatch.setitem(sys.modules, "cdflib", None)
    with pytest.raises(InputError, match="found no cdflib"):
        next(h36m_frames(tmp_path, recording))
