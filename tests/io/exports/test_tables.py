from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from anchorpose.core.angles import ANGLES, joint_angles
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import FLIC11, LCR13
from anchorpose.io.exports.clip import Clip
from anchorpose.io.exports.tables import angle_table, joint_table, write_csv, write_parquet
from tests.io.exports.clips import walk, walk_frames, without


def test_each_line_is_one_joint_of_one_person_in_one_frame(tmp_path) -> None:
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    write_csv(tmp_path / "joints.csv", joint_table(clip))
    with (tmp_path / "joints.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == (24 + 10) * 13
    keys = [(int(r["frame"]), int(r["id"]), r["joint"]) for r in lines]
    assert len(set(keys)) == len(lines)
    for key, line in zip(keys, lines, strict=True):
        person, k, j = clip.person(key[1]), key[0] - 10, LCR13.index(key[2])
        assert float(line["time"]) == pytest.approx(clip.times[k], abs=1e-6)
        if np.isnan(person.joints3d[k, j]).any():
            assert (line["x_px"], line["z_m"], line["state"]) == ("", "", "missing")
            continue
        for i, axis in enumerate("xyz"):
            assert float(line[f"{axis}_m"]) == pytest.approx(person.in_camera()[k, j, i], abs=1e-5)
            assert float(line[f"{axis}_rel_m"]) == pytest.approx(person.joints3d[k, j, i], abs=1e-5)
        assert float(line["x_px"]) == pytest.approx(person.joints2d[k, j, 0], abs=1e-3)
        hidden = key[1] == 2 and key[2] in ("left_wrist", "left_elbow")
        assert line["state"] == ("hidden" if hidden else "visible")


def test_angles_are_those_of_core(tmp_path) -> None:
    clip = walk()
    write_csv(tmp_path / "angles.csv", angle_table(clip))
    with (tmp_path / "angles.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == ("frame", "time", "id", *ANGLES)
    walker = [line for line in lines if line["id"] == "2"]
    wanted = joint_angles(clip.person(2).joints3d)
    for name in ANGLES:
        found = [float(line[name]) if line[name] else math.nan for line in walker]
        np.testing.assert_allclose(found, wanted[name], atol=1e-3)
    bent = wanted["left_knee_flexion"]
    assert bent.min() < 10 < 45 < bent.max()  # the walker's knees bend from 0.1 to 0.9 radians
    assert np.degrees(0.1) == pytest.approx(bent.min(), abs=0.5)


def test_parquet_has_types_units_and_nulls(tmp_path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra tables")
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    table = joint_table(clip)
    write_parquet(tmp_path / "joints.parquet", table)
    read = parquet.read_table(tmp_path / "joints.parquet")
    assert read.column_names == list(table)
    assert read.schema.field("x_m").metadata == {b"unit": b"m"}
    assert read["x_m"].null_count == 3
    assert read["joint"].to_pylist() == table["joint"].tolist()
    np.testing.assert_allclose(read["x_m"].to_numpy(), table["x_m"], rtol=1e-6)
    np.testing.assert_array_equal(read["time"].to_numpy(), table["time"])


def test_nobody_is_a_table_without_lines(tmp_path) -> None:
    clip = Clip.from_frames([(0, 0.0, Poses.empty(Camera.from_fov(64, 48)))])
    write_csv(tmp_path / "a.csv", joint_table(clip))
    assert (tmp_path / "a.csv").read_text().count("\n") == 1
    assert len(angle_table(clip)["trunk_flexion"]) == 0


def test_a_skeleton_without_legs_has_no_angles() -> None:
    clip = Clip.from_frames([(i, t, p.to_skeleton(FLIC11)) for i, t, p in walk_frames(2)])
    assert len(joint_table(clip)["x_px"]) == 2 * 11
    with pytest.raises(InputError, match="found no angles"):
        angle_table(clip)
