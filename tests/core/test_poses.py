import json
import subprocess
import sys

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.poses import Hypotheses, JointState, Poses, body_centre
from anchorpose.core.skeleton import COCO17, LCR13


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    n, j, f = 3, 13, np.float32
    joints3d = rng.normal(size=(n, j, 3)).astype(f)
    joints3d[1, 4] = np.nan
    modes = Hypotheses(np.array([0.4], f), rng.normal(size=(1, j, 2)).astype(f), rng.normal(size=(1, j, 3)).astype(f))
    return Poses(
        LCR13, Camera.from_fov(640, 480), np.array([0.9, 0.5, 0.1], f), rng.random((n, 4)).astype(f),
        rng.random((n, j, 2)).astype(f), joints3d, rng.random((n, 3)).astype(f), rng.random((n, j)).astype(f),
        rng.integers(0, 4, (n, j)).astype(np.uint8), (modes, Hypotheses.none(j), Hypotheses.none(j)),
        np.array([7, 8, 9]), rng.uniform(0.5, 9, (n, j)).astype(f),
    )  # fmt: skip


def test_dict_round_trip_through_real_json_without_nan(people):
    text = json.dumps(people.to_dict(), allow_nan=False)
    back = Poses.from_dict(json.loads(text))
    for name in (
        "scores",
        "boxes",
        "joints2d",
        "joints3d",
        "translation",
        "joint_scores",
        "joint_states",
        "track_ids",
        "joint_errors",
    ):
        np.testing.assert_allclose(getattr(back, name), getattr(people, name), atol=1e-5)
    assert back.skeleton == people.skeleton
    assert back.camera == people.camera
    np.testing.assert_allclose(back.hypotheses[0].joints3d, people.hypotheses[0].joints3d, atol=1e-5)


def test_empty_round_trip(people):
    empty = Poses.empty(people.camera)
    assert len(Poses.from_dict(json.loads(json.dumps(empty.to_dict())))) == 0
    assert len(empty.above(0.5)) == 0
    assert len(empty.to_skeleton(COCO17)) == 0


def test_slicing_masks_and_iteration_agree(people):
    assert len(people[0]) == 1
    np.testing.assert_array_equal(people[1:].scores, people.scores[1:])
    np.testing.assert_array_equal(people[people.scores > 0.3].track_ids, [7, 8])
    np.testing.assert_array_equal(people[[2, 0]].track_ids, [9, 7])
    np.testing.assert_array_equal(people[[2, 0]].joint_errors, people.joint_errors[[2, 0]])
    assert [float(p.scores[0]) for p in people] == people.scores.tolist()
    assert len(people[[2, 0]].hypotheses[1]) == 1
    assert len(people.above(0.5)) == 2


def test_conversion_by_names_marks_what_is_missing(people):
    coco = people.to_skeleton(COCO17)
    np.testing.assert_array_equal(coco.joints2d[:, 5], people.joints2d[:, LCR13.index("left_shoulder")])
    assert np.isnan(coco.joints2d[:, 0]).all()
    assert (coco.joint_states[:, 0] == JointState.MISSING).all()
    assert np.isnan(coco.joint_errors[:, 0]).all()
    np.testing.assert_array_equal(coco.joint_errors[:, 5], people.joint_errors[:, LCR13.index("left_shoulder")])
    back = coco.to_skeleton(LCR13)
    np.testing.assert_array_equal(back.joints2d[:, :12], people.joints2d[:, :12])
    assert np.isnan(back.joints2d[:, 12]).all()


def test_wrong_shapes_and_schemas_are_named(people):
    with pytest.raises(ValueError, match=r"Poses.boxes has shape \(2, 4\), wanted \(3, 4\)"):
        Poses(LCR13, people.camera, people.scores, people.boxes[:2], people.joints2d, people.joints3d,
              people.translation, people.joint_scores, people.joint_states)  # fmt: skip
    with pytest.raises(ValueError, match="schema"):
        Poses.from_dict({"schema": "other"})


def test_body_centre_is_the_mean_of_hips_and_shoulders():
    joints = np.zeros((13, 3))
    joints[LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")] = [1, 2, 3]
    np.testing.assert_array_equal(body_centre(joints), [1, 2, 3])


def test_importing_the_package_is_light():
    code = "import anchorpose, sys; print([m for m in ('torch', 'onnxruntime', 'cv2', 'scipy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
