import sys

import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import MPI3DHP28, MUPOTS17
from anchorpose.datasets.mpi_inf_3dhp import CAMERAS, held_out_frames, read_3dhp_test, read_3dhp_train
from tests.datasets.actors import bodies, check_person, picture, project


def write_train(root, subject=1, frames=3):
    """S1/Seq1 and Seq2: 14 cells of N x 56 and N x 84, millimetres; each camera sees another body."""
    actors = np.stack([np.concatenate([bodies(MPI3DHP28, seed=100 * c + i) for i in range(frames)]) for c in range(14)])
    annot2, annot3 = np.empty((14, 1), object), np.empty((14, 1), object)
    for c in range(14):
        annot2[c, 0] = project(actors[c]).reshape(frames, 56)
        annot3[c, 0] = (actors[c] * 1000).reshape(frames, 84)
    for sequence in (1, 2):
        folder = root / f"S{subject}" / f"Seq{sequence}"
        folder.mkdir(parents=True)
        savemat(folder / "annot.mat", {"annot2": annot2, "annot3": annot3, "univ_annot3": annot3,
                                       "frames": np.arange(frames)[:, None], "cameras": np.arange(14)})  # fmt: skip
        for c in CAMERAS:
            for i in range(frames):
                picture(folder / "imageFrames" / f"video_{c}" / f"frame_{i + 1:06d}.jpg")
    return actors


def write_test(root, number=1, frames=4):
    """annot_data.mat as MATLAB 7.3 writes it: an HDF5 file whose dimensions come in reverse."""
    h5py = pytest.importorskip("h5py")
    actors = np.concatenate([bodies(MUPOTS17, seed=i) for i in range(frames)])
    folder = root / f"TS{number}"
    for i in range(frames):
        picture(folder / "imageSequence" / f"img_{i + 1:06d}.jpg")
    with h5py.File(folder / "annot_data.mat", "w", userblock_size=512) as file:
        file["annot2"], file["annot3"] = project(actors)[:, None], actors[:, None] * 1000
        file["univ_annot3"] = actors[:, None] * 950
        file["valid_frame"] = np.array([[1], [0], [1], [1]], dtype=np.float64)
        file["activity_annotation"] = np.array([[1], [1], [7], [3]], dtype=np.float64)
    with (folder / "annot_data.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    return actors


def test_training_cameras_have_their_own_axes(tmp_path):
    actors = write_train(tmp_path)
    samples = read_3dhp_train(tmp_path, subjects=[1], cameras=[0, 5], stride=2)
    assert len(samples) == 2 * 2 * 2
    assert samples[3].image == tmp_path / "S1" / "Seq1" / "imageFrames" / "video_5" / "frame_000003.jpg"
    assert (samples[3].sequence, samples[3].frame) == ("S1/Seq1/5", 2)
    check_person(samples[3].people[0], actors[5, 2], MPI3DHP28)
    assert samples[3].exhaustive


def test_valid_test_frames_are_read(tmp_path):
    actors = write_test(tmp_path)
    samples = read_3dhp_test(tmp_path, [1])
    assert [s.frame for s in samples] == [0, 2, 3]
    assert [s.activity for s in samples] == ["Stand/Walk", "Misc.", "Sit on Chair"]
    assert samples[1].image.name == "img_000003.jpg"
    for sample in samples:
        check_person(sample.people[0], actors[sample.frame], MUPOTS17)
    universal = list(held_out_frames(tmp_path, 1, universal=True))
    np.testing.assert_allclose(universal[1].joints3d[0], actors[2] * 0.95, atol=1e-5)


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"S1/Seq1/annot\.mat.*S8/Seq2/annot\.mat; get it from vcai"):
        read_3dhp_train(tmp_path)
    with pytest.raises(InputError, match=r"TS6/annot_data\.mat; get it from vcai"):
        read_3dhp_test(tmp_path)
    write_train(tmp_path)
    with pytest.raises(InputError, match=r"lacks 6 of 6 pictures, .*video_3"):
        read_3dhp_train(tmp_path, [1], [3])
    with pytest.raises(InputError, match="a cell for camera 14"):
        read_3dhp_train(tmp_path, [1], [14])
    write_test(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"found no h5py.*pip install h5py"):
        read_3dhp_test(tmp_path, [1])


def test_broken_files_are_named(tmp_path):
    write_train(tmp_path, frames=2)
    path = tmp_path / "S1" / "Seq1" / "annot.mat"
    cell = np.empty((14, 1), object)
    cell[:] = [[np.zeros((2, 51))]] * 14
    savemat(path, {"annot2": cell, "annot3": cell})
    with pytest.raises(InputError, match="with 51 columns, wanted 56"):
        read_3dhp_train(tmp_path, [1])
    pytest.importorskip("h5py")
    (tmp_path / "TS1").mkdir()
    (tmp_path / "TS1" / "annot_data.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    with pytest.raises(InputError, match="not the test set's HDF5 file"):
        read_3dhp_test(tmp_path, [1])
