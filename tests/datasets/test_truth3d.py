"""Miniature archives in the original layouts, read as truth and evaluated to the end."""

import json

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import H36M32, HUMANEVA15, LCR13, LSP14, MUPOTS17, SMPL24
from anchorpose.datasets import h36m
from anchorpose.datasets.truth3d import (
    agora_truths,
    h36m_truths,
    humaneva_truths,
    mupots_truths,
    panoptic_truths,
    rendered_truths,
    require_pictures,
    threedhp_truths,
    threedpw_truths,
)
from anchorpose.evaluation.protocols3d import evaluate_3dhp, evaluate_3dpw, evaluate_h36m, evaluate_mupots
from tests.datasets import (
    test_agora,
    test_humaneva,
    test_mpi_inf_3dhp,
    test_mupots,
    test_panoptic,
    test_threedpw,
)
from tests.evaluation.people3d import found


def perfect(truths, skeleton=None):
    """The truth as predictions, in its own joints or another skeleton's."""
    return {t.file_name: in_joints(found(t.joints3d, t.skeleton, t.joints2d), skeleton) for t in truths}


def in_joints(poses: Poses, skeleton) -> Poses:
    return poses if skeleton is None else poses.to_skeleton(skeleton)


def test_human36m_from_its_files_to_the_table(tmp_path):
    pytest.importorskip("cdflib")
    from tests.datasets.test_h36m import write_recording

    actors = write_recording(tmp_path, "S11", "Directions 1.55011271", pictures=(0,))
    write_recording(tmp_path, "S11", "WalkDog.55011271", frames=3)
    write_recording(tmp_path, "S11", "WalkDog.54138969", frames=3)
    truths = h36m_truths(tmp_path, h36m.P1)
    assert [t.file_name for t in truths] == [
        *(f"images/S11_Directions_1.55011271_{i:06d}.jpg" for i in (1, 65, 129)),
        "images/S11_WalkDog.55011271_000001.jpg",
    ]
    assert {t.skeleton for t in truths} == {H36M32}
    assert {(t.subject, t.camera, t.ids) for t in truths} == {("S11", None, None)}
    np.testing.assert_allclose(truths[1].joints3d[0], actors[64], atol=1e-5)
    table = evaluate_h36m(truths, perfect(truths, LCR13), "p1")
    assert (table["pictures"], table["joints"]) == (4, 13)
    assert table["MPJPE"] == pytest.approx(0, abs=1e-3)
    assert max(table["MPJPE Directions"], table["MPJPE WalkingDog"]) == pytest.approx(0, abs=1e-3)
    assert evaluate_h36m(truths, perfect(truths), "p1")["MPJPE of 17 joints"] == pytest.approx(0, abs=1e-3)
    turned = {t.file_name: in_joints(found(t.joints3d * [-1, 1, -1], t.skeleton), LCR13) for t in truths}
    assert evaluate_h36m(truths, turned, "p1")["MPJPE Directions"] > 100
    assert evaluate_h36m(truths, turned, "p3")["PA-MPJPE Directions"] == pytest.approx(0, abs=1e-2)
    with pytest.raises(InputError, match=r"Human3\.6M lacks 3 of 4 pictures, the first is .*_000065\.jpg"):
        require_pictures(truths, tmp_path, h36m.H36M)


def test_mupots_from_its_files_to_the_table(tmp_path):
    for number in (1, 7):
        test_mupots.write_sequence(tmp_path, number, centre=(960.0, 760.0))
    truths = mupots_truths(tmp_path, [1, 7])
    assert [t.file_name for t in truths] == [f"TS{k}/img_{i:06d}.jpg" for k in (1, 7) for i in (0, 1)]
    assert [t.ids.tolist() for t in truths] == [[0], [0, 1]] * 2
    wrist = MUPOTS17.index("left_wrist")
    assert truths[1].states[:, wrist].tolist() == [JointState.HIDDEN, JointState.VISIBLE]
    assert (truths[1].states != JointState.OUTSIDE).all()
    assert (truths[3].states[:, MUPOTS17.index("left_ankle")] == JointState.OUTSIDE).all()  # 1920 x 1080
    table = evaluate_mupots(truths, perfect(truths, LCR13), rescale=False)
    # The pelvis of LCR13 is the middle of the hips, which is a few centimetres from the annotated one.
    assert table["3DPCK all"] == table["3DPCK all TS7"] == 100
    table = evaluate_mupots(truths, perfect(truths))
    assert table["3DPCK all"] == table["3DPCK all hidden"] == table["3DPCK all visible"] == 100
    first = {name: poses[:1] for name, poses in perfect(truths).items()}
    table = evaluate_mupots(truths, first)
    assert table["3DPCK all"] == pytest.approx(100 * 2 / 3)
    assert table["3DPCK matched"] == 100


