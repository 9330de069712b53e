import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.synthesis.nearest import ShapeIndex
from anchorpose.synthesis.views import ViewOptions, see, view_angles


def body_like(count, rng, views=40):
    """Shapes that vary as bodies do: 3D poses, bent in a few ways, under many views."""
    mean, ways = rng.normal(size=(13, 3)) * [0.2, 0.6, 0.1], 0.15 * rng.normal(size=(3, 13, 3))
    poses = (mean + np.einsum("nk,kjd->njd", rng.normal(size=(count // views, 3)), ways)).astype(np.float32)
    angles = view_angles(len(poses), ViewOptions(views=views), rng).reshape(-1, 3)
    return see(np.repeat(poses, views, axis=0), angles)[..., :2]


def residuals(shapes, query):
    """The definition: squared error of the labelled joints after the best scale >= 0 and shift, by least squares."""
    labelled = ~np.isnan(query[:, 0])
    q = query[labelled].astype(np.float64)
    q -= q.mean(0)
    out = []
    for shape in shapes[:, labelled].astype(np.float64):
        s = shape - shape.mean(0)
        scale = max(np.linalg.lstsq(s.reshape(-1, 1), q.ravel(), rcond=None)[0][0], 0)
        out.append(((q - scale * s) ** 2).sum())
    return np.array(out)


@pytest.fixture(scope="module")
def indexed():
    rng = np.random.default_rng(0)
    shapes = body_like(4000, rng)
    return shapes, ShapeIndex(shapes, rng)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), labelled=st.integers(3, 13), count=st.sampled_from([1, 7]))
def test_finds_what_the_definition_finds(indexed, seed, labelled, count):
    shapes, index = indexed
    rng = np.random.default_rng(seed)
    query = shapes[rng.integers(len(shapes))] * rng.uniform(10, 300) + rng.normal(size=2) * 100
    query = query + rng.normal(size=query.shape) * 0.1 * query.std()
    query[rng.permutation(13)[labelled:]] = np.nan
    rows, cosines = index.nearest(query[None].astype(np.float32), count)
    expected = np.sort(residuals(shapes, query))[:count]
    spread = ((query - np.nanmean(query, axis=0)) ** 2)[~np.isnan(query)].sum()
    np.testing.assert_allclose(residuals(shapes[rows[0]], query), expected, atol=2e-6 * spread, rtol=1e-3)
    np.testing.assert_allclose(1 - cosines[0] ** 2, expected / spread, atol=2e-6)


@pytest.mark.parametrize("labelled", [range(13), range(4, 13), [0, 3, 5, 6, 9, 11]], ids=len)
def test_leaving_clusters_out_loses_nothing(labelled):
    rng = np.random.default_rng(4)
    shapes, labelled = body_like(40_000, rng), list(labelled)
    index = ShapeIndex(shapes, rng)
    queries = np.full((150, 13, 2), np.nan, np.float32)
    near = shapes[rng.integers(len(shapes), size=150)] + 0.05 * rng.normal(size=(150, 13, 2))
    queries[:, labelled] = near[:, labelled]

    def unit(points):
        flat = (points - points.mean(1, keepdims=True)).reshape(len(points), -1)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    best = np.sort(unit(queries[:, labelled]) @ unit(shapes[:, labelled]).T, axis=1)[:, :-6:-1]
    np.testing.assert_allclose(index.nearest(queries, 5)[1], best, atol=1e-5)


def test_a_shape_finds_itself_at_any_scale_and_place(indexed):
    shapes, index = indexed
    chosen = np.array([3, 1777, 3999])
    rows, cosines = index.nearest(shapes[chosen] * 170 + [400, -20])
    assert rows[:, 0].tolist() == chosen.tolist()
    np.testing.assert_allclose(cosines, 1, atol=1e-5)


def test_mixed_sets_of_labelled_joints_and_more_of_them_than_are_remembered(indexed):
    shapes, index = indexed
    rng = np.random.default_rng(5)
    queries = shapes[rng.integers(len(shapes), size=60)].copy()
    for query in queries:
        query[rng.permutation(13)[: rng.integers(0, 8)]] = np.nan
    rows, _ = index.nearest(queries, 2)
    alone = np.concatenate([index.nearest(query[None], 2)[0] for query in queries[::-1]])[::-1]
    np.testing.assert_array_equal(rows, alone)


def test_the_clusters_do_not_change_the_answer(indexed):
    shapes, index = indexed
    other = ShapeIndex(shapes, np.random.default_rng(99))
    queries = shapes[::200] + np.random.default_rng(6).normal(size=(20, 13, 2)).astype(np.float32) * 0.05
    np.testing.assert_array_equal(index.nearest(queries)[0], other.nearest(queries)[0])


def test_shapes_without_extent_are_nobodys_neighbour():
    shapes = np.zeros((3, 13, 2), np.float32)
    shapes[2] = np.random.default_rng(7).normal(size=(13, 2))
    index = ShapeIndex(shapes, np.random.default_rng(0))
    assert index.nearest(shapes[2:] + 4)[0].tolist() == [[2]]


@pytest.mark.parametrize(("labelled", "count"), [(1, 1), (5, 0), (5, 4001)])
def test_impossible_searches_are_refused(indexed, labelled, count):
    query = np.full((1, 13, 2), np.nan, np.float32)
    query[0, :labelled] = np.arange(2 * labelled).reshape(-1, 2)
    with pytest.raises(ValueError, match="labelled joints"):
        indexed[1].nearest(query, count)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="wanted"):
        ShapeIndex(np.zeros((0, 13, 2), np.float32), np.random.default_rng(0))


@pytest.mark.slow
def test_is_much_faster_than_the_full_search():
    rng = np.random.default_rng(8)
    shapes = body_like(400_000, rng, views=200)
    index = ShapeIndex(shapes, rng)
    queries = (shapes[rng.integers(len(shapes), size=100)] + 0.03 * rng.normal(size=(100, 13, 2))).astype(np.float32)
    flat = shapes.reshape(len(shapes), -1)
    index.nearest(queries[:1])
    begin = time.process_time()
    for query in queries:
        index.nearest(query[None])
    ours, begin = time.process_time() - begin, time.process_time()
    for query in queries:
        np.square(flat - query.ravel()).sum(1).argmin()
    assert ours < 0.2 * (time.process_time() - begin)
