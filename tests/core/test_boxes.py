import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anchorpose.core import boxes

corners = st.floats(-1000, 1000, width=32)


@st.composite
def some_boxes(draw):
    raw = draw(arrays(np.float64, (draw(st.integers(1, 5)), 2, 2), elements=corners))
    return np.concatenate([raw.min(1), raw.max(1)], axis=1)


def slow_iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


@given(some_boxes(), some_boxes())
def test_iou_equals_its_definition(a, b):
    found = boxes.iou(a, b)
    np.testing.assert_allclose(found, [[slow_iou(x, y) for y in b] for x in a], atol=1e-9)
    np.testing.assert_allclose(found, boxes.iou(b, a).T)


@given(some_boxes())
def test_a_box_overlaps_itself_fully(a):
    own = np.diag(boxes.iou(a, a))
    assert np.allclose(own[boxes.area(a) > 0], 1)
    assert np.allclose(np.diag(boxes.overlap_of(a, a))[boxes.area(a) > 0], 1)


def test_overlap_of_is_a_share_of_the_first_box():
    inner, outer = np.array([[1.0, 1, 2, 2]]), np.array([[0.0, 0, 4, 4]])
    assert boxes.overlap_of(inner, outer)[0, 0] == 1
    assert boxes.overlap_of(outer, inner)[0, 0] == 1 / 16


def test_around_leaves_missing_joints_out():
    joints = np.array([[[1.0, 2], [np.nan, np.nan], [11, 22]], [[np.nan] * 2] * 3], dtype=np.float32)
    found = boxes.around(joints, 0.1)
    np.testing.assert_allclose(found[0], [0, 0, 12, 24])
    assert np.isnan(found[1]).all()


@given(some_boxes())
def test_xywh_round_trip(a):
    np.testing.assert_allclose(boxes.from_xywh(boxes.to_xywh(a)), a, rtol=1e-5, atol=1e-3)


def test_clip_cuts_at_the_border():
    np.testing.assert_array_equal(boxes.clip(np.array([-5.0, 3, 50, 400]), 40, 30), [0, 3, 40, 30])
