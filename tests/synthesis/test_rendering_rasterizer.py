"""The z-buffer against a slow restatement, and against shapes whose depth is known."""

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.synthesis.rendering.rasterizer import NEAR, choose_device, rasterize, rasterize_screen

pytest.importorskip("warp")

CAMERA = Camera.from_fov(64, 48, 60)


def slow(vertices, faces, camera):
    """Every pixel's ray against every triangle (Moeller and Trumbore): depth and triangle of the nearest hit."""
    depth = np.full((camera.height, camera.width), np.inf)
    hit = np.full((camera.height, camera.width), -1)
    for row in range(camera.height):
        for column in range(camera.width):
            ray = np.array([(column + 0.5 - camera.cx) / camera.fx, (row + 0.5 - camera.cy) / camera.fy, 1.0])
            for number, (a, b, c) in enumerate(vertices[faces].astype(np.float64)):
                matrix = np.stack([a - b, a - c, ray], axis=1)
                if abs(np.linalg.det(matrix)) < 1e-12:
                    continue
                u, v, z = np.linalg.solve(matrix, a)
                if u >= 0 and v >= 0 and u + v <= 1 and 0 < z < depth[row, column]:
                    depth[row, column], hit[row, column] = z, number
    return depth, hit


def sphere(radius, rings=96):
    """(v, 3), (f, 3) of a sphere about the origin."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    points = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1)
    number = np.arange(polar.size).reshape(polar.shape)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return (radius * points.reshape(-1, 3)).astype(np.float32), faces.astype(np.int32)


def test_random_triangles_are_those_of_the_slow_restatement():
    rng = np.random.default_rng(0)
    camera = Camera.from_fov(24, 18, 70)
    vertices = (rng.uniform(-1, 1, (36, 3)) * [1.5, 1.2, 1] + [0, 0, 2.5]).astype(np.float32)
    faces = np.arange(36, dtype=np.int32).reshape(12, 3)
    seen = rasterize(vertices, faces, camera)
    depth, hit = slow(vertices, faces, camera)
    same = seen.triangles == hit
    assert same.mean() > 0.99  # a pixel centre on an edge may go to either side
    both = same & (hit >= 0)
    assert both.sum() > 100
    np.testing.assert_allclose(seen.depth[both], depth[both], rtol=1e-4)
    assert np.isinf(seen.depth[hit < 0]).mean() > 0.99


def test_a_sphere_has_a_spheres_depth():
    vertices, faces = sphere(0.8)
    seen = rasterize(vertices + np.float32([0, 0, 3]), faces, CAMERA)
    columns, rows = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    ray = np.stack([(columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy, np.ones_like(rows)], -1)
    # |z ray - centre| = r
    a, b, c = (ray**2).sum(-1), -6.0 * ray[..., 2], 9 - 0.64
    root = b**2 - 4 * a * c
    inside = root > 0.5
    expected = (-b - np.sqrt(np.where(inside, root, 1))) / (2 * a)
    assert inside.sum() > 300
    np.testing.assert_allclose(seen.depth[inside], expected[inside], atol=2e-3)
    assert np.isinf(seen.depth[root < -0.5]).all()


def test_places_interpolated_over_the_pixels_lie_on_their_rays():
    vertices, faces = sphere(1.0, 12)
    vertices = vertices + np.float32([0.2, -0.1, 2.5])
    seen = rasterize(vertices, faces, CAMERA)
    mask = seen.triangles >= 0
    places = seen.interpolate(faces, vertices, mask)
    rows, columns = np.nonzero(mask)
    np.testing.assert_allclose(CAMERA.project(places), np.stack([columns, rows], 1) + 0.5, atol=2e-2)
    np.testing.assert_allclose(places[:, 2], seen.depth[mask], rtol=1e-4)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_of_two_cubes_faces_is_seen_in_any_order(order):
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    walls = [np.column_stack([square * s, np.full(4, z, np.float32)]) for s, z in ((1.0, 4.0), (0.3, 2.0))]
    vertices = np.concatenate([walls[i] for i in order])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    seen = rasterize(vertices, faces, CAMERA)
    assert seen.depth[24, 32] == pytest.approx(2.0, rel=1e-5)
    assert seen.depth[24, 40] == pytest.approx(4.0, rel=1e-5)  # the small wall ends at 8.3 pixels
    assert seen.depth[24, 39] == pytest.approx(2.0, rel=1e-5)


def test_what_is_behind_or_too_near_is_left_out():
    triangle = np.array([[-1, -1, 1], [1, -1, 1], [0, 1, 1]], np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    for depth, seen in ((2.0, True), (NEAR / 2, False), (-2.0, False)):
        drawn = rasterize(triangle * np.float32([1, 1, depth]), faces, CAMERA)
        assert (drawn.triangles >= 0).any() == seen


def test_nothing_to_draw_gives_an_empty_picture():
    seen = rasterize_screen(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), 8, 6)
    assert seen.depth.shape == (6, 8)
    assert np.isinf(seen.depth).all()
    assert (seen.triangles == -1).all()


def test_pixels_are_sampled_at_their_centres():
    # a triangle that covers exactly the centres left of x = 3 (pixels 0, 1, 2)
    screen = np.array([[-10, -10, 1], [3, -10, 1], [3, 40, 1], [-10, 40, 1]], np.float32)
    seen = rasterize_screen(screen, np.array([[0, 1, 2], [0, 2, 3]], np.int32), 6, 4)
    np.testing.assert_array_equal(seen.triangles[0] >= 0, [True, True, True, False, False, False])


def test_devices_are_chosen_from_what_warp_reports():
    import warp

    gpus = [str(device.alias) for device in warp.get_cuda_devices()]
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == (gpus[0] if gpus else "cpu")
    for missing in ("tpu", f"cuda:{len(gpus)}", ""):
        with pytest.raises(InputError, match=f"found the device '{missing}', wanted one of auto, cpu") as error:
            choose_device(missing)
        assert "\n" not in str(error.value)


def test_a_gpu_draws_what_the_cpu_draws():
    import warp

    if not warp.get_cuda_devices():
        pytest.skip("warp reports no CUDA device")
    rng = np.random.default_rng(5)
    vertices = (rng.normal(size=(300, 3)) + np.float32([0, 0, 5])).astype(np.float32)
    faces = rng.integers(0, 300, (200, 3)).astype(np.int32)
    ours, theirs = (rasterize(vertices, faces, CAMERA, device) for device in ("cpu", choose_device("auto")))
    same = ours.triangles == theirs.triangles
    assert same.mean() > 0.995  # edges may round another way
    np.testing.assert_allclose(theirs.depth[same], ours.depth[same], rtol=1e-4)
