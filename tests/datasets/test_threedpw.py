import pickle
import warnings

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13, SMPL24
from anchorpose.datasets.threedpw import read_3dpw, threedpw_frames
from tests.datasets.actors import bodies, check_person, picture, project

CENTRE = (540.0, 960.0)
FOCAL = 1962.0


def write_sequence(root, name="downtown_bus_00", people=2, frames=3, protocol=2, split="test"):
    """As the readme has it; the world's y axis points up, and the camera turns and walks."""
    camera = np.stack([bodies(SMPL24, people, seed=i) for i in range(frames)])
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("xyz", [[180, 20 * i, 5] for i in range(frames)], degrees=True).as_matrix()
    poses[:, :3, 3] = [[0.1 * i, 1.5, 3.0] for i in range(frames)]
    world = np.einsum("fji,fpkj->pfki", poses[:, :3, :3], camera - poses[:, None, None, :3, 3])
    valid = np.ones((people, frames), dtype=np.int64)
    valid[:, -1], valid[-1, 0] = 0, 0
    detections = np.zeros((people, frames, 3, 18))
    intrinsics = np.array([[FOCAL, 0, CENTRE[0]], [0, FOCAL, CENTRE[1]], [0, 0, 1.0]])
    data = {"sequence": name, "genders": ["m", "f"][:people], "jointPositions": [w.reshape(frames, 72) for w in world],
            "poses2d": list(detections), "campose_valid": list(valid), "cam_poses": poses, "cam_intrinsics": intrinsics,
            "img_frame_ids": np.arange(frames) * 2, "betas": [np.zeros(10)] * people}  # fmt: skip
    file = root / "sequenceFiles" / split / f"{name}.pkl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(data, protocol=protocol))
    for i in range(frames):
        picture(root / "imageFiles" / name / f"image_{i:05d}.jpg")
    return camera, file


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_world_joints_come_into_the_camera(tmp_path, protocol):
    camera, _ = write_sequence(tmp_path, protocol=protocol)
    samples = read_3dpw(tmp_path, "test")
    assert [len(s.people) for s in samples] == [1, 2]
    assert samples[1].image == tmp_path / "imageFiles" / "downtown_bus_00" / "image_00001.jpg"
    assert (samples[1].sequence, samples[1].frame) == ("downtown_bus_00", 1)
    for person, actor in zip(samples[1].people, camera[1], strict=True):
        check_person(person, actor, SMPL24, FOCAL, CENTRE)
        assert (person.visible == -1).all()


def test_the_head_top_continues_the_neck_to_a_persons_height(tmp_path):
    _, file = write_sequence(tmp_path)
    frame = next(threedpw_frames(tmp_path, file))
    top, head, neck = (frame.joints3d[0, frame.skeleton.index(j)] for j in ("head_top", "head", "neck"))
    np.testing.assert_allclose(np.cross(top - head, head - neck), 0, atol=1e-6)
    person = frame.sample().people[0].joints3d
    shoulders, hips = (person[LCR13.indices(f"left_{j}", f"right_{j}")].mean(0) for j in ("shoulder", "hip"))
    reach = np.linalg.norm(person[LCR13.index("head_top")] - shoulders) / np.linalg.norm(shoulders - hips)
    assert reach == pytest.approx(0.62, abs=1e-4)
    np.testing.assert_allclose(project(top, FOCAL, CENTRE), frame.joints2d[0, -1], atol=0.01)


def test_people_behind_the_camera_are_left_out(tmp_path):
    _, file = write_sequence(tmp_path)
    data = pickle.loads(file.read_bytes())
    data["cam_poses"][:, :3, :] *= -1  # everybody behind
    file.write_bytes(pickle.dumps(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_3dpw(tmp_path) == []


class Dangerous:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("content", [{"cam_poses": Dangerous()}, Dangerous(), np.array([Dangerous()], dtype=object)])
def test_a_pickle_with_code_is_refused_before_it_runs(tmp_path, capsys, content):
    _, file = write_sequence(tmp_path)
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=r"calls builtins\.print, wanted numbers"):
        read_3dpw(tmp_path)
    assert capsys.readouterr().out == ""


def test_what_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(InputError, match=r"wanted also imageFiles, sequenceFiles/test; get it from virtualhumans"):
        read_3dpw(tmp_path)
    with pytest.raises(InputError, match="wanted one of train, validation, test"):
        read_3dpw(tmp_path, "val")
    _, file = write_sequence(tmp_path)
    whole = file.read_bytes()
    (tmp_path / "imageFiles" / "downtown_bus_00" / "image_00001.jpg").unlink()
    with pytest.raises(InputError, match="lacks 1 of 2 pictures"):
        read_3dpw(tmp_path)
    for content, message in [
        (whole[:-20], "not a whole pickle"), (pickle.dumps([1]), "holds a list"), (pickle.dumps({}), "lacks jointPos"),
        (pickle.dumps(pickle.loads(whole) | {"cam_poses": np.zeros(7)}), "other shapes"),
        (pickle.dumps(pickle.loads(whole) | {"cam_poses": np.zeros((9, 4, 4))}), "has 9 camera poses"),
    ]:  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_3dpw(tmp_path)
