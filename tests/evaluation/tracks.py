"""Random tracks: people who cross, are missed, leave and come back; predictions that double, jump and are renamed."""

from __future__ import annotations

import numpy as np

from anchorpose.evaluation.tracking import Frame, PoseFrame


def _walks(rng: np.random.Generator, frames: int, people: int) -> np.ndarray:
    """(frames, people, 2) positions that cross in a small room."""
    start, speed = rng.uniform(0, 4, (people, 2)), rng.normal(0, 0.25, (people, 2))
    return start + np.arange(frames)[:, None, None] * speed + rng.normal(0, 0.1, (frames, people, 2))


def _seen(rng: np.random.Generator, count: int, share: float) -> np.ndarray:
    """Random order of the people who are there; now and then nobody."""
    return rng.permutation(np.flatnonzero(rng.random(count) < (0 if rng.random() < 0.08 else share)))


def sequence(rng: np.random.Generator, frames: int = 20, people: int = 6) -> list[Frame]:
    """Similarity falls with the distance; doubles have an identity of their own."""
    places, names = _walks(rng, frames, people), np.arange(2 * people)
    result = []
    for t in range(frames):
        if rng.random() < 0.2:  # two predictions swap their identities
            a, b = rng.choice(people, 2, replace=False)
            names[[a, b]] = names[[b, a]]
        truth, found = _seen(rng, people, 0.85), _seen(rng, 2 * people, 0.6)
        points = places[t][found % people] + rng.normal(0, 0.2, (len(found), 2))
        distance = np.linalg.norm(places[t][truth][:, None] - points[None], axis=-1)
        result.append(Frame(truth, names[found], np.exp(-distance)))
    return result


def pose_sequence(rng: np.random.Generator, frames: int, people: int = 4, joints: int = 4) -> list[PoseFrame]:
    """Poses of a few joints, some of them not labelled or not predicted."""
    places = _walks(rng, frames, people)[:, :, None] * 30 + rng.uniform(0, 60, (people, joints, 2))
    result = []
    for t in range(frames):
        truth, found = _seen(rng, people, 0.9), _seen(rng, people, 0.9)
        a = np.where(rng.random((len(truth), joints, 1)) < 0.15, np.nan, places[t][truth])
        b = np.where(rng.random((len(found), joints, 1)) < 0.15, np.nan, places[t][found])
        heads = rng.uniform(15, 25, len(truth))
        ids = found + 10 * (rng.random(len(found)) < 0.1)
        result.append(PoseFrame(truth, ids, a, b + rng.normal(0, 4, b.shape), heads))
    return result
