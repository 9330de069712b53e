import numpy as np
import pytest

from anchorpose.lcrnet.anchors import build_anchors


def body(rng, n):
    """(n, 13, 3) rough standing people, turned and bent at random."""
    from scipy.spatial.transform import Rotation

    base = np.array([[-.1, .9, 0], [.1, .9, 0], [-.1, .5, 0], [.1, .5, 0], [-.1, .2, 0], [.1, .2, 0], [-.25, .2, 0],
                     [.25, .2, 0], [-.22, 0, 0], [.22, 0, 0], [-.15, -.2, 0], [.15, -.2, 0], [0, -.5, 0]])  # fmt: skip
    poses = base + rng.normal(scale=0.06, size=(n, 13, 3))
    turns = Rotation.from_rotvec(rng.uniform(-np.pi, np.pi, (n, 1)) * [0, 1, 0]).as_matrix()
    poses = np.einsum("nij,nkj->nki", turns, poses)
    return (poses - poses[:, [4, 5, 10, 11]].mean(1, keepdims=True)).astype(np.float32)


@pytest.fixture
def poses3d():
    return body(np.random.default_rng(0), 200)


@pytest.fixture
def anchors(poses3d):
    pytest.importorskip("sklearn")
    return build_anchors(poses3d, 5, seed=0)