def test_3dhp_from_its_files_to_the_table(tmp_path):
    actors = test_mpi_inf_3dhp.write_test(tmp_path, 1)
    test_mpi_inf_3dhp.write_test(tmp_path, 6)
    truths = threedhp_truths(tmp_path, [1, 6])
    assert truths[1].file_name == "TS1/imageSequence/img_000003.jpg"
    np.testing.assert_allclose(truths[1].joints3d[0], 0.95 * actors[2], atol=1e-5)  # univ_annot3
    table = evaluate_3dhp(truths, perfect(truths))
    assert (table["pictures"], table["found"]) == (6, 6)
    for row in ("", " Stand/Walk", " Misc.", " Sit on Chair", " Studio GS", " Outdoor"):
        assert table[f"3DPCK{row}"] == 100
        assert table[f"MPJPE{row}"] == pytest.approx(0, abs=1e-3)
    assert table["3DPCK Studio no GS"] is table["3DPCK Sports"] is None
    with pytest.raises(InputError, match=r"TS2/annot_data\.mat; get it from vcai"):
        threedhp_truths(tmp_path, [1, 2])


def test_3dpw_from_its_files_to_the_table(tmp_path):
    camera, _ = test_threedpw.write_sequence(tmp_path, people=2, frames=6)
    truths = threedpw_truths(tmp_path)
    assert [t.file_name for t in truths] == [f"imageFiles/downtown_bus_00/image_{i:05d}.jpg" for i in range(5)]
    assert [t.ids.tolist() for t in truths] == [[0], [0, 1], [0, 1], [0, 1], [0, 1]]
    np.testing.assert_allclose(truths[1].joints3d[:, : len(SMPL24)], camera[1], atol=1e-5)
    table = evaluate_3dpw(truths, perfect(truths))
    assert (table["people"], table["found"], table["joints"]) == (9, 9, 14)
    assert table["MPJPE"] == pytest.approx(0, abs=1e-3)
    assert table["acceleration"] == pytest.approx(0, abs=2e-3)
    assert evaluate_3dpw(truths, perfect(truths, LSP14))["joints"] == 14
    assert evaluate_3dpw(truths, perfect(truths, LCR13))["joints"] == 13


def test_humaneva_has_a_camera_that_fits(tmp_path):
    test_humaneva.write_recording(tmp_path, numbers=[87])
    truths = humaneva_truths(tmp_path)
    assert len(truths) == 11
    assert truths[0].file_name == "images/S1_Walking_1_(C1)_000087.jpg"
    assert (truths[0].subject, truths[0].activity) == ("S1", "Walking")
    centre = HUMANEVA15.index("pelvis")
    for truth in truths:  # the lens bends little in the middle of the picture
        near = np.abs(truth.joints2d[:, centre] - [320, 240]).max() < 60
        miss = np.linalg.norm(truth.camera.project(truth.joints3d[:, centre]) - truth.joints2d[:, centre], axis=-1)
        assert not near or miss.max() < 2


def test_panoptic_and_agora_have_cameras_that_project(tmp_path):
    folder, actors = test_panoptic.write_sequence(tmp_path)
    truths = panoptic_truths(folder, stride=2)
    assert [t.file_name for t in truths] == ["hdImgs/00_00/00_00_00000139.jpg", "hdImgs/00_00/00_00_00000141.jpg"]
    np.testing.assert_allclose(truths[1].camera.project(actors[2]), truths[1].joints2d[:, :19], atol=0.05)
    path, people = test_agora.write_table(tmp_path)
    truths = agora_truths(path, tmp_path / "validation", (1280, 720))
    assert truths[0].file_name == "ag_validationset_renderpeople_bfh_brushifyforest_5_15_00000.png"
    valid = [0, 2]
    np.testing.assert_allclose(
        truths[0].camera.project(people[0][valid, :22]), truths[0].joints2d[valid, :22], atol=0.1
    )
    assert (truths[0].states[1] == JointState.MISSING).all()
    assert np.isnan(truths[0].joints3d[1]).all()


def test_rendered_annotations_that_are_not_are_named(tmp_path):
    path = tmp_path / "annotations.json"
    with pytest.raises(InputError, match=r"cannot read.*give the annotations\.json of anchorpose synthesize render"):
        rendered_truths(path)
    image = {"id": 1, "file_name": "a.jpg", "camera": {"fx": 1, "fy": 1, "cx": 1, "cy": 1, "width": 2, "height": 2}}
    person = {"image_id": 1, "joint_state": ["visible"] * 13, "translation": None, "joints2d": [[1, 2]] * 13,
              "joints3d": [[1, 2, 3]] * 13}  # fmt: skip
    for content, message in [
        ([], "holds no rendered scenes"), ({"images": []}, "holds no rendered scenes"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}, "'camera'"),
        ({"images": [image], "annotations": [person | {"joints2d": [[1, 2]] * 12}]}, "joints2d that are not 13 x 2"),
        ({"images": [image], "annotations": [person | {"joint_state": ["seen"] * 13}]}, "'SEEN'"),
    ]:  # fmt: skip
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=message):
            rendered_truths(path)
    path.write_text(json.dumps({"images": [image], "annotations": [person, {"image_id": 1}]}))
    truth = rendered_truths(path)[0]
    assert np.isnan(truth.joints3d).all()  # one is not placed, one was not rendered
    assert truth.states.tolist() == [[1] * 13, [0] * 13]
