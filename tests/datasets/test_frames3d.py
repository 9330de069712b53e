from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anchorpose.core.skeleton import (
    H36M32,
    HUMANEVA15,
    LCR13,
    MPI3DHP28,
    MUPOTS17,
    PANOPTIC19,
    SMPL24,
    mirror_name,
)
from anchorpose.datasets.frames3d import HEAD_OVER_TORSO, Frame3D, no_visibility, with_head_top
from tests.datasets.actors import bodies, project

SKELETONS = [H36M32, HUMANEVA15, MPI3DHP28, MUPOTS17, PANOPTIC19, SMPL24]


def frame_of(count=3, size=(2048, 2048)):
    joints = bodies(MUPOTS17, count).astype(np.float32)
    return Frame3D(Path("a.jpg"), MUPOTS17, project(joints).astype(np.float32), joints, no_visibility(joints), size)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_skeletons_are_trees_that_mirror_onto_themselves(skeleton):
    children = [child for _, child in skeleton.bones]
    assert len(skeleton.bones) == len(skeleton) - 1 == len(set(children))
    mirrored = {(int(skeleton.flip[a]), int(skeleton.flip[b])) for a, b in skeleton.bones}
    assert mirrored == set(skeleton.bones)
    assert all(skeleton.joints[j] == mirror_name(skeleton.joints[i]) for i, j in enumerate(skeleton.flip))
    assert (skeleton.map_to(LCR13)[:12] >= 0).all()


@pytest.mark.parametrize(("skeleton", "positions"), [
    (H36M32, {"right_hip": 1, "left_ankle": 8, "head_top": 15, "left_shoulder": 17, "right_wrist": 27}),
    (MPI3DHP28, {"pelvis": 4, "head_top": 7, "left_wrist": 11, "right_shoulder": 14, "left_hip": 18, "right_toe": 27}),
    (MUPOTS17, {"head_top": 0, "right_shoulder": 2, "left_wrist": 7, "right_hip": 8, "pelvis": 14}),
    (SMPL24, {"left_hip": 1, "right_ankle": 8, "neck": 12, "head": 15, "right_wrist": 21}),
    (PANOPTIC19, {"nose": 1, "left_shoulder": 3, "right_shoulder": 9, "right_ankle": 14, "left_ear": 16}),
    (HUMANEVA15, {"left_shoulder": 2, "right_wrist": 7, "left_hip": 8, "head": 14}),
], ids=lambda v: getattr(v, "name", ""))  # fmt: skip
def test_joints_are_where_the_toolkits_have_them(skeleton, positions):
    assert {joint: skeleton.index(joint) for joint in positions} == positions


def test_people_out_of_the_picture_or_without_joints_are_left_out():
    frame = frame_of()
    joints2d = frame.joints2d.copy()
    joints2d[0] += 5000
    joints2d[1] = np.nan
    assert len(frame.sample().people) == 3
    left = replace(frame, joints2d=joints2d).sample().people
    assert len(left) == 1
    np.testing.assert_array_equal(left[0].joints2d, frame.sample().people[2].joints2d)
    assert len(replace(frame, joints2d=joints2d, size=None).sample().people) == 2


def test_half_known_joints_are_unknown_and_a_missing_hip_leaves_no_centre():
    frame = frame_of()
    frame.joints3d[0, MUPOTS17.index("left_wrist"), 2] = np.nan
    frame.joints3d[1, MUPOTS17.index("left_hip")] = np.nan
    first, second, _ = frame.sample().people
    missing = np.isnan(first.joints3d)
    assert missing[LCR13.index("left_wrist")].all()
    assert missing.sum() == 3
    assert np.isnan(second.joints3d).all()
    assert not np.isnan(second.joints2d).any()


def test_nobody_gives_an_empty_sample():
    assert replace(frame_of(), joints2d=np.zeros((0, 17, 2), np.float32), joints3d=np.zeros((0, 17, 3), np.float32),
                   visible=np.zeros((0, 17), np.int8)).sample().people == ()  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_the_head_top_moves_with_the_body_and_keeps_its_proportion(seed):
    rng = np.random.default_rng(seed)
    body = bodies(SMPL24, 4, seed).astype(np.float32)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    scale, shift = rng.uniform(0.5, 2), rng.normal(size=3)
    top, longer = with_head_top(body, SMPL24)
    moved, _ = with_head_top((scale * body @ turn.T + shift).astype(np.float32), SMPL24)
    np.testing.assert_allclose(moved[:, -1], scale * top[:, -1] @ turn.T + shift, atol=1e-4)
    assert longer.joints[-1] == "head_top"
    shoulders = body[:, SMPL24.indices("left_shoulder", "right_shoulder")].mean(1)
    hips = body[:, SMPL24.indices("left_hip", "right_hip")].mean(1)
    reach = np.linalg.norm(top[:, -1] - shoulders, axis=1) / np.linalg.norm(shoulders - hips, axis=1)
    np.testing.assert_allclose(reach, HEAD_OVER_TORSO, atol=1e-4)


def test_a_head_that_is_already_the_top_stays():
    body = bodies(SMPL24, 2).astype(np.float32)
    top, _ = with_head_top(body, SMPL24)
    body[:, SMPL24.index("head")] = top[:, -1]
    again, _ = with_head_top(body, SMPL24)
    np.testing.assert_allclose(again[:, -1], top[:, -1], atol=1e-4)
    body[:, SMPL24.index("head"), 1] -= 0.3  # beyond any head
    beyond, _ = with_head_top(body, SMPL24)
    np.testing.assert_allclose(beyond[:, -1], body[:, SMPL24.index("head")], atol=1e-5)
