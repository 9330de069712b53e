"""Gaits and walkers: loops, turns, feet that stay where they stand."""

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.chart import Chart
from anchorpose.synthesis.walking import Gait, Walker, facing_angle, read_gait, turned

from .bodies import walking
from .tiny_body import tiny_pool

FPS = 15.0


@pytest.fixture(scope="module")
def assets():
    pool = tiny_pool()
    return Assets(pool, Chart.of(pool), np.zeros((0, 13, 3), np.float32), (), (), ())


def walk(assets, path, frames, place=(0.0, 0.0), heading=0.0):
    walker = Walker(0, Gait(walking(16), FPS), 3, np.array(path, float), heading, 0, np.array(place))
    figures, walkers = [], []
    for _ in range(frames):
        figure, walker = walker.step(assets)
        figures.append(figure)
        walkers.append(walker)
    return figures, walkers


def test_turning_turns_the_facing_angle():
    poses, angles = walking(5), np.linspace(-3, 3, 5)
    assert np.abs(facing_angle(poses)).max() < 1e-6
    np.testing.assert_allclose(facing_angle(turned(poses, angles)), angles, atol=1e-6)


def test_nobody_sinks_or_slides(assets):
    figures, walkers = walk(assets, [[0, -50]], 25)
    for figure, before, after in zip(figures[1:], walkers, walkers[1:], strict=False):
        assert figure.vertices[:, 1].max() == pytest.approx(0, abs=1e-5)
        moved = after.place - before.place
        assert moved[1] <= 1e-6, "never back"
        if 0.01 < -moved[1] < 0.19:  # neither held back nor limited
            vertex, where = before.contact
            np.testing.assert_allclose(figure.vertices[vertex, [0, 2]][1], where[1], atol=1e-4)
    assert walkers[-1].place[1] < -0.6


def test_they_reach_their_points_and_turn_round(assets):
    _, walkers = walk(assets, [[0, -0.6], [0, 5]], 45)
    depth = np.array([w.place[1] for w in walkers])
    assert walkers[-1].target == 1
    assert depth[-1] > depth.min() + 0.3


def test_the_outfit_stays(assets):
    figures, _ = walk(assets, [[0, -5]], 3)
    assert len({f.outfit.sleeve for f in figures}) == 1
    assert len({len(f.vertices) for f in figures}) == 1


def write_bvh(path, frames, frame_time):
    """Somebody whose limbs swing once a second, turned by 40 degrees, in centimetres with y up."""
    names = ["Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot", "LeftArm",
             "LeftForeArm", "LeftHand", "RightArm", "RightForeArm", "RightHand", "Neck", "Head"]  # fmt: skip
    offsets = {"LeftUpLeg": (10, 0, 0), "LeftLeg": (0, -45, 0), "LeftFoot": (0, -43, 0), "RightUpLeg": (-10, 0, 0),
               "RightLeg": (0, -45, 0), "RightFoot": (0, -43, 0), "LeftArm": (18, 50, 0), "LeftForeArm": (0, -29, 0),
               "LeftHand": (0, -26, 0), "RightArm": (-18, 50, 0), "RightForeArm": (0, -29, 0),
               "RightHand": (0, -26, 0), "Neck": (0, 55, 0), "Head": (0, 12, 0)}  # fmt: skip
    children = {"Hips": ["LeftUpLeg", "RightUpLeg", "LeftArm", "RightArm", "Neck"], "LeftUpLeg": ["LeftLeg"],
                "LeftLeg": ["LeftFoot"], "RightUpLeg": ["RightLeg"], "RightLeg": ["RightFoot"],
                "LeftArm": ["LeftForeArm"], "LeftForeArm": ["LeftHand"], "RightArm": ["RightForeArm"],
                "RightForeArm": ["RightHand"], "Neck": ["Head"]}  # fmt: skip
    order = []

    def tree(name, depth):
        order.append(name)
        x, y, z = offsets.get(name, (0, 0, 0))
        inner = "".join(tree(c, depth + 1) for c in children.get(name, []))
        inner = inner or "End Site\n{\nOFFSET 0 -5 0\n}\n"
        kind = "ROOT" if name == "Hips" else "JOINT"
        moves = "6 Xposition Yposition Zposition" if name == "Hips" else "3"
        return f"{kind} {name}\n{{\nOFFSET {x} {y} {z}\nCHANNELS {moves} Zrotation Xrotation Yrotation\n{inner}}}\n"

    text = "HIERARCHY\n" + tree("Hips", 0) + f"MOTION\nFrames: {frames}\nFrame Time: {frame_time}\n"
    assert sorted(order) == sorted(names)
    for i in range(frames):
        swing = 30 * np.sin(2 * np.pi * i * frame_time / 1.0)
        turns = {"LeftUpLeg": swing, "RightUpLeg": -swing, "LeftArm": -swing, "RightArm": swing}
        row = [0, 90, 2.0 * i]
        for name in order:
            row += [0, turns.get(name, 0), 40 if name == "Hips" else 0]
        text += " ".join(f"{v:.5f}" for v in row) + "\n"
    path.write_text(text)


def test_a_gait_loops_and_faces_ahead(tmp_path):
    write_bvh(tmp_path / "walk.bvh", 150, 1 / 60)
    gait = read_gait(tmp_path / "walk.bvh", 20.0)
    assert len(gait) == 20, "one whole swing of a second"
    assert np.abs(facing_angle(gait.poses)).max() < 0.05
    step = np.linalg.norm(np.diff(gait.poses, axis=0), axis=-1).mean(1).max()
    assert np.linalg.norm(gait.poses[0] - gait.poses[-1], axis=-1).mean() < 1.5 * step


def test_a_clip_too_short_is_refused(tmp_path):
    write_bvh(tmp_path / "short.bvh", 20, 1 / 60)
    with pytest.raises(InputError, match="longer clip"):
        read_gait(tmp_path / "short.bvh", 20.0)
