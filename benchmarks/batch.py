"""Photographs a second of `anchorpose batch` with 1, 2, ... actors, beside the bare estimator in a loop on one core."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from pyarrow import parquet

from anchorpose.app.batch.shards import cut, find_inputs
from anchorpose.app.batch.storage import Folder
from anchorpose.app.batch.worker import ShardWorker, Work
from anchorpose.app.estimator import Estimator, load

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="photographs (the examples, over and over)")
    parser.add_argument("--actors", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--shard-size", type=int, default=8)
    parser.add_argument("--model", help="ONNX file; the embedded weights unless given")
    parser.add_argument("--max-side", type=int)
    args = parser.parse_args()
    estimator = load(args.model, max_side=args.max_side, threads=1)
    options = ["--shard-size", str(args.shard_size)]
    options += ["--model", args.model] if args.model else []
    options += ["--max-side", str(args.max_side)] if args.max_side else []
    with tempfile.TemporaryDirectory() as folder:
        photos = copies(Path(folder) / "in", args.count)
        print(f"{'':>10} {'photographs/s':>14} {'of the loop':>12} {'processor ms each':>18} {'of the loop':>12}")
        loop, rate, cost = worker(estimator, photos, Path(folder) / "alone", args.shard_size)
        print(f"{'loop':>10} {'':14} {'':12} {1000 * loop:18.0f}")
        print(f"{'no Ray':>10} {rate:14.2f} {'':12} {1000 * cost:18.0f} {cost / loop:11.2f}x", flush=True)
        size = sum(p.stat().st_size for p in (Path(folder) / "alone").rglob("*.parquet"))
        print(f"{size / args.count:.0f} bytes of Parquet a photograph", flush=True)
        for actors in args.actors:
            # the loop runs before and after, because other programs may come and go
            before = bare(estimator, photos)
            rate, cost = batch(Path(folder), actors, options)
            loop, own = ((a + b) / 2 for a, b in zip(before, bare(estimator, photos), strict=True))
            print(f"{'loop':>10} {loop:14.2f} {'':12} {1000 * own:18.0f}")
            print(f"{actors:3d} actors {rate:14.2f} {rate / loop:11.2f}x {1000 * cost:18.0f} {cost / own:11.2f}x",
                  flush=True)  # fmt: skip


def copies(folder: Path, count: int) -> Path:
    """The examples under new names."""
    folder.mkdir()
    files = sorted(PHOTOS.glob("*.jpg"))
    for i in range(count):
        shutil.copy(files[i % len(files)], folder / f"{i:06d}.jpg")
    return folder


def bare(estimator: Estimator, photos: Path) -> tuple[float, float]:
    """Photographs a second of the estimator alone, in this process, and processor seconds of each."""
    files = sorted(photos.iterdir())[: 2 * len(list(PHOTOS.glob("*.jpg")))]
    estimator(files[0])
    begin, spent = time.perf_counter(), time.process_time()
    for file in files:
        estimator(file)
    return len(files) / (time.perf_counter() - begin), (time.process_time() - spent) / len(files)


def worker(estimator: Estimator, photos: Path, out: Path, size: int) -> tuple[float, float, float]:
    """The shards in this process: processor seconds a photograph of the loop; photographs a second, processor seconds.

    The loop takes its turn after every shard.
    """
    work = Work(Folder(str(photos)), Folder(str(out)))
    doing = ShardWorker(work, estimator)
    files, loops, wall, own = 0, [], 0.0, 0.0
    for shard in cut(find_inputs(work.source), size):
        begin, spent = time.perf_counter(), time.process_time()
        doing.run(shard)
        wall += time.perf_counter() - begin
        own += time.process_time() - spent
        spent = time.process_time()
        for source in shard.inputs:
            estimator(source.path)
        loops.append(time.process_time() - spent)
        files += len(shard.inputs)
    return sum(loops) / files, files / wall, own / files


def batch(folder: Path, actors: int, options: list[str]) -> tuple[float, float]:
    """Photographs a second, and processor seconds of each in all processes of the job, Ray's own too.

    Both are taken between the first and the last shard: the start of Ray and of the actors is left out, because a job
    of hours does not feel it.
    """
    out = folder / f"out{actors}"
    command = [sys.executable, "-m", "anchorpose", "batch", str(folder / "in"), str(out), "--actors", str(actors)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    times, spent = [time.time()], [0.0]
    known: dict[int, float] = {}
    root = psutil.Process(process.pid)
    while process.poll() is None:
        for one in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                known[one.pid] = sum(one.cpu_times()[:2])
        times.append(time.time())
        spent.append(sum(known.values()))
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit("the job failed; run `anchorpose batch` on examples/photos to see why")
    done = sorted((p.stat().st_mtime, parquet.read_metadata(p).num_rows) for p in (out / "inputs").glob("*.parquet"))
    first, last = done[actors - 1][0], done[-1][0]  # from the moment in which every actor has done a shard
    count = sum(rows for when, rows in done if when > first)
    cost = float(np.diff(np.interp([first, last], times, spent))[0])
    return count / (last - first), cost / count


if __name__ == "__main__":
    main()
