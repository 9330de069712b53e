"""Store a graph's trunk as static int8 (onnxruntime's QDQ form), to see what that gains and costs.

    python benchmarks/int8.py --images coco/train lspe/train --out int8.onnx
    anchorpose evaluate coco --model int8.onnx --annotations coco/val.json --images coco/val

Weights have a scale for each channel, activations that of their least and greatest values on the photographs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from anchorpose.app.estimator import find_model
from anchorpose.io.images import read_image
from anchorpose.io.letterbox import letterbox
from anchorpose.training.low_rank import choose

SIDE = 384  # pixels, as the released preset takes photographs


class Photographs(CalibrationDataReader):
    """Calibration input."""

    def __init__(self, paths: list[Path]) -> None:
        self.left: Iterator[dict[str, Any]] = ({"image": letterbox(read_image(p), SIDE)[0][None]} for p in paths)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.left, None)


def trunk_of(graph: onnx.GraphProto) -> list[str]:
    """Names of the trunk's convolutions but for those of its dense maps, which are places and need all their digits."""
    return [
        n.name
        for n in graph.node
        if n.op_type == "Conv" and n.input[1].startswith("trunk.") and ".heads." not in n.input[1]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="lcrnet-lite")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of photographs")
    parser.add_argument("--count", type=int, default=24, help="photographs of each folder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        options = onnxruntime.SessionOptions()
        # Folds the casts of the stored fp16 weights, and changes no convolution.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        onnxruntime.InferenceSession(str(find_model(args.weights)), options, providers=["CPUExecutionProvider"])
        names = trunk_of(onnx.load(str(plain)).graph)
        paths = [path for images in args.images for path in choose(images, args.count, 0)]
        quantize_static(plain, args.out, Photographs(paths), quant_format=QuantFormat.QDQ, per_channel=True,
                        weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8, nodes_to_quantize=names,
                        op_types_to_quantize=["Conv"])  # fmt: skip
    print(f"{args.out}: {len(names)} convolutions in int8, {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
