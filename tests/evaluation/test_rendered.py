from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, body_centre
from anchorpose.core.skeleton import COCO17, LCR13, Skeleton
from anchorpose.datasets.truth3d import rendered_truths
from anchorpose.evaluation.annotations import load_annotations
from anchorpose.evaluation.rendered import evaluate_rendered
from anchorpose.evaluation.scenes import evaluate_scenes
from anchorpose.synthesis.scenes import Scene, ScenePerson, SceneWriter
from tests.datasets.actors import bodies
from tests.evaluation.people3d import found, nobody, picture

CAMERA = Camera(450.0, 450.0, 160.0, 120.0, 320, 240)
LEGS = LCR13.indices("right_ankle", "left_ankle", "right_knee", "left_knee")


@pytest.fixture
def rendered(tmp_path):
    """A file of anchorpose synthesize: two pictures of two people, ankles outside and a wrist hidden."""
    writer = SceneWriter(tmp_path, {"seed": 0})
    for index in range(2):
        people = []
        for joints in bodies(LCR13, 2, seed=index, depth=3.0):
            pixels = CAMERA.project(joints)
            states = np.full(13, JointState.VISIBLE, np.uint8)
            states[6] = JointState.HIDDEN
            states[((pixels < 0) | (pixels > [320, 240])).any(1)] = JointState.OUTSIDE
            low, high = pixels.min(0), pixels.max(0)
            box = np.concatenate([low, high]).astype(np.float32)
            centre = body_centre(joints)
            people.append(ScenePerson(box, pixels, joints - centre, centre, states))
        writer.write(index, Scene(np.full((240, 320, 3), 90, np.uint8), tuple(people), CAMERA))
    path = writer.finish()
    return load_annotations(path), rendered_truths(path)


def as_found(truth, joints3d=None):
    return found(truth.joints3d if joints3d is None else joints3d, LCR13, truth.joints2d)


def test_the_truth_has_no_error_of_any_kind(rendered):
    annotations, truths = rendered
    predictions = {t.file_name: as_found(t)[[1, 0]] for t in truths}
    table = evaluate_rendered(annotations, truths, predictions)
    assert table | evaluate_scenes(annotations, predictions) == table
    assert (table["people"], table["found"]) == (4, 4)
    for name in ("MPJPE", "N-MPJPE", "absolute MPJPE", "MRPE", "MPJPE visible", "MPJPE hidden", "MPJPE outside"):
        assert table[name] == pytest.approx(0, abs=0.2), name  # the file holds tenths of millimetres
    assert table["joints hidden"] == 4
    assert table["joints outside"] > 0
    assert table["joints visible"] + table["joints hidden"] + table["joints outside"] == 4 * 13


def test_the_camera_and_the_states_are_the_files(rendered):
    _, truths = rendered
    assert [t.file_name for t in truths] == ["000000.jpg", "000001.jpg"]
    for truth in truths:
        assert truth.camera == CAMERA
        np.testing.assert_allclose(CAMERA.project(truth.joints3d), truth.joints2d, atol=0.1)
        assert (truth.states[:, 6] == JointState.HIDDEN).all()


def test_each_figure_sees_its_own_kind_of_error(rendered):
    annotations, truths = rendered
    away = np.array([0, 0, 0.5])
    table = evaluate_rendered(annotations, truths, {t.file_name: as_found(t, t.joints3d + away) for t in truths})
    assert table["MPJPE"] == pytest.approx(0, abs=0.2)
    assert table["MRPE"] == pytest.approx(500, abs=0.2)
    assert table["absolute MPJPE"] == pytest.approx(500, abs=0.3)
    larger = {t.file_name: replace(as_found(t), joints3d=1.2 * as_found(t).joints3d) for t in truths}
    table = evaluate_rendered(annotations, truths, larger)
    assert table["MPJPE"] > 50
    assert table["N-MPJPE"] == pytest.approx(0, abs=0.2)
    moved = {}
    for truth in truths:
        joints = as_found(truth).joints3d.copy()
        joints[truth.states == JointState.HIDDEN] += [0, 0.1, 0]
        joints[truth.states == JointState.OUTSIDE] += [0, 0, 0.3]
        moved[truth.file_name] = replace(as_found(truth), joints3d=joints)
    table = evaluate_rendered(annotations, truths, moved)
    assert table["MPJPE visible"] == pytest.approx(0, abs=0.2)
    assert table["MPJPE hidden"] == pytest.approx(100, abs=0.2)
    assert table["MPJPE outside"] == pytest.approx(300, abs=0.2)


def test_only_people_who_were_found_have_errors(rendered):
    annotations, truths = rendered
    predictions = {truths[0].file_name: as_found(truths[0])[:1], truths[1].file_name: nobody(LCR13)}
    table = evaluate_rendered(annotations, truths, predictions)
    assert (table["found"], table["joints hidden"]) == (1, 1)
    assert table["MRPE"] == pytest.approx(0, abs=0.2)
    unplaced = replace(as_found(truths[0]), translation=np.full((2, 3), np.nan, np.float32))
    table = evaluate_rendered(annotations, truths, predictions | {truths[0].file_name: unplaced})
    assert table["absolute MPJPE"] is table["MRPE"] is None
    assert table["MPJPE visible"] == pytest.approx(0, abs=0.2)
    everybody_missed = {t.file_name: nobody(LCR13) for t in truths}
    table = evaluate_rendered(annotations, truths, everybody_missed)
    assert table["N-MPJPE"] is table["MPJPE hidden"] is None
    assert table["3DPCK_all"] == 0


def test_coco_joints_leave_the_head_out(rendered):
    annotations, truths = rendered
    table = evaluate_rendered(annotations, truths, {t.file_name: as_found(t).to_skeleton(COCO17) for t in truths})
    assert table["joints visible"] + table["joints hidden"] + table["joints outside"] == 4 * 12
    assert table["MPJPE visible"] == pytest.approx(0, abs=0.2)


def test_other_pictures_are_refused(rendered):
    annotations, truths = rendered
    predictions = {t.file_name: as_found(t) for t in truths}
    with pytest.raises(InputError, match=r"000001\.jpg has 2 annotated people and no people with joint states"):
        evaluate_rendered(annotations, truths[:1], predictions)
    with pytest.raises(InputError, match=r"000000\.jpg has 2 annotated people and 1 people"):
        evaluate_rendered(annotations, [picture("000000.jpg", LCR13), truths[1]], predictions)
    with pytest.raises(InputError, match="lack right_knee, wanted"):
        evaluate_rendered(annotations, _without_knees(truths), predictions)


def _without_knees(truths):
    keep = [i for i in range(13) if i not in LEGS[2:]]
    names = Skeleton("kneeless", tuple(LCR13.joints[i] for i in keep))
    return [replace(t, skeleton=names, joints3d=t.joints3d[:, keep], joints2d=t.joints2d[:, keep],
                    states=t.states[:, keep]) for t in truths]  # fmt: skip
