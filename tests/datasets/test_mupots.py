import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, MUPOTS17
from anchorpose.datasets.mupots import mupots_frames, read_mupots
from anchorpose.evaluation.mupots import MupotsFrame, evaluate_mupots
from tests.datasets.actors import bodies, check_person, picture, project


def cells(rows):
    out = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for k, value in enumerate(row):
            out[i, k] = value
    return out


def write_sequence(root, number, people=2, frames=3, centre=(1024.0, 1024.0)):
    """As the toolkit has it: cells of structs with 2 x 17 and 3 x 17 matrices in millimetres, a 17-vector of labels."""
    actors = np.stack([bodies(MUPOTS17, people, seed=i) for i in range(frames)])
    valid = np.ones((frames, people), dtype=np.uint8)
    valid[-1] = 0
    valid[0, -1] = people == 1
    hidden = np.zeros((frames, people, 17), dtype=np.uint8)
    hidden[:, 0, MUPOTS17.index("left_wrist")] = 1
    structs = [[{"annot2": project(actors[f, p], centre=centre).T, "annot3": actors[f, p].T * 1000,
                 "univ_annot3": actors[f, p].T * 900, "isValidFrame": valid[f, p]}
                for p in range(people)] for f in range(frames)]  # fmt: skip
    folder = root / f"TS{number}"
    for f in range(frames):
        picture(folder / f"img_{f:06d}.jpg")
    savemat(folder / "annot.mat", {"annotations": cells(structs)})
    savemat(folder / "occlusion.mat", {"occlusion_labels": cells([[h[None] for h in row] for row in hidden])})
    return actors


def test_reads_valid_people_in_their_true_size(tmp_path):
    actors = write_sequence(tmp_path, 1)
    samples = read_mupots(tmp_path, [1])
    assert [len(s.people) for s in samples] == [1, 2]  # the last frame is invalid, and one person of the first
    assert samples[1].image == tmp_path / "TS1" / "img_000001.jpg"
    assert not samples[0].exhaustive
    for person, actor in zip(samples[1].people, actors[1], strict=True):
        check_person(person, actor, MUPOTS17)
    first = samples[1].people[0]
    assert first.visible[LCR13.index("left_wrist")] == 0
    assert first.visible.sum() == 12


def test_universal_3d_is_the_benchmarks(tmp_path):
    actors = write_sequence(tmp_path, 2, people=3)
    frames = list(mupots_frames(tmp_path, 2, universal=True))
    assert frames[1].joints3d.shape == (3, 17, 3)
    np.testing.assert_allclose(frames[1].joints3d, actors[1] * 0.9, atol=1e-5)
    np.testing.assert_allclose(next(mupots_frames(tmp_path, 2)).joints3d, actors[0, :2], atol=1e-5)


def test_the_truth_as_prediction_is_right_and_a_person_less_costs_only_all(tmp_path):
    write_sequence(tmp_path, 4)
    frames = list(mupots_frames(tmp_path, 4, universal=True))
    perfect = [MupotsFrame(f.joints2d, f.joints3d, f.joints2d[::-1], f.joints3d[::-1]) for f in frames]
    assert evaluate_mupots({"TS4": perfect}).pck_all == pytest.approx(1)
    one_less = [MupotsFrame(f.joints2d, f.joints3d, f.joints2d[:1], f.joints3d[:1]) for f in frames]
    figures = evaluate_mupots({"TS4": one_less})
    assert (figures.pck_all, figures.pck_matched) == (pytest.approx(2 / 3), pytest.approx(1))


def test_joints_outside_the_picture_cannot_be_seen(tmp_path):
    write_sequence(tmp_path, 7, centre=(960.0, 760.0))  # 1920 x 1080: the ankles fall below
    person = read_mupots(tmp_path, [7])[1].people[0]
    below = person.joints2d[:, 1] > 1080
    assert below.any()
    assert (person.visible[below] == 0).all()
    assert person.visible[LCR13.index("head_top")] == 1


def test_a_single_person_keeps_the_frames_apart(tmp_path):
    actors = write_sequence(tmp_path, 3, people=1)
    samples = read_mupots(tmp_path, [3])
    assert len(samples) == 2
    check_person(samples[0].people[0], actors[0, 0], MUPOTS17)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"TS1/annot\.mat.*TS1/occlusion\.mat; get it from vcai.*non-commercial"):
        read_mupots(tmp_path)
    write_sequence(tmp_path, 1)
    (tmp_path / "TS1" / "img_000000.jpg").unlink()
    with pytest.raises(InputError, match=r"lacks 1 of 2 pictures, the first is .*img_000000\.jpg"):
        read_mupots(tmp_path, [1])
    with pytest.raises(InputError, match=r"TS2/annot\.mat"):
        read_mupots(tmp_path, [1, 2])


def test_other_matrices_are_refused(tmp_path):
    write_sequence(tmp_path, 1)
    bad = [[{"annot2": np.zeros((2, 16)), "annot3": np.zeros((3, 16)), "isValidFrame": 1}] * 2] * 3
    savemat(tmp_path / "TS1" / "annot.mat", {"annotations": cells(bad)})
    with pytest.raises(InputError, match="not structs of 17 joints"):
        read_mupots(tmp_path, [1])
    savemat(tmp_path / "TS1" / "annot.mat", {"annotations": cells([[np.zeros((3, 17))] * 2] * 3)})
    with pytest.raises(InputError, match="not structs with isValidFrame"):
        read_mupots(tmp_path, [1])
    savemat(tmp_path / "TS1" / "annot.mat", {"annotations": cells(bad[:2])})
    with pytest.raises(InputError, match="wanted the same"):
        read_mupots(tmp_path, [1])
