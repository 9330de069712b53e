"""The floor under people of whom some are taken for too large or too small, on walks whose contacts are exact."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.motion.common_floor import find_common_floor
from anchorpose.motion.floor import find_floor, standing_ankles

from .test_floor import step_walk


def walkers(sizes, turn, tilt=0.0, heights=(1.7, 1.7, 1.7)):
    """Standing ankles and heights of people, each taken for `sizes` of what they are; their ways cross by `turn`.

    The floor is 1.5 m below the camera, which looks down by `tilt` degrees.
    """
    joints, times, _ = step_walk(6)
    rng = np.random.default_rng(2)
    camera = Rotation.from_euler("X", tilt, degrees=True).as_matrix()
    standing = []
    for k, size in enumerate(sizes):
        way = Rotation.from_euler("Y", turn * k, degrees=True).as_matrix()
        walk = (joints - [0.6, 0, 4]) @ way.T + [0.6, 0, 4 + 0.7 * k] + rng.normal(0, 0.003, joints.shape)
        standing.append(standing_ankles(walk @ camera.T * size, times))
    return standing, [size * height for size, height in zip(sizes, heights, strict=True)]


@pytest.mark.parametrize("wrong", [0, 1, 2])
@pytest.mark.parametrize("size", [0.65, 1.5])
@pytest.mark.parametrize("turn", [0, 50])
@pytest.mark.parametrize("tilt", [0, 15])
def test_somebody_of_a_wrong_size_does_not_move_the_floor(wrong, size, turn, tilt):
    """Who is taken for half as large again stands that much deeper, side by side with others or across their way."""
    sizes = [size if k == wrong else 1.0 for k in range(3)]
    floor = find_common_floor(*walkers(sizes, turn, tilt), np.random.default_rng(0))
    upwards = Rotation.from_euler("X", tilt, degrees=True).apply([0, -1, 0])
    assert np.degrees(np.arccos(floor.normal @ upwards)) < 3
    assert floor.offset == pytest.approx(1.5, rel=0.06)
    assert floor.share > 0.9


@pytest.mark.parametrize("heights", [(1.6, 1.7, 1.85), (1.85, 1.7, 1.6), (1.7, 1.6, 1.85)])
def test_people_of_different_heights_share_a_floor(heights):
    standing, _ = walkers((1.0, 1.0, 1.0), 50)
    floor = find_common_floor(standing, heights, np.random.default_rng(0))
    assert np.degrees(np.arccos(-floor.normal[1])) < 3
    assert floor.offset == pytest.approx(1.5, rel=0.06)


@pytest.mark.parametrize("height", [1.7, np.nan])
def test_one_person_stands_on_the_plane_through_the_own_feet(height):
    (points, *_), _ = walkers((1.0, 1.0, 1.0), 0)
    spread = points + np.random.default_rng(1).uniform(-1, 1, (len(points), 1)) * [0, 0, 1]
    floor = find_common_floor([spread], [height], np.random.default_rng(0))
    alone = find_floor(spread, np.random.default_rng(0))
    np.testing.assert_array_equal(floor.normal, alone.normal)
    assert floor.offset == alone.offset == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("unknown", [(1,), (0, 1, 2)])
def test_people_without_a_height_help_too(unknown):
    standing, heights = walkers((1.0, 1.0, 1.0), 50)
    heights = [np.nan if k in unknown else height for k, height in enumerate(heights)]
    floor = find_common_floor(standing, heights, np.random.default_rng(0))
    assert np.degrees(np.arccos(-floor.normal[1])) < 3
    assert floor.offset == pytest.approx(1.5, rel=0.06)
    assert floor.share > 0.9


def test_no_floor_without_agreement():
    rng = np.random.default_rng(1)
    assert find_common_floor([], [], rng) is None
    assert find_common_floor([rng.uniform(-1, 1, (5, 3))] * 2, [1.7, 1.7], rng) is None, "few"
    assert find_common_floor([rng.uniform(-2, 2, (200, 3)) for _ in range(3)], [1.7] * 3, rng) is None
    line = np.linspace(0, 1, 100)[:, None] * [1.0, 0, 0.3] + [0, 1.5, 4]
    assert find_common_floor([line, 1.2 * line], [1.7, 2.04], rng) is None, "one line, seen in two sizes"
    assert find_common_floor([np.full((50, 3), np.nan)] * 2, [1.7, 1.7], rng) is None


def test_crowds_in_long_videos_take_little_memory():
    rng = np.random.default_rng(3)
    crowd, sizes = [], rng.lognormal(0, 0.1, 60)
    for size in sizes:
        points = np.column_stack([rng.uniform(-3, 3, 2000), 1.5 + rng.normal(0, 0.02, 2000), rng.uniform(3, 9, 2000)])
        crowd.append(points * size)
    tracemalloc.start()
    floor = find_common_floor(crowd, 1.7 * sizes, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert floor.offset == pytest.approx(1.5, rel=0.05)
    assert peak < 12 * sum(p.nbytes for p in crowd)
