"""Milliseconds a photograph, from file to people; then memory, import time and cold start of anchorpose."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import systems

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
# The child of a small process: a child's peak memory starts from its parent's size.
PEAK = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
print(json.dumps([done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.stderr]))
"""
IMPORT = "import time; t = time.perf_counter(); import anchorpose; print(1000 * (time.perf_counter() - t))"
COLD = "import sys, anchorpose; anchorpose.load(*sys.argv[2:])(sys.argv[1])"


def main() -> None:
    args = arguments()
    photos = sorted(p for p in args.images.iterdir() if p.suffix.lower() in PICTURES)[: args.count]
    if not photos:
        sys.exit(f"{args.images}: found no photographs, wanted a folder of {', '.join(sorted(PICTURES))}")
    systems.limit_threads(args.threads)
    print(f"# {len(photos)} photographs of {args.images}, {args.repetitions} repetitions, {args.threads} threads")
    systems.say_missing(args.mediapipe_python, args.movenet_dir)
    compare(args, photos)
    for model in (None, *args.model):
        own_figures(photos[0], args.repetitions, model)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--count", type=int, default=20, help="how many of them")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-side", type=int, nargs="*", default=[], help="sizes for anchorpose beside its own")
    parser.add_argument("--model", nargs="*", default=[], help="other weights for anchorpose, such as lcrnet-base")
    parser.add_argument("--mediapipe-python", help="python of an environment with mediapipe")
    parser.add_argument("--movenet-dir", help="folder with the npm packages")
    return parser.parse_args()


def compare(args: argparse.Namespace, photos: list[Path]) -> None:
    """Print the table; the systems take turns on each photograph, so that a busy machine is busy for all of them."""
    sides = [None, *args.max_side]
    running = systems.start_all(systems.commands(sides, args.mediapipe_python, args.movenet_dir, args.threads,
                                                 models=args.model))  # fmt: skip
    times: dict[str, list[list[float]]] = {system.name: [[] for _ in photos] for system in running}
    for repetition in range(args.repetitions + 1):
        for i, photo in enumerate(photos):
            for system in running:
                ms, _ = system(photo)
                if repetition:  # the first pass warms up
                    times[system.name][i].append(ms)
    for system in running:
        system.close()
    own = next((statistics.median(map(statistics.median, t)) for n, t in times.items() if n.startswith("anchor")), None)
    rows = []
    for name, of_photos in times.items():
        medians = sorted(statistics.median(t) for t in of_photos)
        typical = statistics.median(medians)
        ratio = f"{typical / own:.2f}" if own else "-"
        rows.append([name, f"{typical:.1f}", f"{medians[int(0.9 * (len(medians) - 1))]:.1f}", f"{1000 / typical:.1f}",
                     ratio])  # fmt: skip
    print(systems.table(["file to people", "ms, median", "ms, 90 %", "photographs/s", "x anchorpose"], rows))


def own_figures(photo: Path, repetitions: int, model: str | None) -> None:
    """Print peak memory, import time and cold start, each the median of fresh processes."""
    rows, own = [], [model] if model else []
    imports = [float(line) for _ in range(repetitions) if (line := run([sys.executable, "-c", IMPORT]))]
    rows.append(["import anchorpose", f"{statistics.median(imports):.0f} ms" if imports else "cannot run here"])
    cold = []
    for _ in range(repetitions):
        start = time.perf_counter()
        if run([sys.executable, "-c", COLD, str(photo), *own]) is not None:
            cold.append(1000 * (time.perf_counter() - start))
    rows.append(["start of python to first people", f"{statistics.median(cold):.0f} ms" if cold else "cannot run here"])
    with tempfile.TemporaryDirectory() as out:
        detect = [str(Path(sys.executable).with_name("anchorpose")), "detect", str(photo), "--out", out]
        detect += ["--model", *own] if own else []
        answer = run([sys.executable, "-S", "-c", PEAK, *detect])
    code, peak, log = json.loads(answer) if answer else (1, 0, "")
    unit = 1024**2 if sys.platform == "darwin" else 1024
    rows.append(["anchorpose detect, peak memory", f"{peak / unit:.0f} MiB" if code == 0 else "cannot run here"])
    if code and log.strip():
        print(f"# anchorpose detect: {log.strip().splitlines()[-1]}")
    print()
    print(systems.table([" ".join(("anchorpose", *own, "alone")), "median"], rows))


def run(argv: list[str]) -> str | None:
    """What the command prints; None when it fails."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    main()
