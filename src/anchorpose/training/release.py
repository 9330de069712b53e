"""Released graphs as a start for training: the ONNX file holds every trained tensor under its own name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.io.cards import read_card
from anchorpose.lcrnet.anchors import AnchorPoses
from anchorpose.lcrnet.model import LCRNet

METADATA_KEY = "anchorpose"
HALF_SUFFIX = "_fp16"
"""Ends the names of tensors that a release stores as fp16."""
_DECIMALS = 6
_OF_TRUNK = ("close.", "lift.")
"""Parts that know one trunk of a close look: the lift was trained on what that finds."""
_LATER = ("second.", *_OF_TRUNK)
"""Parts that a start without them leaves fresh."""
_STEM = "close.trunk.trunk.stem.weight"
"""Tells one trunk of a close look from another."""


@dataclass(frozen=True)
class Start:
    """What a training begins with, and what that was trained on: the licences stay with the weights.

    Args:
        text: for the card. released: names of the tensors that begin with released weights.
        licences: data -> licence. use: what the weights may be used for; empty where nothing restricts it.
    """

    text: str
    released: frozenset[str] = frozenset()
    licences: dict[str, str] = field(default_factory=dict)
    use: str = ""


def anchors_to_metadata(anchors: AnchorPoses) -> dict[str, Any]:
    """The anchor-poses as JSON lists: the exporter folds them into other constants, a later training needs them."""
    return {name: np.round(getattr(anchors, name).astype(np.float64), _DECIMALS).tolist()
            for name in ("joints3d", "joints2d")}  # fmt: skip


def absent_tensors(model: LCRNet, graph: onnx.ModelProto) -> dict[str, Any]:
    """As JSON lists, the trained tensors that the graph does not hold under their own name and shape.

    The exporter rewrites the weights of GroupNorm, and of tensors with equal values (the statistics of two
    BatchNorms of the same map) it keeps one.
    """
    shapes = {w.name: tuple(w.dims) for w in graph.graph.initializer}
    absent = {n: t for n, t in _trained(model).items() if shapes.get(n) != tuple(t.shape)}
    return {n: np.round(t.numpy().astype(np.float64), _DECIMALS).tolist() for n, t in absent.items()}


def _trained(model: LCRNet) -> dict[str, Tensor]:
    """Counters of BatchNorm are not in a graph, and the anchors are stored apart."""
    return {n: t for n, t in model.state_dict().items()
            if not n.endswith("num_batches_tracked") and n not in ("anchors2d", "anchors3d")}  # fmt: skip


class Release:
    """The tensors and anchor-poses of a graph that `anchorpose export` wrote.

    Args:
        path: the ONNX file.

    Raises:
        InputError: the file is missing, broken, or holds no anchor-poses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            model = onnx.load(str(path))
        except (OSError, DecodeError) as error:
            raise InputError(f"cannot read {path} ({error}); give an ONNX file of `anchorpose export`") from None
        texts = {p.key: p.value for p in model.metadata_props}
        metadata = json.loads(texts.get(METADATA_KEY, "{}"))
        if "anchors" not in metadata:
            raise InputError(f"{path} holds no anchor-poses; give an ONNX file of `anchorpose export`")
        self.preset = str(metadata["preset"])
        self.anchors = AnchorPoses(*(np.array(metadata["anchors"][n], np.float32) for n in ("joints3d", "joints2d")))
        self.tensors = {w.name.removesuffix(HALF_SUFFIX): _tensor(w) for w in model.graph.initializer}
        self.tensors |= {n: torch.tensor(values) for n, values in metadata.get("tensors", {}).items()}

    def fill(self, model: LCRNet) -> Start:
        """Put the tensors into a network of the same preset; a second pass, close look or lift that the file
        lacks starts fresh, and so do a close look of another trunk and its lift.

        Returns:
            which tensors were put in, and what the file's card says of their data.

        Raises:
            InputError: one of the network's tensors is not in the file or has another shape.
        """
        own = model.state_dict()
        wanted = list(_trained(model))  # the network was built with these anchors
        for part in _LATER:
            if not any(n.startswith(part) for n in self.tensors) or (part in _OF_TRUNK and self._other_trunk(own)):
                wanted = [n for n in wanted if not n.startswith(part)]
        absent = [n for n in wanted if n not in self.tensors or self.tensors[n].shape != own[n].shape]
        if absent:
            raise InputError(f"{self.path} (preset {self.preset}) lacks or misshapes {len(absent)} of {len(own)} "
                             f"tensors, the first {absent[0]!r}; start from weights of the same preset")  # fmt: skip
        model.load_state_dict({n: self.tensors[n] if n in wanted else t for n, t in own.items()})
        return self._start(frozenset(wanted))

    def _other_trunk(self, own: dict[str, Tensor]) -> bool:
        return _STEM in own and _STEM in self.tensors and self.tensors[_STEM].shape != own[_STEM].shape

    def _start(self, released: frozenset[str]) -> Start:
        card = read_card(self.path)
        steps = card.get("progress", {}).get("step")
        behind = f" ({steps} steps from {card['trunk']})" if steps and "trunk" in card else ""
        return Start(f"all of {self.path.name}{behind}", released, dict(card.get("data", {})), str(card.get("use", "")))


def _tensor(weight: onnx.TensorProto) -> Tensor:
    values = numpy_helper.to_array(weight)
    return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float16 else values.copy())
