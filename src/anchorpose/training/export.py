"""A checkpoint as one ONNX file (see docs/architecture.md), checked against torch on the way."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.io.files import atomic_write, write_json
from anchorpose.io.letterbox import LARGEST, SMALLEST, STRIDE
from anchorpose.io.onnx import onnxruntime
from anchorpose.lcrnet.anchors import AnchorPoses
from anchorpose.lcrnet.model import DecodedPeople, DecodedProposals, LCRNet
from anchorpose.training.checkpoint import last_checkpoint, load_averaged, read_card, read_weights
from anchorpose.training.presets import Preset, find_preset
from anchorpose.training.release import HALF_SUFFIX, METADATA_KEY, absent_tensors, anchors_to_metadata

OUTPUTS = DecodedProposals._fields
SECOND_OUTPUTS = DecodedPeople._fields
MAX_PIXELS, MAX_METRES = 1e-3, 1e-4
"""What the released weights keep for the people that users get (tests/training/test_export.py), and every graph at the
median for the joints of all proposals."""
WRONG_PIXELS, WRONG_METRES = 1e-2, 1e-3
"""No joint of any proposal is further off, however unlikely. Both sides round the trunk to some 1e-6 and a box by
1e-4 px; where the evidence for a joint has two peaks the soft-argmax makes up to 7e-3 px of that."""
_BESIDE, _ANSWERS = 1e-4, 32
"""Pixels by which both sides cut somebody out beside each other, and how often torch is asked again of that."""
_DIFFERS = "the exported graph differs from torch: "
_HALF_FROM = 2048
"""Numbers that a tensor stored as fp16 has at least."""


@dataclass(frozen=True)
class Parity:
    """Differences between torch and onnxruntime at fp32: the largest of the checked pictures.

    Args:
        pixels, metres, scores: of any joint of any proposal or person. proposals, people: how many were compared.
        median_pixels: the median over the joints of a picture's proposals. people_pixels: of the people alone.
    """

    pixels: float = 0.0
    metres: float = 0.0
    scores: float = 0.0
    proposals: int = 0
    people: int = 0
    median_pixels: float = 0.0
    people_pixels: float = 0.0

    def is_twin(self) -> bool:
        """Whether all of it is within WRONG_PIXELS and WRONG_METRES, and the median within MAX_PIXELS."""
        return self.median_pixels <= MAX_PIXELS and self.pixels <= WRONG_PIXELS and self.metres <= WRONG_METRES


def load_model(run: Path) -> tuple[LCRNet, Preset, dict[str, Any]]:
    """The averaged network of a run's last checkpoint, its preset and card.

    Raises:
        InputError: there is no checkpoint, or it is damaged.
    """
    folder = last_checkpoint(run)
    card = read_card(folder)
    preset = find_preset(str(card.get("preset", {}).get("name")))
    weights = read_weights(folder / "ema.safetensors")
    try:
        anchors = AnchorPoses(weights["anchors3d"].numpy(), weights["anchors2d"].numpy())
    except KeyError as error:
        raise InputError(f"the checkpoint {folder} has no {error}; train again") from None
    model = preset.build(anchors)
    if not any(name.startswith("close.") for name in weights):
        model.close = None  # which is trained after the rest
    if not any(name.startswith("lift.") for name in weights):
        model.lift = None  # which is trained last
    load_averaged(model, folder, preset.name)
    return model.eval(), preset, card


def export(run: Path, out: Path, pictures: list[NDArray[np.uint8]] | None = None, half: bool = True) -> Parity:
    """Write `out` (ONNX) and its card beside it.

    Args:
        run: what `anchorpose train` wrote. out: path of the ONNX file.
        pictures: (h, w, 3) uint8 RGB, sides multiples of 32, to check parity on; None takes soft seeded noise.
        half: store the weights in fp16 (half the size; the arithmetic stays fp32).

    Returns:
        the differences at fp32, before the weights are stored in fp16.

    Raises:
        InputError: the checkpoint is missing or damaged. RuntimeError: the graph differs from torch.
    """
    model, preset, card = load_model(run)
    checks = pictures or [_soft_noise(320, 384 + 32 * seed, seed) for seed in range(2)]
    graph = _trace(model)
    absent = absent_tensors(model, graph)
    # Noise has hardly a person, so there every proposal is compared, however unlikely.
    parity = _parity(model, graph, checks, preset.integration.min_score if pictures else 0.0)
    if not parity.is_twin():
        raise RuntimeError(_DIFFERS + str(parity))
    if half:
        # What the exporter computed beforehand keeps its digits: anchor-poses and grids are places.
        store_half(graph, model.state_dict().keys())
    card = {**card, "parity": asdict(parity), "storage": "fp16" if half else "fp32"}
    anchors = AnchorPoses(model.anchors3d.numpy(), model.anchors2d.numpy())
    metadata = {"preset": preset.name, "K": preset.anchors, "max_side": preset.max_side,
                "integration": asdict(preset.integration), "skeleton": LCR13.name,
                "anchors": anchors_to_metadata(anchors), "tensors": absent}  # fmt: skip
    helper.set_model_props(graph, {METADATA_KEY: json.dumps(metadata)})
    _write(graph, card, out)
    return parity


def _trace(model: LCRNet) -> onnx.ModelProto:
    """The fp32 graph with free height and width."""
    rows, columns = (torch.export.Dim(n, min=SMALLEST // STRIDE, max=LARGEST // STRIDE) for n in ("rows", "columns"))
    dynamic = {"image": {1: STRIDE * rows, 2: STRIDE * columns}}
    example = torch.zeros(1, 384, 512, 3, dtype=torch.uint8)
    with torch.no_grad():
        # Strictly: what the exporter tries first cannot trace the graph, and prints all that it had of it.
        traced = torch.export.export(model, (example,), dynamic_shapes=dynamic, strict=True)
        program = torch.onnx.export(traced, dynamo=True, opset_version=18, input_names=["image"],
                                    output_names=_names(model), verbose=False)  # fmt: skip
    assert program is not None
    model_proto = program.model_proto  # made anew each time it is asked for
    forget_traces(model_proto.graph)
    return model_proto


def _soft_noise(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """(h, w, 3): noise as soft as photographs.

    A person is cut out 1e-4 px beside where torch cuts them out. Where neighbouring pixels have nothing to do with each
    other, that is another picture, and a joint may be a pixel off.
    """
    cells = torch.randint(0, 256, (1, 3, height // 8, width // 8), generator=torch.Generator().manual_seed(seed))
    soft = F.interpolate(cells.float(), (height, width), mode="bilinear")
    return soft[0].permute(1, 2, 0).round().byte().contiguous().numpy()


def _names(model: LCRNet) -> list[str]:
    return list(OUTPUTS + SECOND_OUTPUTS) if model.second is not None else list(OUTPUTS)


def _parity(model: LCRNet, graph: onnx.ModelProto, pictures: list[NDArray[np.uint8]], min_score: float) -> Parity:
    """Differences over the proposals that the integration looks at (of at least `min_score`)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more of them add in another order every time
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    worst = Parity()
    for picture in pictures:
        with torch.inference_mode(), _one_thread():
            ours, people = model(torch.from_numpy(picture[None]))
        found = [torch.from_numpy(a) for a in session.run(_names(model), {"image": picture[None]})]
        theirs = DecodedProposals(*found[: len(OUTPUTS)])
        if len(ours.scores) != len(theirs.scores):
            raise RuntimeError(_DIFFERS + f"{len(theirs.scores)} proposals for torch's {len(ours.scores)}")
        ours = DecodedProposals(*(values[ours.scores >= min_score] for values in ours))
        matched = _match(ours, theirs)
        if len(matched):
            off = [_differences(ours, theirs, matched, name) for name in ("joints2d", "joints3d", "scores")]
            pixels, metres, scores = (float(values.max()) for values in off)
            worst = _worse(worst, Parity(pixels, metres, scores, len(matched), median_pixels=float(off[0].median())))
        if people is not None:
            worst = _worse(worst, _people_parity(model, picture, people, DecodedPeople(*found[len(OUTPUTS) :])))
    return worst


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _worse(a: Parity, b: Parity) -> Parity:
    return Parity(max(a.pixels, b.pixels), max(a.metres, b.metres), max(a.scores, b.scores),
                  a.proposals + b.proposals, a.people + b.people, max(a.median_pixels, b.median_pixels),
                  max(a.people_pixels, b.people_pixels))  # fmt: skip


