"""One set of bones: lengths constant, directions kept, both sides equal."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.bones import body_height, bone_lengths, repose

from .people import STANDING


def turning(count=30, spread=0.03, seed=0):
    rng = np.random.default_rng(seed)
    turns = Rotation.random(count, random_state=seed).as_matrix()
    return STANDING @ turns.transpose(0, 2, 1) + rng.normal(0, spread, (count, 13, 3))


def lengths_of(joints):
    return np.stack([np.linalg.norm(joints[:, b] - joints[:, a], axis=1) for a, b in LCR13.bones if "hip" not in
                     LCR13.joints[b]], axis=1)  # fmt: skip


def test_bones_are_constant_and_both_sides_equal():
    posed = repose(turning(), bone_lengths(turning()))
    lengths = lengths_of(posed)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-12)
    flipped = lengths_of(posed[:, LCR13.flip])
    np.testing.assert_allclose(np.sort(lengths[0]), np.sort(flipped[0]), atol=1e-12)
    np.testing.assert_allclose(body_centre(posed), 0, atol=1e-12)


def test_directions_of_limbs_are_kept():
    joints = turning()
    posed = repose(joints, bone_lengths(joints))
    for name in ("ankle", "knee", "wrist", "elbow"):
        for side in ("left", "right"):
            child = LCR13.index(f"{side}_{name}")
            parent = LCR13.index(LCR13.parents[f"{side}_{name}"])
            before, after = joints[:, child] - joints[:, parent], posed[:, child] - posed[:, parent]
            np.testing.assert_allclose(np.cross(before, after), 0, atol=1e-12)
            assert ((before * after).sum(1) > 0).all()


def test_exact_poses_stay_and_a_few_wrong_ones_do_not_count():
    joints = turning(spread=0)
    np.testing.assert_allclose(repose(joints, bone_lengths(joints)), joints - body_centre(joints)[:, None], atol=1e-9)
    wrong = joints.copy()
    wrong[:8] *= 1.7
    wrong[8:12, 3] = np.nan
    for segment, length in bone_lengths(wrong).items():
        assert length == pytest.approx(bone_lengths(joints)[segment])
    weights = np.ones((30, 13))
    weights[12:] = 0.01
    assert bone_lengths(wrong, weights)["left_knee", "left_ankle"] == pytest.approx(
        1.7 * bone_lengths(joints)["left_knee", "left_ankle"]
    )


def test_height_and_missing_joints():
    lengths = bone_lengths(STANDING[None])
    chain = 0.32 + 0.53 + np.linalg.norm([0.01, 0.41, 0.02]) + np.linalg.norm([0.01, 0.4, 0.02])
    assert body_height(lengths) == pytest.approx(chain / 0.961)
    never = np.broadcast_to(STANDING, (5, 13, 3)).copy()
    never[:, [0, 1]] = np.nan
    with pytest.raises(InputError, match="ankle"):
        bone_lengths(never)
