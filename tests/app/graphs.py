"""A tiny real graph that keeps the contract of docs/architecture.md: it finds one person at the red pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anchorpose.core.poses import body_centre

K = 3
MAX_SIDE = 256
SCORES = np.array([0.6, 0.3], np.float32)
VISIBILITY = np.linspace(0.2, 0.8, 13, dtype=np.float32)
STANDING = np.array(
    [[-0.1, 0.9, 0], [0.1, 0.9, 0], [-0.1, 0.5, 0], [0.1, 0.5, 0], [-0.1, 0.0, 0], [0.1, 0.0, 0],
     [-0.4, 0.0, 0], [0.4, 0.0, 0], [-0.3, -0.2, 0], [0.3, -0.2, 0], [-0.2, -0.5, 0], [0.2, -0.5, 0],
     [0, -0.8, 0]], np.float32,
)  # fmt: skip
STANDING -= body_centre(STANDING)
PIXELS_A_METRE = 20.0
OFFSETS = STANDING[:, :2] * PIXELS_A_METRE
"""(13, 2) pixels of the graph's input, around the middle of the red pixels."""
BOX = np.array([-10, -20, 12, 24], np.float32)


def metadata(**changes: Any) -> dict[str, Any]:
    """What an exporter would write."""
    return {"preset": "tiny", "K": K, "max_side": MAX_SIDE, "integration": {}, "skeleton": "LCR13"} | changes


def entries(**changes: Any) -> dict[str, str]:
    """The graph's metadata, with changes."""
    return {"anchorpose": json.dumps(metadata(**changes))}


def write_graph(path: Path, props: dict[str, str] | None = None) -> Path:
    """Writes the graph; `props` replace its metadata."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper, types = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    constants = {
        "red": np.int64(0), "blue": np.int64(2), "limit": np.uint8(128), "half": np.float32(0.5), "zero": np.float32(0),
        "one": np.float32(1), "int0": np.int64(0), "int1": np.int64(1), "two": np.array([2], np.int64),
        "axis0": np.array([0], np.int64), "axis1": np.array([1], np.int64), "offsets": np.stack([OFFSETS] * 2),
        "box": np.stack([BOX] * 2), "all_scores": SCORES, "all_labels": np.array([0, 1], np.int64),
        "all_joints3d": np.stack([STANDING] * 2), "all_visibility": np.stack([VISIBILITY] * 2),
    }  # fmt: skip
    steps = [
        ("Gather", ["image", "red"], "r", {"axis": 3}), ("Gather", ["image", "blue"], "b", {"axis": 3}),
        ("Greater", ["r", "limit"], "is_r", {}), ("Less", ["b", "limit"], "no_b", {}),
        ("And", ["is_r", "no_b"], "both", {}), ("Cast", ["both"], "mask", {"to": types.FLOAT}),
        ("ReduceSum", ["mask"], "total", {"keepdims": 0}), ("Max", ["total", "one"], "count", {}),
        *_middle("x", 2), *_middle("y", 1),
        ("Concat", ["middle_x", "middle_y"], "middle", {"axis": 0}),
        ("Concat", ["middle", "middle"], "middle2", {"axis": 0}),
        ("Add", ["middle2", "box"], "all_boxes", {}), ("Add", ["middle", "offsets"], "all_joints2d", {}),
        ("Greater", ["total", "zero"], "any", {}), ("Expand", ["any", "two"], "keep", {}),
        *(("Compress", [f"all_{name}", "keep"], name, {"axis": 0})
          for name in ("boxes", "scores", "labels", "joints2d", "joints3d", "visibility")),
    ]  # fmt: skip
    outputs = {"boxes": [4], "scores": [], "labels": [], "joints2d": [13, 2], "joints3d": [13, 3], "visibility": [13]}
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **options) for kind, inputs, output, options in steps],
        "tiny",
        [helper.make_tensor_value_info("image", types.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info(name, types.INT64 if name == "labels" else types.FLOAT, ["m", *shape])
         for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, entries() if props is None else props)
    onnx.save(model, str(path))
    return path


def _middle(name: str, axis: int) -> list[tuple[str, list[str], str, dict[str, int]]]:
    """Steps for the mean position of the mask's pixels along one axis of (1, h, w)."""
    return [
        ("Shape", ["image"], f"shape_{name}", {"start": axis, "end": axis + 1}),
        ("Squeeze", [f"shape_{name}"], f"size_{name}", {}),
        ("Range", ["int0", f"size_{name}", "int1"], f"range_{name}", {}),
        ("Cast", [f"range_{name}"], f"float_{name}", {"to": 1}),
        ("Add", [f"float_{name}", "half"], f"at_{name}", {}),
        ("Unsqueeze", [f"at_{name}", f"axis{2 - axis}"], f"line_{name}", {}),
        ("Mul", ["mask", f"line_{name}"], f"weighted_{name}", {}),
        ("ReduceSum", [f"weighted_{name}"], f"sum_{name}", {"keepdims": 0}),
        ("Div", [f"sum_{name}", "count"], f"mean_{name}", {}),
        ("Unsqueeze", [f"mean_{name}", "axis0"], f"middle_{name}", {}),
    ]
