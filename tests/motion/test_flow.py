"""Flow: joints move with the picture, hidden ones with their person."""

import json

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.motion.flow import SmallFrame, median_step, propagate


def ground(seed=0):
    noise = np.random.default_rng(seed).integers(0, 255, (240, 320, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


@pytest.mark.parametrize("shift", [(3, 0), (-6, 4), (0, -8)])
def test_joints_move_with_the_picture_at_reduced_size_too(shift):
    image = ground()
    moved = np.roll(image, shift[::-1], axis=(0, 1))
    joints = np.random.default_rng(1).uniform([60, 60], [260, 180], (5, 13, 2))
    for side in (320, 200):
        result = propagate(SmallFrame.of(image, side), SmallFrame.of(moved, side), joints, np.ones((5, 13), bool))
        assert np.median(np.abs(result - joints - shift)) < 0.5


def test_hidden_joints_move_with_the_visible_ones_and_nobody_visible_is_nan():
    image = ground()
    moved = image.copy()
    moved[:, 160:] = np.roll(image, 6, axis=1)[:, 160:]
    joints = np.full((2, 13, 2), [240.0, 120.0]) + np.random.default_rng(2).uniform(-30, 30, (2, 13, 2))
    joints[0, 5] = [60, 120]  # on the part that stands still
    joints[0, 6] = np.nan
    visible = np.ones((2, 13), bool)
    visible[0, 5] = visible[1] = False
    result = propagate(SmallFrame.of(image, 320), SmallFrame.of(moved, 320), joints, visible)
    np.testing.assert_allclose(result[0, 5], [66, 120], atol=0.7)
    assert np.isnan(result[0, 6]).all()
    assert np.isnan(result[1]).all()


def test_the_median_step_is_numpys_and_needs_both_numbers():
    steps = np.random.default_rng(4).normal(size=(6, 12, 2))
    steps[1, 3] = steps[2, :11] = steps[3] = np.nan
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        expected = np.nanmedian(steps, axis=1)
    np.testing.assert_allclose(median_step(steps), expected)
    steps[4, 5, 0] = np.nan  # half a step is none
    np.testing.assert_allclose(median_step(steps)[4], np.median(np.delete(steps[4], 5, axis=0), axis=0))


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (16, 640), (481, 643), (3000, 20)])
def test_any_picture_is_reduced_to_where_its_pixels_are(shape):
    row, column = np.mgrid[: shape[0], : shape[1]]
    for value, axis in ((column, 0), (row, 1)):
        small = SmallFrame.of(np.repeat((255 * value / max(shape))[..., None], 3, 2).astype(np.uint8), 160)
        assert min(small.grey.shape) >= 16
        if min(shape) < 16:
            continue
        centre = (np.arange(small.grey.shape[1 - axis]) + 0.5) / small.scale[axis] - 0.5
        np.testing.assert_allclose(small.grey.mean(axis=axis), 255 * centre / max(shape), atol=1)


def test_pictures_of_two_sizes_say_nothing():
    small = SmallFrame.of(ground()[:100], 320)
    assert np.isnan(propagate(SmallFrame.of(ground(), 320), small, np.ones((1, 13, 2)), np.ones((1, 13), bool))).all()


def test_through_json_and_back():
    frame = SmallFrame.of(ground(), 200)
    again = SmallFrame.from_dict(json.loads(json.dumps(frame.to_dict())))
    np.testing.assert_array_equal(again.grey, frame.grey)
    assert again.scale == frame.scale
    for damaged in ({"png": "%%", "scale": [1, 1]}, {"scale": [1, 1]}, {"png": "", "scale": [1, 1]}):
        with pytest.raises(InputError, match="damaged picture"):
            SmallFrame.from_dict(damaged)
