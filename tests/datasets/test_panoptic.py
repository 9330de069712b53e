import json

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13, PANOPTIC19
from anchorpose.datasets.panoptic import panoptic_frames, read_panoptic
from tests.datasets.actors import bodies, check_person, picture

K = np.array([[1400.0, 0, 950], [0, 1395, 540], [0, 0, 1]])
LENS = np.array([-0.28, 0.18, 0.0005, -0.0003, -0.03])


def write_sequence(root, people=2, frames=3, lens=(0, 0, 0, 0, 0), aside=0.0, name="160422_ultimatum1"):
    """A sequence's folder as the toolbox unpacks it, in centimetres; the world is turned against both cameras."""
    folder = root / name
    rotation = Rotation.from_euler("xyz", [10, 130, -5], degrees=True).as_matrix()
    shift = np.array([[20.0], [-30.0], [280.0]])
    camera = {"type": "hd", "resolution": [1920, 1080], "panel": 0, "K": K.tolist(), "distCoef": list(lens),
              "R": rotation.tolist(), "t": shift.tolist()}  # fmt: skip
    away = Rotation.from_euler("y", 180, degrees=True).as_matrix()
    back = camera | {"R": (away @ rotation).tolist(), "t": (away @ shift).tolist()}
    folder.mkdir()
    (folder / f"calibration_{name}.json").write_text(json.dumps({"calibDataSource": "x", "cameras": [
        camera | {"name": "00_00", "node": 0}, back | {"name": "00_01", "node": 1}]}))  # fmt: skip
    actors = np.stack([bodies(PANOPTIC19, people, seed=i, depth=5.0) for i in range(frames)]) + np.array([aside, 0, 0])
    world = (actors * 100 - shift.T) @ rotation
    (folder / "hdPose3d_stage1_coco19").mkdir()
    for i in range(frames):
        joints = np.concatenate([world[i], np.full((people, 19, 1), 0.5)], -1)
        scene = {"version": 0.7, "univTime": 100.0, "fpsType": "hd_29_97",
                 "bodies": [{"id": p, "joints19": joints[p].ravel().tolist()} for p in range(people)]}  # fmt: skip
        (folder / "hdPose3d_stage1_coco19" / f"body3DScene_{i + 139:08d}.json").write_text(json.dumps(scene))
        for node in ("00_00", "00_01"):
            picture(folder / "hdImgs" / node / f"{node}_{i + 139:08d}.jpg")
    return folder, actors


def test_world_centimetres_come_into_the_camera(tmp_path):
    folder, actors = write_sequence(tmp_path)
    samples = read_panoptic(folder, stride=2)
    assert [s.image.name for s in samples] == ["00_00_00000139.jpg", "00_00_00000141.jpg"]
    assert samples[0].exhaustive
    for person, actor in zip(samples[1].people, actors[2], strict=True):
        check_person(person, actor, PANOPTIC19, K[[0, 1], [0, 1]], K[:2, 2])


def test_the_lens_is_opencvs(tmp_path):
    folder, actors = write_sequence(tmp_path, lens=LENS)
    person = read_panoptic(folder)[0].people[0]
    wanted = cv2.projectPoints(actors[0, 0], np.zeros(3), np.zeros(3), K, LENS)[0][:, 0]
    source = PANOPTIC19.map_to(LCR13)[:12]
    np.testing.assert_allclose(person.joints2d[:12], wanted[source], atol=0.01)
    assert np.abs(wanted - (actors[0, 0] @ K.T)[:, :2] / actors[0, 0][:, 2:]).max() > 1  # it does bend


def test_nobody_is_seen_by_a_camera_that_looks_away(tmp_path):
    folder, _ = write_sequence(tmp_path, lens=LENS)
    assert read_panoptic(folder, ["00_01"]) == []
    assert len(next(panoptic_frames(folder, "00_01")).joints3d) == 2


def test_the_lens_does_not_fold_people_far_aside_into_the_picture(tmp_path):
    folder, actors = write_sequence(tmp_path, people=1, lens=LENS, aside=11.5)
    folded = cv2.projectPoints(actors[0, 0], np.zeros(3), np.zeros(3), K, LENS)[0][:, 0]
    assert ((folded > 0) & (folded < [1920, 1080])).all(1).any()
    assert read_panoptic(folder) == []


def test_missing_joints_are_nan_and_an_empty_dome_has_nobody(tmp_path):
    folder, actors = write_sequence(tmp_path, people=1)
    path = folder / "hdPose3d_stage1_coco19" / "body3DScene_00000139.json"
    scene = json.loads(path.read_text())
    wrist = PANOPTIC19.index("left_wrist")
    scene["bodies"][0]["joints19"][4 * wrist : 4 * wrist + 4] = [0, 0, 0, -1]
    path.write_text(json.dumps(scene))
    (folder / "hdPose3d_stage1_coco19" / "body3DScene_00000140.json").write_text('{"bodies": []}')
    samples = read_panoptic(folder)
    assert [s.frame for s in samples] == [139, 141]
    person = samples[0].people[0]
    missing = np.isnan(person.joints3d).any(1)
    assert missing.tolist() == np.isnan(person.joints2d).any(1).tolist()
    assert [LCR13.joints[i] for i in np.flatnonzero(missing)] == ["left_wrist"]
    expected = actors[0, 0] - body_centre(actors[0, 0], PANOPTIC19)
    np.testing.assert_allclose(person.joints3d[0], expected[PANOPTIC19.index("right_ankle")], atol=1e-5)


def test_what_is_missing_or_broken_is_named(tmp_path):
    (tmp_path / "160226_haggling1").mkdir()
    with pytest.raises(InputError, match=r"calibration_160226_haggling1\.json.*; get it from domedb"):
        read_panoptic(tmp_path / "160226_haggling1")
    folder, _ = write_sequence(tmp_path)
    with pytest.raises(InputError, match="wanted also hdImgs/00_30"):
        read_panoptic(folder, ["00_30"])
    (folder / "hdImgs" / "00_30").mkdir()
    with pytest.raises(InputError, match="no camera '00_30' among 2"):
        read_panoptic(folder, ["00_30"])
    path = folder / "hdPose3d_stage1_coco19" / "body3DScene_00000139.json"
    path.write_text('{"bodies": [{"joints19": [1, 2]}]}')
    with pytest.raises(InputError, match="no bodies of 19 joints"):
        read_panoptic(folder)
    path.write_text('{"bodies": []}')
    (folder / "hdImgs" / "00_00" / "00_00_00000140.jpg").unlink()
    with pytest.raises(InputError, match="lacks 1 of 2 pictures"):
        read_panoptic(folder)
    calibration = folder / "calibration_160422_ultimatum1.json"
    calibration.write_text('{"cameras": 7}')
    with pytest.raises(InputError, match="no camera '00_00' among 0"):
        read_panoptic(folder)
    calibration.write_text(json.dumps({"cameras": [{"name": "00_00", "resolution": [1920, 1080]}]}))
    with pytest.raises(InputError, match="no whole calibration of 00_00"):
        read_panoptic(folder)
