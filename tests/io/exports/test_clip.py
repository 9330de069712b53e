from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import COCO17, LCR13
from anchorpose.io.exports.axes import from_axes, to_axes
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.npz import read_npz, write_npz
from tests.io.exports.clips import CAMERA, poses, stand, walk, walk_frames


def same(a: Clip, b: Clip) -> None:
    assert (a.skeleton, a.camera, a.fps) == (b.skeleton, b.camera, b.fps)
    np.testing.assert_array_equal(a.times, b.times)
    np.testing.assert_array_equal(a.indices, b.indices)
    assert [p.id for p in a.people] == [p.id for p in b.people]
    for p, q in zip(a.people, b.people, strict=True):
        for name in ("joints2d", "joints3d", "translation", "scores", "states", "confidence"):
            np.testing.assert_array_equal(getattr(p, name), getattr(q, name), err_msg=name)


def test_frames_to_clip_and_back() -> None:
    frames = walk_frames()
    clip = Clip.from_frames(frames)
    assert clip.fps == pytest.approx(25)
    assert [p.id for p in clip.people] == [2, 7]
    same(clip, Clip.from_frames(clip.frames(), fps=clip.fps))
    for (index, time, wanted), (i, t, found) in zip(frames, clip.frames(), strict=True):
        assert (index, time) == (i, t)
        assert wanted.track_ids is not None
        ordered = wanted[np.argsort(wanted.track_ids)]
        for name in ("track_ids", "boxes", "joints2d", "joints3d", "translation", "joint_states", "scores"):
            np.testing.assert_array_equal(getattr(ordered, name), getattr(found, name), err_msg=name)


def test_who_is_absent_is_nan_and_missing() -> None:
    person = walk().person(7)
    assert person.present.tolist() == [5 <= k < 15 for k in range(24)]
    assert np.isnan(person.joints3d[~person.present]).all()
    assert (person.states[~person.present] == JointState.MISSING).all()
    assert np.isfinite(person.in_camera()[person.present]).all()


def test_infinite_numbers_count_as_missing() -> None:
    index, time, person = walk_frames(1)[0]
    joints = person.joints3d.copy()
    joints[0, 3] = np.inf
    clip = Clip.from_frames([(index, time, replace(person, joints3d=joints))])
    assert np.isnan(clip.people[0].joints3d[0, 3]).all()
    assert np.isfinite(np.delete(clip.people[0].joints3d[0], 3, axis=0)).all()


def test_a_person_without_a_place_stays_at_the_origin() -> None:
    clip = stand()
    lost = replace(clip.people[0], translation=np.full((3, 3), np.nan, np.float32))
    np.testing.assert_array_equal(lost.in_camera(), lost.joints3d)


def test_npz_round_trip(tmp_path) -> None:
    for clip in (walk(), stand(), Clip.from_frames([(0, 0.0, Poses.empty(CAMERA))])):
        write_npz(tmp_path / "a.npz", clip)
        same(clip, read_npz(tmp_path / "a.npz"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"hello"])
def test_a_broken_npz_is_an_input_error(tmp_path, content) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"give a \.npz"):
        read_npz(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match="cannot read"):
        read_npz(path)


def test_an_even_clip_is_not_resampled() -> None:
    clip = walk()
    assert clip.at_constant_rate() is clip
    jittered = replace(clip, times=np.round(clip.times, 3))
    assert jittered.at_constant_rate() is jittered


def test_uneven_frames_are_interpolated_and_gaps_are_not() -> None:
    still = np.zeros((1, 13, 3))
    times = [0.0, 0.1, 0.2, 0.35, 0.4, 0.5, 1.5, 1.6, 1.7]
    frames = [(k, t, poses(still, np.array([[t, 0, 4.0]]), [1])) for k, t in enumerate(times)]
    clip = Clip.from_frames(frames).at_constant_rate()
    assert clip.fps == pytest.approx(10)
    np.testing.assert_allclose(clip.times, np.arange(18) / 10)
    x = clip.people[0].translation[:, 0]
    known = np.r_[0:6, 15:18]
    np.testing.assert_allclose(x[known], clip.times[known], atol=1e-6)  # 0.3 lies between 0.2 and 0.35
    assert np.isnan(x[6:15]).all()
    assert not clip.people[0].present[6:15].any()


def test_moved_turns_the_scene_rigidly() -> None:
    clip = walk()
    turn = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    moved = clip.moved(turn, [0.3, -0.2, 1.0])
    for a, b in zip(clip.people, moved.people, strict=True):
        np.testing.assert_allclose((a.in_camera() - [0.3, -0.2, 1.0]) @ turn.T, b.in_camera(), atol=1e-5)


@pytest.mark.parametrize("up", ["y", "z"])
def test_axes_are_right_handed_and_have_the_head_above_the_feet(up) -> None:
    turned = to_axes(np.eye(3), up)
    assert np.linalg.det(turned) == pytest.approx(1)
    joints = to_axes(stand().people[0].in_camera()[0], up, 1000)
    vertical = "xyz".index(up)
    height = joints[LCR13.index("head_top")] - joints[LCR13.indices("left_ankle", "right_ankle")].mean(0)
    assert height.argmax() == vertical
    assert 1600 < height[vertical] < 1900
    np.testing.assert_allclose(from_axes(joints, up, 1000), stand().people[0].in_camera()[0], atol=1e-6)


def test_bad_frames_are_refused() -> None:
    frames = walk_frames(4)
    with pytest.raises(InputError, match="no frames"):
        Clip.from_frames([])
    with pytest.raises(InputError, match="do not increase"):
        Clip.from_frames(frames[::-1])
    index, time, first = frames[0]
    with pytest.raises(InputError, match="without track ids"):
        Clip.from_frames([(index, time, replace(first, track_ids=None))])
    with pytest.raises(InputError, match="twice"):
        Clip.from_frames([(index, time, first[[0, 0]])])
    with pytest.raises(InputError, match="one in a clip"):
        Clip.from_frames([frames[0], (99, 9.0, first.to_skeleton(COCO17))])
    with pytest.raises(InputError, match="those in the clip: 2, 7"):
        walk().person(3)
    with pytest.raises(ValueError, match="joints2d has shape"):
        replace(walk(), times=np.arange(3.0))
