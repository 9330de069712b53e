import numpy as np
import pytest

from anchorpose.core.skeleton import BLAZEPOSE33, BODY12, BODY25, COCO17, LCR13, LSP14, Skeleton, mirror_name

ALL = [LCR13, COCO17, LSP14, BLAZEPOSE33, BODY25]


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_flip_is_its_own_inverse_and_swaps_sides(skeleton):
    assert (skeleton.flip[skeleton.flip] == np.arange(len(skeleton))).all()
    for i, j in enumerate(skeleton.flip):
        assert skeleton.joints[j] == mirror_name(skeleton.joints[i])


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_bones_mirror_onto_bones(skeleton):
    bones = set(skeleton.bones)
    mirrored = {(int(skeleton.flip[a]), int(skeleton.flip[b])) for a, b in bones}
    # BlazePose's and COCO's eyes hang on the nose, so the face mirrors too.
    assert mirrored == bones


def test_lcr13_is_in_the_authors_order():
    assert LCR13.joints[:4] == ("right_ankle", "left_ankle", "right_knee", "left_knee")
    assert LCR13.index("head_top") == 12
    assert set(LCR13.indices("right_wrist", "left_wrist")) == {6, 7}


def test_map_to_finds_joints_by_name():
    positions = LCR13.map_to(COCO17)
    for joint, source in zip(COCO17.joints, positions, strict=True):
        assert (source >= 0) == (joint in LCR13.joints)
        if source >= 0:
            assert LCR13.joints[source] == joint
    assert len(BODY12) == 12
    assert set(BODY12) <= set(LCR13.joints)


def test_coco_sigmas_are_cocos():
    wanted = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
    np.testing.assert_allclose(COCO17.sigmas * 1000, wanted)


def test_own_skeleton_in_a_few_lines():
    mine = Skeleton("mine", ("root", "left_hand", "right_hand"), {"left_hand": "root", "right_hand": "root"})
    assert mine.bones == ((0, 1), (0, 2))
    assert mine.flip.tolist() == [0, 2, 1]
    assert [mine.side(i) for i in range(3)] == ["middle", "left", "right"]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="repeated"):
        Skeleton("twice", ("a", "a"))
    with pytest.raises(ValueError, match="not joints"):
        Skeleton("lost", ("a",), {"a": "b"})
    with pytest.raises(KeyError, match="no joint 'tail'"):
        LCR13.index("tail")


def test_what_follows_from_own_names_follows_the_people():
    """A skeleton of one's own, joints in any order: the mirrored picture's bones are those of the mirrored person."""
    rng = np.random.default_rng(0)
    names = np.array([*COCO17.joints, "tail"])
    for _ in range(20):
        chosen = tuple(rng.permutation(names)[: rng.integers(2, 19)].tolist())
        chosen = tuple(j for j in chosen if mirror_name(j) in chosen)
        mine = Skeleton("mine", chosen, {j: p for j, p in COCO17.parents.items() if {j, p} <= set(chosen)})
        assert (mine.flip[mine.flip] == np.arange(len(mine))).all()
        joints = rng.normal(size=(len(mine), 2))
        mirrored = (joints * [-1, 1])[mine.flip]
        length = {mine.joints[b]: np.linalg.norm(joints[b] - joints[a]) for a, b in mine.bones}
        for a, b in mine.bones:
            assert np.linalg.norm(mirrored[b] - mirrored[a]) == pytest.approx(length[mirror_name(mine.joints[b])])
        there, back = mine.map_to(COCO17), COCO17.map_to(mine)
        assert all(there[k] == i for i, k in enumerate(back) if k >= 0)
        assert [mine.side(i) for i in mine.flip] == [
            {"left": "right", "right": "left"}.get(mine.side(i), "middle") for i in range(len(mine))
        ]
