"""How many photographs a second training takes: pictures made from files beside views of photographs kept decoded.

`views alone` is what the loading processes still do (draw the view, move the people, fit the anchor-poses); `pictures
alone` what the training device does with the pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from systems import table
from torch.utils.data import DataLoader, Dataset

from anchorpose.app.estimator import find_model
from anchorpose.datasets.decoded import Photographs, PlannedDataset, collate_plans
from anchorpose.datasets.loader import PoseDataset, collate
from anchorpose.training.data import read_data
from anchorpose.training.fit import FitOptions, fit
from anchorpose.training.presets import find_preset
from anchorpose.training.release import Release

WARM = 16  # batches made before the clock starts: loading processes start slowly and work ahead


def main() -> None:
    args = arguments()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    preset, release = find_preset(args.preset), Release(find_model(args.preset))
    data = read_data(args.data)
    samples = data.samples()[: args.count]
    files = PoseDataset(samples, release.anchors, preset.augmentation, 0)
    began = time.perf_counter()
    photographs = Photographs([s.image for s in samples], args.side, args.device)
    decoding = len(samples) / (time.perf_counter() - began)
    plans = PlannedDataset(samples, release.anchors, preset.augmentation, 0, photographs)
    size, batch = preset.augmentation.size, args.batch_size
    ready = [collate_plans([plans[i] for i in range(first, first + batch)])[0]
             for first in range(0, len(samples) - batch + 1, batch)]  # fmt: skip

    def show() -> None:
        for plan in ready:
            photographs.pictures(plan, size)
        if photographs.device.type == "cuda":
            torch.cuda.synchronize()

    def step(dataset: PoseDataset | PlannedDataset, kept: Photographs | None) -> float:
        model = preset.build(release.anchors)
        start = release.fill(model)
        with tempfile.TemporaryDirectory() as folder:
            options = FitOptions(Path(folder), epochs=1, batch_size=batch, workers=args.workers)
            return rate(lambda: fit(preset, model, data, dataset, options, start, kept), len(samples), 1)

    lines = [
        ["files, pictures and people", shown(loading(loader(files, collate, args), batch))],
        ["views alone", shown(loading(loader(plans, collate_plans, args), batch))],
        ["pictures alone", shown(rate(show, len(ready) * batch))],
        ["decoding, once", shown(decoding)],
    ]
    if args.steps:
        lines += [["steps, from files", shown(step(files, None))], ["steps, decoded", shown(step(plans, photographs))]]
    print(
        f"{len(samples)} photographs, {args.preset}, {size} px, {args.workers} loading processes, {photographs.device}"
    )
    print(table(["", "photographs / s"], lines))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", required=True, help="data cards or FILE.json=DIR")
    parser.add_argument("--preset", default="lcrnet-lite")
    parser.add_argument("--count", type=int, default=2000, help="photographs")
    parser.add_argument("--side", type=int, default=512, help="longest side kept, pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", action="store_true", help="also train an epoch each way")
    return parser.parse_args()


def loader(dataset: Dataset, together: Callable, args: argparse.Namespace) -> DataLoader:
    return DataLoader(dataset, args.batch_size, num_workers=args.workers, collate_fn=together, drop_last=True)


def loading(batches: Iterable[object], size: int, repetitions: int = 3) -> float:
    """Photographs a second once the loading processes run, the median of some repetitions."""
    rates = []
    for _ in range(repetitions):
        count, began = 0, 0.0
        for number, _ in enumerate(batches):
            count, began = (count + size, began) if number > WARM else (0, time.perf_counter())
        rates.append(count / (time.perf_counter() - began))
    return statistics.median(rates)


def rate(work: Callable[[], object], count: int, repetitions: int = 3) -> float:
    """Photographs a second, the median of some repetitions."""
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return count / statistics.median(times)


def shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    main()
