"""Shadows, camera faults, placement, clothes: their properties."""

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.synthesis.rendering.camera_effects import develop, motion_kernel, tone
from anchorpose.synthesis.rendering.chart import Chart
from anchorpose.synthesis.rendering.clothing import bottom_cover, displacement, make_long_hair, make_skirt, top_cover
from anchorpose.synthesis.rendering.figures import Surface, make_figure, vertex_normals
from anchorpose.synthesis.rendering.lighting import ShadowMap, Shadows, draw_light
from anchorpose.synthesis.rendering.materials import cloth_colours
from anchorpose.synthesis.rendering.outfits import Cloth, draw_outfit
from anchorpose.synthesis.rendering.placement import PITCH_DEGREES, draw_viewpoint, place

from .tiny_body import tiny_pool

POOL = tiny_pool()
CHART = Chart.of(POOL)
SQUARE = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def grey(_number):
    return np.full((8, 8, 3), 128, np.uint8)


def test_a_roof_shades_what_lies_under_it_and_nothing_else():
    pytest.importorskip("warp")
    roof, floor = SQUARE * 0.5 + np.float32([0, -1, 3]), SQUARE * 2 + np.float32([0, 0, 3])
    faces = np.concatenate([TWO, TWO + 4])
    shadow = ShadowMap.of(np.concatenate([roof, floor]), faces, np.array([0, -1, 0], np.float32), 256)
    points = np.array([[0, 0, 3], [0.4, 0, 3.4], [0.6, 0, 3], [0, 0, 4.5], [0, -1, 3]], np.float32)
    np.testing.assert_allclose(shadow.lit(points), [0, 0, 1, 1, 1], atol=1e-3)
    # a slanting sun moves the shadow by the roof's height
    slanting = ShadowMap.of(np.concatenate([roof, floor]), faces, np.array([-1, -1, 0], np.float32), 256)
    np.testing.assert_allclose(slanting.lit(np.array([[1, 0, 3], [0, 0, 3]], np.float32)), [0, 1], atol=1e-3)


def test_a_surface_towards_the_light_is_brighter_than_one_in_shadow():
    pytest.importorskip("warp")
    floor, roof = SQUARE * 2 + np.float32([0, 1, 4]), SQUARE * 0.5 + np.float32([0, 0, 4])
    up = np.array([0, -1, 0], np.float32)
    light = draw_light(np.full((16, 16, 3), 160, np.uint8), up, np.random.default_rng(0))
    shadows = Shadows.of(np.concatenate([floor, roof]), np.concatenate([TWO, TWO + 4]), light, np.random.default_rng(0))
    shaded = np.array([0, 0, 4]) - light.direction / (light.direction @ up)  # behind the roof's middle, on the floor
    points = np.stack([shaded, [1.9, 1, 5.9]]).astype(np.float32)
    white = np.full((2, 3), 0.5, np.float32)
    dark, bright = shadows.shade(points, np.stack([up, up]), white, np.zeros(2, np.float32))
    assert dark.mean() < bright.mean()
    assert (bright <= 0.5 * (light.sky + light.key) + 1e-5).all()


def test_normals_of_a_plane_are_its_normal():
    np.testing.assert_allclose(np.abs(vertex_normals(SQUARE, TWO)), np.tile([0, 1.0, 0], (4, 1)), atol=1e-6)


@pytest.mark.parametrize("length", [2.0, 4.7, 7.0])
def test_motion_blur_moves_no_pixel(length):
    kernel = motion_kernel(length, 0.7)
    assert kernel.sum() == pytest.approx(1)
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert abs((kernel.sum(0) * places).sum()) < 1e-4
    assert abs((kernel.sum(1) * places).sum()) < 1e-4


