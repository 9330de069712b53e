"""The floor and the feet on it, on walks whose contacts are exact."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.floor import ContactOptions, Floor, contacts, find_floor, plant, standing_ankles, standing_scale

from .people import STANDING

LEGS = [LCR13.indices(*(f"{s}_{j}" for j in ("hip", "knee", "ankle"))) for s in ("left", "right")]
FPS = 30
LEVEL = Floor(np.array([0.0, -1.0, 0.0]), 1.5)


def step_walk(seconds=4.0):
    """(t, 13, 3) steps of 0.6 m, each foot 0.5 s on the floor y = 1.5 and 0.5 s in the air; and (t, 2) who stands."""
    times = np.arange(int(seconds * FPS)) / FPS
    joints = np.broadcast_to(STANDING, (len(times), 13, 3)).copy()
    stands = np.zeros((len(times), 2), bool)
    joints += np.stack([0.6 * times - 1.2, 1.5 - STANDING[0, 1] + 0 * times, 4 + 0 * times], 1)[:, None]
    for foot, (hip, knee, ankle) in enumerate(LEGS):
        phase = times + 0.5 * foot
        whole, part = np.floor(phase), phase % 1
        stands[:, foot] = part < 0.5
        x = 0.6 * (whole + np.clip(2 * part - 1, 0, 1)) - 1.2 - 0.3 * foot + 0.15
        joints[:, ankle, 0] = x
        joints[:, ankle, 1] = 1.5 - 0.25 * np.sin(np.pi * np.clip(2 * part - 1, 0, 1))
        joints[:, hip, 1] = 0.75
        joints[:, knee] = (joints[:, hip] + joints[:, ankle]) / 2 + [0, 0, -0.15]
    return joints, times, stands


def inside(stands, margin=2):
    """Frames well inside a contact."""
    return np.all([np.roll(stands, k, axis=0) for k in range(-margin, margin + 1)], axis=0)


@pytest.mark.parametrize("tilt", [0, 12, -20])
def test_the_floor_is_found_under_the_feet(tilt):
    joints, times, _ = step_walk(6)
    rng = np.random.default_rng(0)
    turn = Rotation.from_euler("X", tilt, degrees=True).as_matrix()
    walks = [(joints + np.array([0, 0, z])) @ turn.T + rng.normal(0, 0.003, joints.shape) for z in (-0.5, 0.0, 1.5)]
    points = np.concatenate([standing_ankles(w, times) for w in walks])
    floor = find_floor(np.concatenate([points, rng.uniform([-2, 0, 3], [2, 1.2, 6], (len(points) // 4, 3))]), rng)
    assert np.degrees(np.arccos(floor.normal @ turn @ [0, -1, 0])) < 3
    assert np.abs(floor.heights(points)).max() < 0.1


def test_no_floor_without_agreement():
    rng = np.random.default_rng(1)
    assert find_floor(rng.uniform(-1, 1, (5, 3)), rng) is None
    assert find_floor(rng.uniform(-2, 2, (200, 3)), rng) is None
    assert find_floor(np.column_stack([rng.uniform(-1, 1, (100, 2)), np.full(100, 4.0)]), rng) is None, "a wall"
    line = np.linspace(0, 1, 100)[:, None] * [1.0, 0, 0.3] + [0, 1.5, 4]
    assert find_floor(line, rng) is None


def test_contacts_are_found():
    joints, times, stands = step_walk()
    found = contacts(joints, times, LEVEL)
    assert found[inside(stands)].all()
    assert not found[inside(~stands)].any()


def test_planted_feet_neither_slide_nor_sink_and_bones_keep_their_length():
    joints, times, _ = step_walk()
    rng = np.random.default_rng(0)
    drift = np.column_stack([0.04 * np.sin(2 * times), 0.03 * np.cos(3 * times), 0.04 * np.sin(1.5 * times)])
    shaken = joints + drift[:, None] + rng.normal(0, 0.002, joints.shape)
    planted = plant(shaken, times, LEVEL)
    found = contacts(shaken, times, LEVEL)
    for foot, (hip, knee, ankle) in enumerate(LEGS):
        for a, b in ((hip, knee), (knee, ankle)):
            np.testing.assert_allclose(np.linalg.norm(planted[:, a] - planted[:, b], axis=1),
                                       np.linalg.norm(shaken[:, a] - shaken[:, b], axis=1), atol=1e-9)  # fmt: skip
        together = (found[1:, foot] & found[:-1, foot]) & (np.abs(planted[1:, hip] - planted[1:, ankle]).max(1) > 0)
        slides = np.linalg.norm(np.diff(planted[:, ankle], axis=0), axis=1)[together]
        before = np.linalg.norm(np.diff(shaken[:, ankle], axis=0), axis=1)[together]
        assert len(slides) > 30
        assert np.median(slides) < 1e-9 < np.median(before)
        assert slides.mean() < 0.3 * before.mean()
    assert LEVEL.heights(planted[:, LCR13.indices("left_ankle", "right_ankle")]).min() > -1e-6
    others = np.setdiff1d(np.arange(13), [i for leg in LEGS for i in leg[1:]])
    np.testing.assert_array_equal(planted[:, others], shaken[:, others])


def test_a_foot_far_below_the_floor_is_not_bent_up_to_it():
    """Somebody placed half a metre too deep would squat."""
    joints, times, _ = step_walk()
    deep = joints + np.array([0, 0.5, 0])
    planted = plant(deep, times, LEVEL)
    raised = (deep - planted)[:, [ankle for _, _, ankle in LEGS], 1]
    assert raised.max() <= ContactOptions().height + 1e-9
    assert raised.min() > 0


@pytest.mark.parametrize("size", [0.6, 0.9, 1.0, 1.3])
def test_how_large_somebody_is_shows_where_the_feet_stand(size):
    """Placed as much nearer as they were taken to be smaller, people look the same."""
    joints, times, _ = step_walk()
    shaken = joints + np.random.default_rng(0).normal(0, 0.002, joints.shape)
    assert standing_scale(shaken * size, times, LEVEL) == pytest.approx(1 / size, rel=0.02)


def test_whoever_hardly_stands_or_stands_elsewhere_keeps_the_size():
    joints, times, _ = step_walk()
    assert standing_scale(joints[:8], times[:8], LEVEL) is None
    assert standing_scale(joints * 0.4, times, LEVEL) is None, "on a roof"
    assert standing_scale(joints - np.array([0, 1.5, 0]), times, LEVEL) is None, "on a level with the camera"
    assert standing_scale(np.full_like(joints, np.nan), times, LEVEL) is None


def test_missing_joints_stay_missing_and_bad_options_are_refused():
    joints, times, _ = step_walk()
    joints[10:20, LEGS[0][2]] = np.nan
    planted = plant(joints, times, LEVEL)
    assert np.isnan(planted[10:20, LEGS[0][2]]).all()
    assert np.isfinite(planted[:, LEGS[1]]).all()
    with pytest.raises(InputError, match="contact option"):
        ContactOptions(speed=0.0)
