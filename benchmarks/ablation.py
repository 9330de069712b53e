"""What each part of LCR-Net++ is worth: one network, its answers kept, and every row another way of using them.

The network (a run's folder or released weights) looks at each photograph once, the second pass three times in turn.
Rows of another K (`--train`) keep all of the released weights but the output layers of the head, which begin anew, and
train the head for the same number of steps each, also at the released K. Rows of lower ranks (`--ranks`) give the
head's layers other principal components of their answers on photographs. The rows of the close look are of what the
network finds with that; all others are of the network without.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from systems import table
from tqdm import tqdm

from anchorpose.app.estimator import find_model
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.loader import PoseDataset
from anchorpose.evaluation.annotations import Annotations, load_annotations
from anchorpose.evaluation.protocols import evaluate_coco, evaluate_lsp
from anchorpose.evaluation.scenes import evaluate_scenes
from anchorpose.io.images import read_image
from anchorpose.io.letterbox import letterbox
from anchorpose.lcrnet.anchors import AnchorPoses
from anchorpose.lcrnet.integration import IntegrationOptions, Proposals, integrate
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.placement import in_camera_axes
from anchorpose.lcrnet.refinement import Refined
from anchorpose.lcrnet.second_pass import WINDOW
from anchorpose.training.data import read_data
from anchorpose.training.export import load_model
from anchorpose.training.fit import FitOptions, fit
from anchorpose.training.low_rank import FULL, choose, narrow, widen
from anchorpose.training.presets import Preset, find_preset
from anchorpose.training.release import Release, Start
from anchorpose.training.second.close import has_close_look

PASSES = 3
WHOLE = 1e3  # a window so wide that the mean of a heat map is that of all of it
LOOKS = (*((n, WINDOW) for n in range(1, PASSES + 1)), (1, WHOLE))
OUTPUT_LAYERS = ("head.classify", "head.regress")
PHOTOGRAPHS = 20  # of each folder
REPLAY = 3  # a step's features are those of a frozen trunk; each is learnt from some four times
# Looks at each person in turn, the quality that the second pass must expect of a person for them, whether 3D is lifted.
CLOSE = ((0, 0.0, True), (1, 0.0, True), (1, 0.2, True), (1, 0.4, True), (1, 0.4, False), (2, 0.0, True))
FIGURES = ("coco AP", "coco AP50", "lspe PCK", "MPJPE", "PA-MPJPE", "3DPCK", "ms of integration")


@dataclass(frozen=True)
class Answer:
    """What the network said of one photograph, in its pixels."""

    width: int
    height: int
    proposals: Proposals
    passes: tuple[Refined, ...]


@dataclass(frozen=True)
class Row:
    """A way of using the answers: options of PPI, which look of the second pass, and what is kept of the first."""

    name: str
    options: IntegrationOptions
    passes: int
    upper_body: bool = True
    first3d: bool = False


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    sets = {name: (load_annotations(annotations), images) for name, annotations, images in (
        ("coco", args.data / "coco" / "val.json", args.data / "coco" / "val"),
        ("lspe", args.data / "lspe" / "val.json", args.data / "lspe" / "val"),
        ("rendered", args.scenes / "annotations.json", args.scenes / "images"))}  # fmt: skip
    sets = {name: (first(truth, args.count, name == "rendered"), images) for name, (truth, images) in sets.items()}
    if args.train:
        lines = [line for anchors in args.train for line in measure_trained(args, anchors, sets)]
    elif args.ranks:
        lines = [measure_ranks(args, tuple(int(r) for r in ranks.split(",")), sets) for ranks in args.ranks]
    else:
        model, preset = load(args.weights)
        preset, close = at(preset, args), model.close
        lines = measure_all(model, preset, sets, closely, close_rows(preset)) if close is not None else []
        model.close = None
        lines += measure_all(model, preset, sets, answer, rows(preset))
    print(table(["", *FIGURES], lines))


def at(preset: Preset, args: argparse.Namespace) -> Preset:
    """The preset with the asked size of photographs."""
    return replace(preset, max_side=args.max_side or preset.max_side)


def measure_all(model: LCRNet, preset: Preset, sets: Mapping[str, tuple[Annotations, Path]],
                look: Callable[[LCRNet, Path, int], Answer], chosen: Sequence[Row]) -> list[list[str]]:  # fmt: skip
    """A line for each row, all of the same answers."""
    answers = {name: {i.file_name: look(model, images / i.file_name, preset.max_side)
                      for i in tqdm(truth.images, name)} for name, (truth, images) in sets.items()}  # fmt: skip
    return [[row.name, *measure(row, answers, sets, len(model.anchors3d))] for row in chosen]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="lcrnet-lite", help="a run's folder, or the name of released weights")
    parser.add_argument("--data", type=Path, required=True, help="folder with coco/ and lspe/, each val.json and val/")
    parser.add_argument("--scenes", type=Path, required=True, help="rendered test set: annotations.json and images/")
    parser.add_argument("--count", type=int, help="only the first photographs of each set")
    parser.add_argument("--max-side", type=int, help="longer side of photographs, pixels; the preset's unless given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--train", nargs="*", type=int, default=[], help="numbers of anchor-poses to train with")
    parser.add_argument("--ranks", nargs="*", default=[], help="such as 32,48,64: of the head's three layers")
    parser.add_argument("--images", type=Path, nargs="*", default=[], help="folders of photographs for --ranks")
    parser.add_argument("--steps", type=int, default=250, help="of each training")
    parser.add_argument("--card", type=Path, help="data card for --train")
    parser.add_argument("--work", type=Path, default=Path("ablation"), help="where the trainings are kept")
    return parser.parse_args()


def first(truth: Annotations, count: int | None, several: bool) -> Annotations:
    """The first `count` photographs; with `several` only those of at least two people."""
    chosen = [i.file_name for i, p in zip(truth.images, truth.people, strict=True) if not several or len(p) > 1]
    return truth.only(chosen[:count])


def load(weights: str) -> tuple[LCRNet, Preset]:
    """The network of a run or of released weights."""
    if Path(weights).is_dir():
        model, preset, _ = load_model(Path(weights))
        return model, preset
    release = Release(find_model(weights))
    preset = find_preset(release.preset)
    model = preset.build(release.anchors)
    if not has_close_look(release.fill(model)):
        model.close = None
    return model.eval(), preset


@torch.inference_mode()
def answer(model: LCRNet, path: Path, max_side: int, looks: Sequence[tuple[int, float]] = LOOKS) -> Answer:
    """Proposals and, where the network has a second pass, what it says after each of `looks` (passes, window)."""
    image = read_image(path)
    padded, factor = letterbox(image, max_side)
    back = 1 / factor[0], 1 / factor[1]
    said = []
    for passes, window in looks:
        if model.second is not None:
            model.passes, model.second.window = passes, window
        found, people = model(torch.from_numpy(padded)[None])
        if people is None:
            break
        said.append(Refined(*(t.numpy() for t in people)).scaled(back))
    proposals = Proposals(*(t.numpy() for t in found)).scaled(back)
    return Answer(image.shape[1], image.shape[0], proposals, tuple(said))


@torch.inference_mode()
def closely(model: LCRNet, path: Path, max_side: int) -> Answer:
    """As `answer`, after each of `CLOSE`."""
    image = read_image(path)
    padded, factor = letterbox(image, max_side)
    picture, back = torch.from_numpy(padded)[None], (1 / factor[0], 1 / factor[1])
    close, lift, model.close = model.close, model.lift, None
    found, people = model(picture)
    model.close = close
    assert people is not None
    said = []
    for looks, quality, lifted in CLOSE:
        model.people, model.lift, now = replace(model.people, min_quality=quality), lift if lifted else None, people
        for _ in range(looks):
            now = model.look_closely(picture.permute(0, 3, 1, 2), now)
        said.append(Refined(*(t.numpy() for t in now)).scaled(back))
    model.lift = lift
    proposals = Proposals(*(t.numpy() for t in found)).scaled(back)
    return Answer(image.shape[1], image.shape[0], proposals, tuple(said))


def close_rows(preset: Preset) -> list[Row]:
    """A row for each of `CLOSE`."""
    names = [f"close look, {n} time{'s' * (n > 1)}, from quality {q}{', no lift' * (not lifted)}"
             if n else "second pass alone" for n, q, lifted in CLOSE]  # fmt: skip
    return [Row(name, preset.integration, i + 1) for i, name in enumerate(names)]


def rows(preset: Preset) -> list[Row]:
    """The preset's own way first, then each change alone."""
    own, passes = preset.integration, preset.passes
    plain = replace(own, same_person=1.0)
    rows = []
    if preset.second_width:
        rows += [Row(f"second pass, {n} look{'s' * (n > 1)}", own, n) for n in range(1, PASSES + 1)]
        rows += [Row("second pass, mean of whole heat maps", own, PASSES + 1),
                 Row("second pass, 3D of the first", own, passes, first3d=True),
                 Row("second pass, no merging of people", plain, passes)]  # fmt: skip
    rows.append(Row("first pass alone", plain, 0))
    rows.append(Row("first pass, non-maximum suppression", replace(plain, method="nms", min_person_score=0.05), 0))
    for name, value in (("iou_threshold", 0.3), ("iou_threshold", 0.5), ("distance3d", 0.1), ("distance3d", 0.4),
                        ("lower_limb_weight", 1.0), ("outside_penalty", 1.0), ("outside_penalty", 4.0)):  # fmt: skip
        rows.append(Row(f"first pass, {name} {value}", replace(plain, **{name: value}), 0))
    return [*rows, Row("first pass, no upper-body classes", plain, 0, upper_body=False)]


