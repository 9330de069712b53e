"""A PoseBERT checkpoint as one ONNX file, checked against torch on the way."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper

from anchorpose.io.files import atomic_write, write_json
from anchorpose.io.onnx import onnxruntime
from anchorpose.motion.posebert.codec import WIDTH
from anchorpose.motion.posebert.model import INPUTS, METADATA_KEY, OUTPUT
from anchorpose.training.checkpoint import last_checkpoint, load_averaged, read_card
from anchorpose.training.export import forget_traces, store_half
from anchorpose.training.posebert.network import PoseBertNetwork
from anchorpose.training.posebert.presets import PoseBertPreset, find_posebert

WRONG = 1e-3
"""A graph whose rotations are further off is another function."""


def load_network(run: Path) -> tuple[PoseBertNetwork, PoseBertPreset, dict[str, Any]]:
    """The averaged network of a run's last checkpoint, its preset and card.

    Raises:
        InputError: there is no checkpoint, or it is damaged.
    """
    folder = last_checkpoint(run)
    card = read_card(folder)
    preset = find_posebert(str(card.get("preset", {}).get("name")))
    network = preset.build()
    load_averaged(network, folder, preset.name)
    return network.eval(), preset, card


def export(network: PoseBertNetwork, name: str, card: dict[str, Any], out: Path, half: bool = True) -> float:
    """Write `out` (ONNX, see `motion.posebert.model.PoseBert`) and its card beside it.

    Args:
        network: trained. name: of its preset. card: of its training. out: path of the ONNX file.
        half: store the weights in fp16 (the arithmetic stays fp32).

    Returns:
        the largest difference from torch in a rotation's 6D, at fp32.

    Raises:
        RuntimeError: the graph differs from torch.
    """
    graph = _trace(network.eval())
    worst = _parity(network, graph)
    if worst > WRONG:
        raise RuntimeError(f"the exported graph differs from torch by {worst:.2g} in the rotations")
    if half:
        store_half(graph)
    metadata = {"posebert": name, "frames": network.frames}
    helper.set_model_props(graph, {METADATA_KEY: json.dumps(metadata)})
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, graph.SerializeToString())
    card = {**card, "parity": worst, "storage": "fp16" if half else "fp32"}
    write_json(out.with_suffix(".json"), card, indent=2)
    return worst


def _trace(network: PoseBertNetwork) -> onnx.ModelProto:
    example = torch.zeros(2, network.frames, WIDTH), torch.ones(2, network.frames, dtype=torch.bool)
    batch = torch.export.Dim("batch", min=1, max=4096)
    logging.getLogger("torch.fx").setLevel(logging.ERROR)  # the exporter logs every node; its errors still raise
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "# The axis name")  # both inputs share it, as they should
        program = torch.onnx.export(network, example, dynamo=True, opset_version=18, input_names=list(INPUTS),
                                    output_names=[OUTPUT], dynamic_shapes=({0: batch}, {0: batch}),
                                    verbose=False)  # fmt: skip
    assert program is not None
    model_proto = program.model_proto  # made anew each time it is asked for
    forget_traces(model_proto.graph)
    return model_proto


def _parity(network: PoseBertNetwork, graph: onnx.ModelProto) -> float:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(3, network.frames, WIDTH)).astype(np.float32)
    known = rng.random(tokens.shape[:2]) < 0.6
    with torch.inference_mode():
        ours = network(torch.from_numpy(tokens), torch.from_numpy(known)).numpy()
    return float(np.abs(session.run([OUTPUT], dict(zip(INPUTS, (tokens, known), strict=True)))[0] - ours).max())
