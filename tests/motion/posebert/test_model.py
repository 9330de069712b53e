"""Windows over sequences of any length, and files that are no model."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from anchorpose.core.errors import InputError
from anchorpose.motion.posebert.codec import SIXD, WIDTH
from anchorpose.motion.posebert.model import PoseBert

from .graphs import FRAMES, echo


@pytest.fixture
def model(tmp_path):
    return PoseBert(echo(tmp_path / "echo.onnx"))


@pytest.mark.parametrize("count", [1, FRAMES - 1, FRAMES, FRAMES + 1, 3 * FRAMES + 5])
def test_windows_of_any_number_give_every_frame_its_own(model, count):
    tokens = np.random.default_rng(count).normal(size=(count, WIDTH)).astype(np.float32)
    found = model(tokens, np.ones(count, bool))
    np.testing.assert_allclose(found, tokens[:, -SIXD:].reshape(count, 12, 6), atol=1e-6)


def test_frames_that_no_window_knows_of_are_nan(model):
    known = np.zeros(10 * FRAMES, bool)
    known[:4] = True
    tokens = np.ones((len(known), WIDTH), np.float32)
    found = np.isfinite(model(tokens, known)).all((1, 2))
    assert found[:FRAMES].all()
    assert not found[2 * FRAMES :].any()


def test_weights_of_windows_change_slowly(model):
    """Missing frames get the mean of their window; from frame to frame the blend of windows must not jump."""
    rng = np.random.default_rng(0)
    tokens = np.repeat(rng.normal(size=(8, 1, WIDTH)), FRAMES, axis=1).reshape(-1, WIDTH).astype(np.float32)
    known = np.arange(len(tokens)) % 4 == 0
    inside = model(tokens, known)[~known]
    assert np.abs(np.diff(inside, axis=0)).max() < 0.45 * np.abs(np.diff(tokens[::FRAMES, -SIXD:], axis=0)).max()


def test_another_shape_is_refused(model):
    with pytest.raises(ValueError, match="wanted"):
        model.windows(np.zeros((2, FRAMES - 1, WIDTH), np.float32), np.ones((2, FRAMES - 1), bool))


def test_files_that_are_no_model(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        PoseBert(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(echo(tmp_path / "echo.onnx").read_bytes()[:200])
    with pytest.raises(InputError, match="no complete ONNX file"):
        PoseBert(tmp_path / "broken.onnx")
    import onnx

    other = onnx.load(tmp_path / "echo.onnx")
    del other.metadata_props[:]
    onnx.save(other, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="not a PoseBERT of anchorpose; train one") as caught:
        PoseBert(tmp_path / "other.onnx")
    assert "\n" not in str(caught.value)