def measure(row: Row, answers: Mapping[str, Mapping[str, Answer]], sets: Mapping[str, tuple[Annotations, Path]],
            anchors: int) -> list[str]:  # fmt: skip
    """The row's figures."""
    times: list[float] = []
    found = {name: {f: people(row, a, anchors, name, times) for f, a in kept.items()} for name, kept in answers.items()}
    coco = evaluate_coco(sets["coco"][0], found["coco"])
    lspe, scenes = evaluate_lsp(sets["lspe"][0], found["lspe"]), evaluate_scenes(sets["rendered"][0], found["rendered"])
    shares = (coco["body_AP"], coco["body_AP50"], lspe["body_PCK@0.2"])
    return [*(shown(v, 3) for v in shares), *(shown(scenes[n], 0) for n in ("MPJPE", "PA-MPJPE")),
            shown(scenes["3DPCK"], 3), shown(1000 * statistics.median(times), 2)]  # fmt: skip


def shown(value: float | None, decimals: int) -> str:
    """A figure, or `-` where there was nothing to measure."""
    return "-" if value is None else f"{value:.{decimals}f}"


def people(row: Row, answer: Answer, anchors: int, name: str, times: list[float]) -> Poses:
    """The people of one photograph by a row's rules; AP ranks everybody, also unlikely people."""
    options, proposals = row.options, answer.proposals
    if name == "coco" or row.passes:
        options = replace(options, min_person_score=0.0)
    if name == "coco":
        options = replace(options, min_quality=0.0)
    if not row.upper_body:
        proposals = proposals[proposals.labels < anchors]
    refined = answer.passes[row.passes - 1] if row.passes else None
    started = time.perf_counter()
    found = integrate(proposals, anchors, answer.width, answer.height, options, refined)
    times.append(time.perf_counter() - started)
    joints3d = found.joints3d
    if row.first3d and refined is not None and len(found):
        seeds = refined.joints2d[None] - found.joints2d[:, None]
        mine = np.abs(seeds).sum((2, 3)).argmin(1)
        joints3d = proposals.joints3d[refined.seeds[mine]].astype(np.float32)
    camera = Camera.from_fov(answer.width, answer.height)
    joints3d = in_camera_axes(found.joints2d, joints3d, camera)
    states = np.full(found.visibility.shape, JointState.VISIBLE, np.uint8)
    nowhere = np.full((len(found), 3), np.nan, np.float32)
    return Poses(LCR13, camera, found.scores, found.boxes, found.joints2d, joints3d, nowhere, found.visibility, states,
                 found.hypotheses)  # fmt: skip


