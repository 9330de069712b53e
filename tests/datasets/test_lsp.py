import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, LSP14
from anchorpose.datasets.lsp import read_lsp, read_lspe

ORDER = ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
         "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top")  # fmt: skip


def write(folder, joints):
    folder.mkdir(exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    savemat(folder / "joints.mat", {"joints": joints})
    return folder


@pytest.fixture(scope="module")
def lsp(tmp_path_factory):
    rng = np.random.default_rng(0)
    joints = rng.uniform(-20, 150, (3, 14, 2000))
    joints[2] = rng.random((14, 2000)) < 0.2
    return write(tmp_path_factory.mktemp("lsp"), joints), joints


@pytest.fixture(scope="module")
def lspe(tmp_path_factory):
    rng = np.random.default_rng(1)
    joints = rng.uniform(0, 400, (14, 3, 10000))
    joints[:, 2] = rng.random((14, 10000)) < 0.8
    joints[:, 2, 4] = 0
    return write(tmp_path_factory.mktemp("lspe"), joints), joints


def test_lsp_splits_by_number(lsp):
    folder, _ = lsp
    train, test = read_lsp(folder), read_lsp(folder, "test")
    assert (len(train), len(test), len(read_lsp(folder, "all"))) == (1000, 1000, 2000)
    assert [train[0].image.name, train[-1].image.name] == ["im0001.jpg", "im1000.jpg"]
    assert [test[0].image.name, test[-1].image.name] == ["im1001.jpg", "im2000.jpg"]
    assert (train[0].id, test[-1].id) == (1, 2000)
    assert all(len(s.people) == 1 and not s.exhaustive for s in train)


def test_lsp_third_value_1_means_hidden(lsp):
    folder, joints = lsp
    assert LSP14.joints == ORDER
    for sample in read_lsp(folder, "all")[::97]:
        (person,) = sample.people
        for j, name in enumerate(ORDER):
            x, y, hidden = joints[:, j, sample.id - 1]
            np.testing.assert_allclose(person.annotation.joints2d[j], [x - 0.5, y - 0.5], rtol=1e-5)
            assert person.annotation.visible[j] == (0 if hidden else 1)
            if name in LCR13.joints:
                np.testing.assert_allclose(person.joints2d[LCR13.index(name)], [x - 0.5, y - 0.5], rtol=1e-5)
                assert person.visible[LCR13.index(name)] == (0 if hidden else 1)
        assert person.labelled.all()


def test_lspe_third_value_1_means_labelled(lspe):
    folder, joints = lspe
    samples = read_lspe(folder)
    assert len(samples) == 10000
    assert [samples[0].image.name, samples[-1].image.name] == ["im00001.jpg", "im10000.jpg"]
    assert samples[4].people == ()
    for sample in samples[::991]:
        (person,) = sample.people
        for j, name in enumerate(ORDER):
            x, y, labelled = joints[j, :, sample.id - 1]
            if name in LCR13.joints:
                found = person.joints2d[LCR13.index(name)]
                np.testing.assert_allclose(found, [x - 0.5, y - 0.5] if labelled else [np.nan, np.nan], rtol=1e-5)
                assert person.visible[LCR13.index(name)] == (1 if labelled else -1)


def test_the_two_archives_are_told_apart(lsp, lspe):
    with pytest.raises(InputError, match=r"shape \(14, 3, 10000\), wanted \(3, 14, 2000\).*another archive"):
        read_lsp(lspe[0])
    with pytest.raises(InputError, match=r"shape \(3, 14, 2000\), wanted \(14, 3, 10000\).*lspet"):
        read_lspe(lsp[0])


def test_missing_parts(tmp_path):
    with pytest.raises(InputError, match=r"wanted also joints.mat, images; .* sam.johnson.io/research/lsp.html"):
        read_lsp(tmp_path)
    write(tmp_path, np.array([["text"]]))
    with pytest.raises(InputError, match="wanted"):
        read_lsp(tmp_path)
