import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorpose.core.alignment import align, similarity


@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_a_known_similarity_is_recovered(seed, scale):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(13, 3))
    turn, shift = Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3)
    target = scale * points @ turn.T + shift
    found_scale, found_turn, found_shift = similarity(points, target)
    np.testing.assert_allclose(found_scale, scale, rtol=1e-8)
    np.testing.assert_allclose(found_turn, turn, atol=1e-8)
    np.testing.assert_allclose(found_shift, shift, atol=1e-7)
    np.testing.assert_allclose(align(points, target), target, atol=1e-7)


def test_a_mirror_image_is_not_reached_by_reflection():
    points = np.random.default_rng(0).normal(size=(13, 3))
    mirrored = points * [-1, 1, 1]
    assert np.linalg.det(similarity(points, mirrored)[1]) > 0
    assert np.abs(align(points, mirrored) - mirrored).max() > 0.1


def test_alignment_never_worsens_the_fit_and_takes_batches():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 13, 3)), rng.normal(size=(5, 13, 3))
    centred = a - a.mean(1, keepdims=True) + b.mean(1, keepdims=True)
    error = lambda x: ((x - b) ** 2).sum((1, 2))  # noqa: E731
    assert (error(align(a, b)) <= error(centred) + 1e-9).all()
    np.testing.assert_allclose(align(a, b)[2], align(a[2], b[2]))