def test_a_neutral_tone_curve_changes_nothing():
    image = np.random.default_rng(0).uniform(0, 255, (6, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(tone(image, 1, 1, 1), image, atol=1e-2)
    assert np.ptp(tone(image, 1, 1, 0), axis=2).max() < 1e-3


def test_development_repeats_and_stays_a_picture():
    image = np.random.default_rng(0).uniform(-20, 300, (32, 40, 3)).astype(np.float32)
    a, b = (develop(image, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert a.shape == (32, 40, 3)
    assert a.dtype == np.uint8


def test_the_ground_below_the_camera_lies_its_height_away():
    rng = np.random.default_rng(1)
    for _ in range(20):
        view = draw_viewpoint(Camera.from_fov(64, 48, 60), 4.0, rng)
        ground = view.ground()
        found = np.isfinite(ground).all(-1)
        np.testing.assert_allclose(-ground[found] @ view.up, view.height, rtol=1e-4)
        np.testing.assert_allclose(view.camera.project(ground[found])[:, 1] // 1, np.nonzero(found)[0])
        assert PITCH_DEGREES[0] - 1e-6 <= np.degrees(np.arcsin(view.rotation[2, 1])) <= PITCH_DEGREES[1] + 1e-6


def test_people_stand_on_the_ground_apart_from_each_other_and_in_the_picture():
    rng = np.random.default_rng(2)
    camera = Camera.from_fov(200, 200, 65)
    view = draw_viewpoint(camera, 4.0, rng)
    placed = []
    for _ in range(4):
        figure = make_figure(POOL, CHART, 0, POOL.rest_joints(0), rng)
        if (found := place(figure, view, placed, (2.5, 7.0), False, rng)) is not None:
            placed.append(found)
    assert len(placed) >= 2
    for i, figure in enumerate(placed):
        heights = -(figure.vertices @ -view.up) + view.height  # above the ground
        assert -1e-3 < heights.min() < 0.41
        pixels = camera.project(figure.joints)
        assert ((pixels >= 0) & (pixels < 200)).all(1).sum() >= 11
        for other in placed[:i]:
            assert np.linalg.norm(figure.joints[:, None] - other.joints[None], axis=-1).min() > 0.05


def test_no_place_is_told():
    figure = make_figure(POOL, CHART, 0, POOL.rest_joints(0), np.random.default_rng(0))
    view = draw_viewpoint(Camera.from_fov(200, 200, 60), 4.0, np.random.default_rng(0))
    assert place(figure, view, [], (200.0, 300.0), False, np.random.default_rng(0)) is None  # too small there


def test_clothes_never_move_a_joint():
    joints = [make_figure(POOL, CHART, 0, POOL.rest_joints(0), np.random.default_rng(s)).joints for s in range(6)]
    # hands and gaze vary with the seed; hips, knees, shoulders and elbows do not
    np.testing.assert_allclose(np.std(joints, axis=0)[2:6], 0, atol=1e-4)


def test_cloth_lies_outside_the_skin_and_bare_skin_stays():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        outfit = draw_outfit(rng, 30, seed % 2)
        out = displacement(outfit, CHART, rng)
        assert (out >= 0).all()
        assert out.max() < 0.2
        covered = top_cover(outfit, CHART.arm, CHART.height, CHART.head, CHART.place) > 0.99
        assert covered.any()
        assert (out[covered] > 0.0039).all()


def test_longer_sleeves_and_trousers_cover_more():
    arm, none = np.linspace(0.01, 3, 50, dtype=np.float32), np.zeros(50, np.float32)
    outfits = [draw_outfit(np.random.default_rng(s), 30, 0) for s in range(30)]
    for outfit in outfits:
        sleeve = top_cover(outfit, arm, none, none, np.zeros((50, 3), np.float32))
        assert (np.diff(sleeve) <= 0).all()
        assert sleeve[arm > outfit.sleeve + 0.05].max() == 0
        legs = bottom_cover(outfit, -np.ones(50, np.float32), arm, none)
        assert legs[arm > outfit.trousers + 0.05].max() == 0


def test_skirts_and_hair_move_with_the_bones():
    rng = np.random.default_rng(0)
    outfit = draw_outfit(rng, 30, 1.0)
    for sheet in (make_skirt(POOL, CHART, 0, outfit, rng), make_long_hair(POOL, 0, outfit, rng)):
        np.testing.assert_allclose(sheet.skin.sum(1), 1, atol=1e-5)
        assert np.isfinite(sheet.vertices).all()
        assert sheet.faces.max() < len(sheet.vertices)


def test_people_differ_and_wear_everything_there_is():
    surfaces = set()
    colours = []
    for seed in range(40):
        figure = make_figure(POOL, CHART, seed % 2, POOL.rest_joints(0), np.random.default_rng(seed))
        surfaces |= {Surface(int(s)) for s in np.unique(figure.surfaces)}
        colours.append(figure.outfit.skin.mean())
    assert surfaces == set(Surface)
    assert np.ptp(colours) > 80


@pytest.mark.parametrize("pattern", ["plain", "texture", "tinted", "stripes"])
def test_cloth_stays_within_colours(pattern):
    cloth = Cloth(np.float32([200, 30, 30]), np.float32([20, 20, 90]), pattern, 3, 4.0, 0.1)
    uv = np.random.default_rng(0).uniform(-1, 2, (500, 2)).astype(np.float32)
    colours = cloth_colours(cloth, uv, uv[:, 1], grey)
    assert colours.shape == (500, 3)
    assert colours.min() >= 0
    assert colours.max() <= 255
    if pattern == "stripes":
        assert len(np.unique(colours, axis=0)) == 2
