from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anchorpose
from anchorpose import Camera, InputError, JointState
from anchorpose.app.estimator import _turned, find_model, joint_states
from anchorpose.core.boxes import around
from anchorpose.core.camera import looking_along
from anchorpose.core.poses import Hypotheses, body_centre
from anchorpose.io.letterbox import ENLARGE, letterbox
from anchorpose.lcrnet.placement import in_camera_axes

from . import graphs

RED = (0, 0, 255)


def picture(width: int, height: int, centre: tuple[int, int] | None, radius: int = 8) -> np.ndarray:
    """Grey with a red square; BGR. Grey has as much red, but also blue."""
    image = np.full((height, width, 3), 200, np.uint8)
    if centre is not None:
        x, y = centre
        image[y - radius : y + radius, x - radius : x + radius] = RED
    return image


@pytest.mark.parametrize(
    ("width", "height", "centre"),
    [(512, 300, (400, 80)), (300, 512, (60, 400)), (128, 100, (30, 70)), (256, 256, (128, 40)), (1000, 333, (900, 40))],
)
def test_joints_come_back_in_pixels_of_the_photograph(tiny: Path, width: int, height: int, centre: tuple) -> None:
    poses = anchorpose.load(tiny)(picture(width, height, centre, radius=16))
    assert len(poses) == 1
    factor = min(256 / max(width, height), ENLARGE)
    new = np.array([round(width * factor), round(height * factor)])
    scale = new / [width, height]
    np.testing.assert_allclose(poses.joints2d[0], centre + graphs.OFFSETS / scale, atol=1.0)
    np.testing.assert_allclose(poses.boxes[0], around(poses.joints2d[0], 0.1), atol=1e-3)
    np.testing.assert_allclose(poses.scores, [0.9], atol=1e-6)
    np.testing.assert_allclose(poses.joint_scores[0], graphs.VISIBILITY, atol=1e-6)
    assert (poses.camera.width, poses.camera.height, poses.camera.assumed) == (width, height, True)


def test_proposals_are_scaled_on_both_axes(tiny: Path) -> None:
    estimator = anchorpose.load(tiny, max_side=128)
    proposals, _ = estimator.detect_proposals(picture(640, 130, (320, 60), radius=32))
    scale = np.array([128 / 640, 26 / 130])
    box = proposals.boxes[0]
    np.testing.assert_allclose(box[2:] - box[:2], (graphs.BOX[2:] - graphs.BOX[:2]) / scale, rtol=1e-5)
    np.testing.assert_allclose(proposals.joints2d[1].mean(0), [320, 60] + graphs.OFFSETS.mean(0) / scale, atol=6)


def test_people_are_placed_where_they_project_to_their_joints(tiny: Path) -> None:
    camera = Camera(500, 500, 400, 80, 512, 300)  # looks straight at them
    poses = anchorpose.load(tiny)(picture(512, 300, (400, 80)), camera)
    assert poses.camera is camera
    np.testing.assert_allclose(poses.camera.project(poses.joints3d_camera), poses.joints2d, atol=1.0)
    np.testing.assert_allclose(body_centre(poses.joints3d[0]), 0, atol=1e-6)
    # The pose is flat, so that depth is focal length times metres over pixels: 20 pixels a metre at half size.
    np.testing.assert_allclose(poses.translation[0, 2], 500 / 40, rtol=0.01)


def test_people_beside_the_optical_axis_are_turned_into_the_cameras_axes(tiny: Path) -> None:
    """The network says the same of a cut-out wherever the camera points; its ray is what makes the difference."""
    estimator, image = anchorpose.load(tiny), picture(512, 300, (400, 80))
    straight = []
    for camera in (Camera(500, 500, 400, 80, 512, 300), Camera(500, 500, 256, 150, 512, 300)):
        poses = estimator(image, camera)
        rays = (body_centre(poses.joints2d) - [camera.cx, camera.cy]) / 500
        straight.append(poses.joints3d @ looking_along(np.append(rays, [[1.0]], axis=1)))
    np.testing.assert_allclose(straight[0], straight[1], atol=1e-6)
    assert np.abs(poses.joints3d - straight[1]).max() > 0.05


def test_further_modes_are_turned_like_their_person() -> None:
    rng, camera = np.random.default_rng(0), Camera.from_fov(640, 480)
    modes = tuple(Hypotheses(rng.random(m), rng.uniform(0, 480, (m, 13, 2)), rng.normal(0, 0.4, (m, 13, 3)))
                  for m in (2, 0, 1))  # fmt: skip
    for found, before in zip(_turned(modes, camera), modes, strict=True):
        np.testing.assert_allclose(found.joints3d, in_camera_axes(before.joints2d, before.joints3d, camera), atol=1e-6)
        np.testing.assert_array_equal(found.joints2d, before.joints2d)
    assert _turned((), camera) == ()


def test_a_camera_for_another_size_is_refused(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"camera\.scaled\(512, 300\)"):
        anchorpose.load(tiny)(picture(512, 300, None), Camera.from_fov(640, 480))


