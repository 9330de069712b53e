"""What `anchorpose train` runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import PartialState
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.datasets.decoded import Photographs, PlannedDataset
from anchorpose.datasets.loader import PoseDataset
from anchorpose.datasets.samples import Sample
from anchorpose.io.files import write_json
from anchorpose.lcrnet.model import LCRNet
from anchorpose.training.checkpoint import find_checkpoint
from anchorpose.training.data import Data, read_data
from anchorpose.training.export import load_model
from anchorpose.training.fit import FitOptions, fit
from anchorpose.training.loop import LoopOptions
from anchorpose.training.presets import Preset, find_preset
from anchorpose.training.release import Release, Start
from anchorpose.training.second.begin import begin_close_look
from anchorpose.training.second.close import fit_close, has_close_look, look_closely
from anchorpose.training.second.collect import CollectOptions, collect, look_again
from anchorpose.training.second.fit import fit_second
from anchorpose.training.second.lift import fit_lift, has_lift, known_people
from anchorpose.training.second.stored import StoredPeople
from anchorpose.training.second.taught import Taught, ask
from anchorpose.training.trunk_weights import load_trunk
from anchorpose.training.validate import validate


def train(
    preset_name: str, data: Sequence[str], options: FitOptions, trunk_weights: Path | None = None,
    val: Sequence[str] = (), start: Path | None = None, decode_once: int | None = None,
) -> Path:  # fmt: skip
    """Train a preset, and measure it.

    Args:
        preset_name: see `presets`; a close look and lift stay as they are in `start`, and are left out where that
            has none.
        options: of the run.
        data: data cards or `FILE.json=IMAGES` pairs.
        trunk_weights: safetensors for the trunk. val: `FILE.json=IMAGES` pairs whose figures go into the card.
        start: released ONNX file of the same preset whose weights and anchor-poses the run begins with.
        decode_once: keep all photographs in the device's memory, with the longer side at most so many pixels.

    Returns:
        the last checkpoint's folder.

    Raises:
        InputError: anything given is missing or does not fit.
    """
    preset = find_preset(preset_name)
    pairs = [_pair(text) for text in val]
    read = read_data(data)
    samples = read.samples()
    release = None if start is None else Release(start)
    anchors = release.anchors if release else read.anchors(samples, preset.anchors, options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = preset.build(anchors)
    begin = release.fill(model) if release else Start(load_trunk(model.trunk, trunk_weights))
    if not has_close_look(begin):
        model.close = None  # it is trained on what the others find: `train_close`
    if not has_lift(begin):
        model.lift = None  # `train_lift`
    if decode_once is None:
        photographs = None
        dataset: PoseDataset | PlannedDataset = PoseDataset(samples, anchors, preset.augmentation, options.seed,
                                                            read.fresh)  # fmt: skip
    else:
        photographs = _decoded(read, samples, decode_once, preset)
        dataset = PlannedDataset(samples, anchors, preset.augmentation, options.seed, photographs)
    folder = fit(preset, model, read, dataset, options, begin, photographs)
    if pairs and PartialState().is_main_process:
        measure(options.out, pairs)
    return folder


def _decoded(data: Data, samples: Sequence[Sample], side: int, preset: Preset) -> Photographs:
    if data.fresh:
        raise InputError(f"found {data.fresh[0].name}, which makes new pictures every time; leave out --decode-once")
    if side < preset.augmentation.size // 2:
        raise InputError(f"found --decode-once {side}, wanted at least {preset.augmentation.size // 2} px, half the "
                         "side of a training picture")  # fmt: skip
    return Photographs([s.image for s in samples], side, PartialState().device)


def train_second(
    preset_name: str, data: Sequence[str], options: LoopOptions, start: Path, collecting: CollectOptions,
    val: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Train the second pass of released weights alone, and measure the result.

    Each view of a picture is looked at once (its people take 190 kB each), after which a step costs what
    the second pass alone costs.

    Args:
        preset_name: of a network with a second pass. data, val: as for `train`. options: of the run.
        start: the released ONNX file. collecting: how and where people are collected.

    Returns:
        the last checkpoint's folder.

    Raises:
        InputError: anything given is missing or does not fit.
    """
    preset = find_preset(preset_name)
    if not preset.second_width:
        raise InputError(f"found preset {preset.name}, which has no second pass; take lcrnet-lite")
    pairs = [_pair(text) for text in val]
    parts = _Parts.read(preset, data, start, options.seed)
    people = collect(parts.model, parts.dataset, replace(collecting, about=parts.about()), look_again)
    folder = fit_second(preset, parts.model, people, parts.data, parts.begin, options)
    if pairs:
        measure(options.out, pairs)
    return folder


