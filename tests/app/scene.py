"""A folder that `anchorpose track` could have written, with everything that `finish` is for, and its exact truth.

Seen by a camera that looks 10 degrees down: person 1 stands, person 2 strolls and is missed for a third of a second,
person 3 stands further away and once has a wrist in the wrong place, person 9 is a mistake of two frames.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.io.video.journal import FrameResult, Journal
from tests.motion.people import CAMERA, STANDING, people_at
from tests.synthesis.bodies import walking

COUNT, RATE = 75, 25.0
PITCH = np.radians(10)
DOWN = np.array([0, np.cos(PITCH), np.sin(PITCH)])
"""Straight down in the camera frame."""
MISSED = range(30, 38)
LEAP, WRIST = 20, LCR13.index("left_wrist")
MISTAKE = range(50, 52)
SETTINGS = {"source": "scene.mp4", "fps": RATE, "stride": 1, "start": 0.0, "end": None}


def truth(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(t, 13, 3) relative and (t, 3) absolute metres in the camera frame of person 1, 2 or 3."""
    still = np.broadcast_to(STANDING, (COUNT, 13, 3))
    if number == 2:
        strolling = np.concatenate([walking(25)] * 3)
        way = np.stack([np.linspace(-0.8, 0.8, COUNT), np.full(COUNT, 0.6), np.full(COUNT, 4.0)], axis=1)
        return turned(strolling), turned(way)
    place = {1: (-1.2, 0.6, 3.8), 3: (-1.2, 0.6, 6.5)}[number]
    return turned(still), turned(np.broadcast_to(place, (COUNT, 3)))


def turned(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3) of a level camera's axes -> the axes of the one that looks down."""
    return np.asarray(points @ Rotation.from_euler("x", PITCH).as_matrix().T)


def frames(noise: float = 0.015, seed: int = 0, people: tuple[int, ...] = (1, 2, 3, 9)) -> list[FrameResult]:
    """What a detector finds: `noise` metres in each joint, as much in pixels, and such a share of the distance."""
    rng = np.random.default_rng(seed)
    exact = {number: truth(1 if number == 9 else number) for number in people}
    found = []
    for k in range(COUNT):
        here = [n for n in people if not (n == 2 and k in MISSED) and not (n == 9 and k not in MISTAKE)]
        bodies = np.array([exact[n][0][k] for n in here]).reshape(-1, 13, 3) + rng.normal(0, noise, (len(here), 13, 3))
        places = np.array([exact[n][1][k] for n in here]).reshape(-1, 3)
        places[[n == 9 for n in here], 1] -= 0.3
        if k == LEAP and 3 in here:
            bodies[here.index(3), WRIST] += [0, -0.9, 0]
        pixels = CAMERA.project(bodies + places[:, None]).astype(np.float32)
        centre = body_centre(bodies)
        bodies, places = bodies - centre[:, None], places + centre
        places *= 1 + rng.normal(0, noise, (len(here), 1))
        poses = replace(people_at(places, bodies), joints2d=pixels, track_ids=np.array(here, np.int64))
        found.append((k, k / RATE, poses))
    return found


def write_run(folder: Path, found: list[FrameResult] | None = None) -> Path:
    """Writes results.jsonl as a run does; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / "results.jsonl", SETTINGS) as journal:
        for index, time, poses in frames() if found is None else found:
            journal.append(index, time, poses)
    return folder


def lines(path: Path) -> list[dict]:
    """The objects of a file of JSON lines, without anything of ours; fails on NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"found {word} in {path}")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