def _people_parity(model: LCRNet, picture: NDArray[np.uint8], ours: DecodedPeople, theirs: DecodedPeople) -> Parity:
    """Differences of what the last look says of people.

    Where a joint may be in two places equally well, rounding decides, in torch as well: where the answers differ, torch
    is asked again of people cut out so little beside their place that nobody could tell, and its nearest answer counts.
    """
    parity = _compare_people([ours], theirs)
    if parity.is_twin() or model.close is None:
        return parity
    image, generator = torch.from_numpy(picture[None]), torch.Generator().manual_seed(0)
    with torch.inference_mode(), _one_thread():
        _, before = model.look(image)
        assert before is not None
        shifts = _BESIDE * torch.randn(_ANSWERS, *before.refined2d.shape, generator=generator)
        beside = [before._replace(refined2d=before.refined2d + shift) for shift in shifts]
        again = [model.look_closely(image.permute(0, 3, 1, 2), people) for people in beside]
    return _compare_people([ours, *again], theirs)


def _compare_people(answers: Sequence[DecodedPeople], theirs: DecodedPeople) -> Parity:
    """People of torch's `answers`, the same in each, with the one nearest in 2D; the nearest answer counts for each."""
    ours = answers[0]
    if len(ours.seeds) != len(theirs.seeds):
        raise RuntimeError(_DIFFERS + f"{len(theirs.seeds)} people for torch's {len(ours.seeds)}")
    if not len(ours.seeds):
        return Parity()
    nearest = torch.cdist(ours.refined2d.flatten(1), theirs.refined2d.flatten(1)).argmin(1)
    rows = len(nearest)
    off = [torch.stack([_differences(answer, theirs, nearest, name).reshape(rows, -1).amax(1) for answer in answers])
           for name in ("refined2d", "refined3d", "quality")]  # fmt: skip
    best = off[0].argmin(0, keepdim=True)
    pixels, metres, scores = (float(values.gather(0, best).max()) for values in off)
    return Parity(pixels, metres, scores, 0, len(ours.seeds), people_pixels=pixels)


