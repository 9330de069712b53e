"""Released weights of full rank -> a run whose head has the ranks of its preset.

python -m anchorpose.training.low_rank FULL.onnx --images DIR --out RUN
anchorpose export RUN --out lcrnet-lite.onnx
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from tqdm import tqdm

from anchorpose.core.errors import InputError
from anchorpose.io.cards import read_card
from anchorpose.io.images import read_image
from anchorpose.io.letterbox import letterbox
from anchorpose.io.sources import IMAGE_SUFFIXES
from anchorpose.lcrnet.low_rank import LowRank
from anchorpose.lcrnet.model import LCRNet
from anchorpose.training.checkpoint import provenance, save_checkpoint
from anchorpose.training.presets import find_preset
from anchorpose.training.release import Release

FULL = (0, 0, 0)


class _Answers:
    """Mean and covariance of what a layer answers to its thin inputs, without bias."""

    def __init__(self, layer: nn.Linear, kept: int) -> None:
        self.layer, self.kept, self.count = layer, kept, 0
        self.sum = torch.zeros(layer.out_features, dtype=torch.double)
        self.products = torch.zeros(layer.out_features, layer.out_features, dtype=torch.double)

    def listen(self) -> RemovableHandle:
        """Add up from now on."""
        thin = self.layer.in_features - self.kept

        def add(_: nn.Module, given: tuple[Tensor], __: Tensor) -> None:
            said = (given[0][:, :thin] @ self.layer.weight[:, :thin].T).double()
            self.sum += said.sum(0)
            self.products += said.T @ said
            self.count += len(said)

        return self.layer.register_forward_hook(add)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """(outputs,) mean and (outputs, outputs) covariance."""
        mean = self.sum / self.count
        return mean, self.products / self.count - torch.outer(mean, mean)


@torch.inference_mode()
def narrow(full: LCRNet, thin: LCRNet, pictures: Iterable[Tensor]) -> None:
    """Fill a network whose head is of low rank from one of full rank.

    Args:
        full: trained, in evaluation mode. thin: changed in place. pictures: (1, h, w, 3) uint8 RGB with people, whose
            regions the thin layers are made for.

    Raises:
        InputError: there are fewer regions than a layer has ranks.
    """
    pairs = [(getattr(full.head, n), layer) for n, layer in thin.head.named_children() if isinstance(layer, LowRank)]
    answers = [_Answers(layer, layer.in_features - other.inner.in_features) for layer, other in pairs]
    second, full.second = full.second, None
    hooks = [found.listen() for found in answers]
    for picture in pictures:
        full(picture)
    for hook in hooks:
        hook.remove()
    full.second = second
    own, given = thin.state_dict(), full.state_dict()
    thin.load_state_dict({n: given.get(n, t) for n, t in own.items()})
    for (layer, other), found in zip(pairs, answers, strict=True):
        if found.count < other.inner.out_features:
            raise InputError(f"found {found.count} regions for a layer of rank {other.inner.out_features}; "
                             "give more pictures")  # fmt: skip
        other.imitate(layer, *found.statistics())


@torch.no_grad()
def widen(full: LCRNet, thin: LCRNet) -> None:
    """Fill a network whose head is of full rank from one of low rank: the same, multiplied out."""
    state = thin.state_dict()
    for name, layer in thin.head.named_children():
        if isinstance(layer, LowRank):
            wide = layer.multiplied()
            state |= {f"head.{name}.weight": wide.weight, f"head.{name}.bias": wide.bias}
    full.load_state_dict({n: state[n] for n in full.state_dict()})


def make(weights: Path, images: Sequence[Path], out: Path, count: int, seed: int) -> Path:
    """Write the run.

    Args:
        weights: released ONNX file of full rank. images: folders of photographs. out: the run. count: photographs taken
            of each folder. seed: of the choice.

    Returns:
        the checkpoint's folder.

    Raises:
        InputError: weights or photographs are missing, or do not fit.
    """
    release = Release(weights)
    preset = find_preset(release.preset)
    if preset.ranks == FULL:
        raise InputError(f"found preset {preset.name}, whose head has full rank; take one with `ranks`")
    full = replace(preset, ranks=FULL).build(release.anchors)
    release.fill(full)
    thin = preset.build(release.anchors).eval()
    paths = [path for folder in images for path in choose(folder, count, seed)]
    narrow(full.eval(), thin, (torch.from_numpy(letterbox(read_image(p), preset.max_side)[0])[None]
                               for p in tqdm(paths, unit="photograph")))  # fmt: skip
    card = {name: value for name, value in read_card(weights).items() if name != "figures"}  # those of other weights
    card = {**card, "preset": json.loads(json.dumps(asdict(preset))), **provenance(),
            "low_rank": {"ranks": list(preset.ranks), "photographs": len(paths), "seed": seed}}  # fmt: skip
    save_checkpoint(out / "last", thin.state_dict(), thin.state_dict(), {}, card)
    return out / "last"


def choose(folder: Path, count: int, seed: int) -> list[Path]:
    """At most `count` photographs of a folder; InputError where it has none."""
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"found no photographs in {folder}; give a folder of picture files")
    return random.Random(seed).sample(found, min(count, len(found)))


def main() -> None:
    """The command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="released ONNX file of full rank")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of photographs of people")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--count", type=int, default=100, help="photographs taken of each folder")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        print(make(args.weights, args.images, args.out, args.count, args.seed))
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
