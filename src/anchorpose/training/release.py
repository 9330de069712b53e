"""Released graphs as a start for training: the ONNX file holds every trained tensor under its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.lcrnet.anchors import AnchorPoses
from anchorpose.lcrnet.model import LCRNet

METADATA_KEY = "anchorpose"
HALF_SUFFIX = "_fp16"
"""Ends the names of tensors that a release stores as fp16."""
_DECIMALS = 6
_SECOND = "second."


def anchors_to_metadata(anchors: AnchorPoses) -> dict[str, Any]:
    """The anchor-poses as JSON lists: the exporter folds them into other constants, a later training needs them."""
    return {name: np.round(getattr(anchors, name).astype(np.float64), _DECIMALS).tolist()
            for name in ("joints3d", "joints2d")}  # fmt: skip


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

    def fill(self, model: LCRNet) -> frozenset[str]:
        """Put the tensors into a network of the same preset; a second pass that the file lacks starts fresh.

        Returns:
            the names of the tensors that were put in.

        Raises:
            InputError: one of the network's tensors is not in the file or has another shape.
        """
        own = model.state_dict()
        # Counters of BatchNorm and the anchors are not in the graph; the network was built with these anchors.
        wanted = [n for n in own if not n.endswith("num_batches_tracked") and n not in ("anchors2d", "anchors3d")]
        if not any(n.startswith(_SECOND) for n in self.tensors):
            wanted = [n for n in wanted if not n.startswith(_SECOND)]
        absent = [n for n in wanted if n not in self.tensors or self.tensors[n].shape != own[n].shape]
        if absent:
            raise InputError(f"{self.path} (preset {self.preset}) lacks or misshapes {len(absent)} of {len(own)} "
                             f"tensors, the first {absent[0]!r}; start from weights of the same preset")  # fmt: skip
        model.load_state_dict({n: self.tensors[n] if n in wanted else t for n, t in own.items()})
        return frozenset(wanted)


def _tensor(weight: onnx.TensorProto) -> Tensor:
    values = numpy_helper.to_array(weight)
    return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float16 else values.copy())
