"""TRC and C3D, read back by other programs' readers and by one written from the format's description."""

from __future__ import annotations

import numpy as np
import pytest

from anchorpose.core.skeleton import LCR13
from anchorpose.io.exports.axes import from_axes
from anchorpose.io.exports.c3d import write_c3d
from anchorpose.io.exports.trc import write_trc
from anchorpose.synthesis.mocap.c3d import read_c3d
from tests.io.exports.clips import stand, walk, without


def parse_trc(text: str) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Header, labels, times (t,) and points (t, m, 3) as OpenSim's page on marker files describes them."""
    lines = text.split("\n")
    assert lines[0].split("\t")[:3] == ["PathFileType", "4", "(X/Y/Z)"]
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    columns = lines[3].split("\t")
    assert columns[:2] == ["Frame#", "Time"]
    labels = [label for label in columns[2:] if label]
    assert lines[4].split("\t")[:5] == ["", "", "X1", "Y1", "Z1"]
    rows = [line.split("\t") for line in lines[6:] if line]
    assert lines[5] == ""
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    values = np.array([[float(v) if v else np.nan for v in row[1:]] for row in rows])
    return header, labels, values[:, 0], values[:, 1:].reshape(len(rows), len(labels), 3)


def test_trc_by_its_description(tmp_path) -> None:
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    write_trc(tmp_path / "walk.trc", clip, 2)
    header, labels, times, points = parse_trc((tmp_path / "walk.trc").read_text())
    assert labels == list(LCR13.joints)
    assert header["Units"] == "mm"
    assert (int(header["NumFrames"]), int(header["NumMarkers"])) == points.shape[:2]
    assert float(header["DataRate"]) == pytest.approx(25)
    np.testing.assert_allclose(times, clip.times, atol=1e-6)
    np.testing.assert_allclose(from_axes(points, "y", 1000), clip.person(2).in_camera(), atol=1e-6)
    assert np.isnan(points[3:6, LCR13.index("left_wrist")]).all()


def test_trc_in_opensim(tmp_path) -> None:
    opensim = pytest.importorskip("opensim", reason="needs the PyPI package opensim")
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    write_trc(tmp_path / "walk.trc", clip, 2)
    table = opensim.TimeSeriesTableVec3(str(tmp_path / "walk.trc"))
    assert list(table.getColumnLabels()) == list(LCR13.joints)
    assert table.getTableMetaDataAsString("Units") == "mm"
    np.testing.assert_allclose(table.getIndependentColumn(), clip.times, atol=1e-6)
    found = np.array([[[v[i] for i in range(3)] for v in (row[j] for j in range(row.size()))]
                      for row in (table.getRowAtIndex(k) for k in range(table.getNumRows()))])  # fmt: skip
    np.testing.assert_allclose(from_axes(found, "y", 1000), clip.person(2).in_camera(), atol=1e-6)


def test_trc_in_trc_data_reader(tmp_path) -> None:
    trc = pytest.importorskip("trc", reason="needs the PyPI package trc-data-reader")
    clip = walk()
    write_trc(tmp_path / "walk.trc", clip, 2)
    data = trc.TRCData()
    data.load(str(tmp_path / "walk.trc"))
    assert data["Markers"] == list(LCR13.joints)
    found = np.array([data[name] for name in LCR13.joints]).transpose(1, 0, 2)
    np.testing.assert_allclose(from_axes(found, "y", 1000), clip.person(2).in_camera(), atol=1e-6)


def test_c3d_in_ezc3d_and_in_our_reader(tmp_path) -> None:
    ezc3d = pytest.importorskip("ezc3d", reason="needs the extra c3d")
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    path = tmp_path / "walk.c3d"
    write_c3d(path, clip, 2)
    read = ezc3d.c3d(str(path))
    point = read["parameters"]["POINT"]
    assert point["LABELS"]["value"] == list(LCR13.joints)
    assert (point["UNITS"]["value"], point["Y_SCREEN"]["value"]) == (["mm"], ["+Z"])
    assert point["RATE"]["value"][0] == pytest.approx(25)
    found = read["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(from_axes(found, "z", 1000), clip.person(2).in_camera(), atol=1e-5)
    motion = read_c3d(path)
    assert motion.names == LCR13.joints
    np.testing.assert_allclose(motion.positions, clip.person(2).in_camera(), atol=1e-5)


def test_c3d_in_the_c3d_package(tmp_path) -> None:
    pytest.importorskip("ezc3d", reason="needs the extra c3d")
    c3d = pytest.importorskip("c3d", reason="needs the PyPI package c3d")
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    write_c3d(tmp_path / "walk.c3d", clip, 2)
    with (tmp_path / "walk.c3d").open("rb") as file:
        reader = c3d.Reader(file)
        assert [label.strip() for label in reader.point_labels] == list(LCR13.joints)
        assert reader.point_rate == pytest.approx(25)
        points = np.array([frame[1][:, :4] for frame in reader.read_frames()])
    wanted = clip.person(2).in_camera()
    missing = np.isnan(wanted).any(-1)
    assert missing.sum() == 3
    np.testing.assert_array_equal(points[..., 3] < 0, missing)
    np.testing.assert_allclose(from_axes(points[..., :3], "z", 1000)[~missing], wanted[~missing], atol=1e-5)


@pytest.mark.parametrize("suffix", ["trc", "c3d"])
def test_who_stands_has_the_head_above_the_feet(tmp_path, suffix) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "trc":
        write_trc(path, stand(), 1)
        points, vertical = parse_trc(path.read_text())[3], 1
    else:
        ezc3d = pytest.importorskip("ezc3d", reason="needs the extra c3d")
        write_c3d(path, stand(), 1)
        points, vertical = ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0), 2
    feet = points[:, LCR13.indices("left_ankle", "right_ankle")].mean(1)
    rise = points[:, LCR13.index("head_top")] - feet
    assert (rise.argmax(-1) == vertical).all()
    assert ((rise.max(-1) > 1600) & (rise.max(-1) < 1900)).all()


def test_frames_that_nobody_is_in_are_missing(tmp_path) -> None:
    write_trc(tmp_path / "a.trc", walk(), 7)
    points = parse_trc((tmp_path / "a.trc").read_text())[3]
    np.testing.assert_array_equal(np.isnan(points).any((1, 2)), ~walk().person(7).present)
