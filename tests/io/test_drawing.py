from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import BLAZEPOSE33, BODY25, COCO17, LCR13, LSP14, Skeleton
from anchorpose.io.drawing import draw_overlay, draw_result, draw_scene3d
from anchorpose.io.figure import SIDES, links, person_colour
from anchorpose.io.overlay import line_width
from anchorpose.io.scene3d import fit_view, view_rotation
from tests.io.people import people


def plain(poses: Poses, level: int = 128) -> np.ndarray:
    return np.full((poses.camera.height, poses.camera.width, 3), level, np.uint8)


def where(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 6) -> np.ndarray:
    """(m, 2) x, y of the pixels of about this colour."""
    return np.argwhere((np.abs(image.astype(int) - colour) <= tolerance).all(-1))[:, ::-1]


def with_state(poses: Poses, state: JointState, *joints: str) -> Poses:
    states = poses.joint_states.copy()
    states[:, LCR13.indices(*joints) if joints else slice(None)] = state
    return replace(poses, joint_states=states)


def test_nothing_is_modified() -> None:
    poses = people((-0.8, 0, 4), (0.8, 0, 5))
    image, before = plain(poses), poses.to_dict()
    for draw in (draw_overlay, draw_result):
        image.flags.writeable = False
        draw(image, poses)
    draw_scene3d(poses, 300, 200)
    assert (image == 128).all()
    assert poses.to_dict() == before


def test_joints_have_the_persons_hue_and_limbs_their_sides() -> None:
    poses = people((0, 0, 3), width=800, height=800)
    drawn = draw_overlay(plain(poses), poses)
    assert drawn.shape == (800, 800, 3)
    for x, y in poses.joints2d[0]:
        assert tuple(drawn[int(y), int(x)]) == person_colour(0)
    for side in ("left", "right"):
        pair = poses.joints2d[0, LCR13.indices(f"{side}_hip", f"{side}_knee")]
        x, y = pair.mean(0)
        assert np.abs(drawn[int(y), int(x)].astype(int) - SIDES[side]).max() <= 2


def test_two_people_have_two_hues() -> None:
    poses = people((-0.8, 0, 4), (0.8, 0, 4), width=800, height=800)
    drawn = draw_overlay(plain(poses), poses)
    for i in range(2):
        x, y = poses.joints2d[i, LCR13.index("head_top")]
        assert tuple(drawn[int(y), int(x)]) == person_colour(i)
    tracked = draw_overlay(plain(poses), replace(poses, track_ids=np.array([5, 2])))
    x, y = poses.joints2d[0, LCR13.index("head_top")]
    assert tuple(tracked[int(y), int(x)]) == person_colour(5)


def test_hidden_joints_are_hollow_and_their_bones_dashed() -> None:
    poses = people((0, 0, 3), width=800, height=800)
    hidden = with_state(poses, JointState.HIDDEN, "left_knee")
    seen, unseen = (draw_overlay(plain(poses), p) for p in (poses, hidden))
    x, y = poses.joints2d[0, LCR13.index("left_knee")]
    assert tuple(seen[int(y), int(x)]) == person_colour(0)
    assert tuple(unseen[int(y), int(x)]) != person_colour(0)
    a, b = poses.joints2d[0, LCR13.indices("left_hip", "left_knee")]
    along = [a + (b - a) * t for t in np.linspace(0.2, 0.8, 60)]
    bare = [(unseen[int(y), int(x)] == 128).all() for x, y in along]
    assert 5 < sum(bare) < 55
    assert not any((seen[int(y), int(x)] == 128).all() for x, y in along)


def test_a_body_that_leaves_the_picture_extends_the_canvas() -> None:
    poses = people((0, 0.9, 2.2), width=400, height=300)
    outside = with_state(poses, JointState.OUTSIDE, "left_ankle", "right_ankle")
    lowest = poses.joints2d[..., 1].max()
    assert lowest > 300
    drawn = draw_overlay(plain(poses), outside)
    assert drawn.shape[0] > min(lowest, 300 + 0.4 * 400 - 1)
    assert drawn.shape[1] == 400
    kept = draw_overlay(plain(poses), outside, extend=False)
    assert kept.shape == (300, 400, 3)
    assert len(where(kept[270:], person_colour(0))) > 10  # the arrow at the border


@pytest.mark.parametrize("scale", [0.25, 1, 4, 8])
def test_lines_follow_the_image_size(scale: float) -> None:
    side = int(400 * scale)
    poses = people((0, 0, 3), width=side, height=side)
    drawn = draw_overlay(plain(poses), poses, labels=False)
    changed = (drawn != 128).any(-1).mean()
    assert 0.012 < changed < 0.09
    assert line_width(300, 6000) > line_width(300, 600) >= 1


def test_empty_and_broken_people() -> None:
    nobody = people()
    image = plain(nobody)
    np.testing.assert_array_equal(draw_overlay(image, nobody), image)
    assert draw_result(image, nobody).ndim == 3
    assert draw_scene3d(nobody, 320, 200).shape == (200, 320, 3)
    lost = people((0, 0, 4))
    lost.joints2d[:], lost.joints3d[:], lost.translation[:], lost.boxes[:] = (np.nan,) * 4
    np.testing.assert_array_equal(draw_overlay(image, lost), image)
    assert draw_result(image, lost).ndim == 3
    far = people((0, 0, 4))
    far.joints2d[0, 0], far.joints2d[0, 1] = (1e9, 5), (-3e8, 2e9)
    assert draw_overlay(image, far).shape[1] < 1200