def _match(a: DecodedProposals, b: DecodedProposals) -> Tensor:
    """(m,) position in `b` of each proposal of `a`: nearly equal scores may be listed in another order."""
    key_a, key_b = (torch.cat([p.boxes, 1e4 * p.labels[:, None].float()], 1) for p in (a, b))
    return torch.cdist(key_a, key_b, p=1).argmin(1) if len(key_a) else torch.zeros(0, dtype=torch.long)


def _differences(a: NamedTuple, b: NamedTuple, matched: Tensor, name: str) -> Tensor:
    return (getattr(a, name) - getattr(b, name)[matched]).abs()


def forget_traces(graph: onnx.GraphProto) -> None:
    """Leave out in which line of which file of this machine each node was made: a twelfth of a file.

    Args:
        graph: changed in place.
    """
    for node in graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                forget_traces(attribute.g)
    for values in (graph.value_info, graph.input, graph.output, graph.initializer):
        for value in values:
            del value.metadata_props[:]
    del graph.metadata_props[:]


def store_half(graph: onnx.ModelProto, only: Collection[str] | None = None) -> None:
    """Keep large fp32 weights as fp16 and cast them when the session starts (onnxruntime folds the casts).

    Args:
        graph: changed in place. only: names of the weights; None takes whatever is large.
    """
    casts = []
    for weight in graph.graph.initializer:
        values = numpy_helper.to_array(weight)
        small = weight.data_type != TensorProto.FLOAT or values.size < _HALF_FROM
        if small or (only is not None and weight.name not in only):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + HALF_SUFFIX))
        casts.append(helper.make_node("Cast", [name + HALF_SUFFIX], [name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(casts + nodes)


def _write(graph: onnx.ModelProto, card: dict[str, Any], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, graph.SerializeToString())
    write_json(out.with_suffix(".json"), card, indent=2)
