"""MoveNet MultiPose behind the line protocol of systems.py: OpenCV reads and resizes here, node runs the network."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # libraries that print must not disturb the answers

import cv2  # noqa: E402
import numpy as np  # noqa: E402

STRIDE = 32


def main() -> None:
    options = json.loads(sys.argv[1])
    network = subprocess.Popen(["node", str(Path(__file__).with_name("movenet.js")), options["folder"],
                                str(options["threads"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert network.stdin
    assert network.stdout
    ready = network.stdout.readline().decode().strip()
    if not ready:
        sys.exit(f"node could not start MoveNet from {options['folder']}")
    print(json.dumps({"ready": ready}), file=answers)
    for line in sys.stdin:
        start = time.perf_counter()
        image = cv2.imread(line.rstrip("\n"))
        pixels, scale = fit(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), options["max_side"])
        network.stdin.write(struct.pack("<II", *pixels.shape[:2]) + pixels.tobytes())
        network.stdin.flush()
        people = np.array(json.loads(network.stdout.readline()), np.float32).reshape(6, 56)
        # All six are kept, however low their score: AP can only gain by it, so the peer is shown at its best.
        ms = 1000 * (time.perf_counter() - start)
        # Each joint is y, x, score, as shares of the padded picture.
        yx = people[:, :51].reshape(-1, 17, 3)[..., :2] * pixels.shape[:2] / scale
        print(json.dumps({"ms": ms, "skeleton": "COCO17", "scores": people[:, 55].tolist(),
                          "joints2d": yx[..., ::-1].tolist()}), file=answers)  # fmt: skip


def fit(image: np.ndarray, max_side: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture with its longer side scaled to `max_side`, padded to multiples of 32, and the factors along y, x."""
    h, w = image.shape[:2]
    size = [max(1, round(side * max_side / max(h, w))) for side in (h, w)]
    way = cv2.INTER_AREA if max_side < max(h, w) else cv2.INTER_LINEAR
    padded = np.zeros((*(-(-side // STRIDE) * STRIDE for side in size), 3), np.uint8)
    padded[: size[0], : size[1]] = cv2.resize(image, (size[1], size[0]), interpolation=way)
    return padded, np.array(size) / (h, w)


main()
