"""Accuracy on COCO-style and LSP-style validation photographs, all systems side by side in one run."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import systems

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.evaluation.protocols import Annotations, Table, evaluate_coco, evaluate_lsp, load_annotations

# Figure in the table -> (evaluation, its name there).
FIGURES = {"AP, 12 joints": ("coco", "body_AP"), "AP50, 12": ("coco", "body_AP50"), "AP, all": ("coco", "AP"),
           "PCK@0.2, 12": ("lsp", "body_PCK@0.2"), "PCK@0.2, all": ("lsp", "PCK@0.2"),
           "not found": ("lsp", "not_found")}  # fmt: skip
# coco/val, two-core CPU, 2026-11, by others: see benchmarks/README.md.
ELSEWHERE = {systems.MEDIAPIPE: (0.150, 0.209, 0.138, 27), systems.MOVENET.format(256): (0.331, 0.536, 0.322, 87),
             systems.MOVENET.format(512): (0.358, 0.585, 0.372, 320)}  # fmt: skip


def main() -> None:
    args = arguments()
    systems.limit_threads(args.threads)
    sets: dict[str, tuple[Path, Annotations]] = {}
    try:
        for kind, folder in (("coco", args.coco), ("lsp", args.lsp)):
            if folder:
                sets[kind] = (folder / "val", first(load_annotations(folder / "val.json"), args.count))
    except InputError as error:
        sys.exit(str(error))
    if not sets:
        sys.exit("nothing to measure: give --coco DIR, --lsp DIR or both (DIR holds val.json and val/)")
    for kind, (folder, truth) in sets.items():
        print(f"# {kind}: {len(truth)} photographs of {folder}")
    systems.say_missing(args.mediapipe_python, args.movenet_dir)
    sides = args.max_side or [None]
    # AP ranks everybody, also unlikely people; MoveNet's six come whatever their score too.
    chosen = systems.commands(sides, args.mediapipe_python, args.movenet_dir, args.threads, min_score=0.0,
                              models=args.model)  # fmt: skip
    running = systems.start_all(chosen)
    tables = measure(running, sets)
    print(report(tables, "coco" in sets))
    if args.json:
        args.json.write_text(json.dumps(tables, indent=1, allow_nan=False))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", type=Path, help="folder with val.json (COCO keypoints) and val/")
    parser.add_argument("--lsp", type=Path, help="folder with val.json (14 LSP joints) and val/")
    parser.add_argument("--count", type=int, help="only the first photographs of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-side", type=int, nargs="*", default=[], help="sizes for anchorpose instead of its own")
    parser.add_argument("--model", nargs="*", default=[], help="other weights for anchorpose, such as lcrnet-base")
    parser.add_argument("--mediapipe-python", help="python of an environment with mediapipe")
    parser.add_argument("--movenet-dir", help="folder with the npm packages")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args()


def first(annotations: Annotations, count: int | None) -> Annotations:
    return annotations.only({image.file_name for image in annotations.images[:count]})


def measure(running: list[systems.System], sets: dict[str, tuple[Path, Annotations]]) -> dict[str, dict[str, Table]]:
    """System -> evaluation -> figures, and the median time under `ms`."""
    tables: dict[str, dict[str, Table]] = {system.name: {} for system in running}
    times: dict[str, list[float]] = {system.name: [] for system in running}
    for kind, (folder, truth) in sets.items():
        found: dict[str, dict[str, Poses]] = {system.name: {} for system in running}
        for image in truth.images:
            for system in running:
                ms, answer = system(folder / image.file_name)
                found[system.name][image.file_name] = systems.to_poses(answer, image.width, image.height)
                times[system.name].append(ms)
        for system in running:
            evaluate = evaluate_coco if kind == "coco" else evaluate_lsp
            tables[system.name][kind] = evaluate(truth, found[system.name])
    for system in running:
        system.close()
        tables[system.name]["speed"] = {"ms": statistics.median(times[system.name])}
    return tables


def report(tables: dict[str, dict[str, Table]], with_coco: bool) -> str:
    """One row a system; ratios are to the first anchorpose."""
    own = next((t for name, t in tables.items() if name.startswith("anchorpose")), None)
    rows = []
    for name, of_system in tables.items():
        cells = [shown(of_system.get(kind, {}).get(figure)) for kind, figure in FIGURES.values()]
        rows.append([name, *cells, f"{of_system['speed']['ms']:.0f}", *ratios(of_system, own)])
    missing = {name: values for name, values in ELSEWHERE.items() if with_coco and name not in tables}
    for name, (body, body50, everything, ms) in missing.items():
        rows.append([f"{name} *", f"{body:.3f}", f"{body50:.3f}", f"{everything:.3f}", "-", "-", "-", str(ms),
                     "-", "-", "-"])  # fmt: skip
    text = systems.table(["", *FIGURES, "ms", "AP ratio", "PCK ratio", "ms ratio"], rows)
    note = "\n* not measured in this run: quoted figures of another machine and day, for all 285 photographs"
    return text + (note if missing else "")


def ratios(of_system: dict[str, Table], own: dict[str, Table] | None) -> list[str]:
    """This system's AP, PCK and time divided by those of anchorpose."""
    cells = []
    for kind, figure in (("coco", "body_AP"), ("lsp", "body_PCK@0.2"), ("speed", "ms")):
        value, base = of_system.get(kind, {}).get(figure), (own or {}).get(kind, {}).get(figure)
        cells.append("-" if value is None or not base else f"{value / base:.2f}")
    return cells


def shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    main()
