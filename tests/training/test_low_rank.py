"""Released weights of full rank become ones of low rank."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from anchorpose.app.estimator import find_model  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.io.images import read_image  # noqa: E402
from anchorpose.io.letterbox import letterbox  # noqa: E402
from anchorpose.lcrnet.low_rank import LowRank  # noqa: E402
from anchorpose.training.export import export, load_model  # noqa: E402
from anchorpose.training.low_rank import FULL, make, narrow, widen  # noqa: E402
from anchorpose.training.presets import find_preset  # noqa: E402
from anchorpose.training.release import Release  # noqa: E402
from tests.training.test_export import PHOTOS  # noqa: E402


@pytest.fixture(scope="module")
def networks():
    """The released network, and the same with its thin layers multiplied out."""
    release = Release(find_model())
    preset = find_preset(release.preset)
    thin = preset.build(release.anchors).eval()
    release.fill(thin)
    full = replace(preset, ranks=FULL).build(release.anchors).eval()
    widen(full, thin)
    return thin, full


def photos(count=None):
    return [torch.from_numpy(letterbox(read_image(p), 320)[0])[None] for p in sorted(PHOTOS.glob("*.jpg"))[:count]]


def test_what_was_of_low_rank_already_stays_what_it_was(networks):
    """The answers of such a layer lie in its subspace, which the regions of a few photographs span."""
    thin, full = networks
    again = find_preset("lcrnet-lite").build(Release(find_model()).anchors).eval()
    narrow(full, again, photos())
    assert again.second is not None
    with torch.inference_mode():
        for picture in photos(3):
            (wanted, people), (found, refound) = thin(picture), again(picture)
            np.testing.assert_allclose(found.scores[:20], wanted.scores[:20], atol=1e-3)
            np.testing.assert_allclose(found.joints2d[:20], wanted.joints2d[:20], atol=0.1)
            np.testing.assert_allclose(refound.refined2d[0], people.refined2d[0], atol=0.1)


def test_too_few_regions_are_told(networks):
    _, full = networks
    with pytest.raises(InputError, match=r"found 0 regions for a layer of rank \d+; give more"):
        narrow(full, find_preset("lcrnet-lite").build(Release(find_model()).anchors), [])


@pytest.mark.slow
def test_a_file_of_full_rank_becomes_a_run_that_exports(networks, tmp_path, monkeypatch):
    """The whole way of docs/weights.md: a released file of full rank, the run, its export."""
    _, full = networks
    state = {n: t.clone() for n, t in full.state_dict().items()}
    release = Release(find_model())
    wide = {n: t for n, t in state.items() if n not in ("anchors2d", "anchors3d")}
    monkeypatch.setattr(Release, "__init__", lambda self, path: self.__dict__.update(
        path=find_model(), preset=release.preset, anchors=release.anchors, tensors=wide))  # fmt: skip
    make(find_model(), [PHOTOS], tmp_path / "run", 10, 0)
    monkeypatch.undo()
    model, preset, card = load_model(tmp_path / "run")
    assert preset.ranks == tuple(card["low_rank"]["ranks"])
    assert card["low_rank"]["photographs"] == len(list(PHOTOS.glob("*.jpg")))
    assert card["data"], "the licences stay"
    assert isinstance(model.head.hidden1, LowRank)
    parity = export(tmp_path / "run", tmp_path / "thin.onnx")
    assert parity.is_twin()


def test_the_tool_says_in_one_line_what_is_missing(tmp_path):
    for arguments in (
        [str(tmp_path / "no.onnx"), "--images", str(PHOTOS)],
        [str(find_model()), "--images", str(tmp_path)],
    ):
        done = subprocess.run([sys.executable, "-m", "anchorpose.training.low_rank", *arguments, "--out",
                               str(tmp_path / "run")], capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert "give" in done.stderr or "start from" in done.stderr
    assert not (tmp_path / "run").exists()
