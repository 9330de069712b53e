"""anchorpose behind the line protocol of systems.py: a path per line in, one JSON per line out."""

from __future__ import annotations

import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # libraries that print must not disturb the answers

import numpy as np  # noqa: E402

import anchorpose  # noqa: E402


def plain(values: np.ndarray) -> list:
    return np.where(np.isfinite(values), values.astype(float), None).tolist()


def main() -> None:
    estimator = anchorpose.load(**json.loads(sys.argv[1]))
    print(json.dumps({"ready": f"anchorpose {anchorpose.__version__}"}), file=answers)
    for line in sys.stdin:
        start = time.perf_counter()
        poses = estimator(line.rstrip("\n"))
        ms = 1000 * (time.perf_counter() - start)
        print(json.dumps({"ms": ms, "skeleton": poses.skeleton.name, "scores": plain(poses.scores),
                          "joints2d": plain(poses.joints2d)}), file=answers)  # fmt: skip


main()
