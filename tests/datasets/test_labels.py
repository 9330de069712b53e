import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import CROWDPOSE14, FLIC11, LCR13, LSP14, MPII16, POSETRACK15, POSETRACK17, mirror_name
from anchorpose.datasets.labels import bare_person, from_matlab, keypoint_triplets, labelled_person
from anchorpose.datasets.samples import Annotation, Sample
from anchorpose.datasets.transforms import Augmentation, augment

NEW = [MPII16, CROWDPOSE14, POSETRACK17, POSETRACK15, FLIC11, LSP14]


@pytest.mark.parametrize("skeleton", NEW, ids=lambda s: s.name)
def test_skeletons_are_symmetric(skeleton):
    assert len(skeleton) == int(skeleton.name.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    bones = set(skeleton.bones)
    assert {(int(skeleton.flip[a]), int(skeleton.flip[b])) for a, b in bones} == bones
    assert all(mirror_name(joint) in skeleton.joints for joint in skeleton.joints)


def test_the_evaluations_joint_numbers():
    """The ids of MPII's README and of poseval."""
    assert MPII16.indices("right_ankle", "left_hip", "pelvis", "thorax", "neck", "head_top", "right_wrist",
                          "left_wrist") == [0, 3, 6, 7, 8, 9, 10, 15]  # fmt: skip
    assert POSETRACK15.indices("right_ankle", "left_ankle", "right_wrist", "left_shoulder", "left_wrist",
                               "head_bottom", "nose", "head_top") == [0, 5, 6, 9, 11, 12, 13, 14]  # fmt: skip
    assert set(POSETRACK17.joints) - set(POSETRACK15.joints) == {"left_ear", "right_ear"}
    np.testing.assert_allclose(
        CROWDPOSE14.sigmas * 10, [.79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89, .79, .79]
    )  # fmt: skip


@pytest.mark.parametrize("skeleton", NEW, ids=lambda s: s.name)
def test_joints_are_found_by_name(skeleton):
    rng = np.random.default_rng(len(skeleton))
    joints = rng.random((len(skeleton), 2)).astype(np.float32) * 100
    joints[rng.random(len(skeleton)) < 0.3] = np.nan
    visible = rng.integers(-1, 2, len(skeleton)).astype(np.int8)
    person = labelled_person(Annotation(skeleton, joints, visible))
    for i, joint in enumerate(LCR13.joints):
        if joint in skeleton.joints:
            np.testing.assert_array_equal(person.joints2d[i], joints[skeleton.index(joint)])
            assert person.visible[i] == visible[skeleton.index(joint)]
        else:
            assert np.isnan(person.joints2d[i]).all()
            assert person.visible[i] == -1
    assert person.joints2d.dtype == person.box.dtype == np.float32
    assert np.isnan(person.joints3d).all()


def test_box_is_around_all_labelled_joints_with_a_tenth_more():
    joints = np.full((16, 2), np.nan, np.float32)
    joints[MPII16.indices("pelvis", "left_knee")] = [[10, 20], [30, 60]]
    annotation = Annotation(MPII16, joints, np.full(16, -1, np.int8))
    np.testing.assert_allclose(labelled_person(annotation).box, [8, 16, 32, 64], rtol=1e-6)
    np.testing.assert_array_equal(labelled_person(annotation, np.array([1, 2, 3, 4])).box, [1, 2, 3, 4])


def test_matlabs_first_pixel_is_half_a_pixel_from_the_corner():
    np.testing.assert_array_equal(from_matlab([1, 1.5, np.nan]), [0.5, 1, np.nan])


def test_keypoints_of_another_skeleton_are_refused():
    assert keypoint_triplets({"keypoints": []}, LSP14) is None
    assert keypoint_triplets({}, LSP14) is None
    with pytest.raises(InputError, match="annotation 7 has 51 keypoint numbers, wanted 3 for each of the 14"):
        keypoint_triplets({"keypoints": [0] * 51, "id": 7}, LSP14)


def test_augmentation_moves_the_person_and_keeps_the_annotation():
    joints = np.random.default_rng(0).uniform(60, 140, (14, 2)).astype(np.float32)
    person = labelled_person(Annotation(LSP14, joints, np.ones(14, np.int8), id=3))
    image = np.zeros((200, 200, 3), np.uint8)
    people = Sample("x.jpg", (person, bare_person([60, 60, 90, 90]))).people
    _, moved = augment(image, people, Augmentation(size=192, flip=1.0), np.random.default_rng(1))
    kept = [p.annotation for p in moved if p.annotation is not None]
    assert len(kept) == 1
    np.testing.assert_array_equal(kept[0].joints2d, joints)
    assert not np.allclose(moved[0].joints2d, person.joints2d, equal_nan=True)
