import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.synthesis.nearest import ProjectionIndex
from anchorpose.synthesis.views import ViewOptions, turns, view_angles


def body_like(count, rng, views=40, sets=None):
    """Projections that vary as bodies do: 3D poses, bent in a few ways, under many views; and their index."""
    mean, ways = rng.normal(size=(13, 3)) * [0.2, 0.6, 0.1], 0.15 * rng.normal(size=(3, 13, 3))
    poses = (mean + np.einsum("nk,kjd->njd", rng.normal(size=(count // views, 3)), ways)).astype(np.float32)
    cameras = turns(view_angles(sets or len(poses), ViewOptions(views=views), rng))
    return projections(poses, cameras), ProjectionIndex(poses, cameras)


def projections(poses, cameras):
    """(P V, J, 2) what each pose's cameras show."""
    own = cameras[np.arange(len(poses)) % len(cameras), :, :2]
    return np.einsum("pvca,pja->pvjc", own, poses).reshape(-1, poses.shape[1], 2)


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
    return body_like(1600, rng, sets=7)


@settings(max_examples=8, deadline=None)
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
def test_leaving_poses_out_loses_nothing(labelled):
    rng = np.random.default_rng(4)
    (shapes, index), labelled = body_like(20_000, rng), list(labelled)
    queries = np.full((60, 13, 2), np.nan, np.float32)
    near = shapes[rng.integers(len(shapes), size=60)] + 0.05 * rng.normal(size=(60, 13, 2))
    queries[:, labelled] = near[:, labelled]

    def unit(points):
        flat = (points - points.mean(1, keepdims=True)).reshape(len(points), -1)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    best = np.sort(unit(queries[:, labelled]) @ unit(shapes[:, labelled]).T, axis=1)[:, :-6:-1]
    np.testing.assert_allclose(index.nearest(queries, 5)[1], best, atol=1e-5)


def test_a_shape_finds_itself_at_any_scale_and_place(indexed):
    shapes, index = indexed
    chosen = np.array([3, 777, 1599])
    rows, cosines = index.nearest(shapes[chosen] * 170 + [400, -20])
    assert rows[:, 0].tolist() == chosen.tolist()
    np.testing.assert_allclose(cosines, 1, atol=1e-5)


def test_mixed_sets_of_labelled_joints_are_as_good_as_one_at_a_time(indexed):
    shapes, index = indexed
    rng = np.random.default_rng(5)
    queries = shapes[rng.integers(len(shapes), size=60)].copy()
    for query in queries:
        query[rng.permutation(13)[: rng.integers(0, 8)]] = np.nan
    rows, _ = index.nearest(queries, 2)
    alone = np.concatenate([index.nearest(query[None], 2)[0] for query in queries[::-1]])[::-1]
    np.testing.assert_array_equal(rows, alone)


@pytest.mark.parametrize("kind", ["line", "plane", "point and line", "end on", "huge", "tiny"])
@pytest.mark.parametrize("labelled", [13, 3, 2])
def test_poses_and_views_at_the_limits_of_the_bounds(kind, labelled):
    """Singular poses, views along a bone and extreme units: the definition in double precision finds no better one."""
    rng = np.random.default_rng(7)
    poses = rng.normal(size=(30, 13, 3))
    cameras = turns(view_angles(5, ViewOptions(views=11), rng))
    if kind in ("line", "end on"):
        poses = poses[..., :1] * rng.normal(size=(30, 1, 3))
    elif kind == "plane":
        poses[..., 2] = poses[..., 0] - 2 * poses[..., 1]
    elif kind == "point and line":
        poses[:15], poses[15:, :, 1:] = 1.5, 0
    if kind == "end on":
        poses[:20] = poses[:20, :, :1] * cameras[0, 3, 2] + 1e-5 * rng.normal(size=(20, 13, 3))
    poses = (poses * {"huge": 1e6, "tiny": 1e-4}.get(kind, 1)).astype(np.float32)
    index, shapes = ProjectionIndex(poses, cameras), projections(poses.astype(np.float64), cameras.astype(np.float64))
    queries = rng.normal(size=(12, 13, 2)).astype(np.float32)
    queries[:, labelled:] = np.nan
    s = (shapes - shapes[:, :labelled].mean(1, keepdims=True))[:, :labelled].reshape(len(shapes), -1)
    centred = poses[:, :labelled] - poses[:, :labelled].mean(1, keepdims=True, dtype=np.float64)
    extent = np.repeat(np.linalg.norm(centred, axis=(1, 2)), 11)
    length = np.linalg.norm(s, axis=1)
    seen = length > 1.2e-3 * extent  # else the labelled joints are one point
    for query in queries:
        rows, cosines = index.nearest(query[None], 4)
        q = (query[:labelled] - query[:labelled].mean(0)).astype(np.float64).ravel()
        exact = np.divide(s @ q, length * np.linalg.norm(q), where=seen, out=np.full(len(s), -1.0))
        assert cosines[0, 0] > exact.max() - 1e-5
        assert (cosines[0] >= np.sort(exact)[:-5:-1] - 1e-5).all()
        sure = seen[rows[0]]
        np.testing.assert_allclose(cosines[0][sure], exact[rows[0]][sure], atol=1e-5)


def test_the_order_of_the_poses_does_not_change_the_answer():
    rng = np.random.default_rng(9)
    poses, cameras = rng.normal(size=(200, 13, 3)).astype(np.float32), turns(view_angles(1, ViewOptions(views=50), rng))
    queries, order = rng.normal(size=(20, 13, 2)).astype(np.float32), rng.permutation(200)
    rows, cosines = ProjectionIndex(poses, cameras).nearest(queries, 5)
    shuffled, same = ProjectionIndex(poses[order], cameras).nearest(queries, 5)
    np.testing.assert_array_equal(order[shuffled // 50] * 50 + shuffled % 50, rows)
    np.testing.assert_allclose(same, cosines, atol=1e-6)


def test_all_projections_can_be_asked_for():
    rng = np.random.default_rng(10)
    poses, cameras = rng.normal(size=(6, 13, 3)).astype(np.float32), turns(view_angles(4, ViewOptions(views=9), rng))
    rows, cosines = ProjectionIndex(poses, cameras).nearest(rng.normal(size=(1, 13, 2)).astype(np.float32), 54)
    assert sorted(rows[0]) == list(range(54))
    assert (np.diff(cosines[0]) <= 0).all()
    assert cosines[0, -1] < 0


def test_poses_without_extent_are_nobodys_neighbour():
    poses, cameras = np.zeros((3, 13, 3), np.float32), turns(np.zeros((1, 1, 3), np.float32))
    poses[2] = np.random.default_rng(7).normal(size=(13, 3))
    index = ProjectionIndex(poses, cameras)
    assert index.nearest(projections(poses, cameras)[2:] + 4)[0].tolist() == [[2]]


@pytest.mark.parametrize(("labelled", "count"), [(1, 1), (5, 0), (5, 1601)])
def test_impossible_searches_are_refused(indexed, labelled, count):
    query = np.full((1, 13, 2), np.nan, np.float32)
    query[0, :labelled] = np.arange(2 * labelled).reshape(-1, 2)
    with pytest.raises(ValueError, match="labelled joints"):
        indexed[1].nearest(query, count)


@pytest.mark.parametrize(("poses", "turned"), [((0, 13, 3), (1, 1, 3, 3)), ((2, 13, 2), (1, 1, 3, 3)),
                                               ((2, 13, 3), (1, 0, 3, 3)), ((2, 13, 3), (1, 3, 3))])  # fmt: skip
def test_wrong_shapes_are_refused(poses, turned):
    with pytest.raises(ValueError, match="wanted"):
        ProjectionIndex(np.zeros(poses, np.float32), np.zeros(turned, np.float32))


@pytest.mark.slow
def test_is_much_faster_than_the_full_search():
    rng = np.random.default_rng(8)
    shapes, index = body_like(400_000, rng, views=200, sets=32)
    queries = (shapes[rng.integers(len(shapes), size=50)] + 0.03 * rng.normal(size=(50, 13, 2))).astype(np.float32)
    flat = np.ascontiguousarray(shapes.reshape(len(shapes), -1))
    index.nearest(queries[:1])
    begin = time.process_time()
    for query in queries:
        index.nearest(query[None])
    ours, begin = time.process_time() - begin, time.process_time()
    for query in queries:
        (flat @ query.ravel()).argmax()  # the least that a full search does
    assert ours < 0.8 * (time.process_time() - begin)