def measure_trained(
    args: argparse.Namespace, count: int, sets: Mapping[str, tuple[Annotations, Path]]
) -> list[list[str]]:  # fmt: skip
    """Two rows of another number of anchor-poses: with the released second pass, and the first pass alone."""
    release = Release(find_model(args.weights))
    preset = replace(at(find_preset(release.preset), args), anchors=count, frozen=True, replay=REPLAY, close_width=0)
    data = read_data([str(args.card)])
    samples = data.samples()
    torch.manual_seed(0)
    anchors = data.anchors(samples, count, 0)
    model = preset.build(anchors)
    own = model.state_dict()
    kept = {n: t for n, t in release.tensors.items()
            if n in own and own[n].shape == t.shape and not n.startswith(OUTPUT_LAYERS)}  # fmt: skip
    model.load_state_dict(kept, strict=False)
    for part in (model.pyramid, model.localization):
        part.requires_grad_(False)
    second, model.second = model.second, None
    dataset = PoseDataset(samples, anchors, preset.augmentation, 0)
    out = args.work / f"{preset.name}_{count}_{args.steps}"
    fit(preset, model, data, dataset,
        FitOptions(out, epochs=(args.steps + 0.5) / (len(dataset) // preset.batch_size)),
        Start("released weights without output layers"))  # fmt: skip
    model.second = second
    answers = once(model.eval(), preset, sets)
    return [[f"K = {count}, {row.name}", *measure(row, answers, sets, len(anchors))]
            for row in rows(preset) if row.name in ("second pass, 1 look", "first pass alone")]  # fmt: skip


def once(
    model: LCRNet, preset: Preset, sets: Mapping[str, tuple[Annotations, Path]]
) -> dict[str, dict[str, Answer]]:  # fmt: skip
    """What the network says of every photograph, after one look of the second pass."""
    return {name: {i.file_name: answer(model, images / i.file_name, preset.max_side, LOOKS[:1])
                   for i in tqdm(truth.images, name)} for name, (truth, images) in sets.items()}  # fmt: skip


def measure_ranks(
    args: argparse.Namespace, ranks: tuple[int, ...], sets: Mapping[str, tuple[Annotations, Path]]
) -> list[str]:  # fmt: skip
    """The row of a head of other ranks."""
    thin, preset = load(args.weights)
    preset, thin.close = replace(at(preset, args), close_width=0), None
    anchors = AnchorPoses(thin.anchors3d.numpy(), thin.anchors2d.numpy())
    full = replace(preset, ranks=FULL).build(anchors).eval()
    widen(full, thin)
    model = replace(preset, ranks=ranks).build(anchors).eval()
    paths = [path for folder in args.images for path in choose(folder, PHOTOGRAPHS, 0)]
    narrow(full, model, (torch.from_numpy(letterbox(read_image(p), preset.max_side)[0])[None] for p in tqdm(paths)))
    return [f"ranks {ranks}", *measure(rows(preset)[0], once(model, preset, sets), sets, len(anchors))]


if __name__ == "__main__":
    main()