def train_close(
    preset_name: str, data: Sequence[str], options: LoopOptions, start: Path, collecting: CollectOptions,
    trunk_weights: Path | None = None, val: Sequence[str] = (), teacher: Path | None = None,
) -> Path:  # fmt: skip
    """Train the close look of released weights alone, and measure the result.

    Each view of a picture is looked at once (its people take 200 kB each); a step then costs what a close look costs.

    Args:
        preset_name: of a network with a close look. data, val: as for `train`. options: of the run.
        start: the released ONNX file. collecting: how and where people are collected.
        trunk_weights: safetensors of the close look's trunk; needed where `start` has no close look.
        teacher: released ONNX file of larger weights whose close look says where joints are that nobody labelled.

    Returns:
        the last checkpoint's folder.

    Raises:
        InputError: anything given is missing or does not fit.
    """
    preset = find_preset(preset_name)
    if not preset.close_width:
        raise InputError(f"found preset {preset.name}, which has no close look; take lcrnet-lite or "
                         "lcrnet-base")  # fmt: skip
    pairs = [_pair(text) for text in val]
    parts = _Parts.read(preset, data, start, options.seed)
    model, begin = parts.model, parts.begin
    assert model.close is not None
    if trunk_weights is not None or not has_close_look(begin):
        trunk = load_trunk(model.close.trunk, trunk_weights)
        begin = replace(begin, text=f"{begin.text}; close look: {trunk}")
        if not (options.resume and find_checkpoint(options.out)):  # which has all of the network
            begin_close_look(model, parts.dataset, options.seed)
    people = collect(model, parts.dataset, replace(collecting, about=parts.about(of_no_account="close.")), look_closely)
    taught = None
    if teacher is not None:
        taught, behind = _ask(teacher, people, collecting.folder)
        use = "; ".join(dict.fromkeys(filter(None, [begin.use, behind.use])))
        begin = replace(begin, text=f"{begin.text}; taught by {teacher.name}", use=use,
                        licences=behind.licences | begin.licences)  # fmt: skip
    folder = fit_close(preset, model, people, parts.data, begin, options, taught=taught)
    if pairs:
        measure(options.out, pairs)
    return folder


def train_lift(
    preset_name: str, data: Sequence[str], options: LoopOptions, start: Path, collecting: CollectOptions,
    val: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Train what says the 3D of released weights' close look anew (`lcrnet.lift`), and measure the result.

    Each view of a picture is looked at once (its people take 200 kB each); a step then costs some milliseconds.

    Args:
        preset_name: of a network with a lift. data: as for `train`, of people whose 3D is known. val: as for `train`.
        options: of the run. start: the released ONNX file. collecting: how and where people are collected.

    Returns:
        the last checkpoint's folder.

    Raises:
        InputError: anything given is missing or does not fit, or nobody's 3D is known.
    """
    preset = find_preset(preset_name)
    if not preset.lift:
        raise InputError(f"found preset {preset.name}, which has no lift; take lcrnet-lite or lcrnet-base")
    pairs = [_pair(text) for text in val]
    parts = _Parts.read(preset, data, start, options.seed)
    if parts.model.close is None or not has_close_look(parts.begin):
        raise InputError(f"found no close look in {start}, wanted one whose 3D is lifted; train it with --close-look")
    about = parts.about(of_no_account="lift.")
    people = collect(parts.model, parts.dataset, replace(collecting, about=about), look_closely)
    said = ask(parts.model.close, people, collecting.folder / "said")
    folder = fit_lift(preset, parts.model, known_people(people, said), parts.data, parts.begin, options)
    if pairs:
        measure(options.out, pairs)
    return folder


def _ask(path: Path, people: StoredPeople, folder: Path) -> tuple[Taught, Start]:
    """What the close look of released weights says, and what those were trained on."""
    release = Release(path)
    teacher = find_preset(release.preset).build(release.anchors)
    behind = release.fill(teacher)
    if teacher.close is None or not has_close_look(behind):
        raise InputError(f"found no close look in {path}, wanted one to learn from; give --teacher lcrnet-base")
    return ask(teacher.close, people, folder / f"taught-{_digest(teacher.state_dict())}"), behind


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors.values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Parts:
    """What the training of a part of released weights begins with."""

    data: Data
    model: LCRNet
    begin: Start
    dataset: PoseDataset

    @classmethod
    def read(cls, preset: Preset, data: Sequence[str], start: Path, seed: int) -> _Parts:
        read, release = read_data(data), Release(start)
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(seed)  # of what the released weights lack
        model = preset.build(release.anchors)
        dataset = PoseDataset(read.samples(), release.anchors, preset.augmentation, seed, read.fresh)
        return cls(read, model, release.fill(model), dataset)

    def about(self, of_no_account: str | None = None) -> str:
        """What collected people depend on; `of_no_account` begins the names of tensors that they do not."""
        counted = {name: tensor for name, tensor in self.model.state_dict().items()
                   if of_no_account is None or not name.startswith(of_no_account)}  # fmt: skip
        return f"weights {_digest(counted)}, {', '.join(self.data.licences())}"


def measure(run: Path, pairs: Sequence[tuple[Path, Path]]) -> None:
    """Add the figures of a run on annotated photographs to its card.

    Args:
        run: what `fit` wrote. pairs: (annotations, folder of the images).
    """
    model, preset, card = load_model(run)
    figures = {
        f"{a.parent.name}/{a.stem}": validate(model, a, images, preset.max_side, preset.integration)
        for a, images in pairs
    }
    folder = find_checkpoint(run)
    assert folder is not None
    write_json(folder / "card.json", {**card, "figures": figures}, indent=2)


def _pair(text: str) -> tuple[Path, Path]:
    annotations, _, images = text.partition("=")
    if not images:
        raise InputError(f"found {text!r} for validation, wanted FILE.json=IMAGES")
    return Path(annotations), Path(images)
