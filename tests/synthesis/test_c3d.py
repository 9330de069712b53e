import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.mocap.c3d import read_c3d
from anchorpose.synthesis.mocap.mapping import to_lcr13
from anchorpose.synthesis.mocap.motion import to_library_axes


def write_c3d(path, points, labels, rate=100.0, unit="mm", y_screen=None):
    """points (t, j, 3) in the file's axes and unit; NaN is a missing marker."""
    ezc3d = pytest.importorskip("ezc3d")
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [rate]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(labels)
    file["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    if y_screen:
        file.add_parameter("POINT", "Y_SCREEN", [y_screen])
    data = np.ones((4, len(labels), len(points)))
    data[:3] = points.transpose(2, 1, 0)
    file["data"]["points"] = data
    file.write(str(path))
    return path


def test_points_come_back_in_metres_with_z_up(tmp_path):
    points = np.random.default_rng(0).uniform(-1000, 1000, (7, 3, 3))
    points[2, 1] = np.nan
    motion = read_c3d(write_c3d(tmp_path / "a.c3d", points, ["LASI", "Sam:RASI", "C7"]))
    assert motion.names == ("LASI", "Sam:RASI", "C7")
    assert motion.parents == (-1, -1, -1)
    assert motion.rotations is None
    assert motion.frame_time == pytest.approx(0.01)
    wanted = np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) / 1000
    assert np.isnan(motion.positions[2, 1]).all()
    assert_allclose(motion.positions, wanted, atol=1e-5)


@pytest.mark.parametrize(("unit", "metres"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001)])
def test_units_are_the_files_own(tmp_path, unit, metres):
    points = np.full((2, 1, 3), 0.5)
    motion = read_c3d(write_c3d(tmp_path / "a.c3d", points, ["A"], unit=unit), stride=2)
    assert_allclose(np.abs(motion.positions), 0.5 * metres, rtol=1e-5)
    assert len(motion) == 1
    assert motion.frame_time == pytest.approx(0.02)


def test_the_vertical_is_the_files_or_the_users(tmp_path):
    points = np.array([[[1.0, 2.0, 3.0]]])
    path = write_c3d(tmp_path / "a.c3d", points, ["A"], unit="m", y_screen="+Y")
    assert_allclose(read_c3d(path).positions[0, 0], [1, -2, -3], atol=1e-6)
    assert_allclose(read_c3d(path, up="z").positions[0, 0], [1, -3, 2], atol=1e-6)


def test_mistakes_are_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="found no such file"):
        read_c3d(tmp_path / "none.c3d")
    (tmp_path / "bad.c3d").write_bytes(b"this is no C3D file" * 100)
    with pytest.raises(InputError, match=r"bad\.c3d"):
        read_c3d(tmp_path / "bad.c3d")
    path = write_c3d(tmp_path / "a.c3d", np.zeros((2, 1, 3)), ["A"], unit="furlong")
    with pytest.raises(InputError, match="found the unit 'furlong'"):
        read_c3d(path)
    assert read_c3d(path, scale=201.168).unit == "given"
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(InputError, match=r"pip install 'anchorpose\[c3d\]'"):
        read_c3d(path)


def plug_in_gait():
    """Markers on a standing adult who looks along y in a z-up laboratory, millimetres, and the true joint centres."""
    markers, centres = {}, {}
    for letter, side, x in (("L", "left", -1), ("R", "right", 1)):
        markers |= {
            f"{letter}ASI": (120 * x, 80, 1000), f"{letter}PSI": (45 * x, -90, 1010),
            f"{letter}KNE": (140 * x, 0, 500), f"{letter}ANK": (125 * x, -10, 90),
            f"{letter}SHO": (180 * x, 0, 1480), f"{letter}ELB": (260 * x, -10, 1180),
            f"{letter}WRA": (285 * x, 60, 930), f"{letter}WRB": (275 * x, 0, 930),
            f"{letter}FHD": (75 * x, 90, 1680), f"{letter}BHD": (75 * x, -80, 1680),
        }  # fmt: skip
        # from anatomy: the hip 15 to 20 mm in front of the middle of the pelvis, 70 to 75 mm under the front spines
        centres |= {
            f"{side}_hip": (86 * x, 27, 928), f"{side}_knee": (90 * x, 0, 503), f"{side}_ankle": (90 * x, -10, 92),
            f"{side}_shoulder": (172 * x, 0, 1430), f"{side}_elbow": (240 * x, -5, 1180),
            f"{side}_wrist": (280 * x, 30, 930),
        }  # fmt: skip
    return markers, centres | {"head_top": (0, 5, 1780)}


def test_plug_in_gait_markers_give_joint_centres_within_two_centimetres(tmp_path):
    markers, centres = plug_in_gait()
    points = np.array([list(markers.values())] * 3, dtype=np.float64)
    points[2, list(markers).index("LKNE")] = np.nan
    motion = read_c3d(write_c3d(tmp_path / "a.c3d", points, [f"Sam:{name}" for name in markers]))
    poses = to_lcr13(motion)
    wanted, _ = to_library_axes(np.array([centres[j] for j in LCR13.joints], np.float32) / 1000, None, "z")
    torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    error = np.linalg.norm(poses[0] - (wanted - wanted[torso].mean(0)), axis=-1)
    assert error.max() < 0.025, dict(zip(LCR13.joints, error.round(3), strict=True))
    # a lost knee marker loses that leg below the hip and nothing else
    lost = [LCR13.joints[i] for i in np.flatnonzero(np.isnan(poses[2]).any(1))]
    assert lost == ["left_ankle", "left_knee"]


def test_computed_joint_centres_go_before_markers(tmp_path):
    markers, centres = plug_in_gait()
    letters = {"left": "L", "right": "R"}
    ends = {"hip": "FEP", "knee": "FEO", "ankle": "TIO", "shoulder": "HUP", "elbow": "HUO", "wrist": "RAO"}
    for joint, point in centres.items():
        if joint != "head_top":
            side, limb = joint.split("_")
            markers[letters[side] + ends[limb]] = point
    points = np.array([list(markers.values())], dtype=np.float64)
    poses = to_lcr13(read_c3d(write_c3d(tmp_path / "a.c3d", points, markers)))
    wanted, _ = to_library_axes(np.array([centres[j] for j in LCR13.joints], np.float32) / 1000, None, "z")
    torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    assert_allclose(poses[0, :12], (wanted - wanted[torso].mean(0))[:12], atol=1e-4)


def test_missing_labels_are_named(tmp_path):
    markers, _ = plug_in_gait()
    kept = [name for name in markers if name not in ("RKNE", "LFHD")]
    points = np.array([[markers[name] for name in kept]], dtype=np.float64)
    with pytest.raises(InputError, match="lacks the markers LFHD, RKNE"):
        to_lcr13(read_c3d(write_c3d(tmp_path / "a.c3d", points, kept)))
