import numpy as np
import pytest
from scipy.io import savemat

from anchorpose.core.errors import InputError
from anchorpose.datasets.archives import Archive, missing_images, read_json, read_mat, require_images
from anchorpose.datasets.crowdpose import CROWDPOSE
from anchorpose.datasets.flic import FLIC
from anchorpose.datasets.lsp import LSP, LSPE
from anchorpose.datasets.mpii import MPII
from anchorpose.datasets.posetrack import POSETRACK
from anchorpose.datasets.samples import Sample

TOY = Archive("Things", "things.example", "Somebody, Things, 2001", "for research", ("a.mat|b/a.mat", "images"))


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_what_is_missing_is_named_with_its_source(tmp_path):
    with pytest.raises(InputError) as error:
        TOY.require(tmp_path / "nowhere")
    assert "nowhere is not a folder" in one_line(error)
    with pytest.raises(InputError) as error:
        TOY.require(tmp_path)
    for words in ("nothing of Things", "a.mat or b/a.mat, images", "things.example", "2001", "for research"):
        assert words in one_line(error)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError) as error:
        TOY.require(tmp_path)
    assert "has images of Things, wanted also a.mat or b/a.mat;" in one_line(error)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.mat").touch()
    TOY.require(tmp_path)
    assert TOY.part(tmp_path, 0) == tmp_path / "b" / "a.mat"
    assert TOY.missing(tmp_path) == []


@pytest.mark.parametrize("archive", [MPII, LSP, LSPE, FLIC, CROWDPOSE, POSETRACK], ids=lambda a: a.name)
def test_every_archive_says_where_it_comes_from(archive, tmp_path):
    with pytest.raises(InputError) as error:
        archive.require(tmp_path)
    assert archive.site in one_line(error)
    assert archive.licence in str(error.value)
    assert archive.paper[-4:].isdigit()


def test_missing_pictures_are_counted_once(tmp_path):
    (tmp_path / "here.jpg").touch()
    samples = [Sample(tmp_path / name, ()) for name in ("here.jpg", "gone.jpg", "gone.jpg", "lost.jpg")]
    assert missing_images(samples) == [tmp_path / "gone.jpg", tmp_path / "lost.jpg"]
    with pytest.raises(InputError, match=r"lacks 2 of 3 pictures, the first is .*gone\.jpg; get it from things"):
        require_images(samples, TOY)
    require_images(samples[:1], TOY)


HEADER_ONLY = b"MATLAB 5.0 MAT-file" + b"\0" * 105 + b"\x00\x01IM"


@pytest.mark.parametrize("content", [b"", b"some text", b"text of more than a header" * 9, HEADER_ONLY + b"\7" * 40])
def test_files_that_are_no_matlab_files(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_mat(tmp_path / "a.mat", "x", TOY)
    assert "things.example" in one_line(error)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_cut_matlab_file(tmp_path, compressed):
    savemat(tmp_path / "a.mat", {"x": np.random.default_rng(0).random((50, 50))}, do_compression=compressed)
    whole = (tmp_path / "a.mat").read_bytes()
    for share in (0.1, 0.5, 0.95):
        (tmp_path / "a.mat").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError):
            read_mat(tmp_path / "a.mat", "x", TOY)


def test_a_matlab_file_without_the_variable(tmp_path):
    savemat(tmp_path / "a.mat", {"x": 1, "y": 2})
    with pytest.raises(InputError, match=r"holds x, y, wanted the variable z"):
        read_mat(tmp_path / "a.mat", "z", TOY)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "lacks a, b"), ('{"a": 1}', "lacks b,")])
def test_broken_json(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_json(tmp_path / "a.json", ("a", "b"), TOY)
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path / "none.json", ("a",), TOY)
