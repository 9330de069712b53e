"""warp kernels of the rasteriser; imported only when something is drawn, because warp compiles them."""

# mypy: ignore-errors
# Kernels are warp's language, not Python's: the checker knows neither its types nor its operators.
# No `from __future__ import annotations`: warp reads the annotations of kernels as types.
import warp as wp

LARGEST = wp.constant(15.9)  # 1 / depth, so that its steps fit into 32 bits


@wp.func
def edge(a: wp.vec3, b: wp.vec3, x: float, y: float) -> float:
    """Twice the signed area of a, b and the point x, y."""
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


@wp.kernel
def nearest_triangles(
    points: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.int32),
    keys: wp.array(dtype=wp.uint64),
    width: int,
    height: int,
):
    """One thread a triangle: in each pixel centre that it covers it offers (1 / depth, triangle), the largest stays."""
    triangle = wp.tid()
    a = points[corners[3 * triangle]]
    b = points[corners[3 * triangle + 1]]
    c = points[corners[3 * triangle + 2]]
    if a[2] <= 0.0 or b[2] <= 0.0 or c[2] <= 0.0:
        return
    area = edge(a, b, c[0], c[1])
    if area == 0.0:
        return
    # the pixel of column i has its centre at i + 0.5
    left = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) - 0.5)), 0)
    right = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) - 0.5)), width - 1)
    top = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) - 0.5)), 0)
    bottom = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) - 0.5)), height - 1)
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            x = float(column) + 0.5
            y = float(row) + 0.5
            wa = edge(b, c, x, y) / area
            wb = edge(c, a, x, y) / area
            wc = 1.0 - wa - wb
            if wa >= 0.0 and wb >= 0.0 and wc >= 0.0:
                inverse = wa * a[2] + wb * b[2] + wc * c[2]
                # 1 / depth in steps of 2^-28 above, the triangle + 1 below: one number to compare
                steps = wp.uint64(wp.min(inverse, LARGEST) * 268435456.0)
                key = (steps << wp.uint64(32)) | wp.uint64(triangle + 1)
                wp.atomic_max(keys, row * width + column, key)


@wp.kernel
def resolve_pixels(
    points: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.int32),
    keys: wp.array(dtype=wp.uint64),
    width: int,
    triangles: wp.array(dtype=wp.int32),
    depth: wp.array(dtype=wp.float32),
    weights: wp.array(dtype=wp.vec3),
):
    """One thread a pixel: depth and perspective-correct weights of the triangle that stayed."""
    pixel = wp.tid()
    key = keys[pixel]
    if key == wp.uint64(0):
        triangles[pixel] = -1
        depth[pixel] = wp.inf
        weights[pixel] = wp.vec3(0.0, 0.0, 0.0)
        return
    triangle = int(key & wp.uint64(4294967295)) - 1
    a = points[corners[3 * triangle]]
    b = points[corners[3 * triangle + 1]]
    c = points[corners[3 * triangle + 2]]
    x = float(pixel % width) + 0.5
    y = float(pixel / width) + 0.5
    area = edge(a, b, c[0], c[1])
    wa = edge(b, c, x, y) / area * a[2]
    wb = edge(c, a, x, y) / area * b[2]
    inverse = wa + wb + (1.0 - edge(b, c, x, y) / area - edge(c, a, x, y) / area) * c[2]
    triangles[pixel] = triangle
    depth[pixel] = 1.0 / inverse
    weights[pixel] = wp.vec3(wa / inverse, wb / inverse, 1.0 - wa / inverse - wb / inverse)
