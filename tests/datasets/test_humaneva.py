import cv2
import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import HUMANEVA15, LCR13
from anchorpose.datasets.humaneva import read_humaneva
from tests.datasets.actors import bodies, picture

K = np.array([[765.0, 0, 299.8], [0, 764.5, 232.3], [0, 0, 1]])
LENS = np.array([-0.28, 0.10, -0.001, 0.001, 0.0])


def write_recording(root, split="Validate", subject="S1", action="Walking_1", frames=12, numbers=()):
    """The 15-joint export in world millimetres, z up; the person walks through the view of three cameras."""
    rng = np.random.default_rng(3)
    walk = np.stack([np.linspace(-0.8, 1.2, frames), np.zeros(frames), np.linspace(0, 2, frames)], -1)
    seen = bodies(HUMANEVA15, 1, depth=4.0) + walk[:, None] + rng.normal(0, 0.02, (frames, 15, 3))
    pixels = np.empty((3, frames, 15, 2))
    for c in range(3):
        pixels[c] = cv2.projectPoints(seen.reshape(-1, 3), np.zeros(3), np.zeros(3), K, LENS)[0].reshape(frames, 15, 2)
    to_camera = Rotation.from_euler("x", 90, degrees=True)  # z up -> y down
    world = to_camera.inv().apply((seen - [0.2, 0.9, 3.0]).reshape(-1, 3)).reshape(frames, 15, 3) * 1000
    world[1], pixels[:, 1] = np.nan, np.nan
    folder = root / split / subject
    for other in ("S1", "S2", "S3"):
        (root / split / other).mkdir(parents=True, exist_ok=True)
    savemat(folder / f"{action}.mat", {"poses_3d": world, "poses_2d": pixels})
    for i in numbers:
        picture(root / "images" / f"{subject}_{action}_(C1)_{i:06d}.jpg")
    return seen, pixels


def test_the_camera_is_found_and_frames_without_markers_are_left_out(tmp_path):
    seen, pixels = write_recording(tmp_path, numbers=range(87, 99))
    samples = read_humaneva(tmp_path)
    assert len(samples) == 11
    assert [s.image.name for s in samples][:2] == ["S1_Walking_1_(C1)_000087.jpg", "S1_Walking_1_(C1)_000089.jpg"]
    assert samples[0].activity == "Walking"
    source = HUMANEVA15.map_to(LCR13)[:12]
    for i, sample in zip([0, *range(2, 12)], samples, strict=True):
        person = sample.people[0]
        np.testing.assert_allclose(person.joints2d[:12], pixels[0, i, source], atol=0.1)
        truth = seen[i] - body_centre(seen[i], HUMANEVA15)
        np.testing.assert_allclose(person.joints3d[:12], truth[source], atol=5e-3)
        assert person.joints3d[12, 1] < person.joints3d[:4, 1].min() - 1
        assert np.isfinite(person.joints3d).all()


def test_training_starts_where_validation_ends(tmp_path):
    write_recording(tmp_path, "Train", "S2", "Box_1", numbers=range(382 + 119, 382 + 131))
    samples = read_humaneva(tmp_path, "Train", stride=5)
    assert [s.image.name for s in samples] == [f"S2_Box_1_(C1)_{i:06d}.jpg" for i in (501, 507, 512)]


def test_2d_of_another_recording_is_refused(tmp_path):
    write_recording(tmp_path)
    (tmp_path / "images").mkdir()
    file = tmp_path / "Validate" / "S1" / "Walking_1.mat"
    rng = np.random.default_rng(0)
    savemat(file, {"poses_3d": rng.normal(0, 900, (9, 15, 3)), "poses_2d": rng.uniform(0, 480, (3, 9, 15, 2))})
    with pytest.raises(InputError, match="no camera projects the 3D onto the 2D"):
        read_humaneva(tmp_path)


def test_what_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(InputError, match=r"wanted also images, Validate/S1.*; get it from humaneva\.is\.tue\.mpg\.de"):
        read_humaneva(tmp_path)
    with pytest.raises(InputError, match="found the split 'Test'"):
        read_humaneva(tmp_path, "Test")
    write_recording(tmp_path, numbers=[87])
    with pytest.raises(InputError, match="lacks 10 of 11 pictures"):
        read_humaneva(tmp_path)
    file = tmp_path / "Validate" / "S1" / "Walking_1.mat"
    savemat(file, {"poses_3d": np.zeros((4, 20, 3)), "poses_2d": np.zeros((3, 4, 20, 2))})
    with pytest.raises(InputError, match=r"poses_3d of \(4, 20, 3\)"):
        read_humaneva(tmp_path)
    savemat(file, {"poses_3d": np.full((4, 15, 3), np.nan), "poses_2d": np.zeros((3, 4, 15, 2))})
    with pytest.raises(InputError, match="has 0 frames without gaps"):
        read_humaneva(tmp_path)
    file.unlink()
    with pytest.raises(InputError, match=r"no file such as S1/Walking_1\.mat"):
        read_humaneva(tmp_path)
