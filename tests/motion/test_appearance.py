"""Colours: of the clothes, not of the ground, and unknown where nothing is seen."""

import cv2
import numpy as np

from anchorpose.motion.appearance import BINS, SIZE, histograms, likeness

from .people import CAMERA, people_at


def drawn(poses, colours, ground=120):
    image = np.full((CAMERA.height, CAMERA.width, 3), ground, np.uint8)
    for joints, colour in zip(poses.joints2d, colours, strict=True):
        cv2.fillConvexPoly(image, cv2.convexHull(joints[[4, 5, 10, 11]].astype(np.int32)), colour)
        for a, b in poses.skeleton.bones:
            cv2.line(image, tuple(map(int, joints[a])), tuple(map(int, joints[b])), colour, 20)
    return image


def test_the_same_clothes_are_alike_and_others_are_not_wherever_they_are():
    here, there = people_at([[-1, 0, 4.0], [1, 0, 4.0]]), people_at([[1, 0, 5.0], [-1, 0, 4.5]])
    colours = [(30, 30, 200), (200, 90, 30)]
    a = histograms(drawn(here, colours), here)
    b = histograms(drawn(there, colours, ground=30), there)
    np.testing.assert_allclose(a.reshape(2, -1, BINS).sum(-1), 1)
    alike = likeness(a, b)
    assert np.diag(alike).min() > 0.95
    assert max(alike[0, 1], alike[1, 0]) < 0.7
    np.testing.assert_allclose(likeness(a, a).diagonal(), 1)
    np.testing.assert_allclose(likeness(a, b), likeness(b, a).T)


def test_a_little_more_light_changes_little():
    poses = people_at([[0, 0, 4.0]])
    dark, light = (histograms(drawn(poses, [(v, v + 20, v + 40)]), poses) for v in (90, 98))
    assert likeness(dark, light)[0, 0] > 0.9


def test_what_is_not_seen_is_not_known():
    poses = people_at([[0, 0, 4.0], [9, 0, 4.0]])
    poses.joint_states[0, :4] = 2  # knees and ankles are hidden: no legs
    result = histograms(drawn(poses[:1], [(30, 30, 200)]), poses)
    assert np.isfinite(result[0, : SIZE // 2]).all()
    assert np.isnan(result[0, SIZE // 2 :]).all()
    assert np.isnan(result[1]).all()
    assert np.isnan(likeness(result, result)[1]).all()
    assert histograms(drawn(poses[:0], []), poses[:0]).shape == (0, SIZE)