def test_scene_stands_upright_and_left_is_left() -> None:
    poses = people((0, 0, 5), width=600, height=600)
    view = draw_scene3d(poses, 600, 600, yaw=0)
    left, right = where(view, SIDES["left"], 2), where(view, SIDES["right"], 2)
    assert len(left) > 100
    # seen from the camera, a person who faces it has their left side at the right
    assert left[:, 0].mean() > right[:, 0].mean() + 20
    behind = draw_scene3d(poses, 600, 600, yaw=180)
    assert where(behind, SIDES["left"], 2)[:, 0].mean() < where(behind, SIDES["right"], 2)[:, 0].mean() - 20


def test_head_is_above_the_feet() -> None:
    joints = people((0, 0, 5)).joints3d_camera[0].astype(float)
    for yaw, pitch in ((0, 0), (30, -15), (120, -40), (-90, 10)):
        view = fit_view(joints, 500, 400, yaw, pitch)
        y = view.project(joints)[:, 1]
        assert y[LCR13.index("head_top")] < y[LCR13.index("left_hip")] < y[LCR13.index("left_ankle")]


def test_head_is_drawn_above_the_feet() -> None:
    poses = people((0, 0, 5))
    joints = poses.joints3d.copy()
    head, feet = LCR13.index("head_top"), LCR13.indices("left_ankle", "right_ankle")
    joints[:, [j for j in range(13) if j != head and j not in feet]] = np.nan
    scattered = replace(poses, joints3d=joints)
    y = np.unique(where(draw_scene3d(scattered, 500, 500), person_colour(0), 2)[:, 1])
    gap = np.diff(y).argmax()
    top, bottom = y[: gap + 1], y[gap + 1 :]
    assert np.ptp(top) < np.ptp(bottom) + 40
    only_head = replace(poses, joints3d=np.where(np.arange(13)[:, None] == head, joints, np.nan).astype(np.float32))
    assert len(where(draw_scene3d(only_head, 500, 500), person_colour(0), 2)) > 20
    assert bottom.min() - top.max() > 100


def test_view_direction() -> None:
    right_of_camera = view_rotation(30, 0)[2]
    assert right_of_camera[0] < 0 < right_of_camera[2]  # from the right one looks to the left and forward
    assert view_rotation(0, -15)[2][1] > 0  # y is down: from above one looks down
    np.testing.assert_allclose(view_rotation(0, 0), np.eye(3), atol=1e-12)
    for yaw, pitch in ((30, -15), (200, 40)):
        assert np.linalg.det(view_rotation(yaw, pitch)) == pytest.approx(1)


def test_everyone_fits_in_the_view() -> None:
    poses = people((-6, 0, 4), (0, 1, 30), (5, -1, 8))
    points = poses.joints3d_camera.reshape(-1, 3).astype(float)
    for size in ((300, 700), (800, 200)):
        flat = fit_view(points, *size, 30, -15).project(points)
        assert (flat[:, :2] >= 0).all()
        assert (flat[:, :2] <= size).all()


def test_people_without_a_place_are_left_out() -> None:
    both = people((-0.5, 0, 4), (0.8, 0, 5))
    both.translation[1] = np.nan
    np.testing.assert_array_equal(draw_scene3d(both, 400, 300), draw_scene3d(both[:1], 400, 300))


def test_hidden_joints_differ_in_the_scene() -> None:
    poses = people((0, 0, 4))
    seen = where(draw_scene3d(poses, 500, 500), SIDES["left"], 2)
    hidden = with_state(poses, JointState.HIDDEN)
    assert len(seen) > 50
    assert len(where(draw_scene3d(hidden, 500, 500), SIDES["left"], 2)) < len(seen) / 10


def test_people_behind_the_camera_do_no_harm() -> None:
    assert draw_scene3d(people((0, 0, -3), (0, 0, 4)), 300, 300).shape == (300, 300, 3)
    assert draw_scene3d(people((0, 0, 1e5), (0, 0, 4)), 300, 300).shape == (300, 300, 3)


@pytest.mark.parametrize("size", [(1, 1), (60, 40), (3000, 40), (40, 3000), (4000, 3000)])
def test_result_of_any_size(size: tuple[int, int]) -> None:
    poses = people((0, 0, 3), width=size[0], height=size[1])
    drawn = draw_result(plain(poses), poses)
    assert drawn.dtype == np.uint8
    assert 200 <= drawn.shape[0] <= 3500
    assert drawn.shape[1] <= 8000


@pytest.mark.parametrize("skeleton", [LCR13, COCO17, LSP14, BLAZEPOSE33, BODY25, Skeleton("dots", ("a", "b"))])
def test_every_skeleton_can_be_drawn(skeleton: Skeleton) -> None:
    poses = people((0, 0, 4)).to_skeleton(skeleton)
    assert draw_result(plain(poses), poses).ndim == 3


def test_links_join_the_body() -> None:
    for skeleton in (LCR13, COCO17):
        group = {i: i for i in range(len(skeleton))}
        for link in links(skeleton):
            members = [group[j] for j in link.start + link.end]
            group = {j: members[0] if g in members else g for j, g in group.items()}
        assert len(set(group.values())) == 1, skeleton.name
