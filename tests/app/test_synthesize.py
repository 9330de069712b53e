"""`anchorpose synthesize` from outside: from motion capture files to training data."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.library import PoseLibrary
from tests.app.test_cli import Run, assert_one_line_error, run  # noqa: F401
from tests.synthesis.photographs import random_pose, write_photographs
from tests.synthesis.test_bvh import person_bvh


def test_motion_capture_becomes_a_library_with_a_picture(run: Run, tmp_path):  # noqa: F811
    person_bvh(tmp_path / "walk.bvh", 20, np.random.default_rng(0))
    done = run("synthesize", "library", "walk.bvh", "--out", "poses.npz", "--preview", "4")
    assert done.returncode == 0, done.stderr
    assert "of 20 frames in 1 files" in done.stdout
    assert "standing" in done.stdout
    assert PoseLibrary.load(tmp_path / "poses.npz").sources[0].endswith("walk.bvh")
    assert cv2.imread(str(tmp_path / "poses.preview.jpg")) is not None


def test_a_broken_file_is_named_and_the_others_are_used(run: Run, tmp_path):  # noqa: F811
    person_bvh(tmp_path / "a.bvh", 20, np.random.default_rng(0))
    whole = (tmp_path / "a.bvh").read_text()
    (tmp_path / "b.bvh").write_text(whole[: len(whole) // 2])
    done = run("synthesize", "library", ".", "--out", "poses.npz")
    assert done.returncode == 2
    assert "b.bvh:" in done.stdout
    assert len(PoseLibrary.load(tmp_path / "poses.npz")) > 0
    assert_one_line_error(run("synthesize", "library", "nowhere", "--out", "poses.npz"), "nowhere")
    (tmp_path / "a.bvh").write_text("HIERARCHY\n")
    assert_one_line_error(run("synthesize", "library", "a.bvh"), "a.bvh")


@pytest.fixture
def photographs(tmp_path):
    """Photographs of the poses of a library, in the folder."""
    rng = np.random.default_rng(0)
    poses = np.stack([random_pose(rng, bend=0.3) for _ in range(40)])
    PoseLibrary(poses, ("clip",), np.zeros(40, np.int32)).save(tmp_path / "poses.npz")
    return write_photographs(tmp_path, poses[:12], rng)


def test_photographs_are_lifted(run: Run, tmp_path, photographs):  # noqa: F811
    done = run("synthesize", "lift", "--annotations", "people.json", "--library", "poses.npz", "--out", "lifted.json",
               "--views", "40", "--images", "photographs", "--preview", "2")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "of 12 people with labels" in done.stdout
    people = [p for s in read_coco(tmp_path / "lifted.json", tmp_path / "photographs") for p in s.people]
    assert sum(np.isfinite(p.joints3d).all() for p in people) >= 10
    assert cv2.imread(str(tmp_path / "lifted.preview.jpg")) is not None
    before, after = (json.loads((tmp_path / f"{n}.json").read_text())["annotations"] for n in ("people", "lifted"))
    assert [a["keypoints"] for a in before] == [a["keypoints"] for a in after]
    done = run("synthesize", "lift", "--annotations", "people.json", "--library", "people.json", "--out", "x.json")
    assert_one_line_error(done, "pose library")
    done = run("synthesize", "lift", "--annotations", "people.json", "--library", "poses.npz", "--out", "x.json",
               "--preview", "2")  # fmt: skip
    assert_one_line_error(done, "--images")


def test_mosaics_go_on_where_they_stopped(run: Run, tmp_path, photographs):  # noqa: F811
    command = ("synthesize", "mosaic", "--annotations", "people.json", "--images", "photographs", "--library",
               "poses.npz", "--out", "made", "--size", "96", "--processes", "1", "--count")  # fmt: skip
    done = run(*command, "2")
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "made" / "images" / "000001.jpg").read_bytes()
    done = run(*command, "4", "--preview", "2")
    assert "2 were there already" in done.stdout, done.stderr
    assert (tmp_path / "made" / "images" / "000001.jpg").read_bytes() == first
    samples = read_coco(tmp_path / "made" / "annotations.json", tmp_path / "made" / "images")
    assert len(samples) == 4
    assert all(np.isfinite(s.people[0].joints3d).all() for s in samples)
    assert (tmp_path / "made" / "preview.jpg").exists()
    assert_one_line_error(run(*command, "4", "--seed", "7"), "other settings")


def render_command(folder):
    """Two small pictures, with coloured noise for backgrounds and textures."""
    for name, count in (("backgrounds", 3), ("textures", 6)):
        (folder / name).mkdir()
        for i in range(count):
            noise = np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)
            cv2.imwrite(str(folder / name / f"{i}.png"), cv2.resize(noise, (200, 200)))
    return ["synthesize", "render", "--library", "poses.npz", "--backgrounds", "backgrounds", "--textures", "textures",
            "--out", "made", "--count", "2", "--size", "192", "--processes", "1"]  # fmt: skip


@pytest.mark.slow
def test_rendered_people_are_exact(run: Run, tmp_path, photographs):  # noqa: F811
    pytest.importorskip("anny")
    done = run(*render_command(tmp_path), "--maps", "--preview", "2")
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "made" / "annotations.json").read_text())
    assert data["annotations"]
    camera = data["images"][0]["camera"]
    first = next(a for a in data["annotations"] if a["image_id"] == data["images"][0]["id"])
    points = np.array(first["joints3d"]) + first["translation"]
    pixels = points[:, :2] / points[:, 2:] * camera["fx"] + [camera["cx"], camera["cy"]]
    np.testing.assert_allclose(pixels, first["joints2d"], atol=0.1)
    depth = cv2.imread(str(tmp_path / "made" / "depth" / "000000.png"), cv2.IMREAD_UNCHANGED)
    # A visible joint lies in its limb: the surface in front of it is at most a limb nearer.
    for j, state in enumerate(first["joint_state"]):
        if state == "visible":
            x, y = (int(v) for v in first["joints2d"][j])
            assert -0.35 < depth[y, x] / 1000 - points[j, 2] < 0.1, LCR13.joints[j]


def test_what_rendering_needs_is_said(tmp_path, photographs):
    """Without Anny and warp: one line, not a traceback."""
    code = (
        "import sys\n"
        "sys.modules.update(anny=None, warp=None)\n"
        "from anchorpose.app.cli import main\n"
        f"sys.exit(main({render_command(tmp_path)!r}))\n"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env=environment)  # fmt: skip
    assert_one_line_error(done, "anchorpose[synthesis]")
