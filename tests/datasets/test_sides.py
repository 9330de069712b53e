"""Contradictions of left and right: what is found, and that sound people are left in peace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.skeleton import COCO17, LCR13, LSP14, base_name
from anchorpose.datasets.sides import knees_bend_backward, sides_swapped
from tests.datasets.conftest import upright

PHOTOS = Path(__file__).parents[2] / "examples" / "photos" / "annotations.json"
FACE = np.array([base_name(joint) in ("nose", "eye", "ear") for joint in COCO17.joints])
TORSO = ("shoulder", "hip")


def coco_like(rng):
    """(17, 2) a 3D body seen from anywhere, its head turned, limbs anywhere, annotated with noise, joints missing."""
    body = np.column_stack([upright(0, 0, 1.0), np.zeros(17)])
    body[FACE, 2] -= [0.12, 0.1, 0.1, 0, 0]  # the face is in front of the ears
    head = Rotation.from_euler("YX", rng.uniform([-1.1, -0.5], [1.1, 0.5]))
    neck = np.array([0, -0.85, 0])
    body[FACE] = head.apply(body[FACE] - neck) + neck
    hips = COCO17.indices("left_hip", "right_hip")
    body[hips] = Rotation.from_euler("Y", rng.uniform(-0.6, 0.6)).apply(body[hips])
    for joint, name in enumerate(COCO17.joints):  # arms and legs cross as they like
        if base_name(name) in ("elbow", "wrist", "knee", "ankle"):
            body[joint] += rng.normal(0, 0.3, 3)
    turn = Rotation.from_euler("ZXY", rng.uniform([-1.5, -0.4, -np.pi], [1.5, 0.4, np.pi]))
    joints = turn.apply(body)[:, :2] * rng.uniform(30, 300) + rng.uniform(0, 400, 2)
    joints += rng.normal(0, 0.01, joints.shape) * np.ptp(joints[:, 1])
    joints[rng.random(17) < 0.15] = np.nan
    return joints


def test_false_alarms_and_finds_on_people_as_in_coco():
    rng = np.random.default_rng(0)
    people = [coco_like(rng) for _ in range(1500)]
    assert np.mean([sides_swapped(joints, COCO17) for joints in people]) < 0.005
    swapped = [np.where(FACE[:, None], joints, joints[COCO17.flip]) for joints in people]
    assert np.mean([sides_swapped(joints, COCO17) for joints in swapped]) > 0.2  # many are seen from the side


def test_photographs_are_sound():
    for annotation in json.loads(PHOTOS.read_text())["annotations"]:
        keypoints = np.array(annotation["keypoints"]).reshape(17, 3)
        joints = np.where(keypoints[:, 2:] > 0, keypoints[:, :2], np.nan)
        assert not sides_swapped(joints, COCO17)


@pytest.mark.parametrize("part", ["eye", "ear", *TORSO])
def test_each_swapped_pair_is_found_however_the_picture_is_turned(part):
    joints = upright(0, 0, 100.0)
    pair = np.array([base_name(joint) == part for joint in COCO17.joints])
    for angle in np.linspace(0, 6, 7):
        turned = Rotation.from_euler("z", angle).as_matrix()[:2, :2]
        for mirror in (1, -1):  # from the front and from behind
            seen = joints * [mirror, 1] @ turned.T + 500
            assert not sides_swapped(seen, COCO17)
            assert sides_swapped(np.where(pair[:, None], seen[COCO17.flip], seen), COCO17)


def test_crossed_limbs_are_no_error():
    joints = upright(0, 0, 100.0)
    for part in ("elbow", "wrist", "knee", "ankle"):
        pair = np.array([base_name(joint) == part for joint in COCO17.joints])
        assert not sides_swapped(np.where(pair[:, None], joints[COCO17.flip], joints), COCO17)


def test_without_a_torso_nothing_is_said():
    joints = upright(0, 0, 100.0)
    swapped = np.where(FACE[:, None], joints, joints[COCO17.flip])
    assert sides_swapped(swapped, COCO17)
    for joint in COCO17.indices("left_hip", "right_shoulder"):
        lacking = swapped.copy()
        lacking[joint] = np.nan
        assert not sides_swapped(lacking, COCO17)
    assert not sides_swapped(np.full((17, 2), np.nan), COCO17)
    assert not sides_swapped(np.zeros((17, 2)), COCO17)
    assert sides_swapped(swapped[[*(COCO17.map_to(LSP14)[:12]), 0, 0]], LSP14) is False  # the face is not in LSP


def sitting(bend):
    """(13, 3) metres: on a chair, facing the camera, knees bent by `bend` radians."""
    joints = np.zeros((13, 3))
    for side, x in (("left", 0.15), ("right", -0.15)):
        knee, shank = (0.3 + 0.4 * np.cos(bend), -0.4 * np.sin(bend)), np.array([0.4, 0])
        places = {"hip": (0.3, 0), "shoulder": (-0.3, 0), "knee": knee, "ankle": knee + shank}
        for part, (y, z) in places.items():
            joints[LCR13.index(f"{side}_{part}")] = x, y, z
    return joints


def test_knees_bend_forward():
    rng = np.random.default_rng(0)
    for turn in Rotation.random(20, random_state=rng):
        for bend in (0.0, 0.3, 0.8, 1.5, 2.0):
            assert not knees_bend_backward(turn.apply(sitting(bend)))
        wrong = turn.apply(sitting(1.2))
        assert knees_bend_backward(wrong[LCR13.flip])
        assert knees_bend_backward(wrong * [1, 1, -1])
        assert not knees_bend_backward(turn.apply(sitting(0.2))[LCR13.flip])  # too straight to tell
    assert not knees_bend_backward(np.full((13, 3), np.nan))
    assert not knees_bend_backward(np.zeros((13, 3)))


def test_one_knee_that_bends_forward_is_enough():
    joints = sitting(1.2)
    joints[LCR13.indices("left_knee", "left_ankle"), 2] *= -1
    assert not knees_bend_backward(joints)
