"""What a step of the close look's training costs on a CPU, its slow depthwise convolutions in bfloat16 and in float32.

Both take turns, so a busy machine is busy for both; the median of some repetitions. Random people do: a step costs the
same whoever is looked at.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import time

import torch
from systems import table

from anchorpose.lcrnet.close_look import SIDES, CloseLook
from anchorpose.lcrnet.movenet import LIGHTNING, THUNDER
from anchorpose.training.depthwise import depthwise_in_float32
from anchorpose.training.second.close import CloseStage

TRUNKS = {"lcrnet-lite": LIGHTNING, "lcrnet-base": THUNDER}


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    stage = CloseStage()
    rows = []
    for name, channels in TRUNKS.items():
        torch.manual_seed(0)
        before = CloseLook(channels=channels).train().to(memory_format=torch.channels_last)
        before.trunk.freeze_early(stage.frozen_blocks)
        after = copy.deepcopy(before)
        depthwise_in_float32(after)
        cut = torch.rand(stage.batch_size, 3, SIDES[channels], SIDES[channels])
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(args.repetitions + 1):
            for network, taken in zip((before, after), times, strict=True):
                taken.append(step(network, cut))
        slow, fast = (1000 * statistics.median(taken[1:]) for taken in times)  # the first of each warms up
        rows.append([name, f"{slow:.0f}", f"{fast:.0f}", f"{fast / slow:.2f}"])
    print(f"{stage.batch_size} people a step, {args.threads} threads, {args.repetitions} repetitions")
    print(table(["close look of", "bfloat16, ms", "float32, ms", "ratio"], rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repetitions", type=int, default=5)
    return parser.parse_args()


def step(network: CloseLook, cut: torch.Tensor) -> float:
    """Seconds of one forward and backward pass over (s, 3, side, side) cut-outs."""
    people = len(cut)
    regions = torch.tensor([[0.0, 0.0, 100.0, 100.0]]).expand(people, 4)
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        found = network.judge(cut.contiguous(memory_format=torch.channels_last), regions,
                              torch.full((people, 13, 2), 50.0), torch.zeros(people, 13, 3))  # fmt: skip
    values = (found.joints2d, found.heat, found.log_scale, found.joints3d, found.visibility, found.quality)
    sum(v.float().square().mean() for v in values).backward()
    network.zero_grad()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