def test_fov_sets_the_camera(tiny: Path) -> None:
    camera = anchorpose.load(tiny, fov=90)(picture(100, 50, None)).camera
    assert not camera.assumed
    assert camera.fx == pytest.approx(50)


def test_states() -> None:
    camera = Camera.from_fov(100, 50)
    joints = np.array([[[50, 20], [50, 20], [-1, 20], [50, 51], [100, 50], [np.nan, 3]]])
    visibility = np.array([[0.5, 0.49, 0.9, 0.9, 0.9, 0.9]])
    wanted = ["VISIBLE", "HIDDEN", "OUTSIDE", "OUTSIDE", "VISIBLE", "MISSING"]
    assert [JointState(s).name for s in joint_states(joints, visibility, camera)[0]] == wanted


def test_joints_beyond_the_border_are_outside(tiny: Path) -> None:
    poses = anchorpose.load(tiny)(picture(256, 256, (4, 128), radius=3))
    states, joints = poses.joint_states[0], poses.joints2d[0]
    assert ((joints[:, 0] < 0) == (states == JointState.OUTSIDE)).all()
    assert (states == JointState.OUTSIDE).any()
    assert (states == JointState.VISIBLE).any()


def test_nobody(tiny: Path) -> None:
    poses = anchorpose.load(tiny)(picture(200, 100, None))
    assert len(poses) == 0
    assert poses.joints3d.shape == (0, 13, 3)


def test_min_score_leaves_people_out_and_replaces_the_models_own(tiny: Path, tmp_path: Path) -> None:
    image = picture(256, 256, (128, 128))
    assert len(anchorpose.load(tiny, min_score=0.89)(image)) == 1
    assert len(anchorpose.load(tiny, min_score=0.91)(image)) == 0
    strict = graphs.write_graph(tmp_path / "strict.onnx", graphs.entries(integration={"min_person_score": 2.0}))
    assert len(anchorpose.load(strict)(image)) == 0
    assert len(anchorpose.load(strict, min_score=0)(image)) == 1


def test_batch_keeps_the_order(tiny: Path) -> None:
    places = [(40, 40), None, (200, 100)]
    estimator = anchorpose.load(tiny)
    found = estimator.batch([picture(256, 256, place) for place in places])
    assert [len(p) for p in found] == [1, 0, 1]
    assert found[0].joints2d[0, :, 0].mean() < found[2].joints2d[0, :, 0].mean()
    alone = estimator(picture(256, 256, places[2]))
    np.testing.assert_array_equal(found[2].joints2d, alone.joints2d)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 12000, 3), (12000, 1, 3), (12, 12000, 3), (40, 30), (40, 30, 1)])
def test_odd_shapes_work(tiny: Path, shape: tuple[int, ...]) -> None:
    poses = anchorpose.load(tiny)(np.full(shape, 90, np.uint8))
    assert (poses.camera.height, poses.camera.width) == shape[:2]


def test_pictures_from_files(tiny: Path, tmp_path: Path) -> None:
    image = picture(256, 256, (128, 60))
    cv2.imwrite(str(tmp_path / "a.png"), image)
    estimator = anchorpose.load(tiny)
    np.testing.assert_array_equal(estimator(tmp_path / "a.png").joints2d, estimator(image).joints2d)
    np.testing.assert_array_equal(estimator(str(tmp_path / "a.png")).joints2d, estimator(image).joints2d)
    with pytest.raises(InputError):
        estimator(tmp_path / "none.png")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([128, 130, 250, 256, 320]))
def test_fit_pads_to_the_stride_with_zero(width: int, height: int, max_side: int) -> None:
    padded, (sx, sy) = letterbox(np.full((height, width, 3), (10, 20, 30), np.uint8), max_side)
    assert padded.shape[0] % 32 == padded.shape[1] % 32 == 0
    new_width, new_height = round(width * sx), round(height * sy)
    assert max(new_width, new_height) == min(max_side, max(1, round(max(width, height) * ENLARGE)))
    assert padded.shape[0] == 128 or 128 < padded.shape[0] < new_height + 32
    assert padded.shape[1] == 128 or 128 < padded.shape[1] < new_width + 32
    assert (padded[:new_height, :new_width] == (30, 20, 10)).all()
    assert padded[new_height:].sum() == padded[:, new_width:].sum() == 0


def test_fit_leaves_a_picture_of_the_right_size_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (160, 256, 3), dtype=np.uint8)
    padded, scale = letterbox(image, 256)
    assert scale == (1, 1)
    np.testing.assert_array_equal(padded, image[..., ::-1])


def test_unknown_models_and_options(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"unknown model 'lcrnet-lyte'.*embedded"):
        anchorpose.load("lcrnet-lyte")
    for options in ({"max_side": 3}, {"max_side": 10**6}, {"min_score": -1}, {"min_score": float("nan")}, {"fov": 180}):
        with pytest.raises(InputError, match=next(iter(options))):
            anchorpose.load(tiny, **options)
    assert find_model(tiny) == tiny
