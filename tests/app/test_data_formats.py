"""`anchorpose data` on every format: archives in miniature, keypoint files, and what is none of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from anchorpose.app.cli import main
from anchorpose.core.skeleton import COCO17
from anchorpose.datasets.agora import read_agora
from anchorpose.datasets.convert_archives import ARCHIVE_FORMATS
from anchorpose.datasets.posetrack import read_posetrack
from anchorpose.datasets.threedpw import read_3dpw
from tests.app.evaluate.calling import assert_refused
from tests.datasets import test_agora, test_posetrack, test_threedpw
from tests.datasets.conftest import coco_folder  # noqa: F401
from tests.datasets.test_convert_archives import pictures

Call = Callable[..., tuple[int, str, str]]
FILES = ("coco", "coco-results", "anchorpose", "openpose")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `anchorpose data` in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["data", *(str(argument) for argument in arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("kind", ARCHIVE_FORMATS)
def test_what_is_no_archive_is_refused_with_where_to_get_it(call: Call, tmp_path: Path, kind: str) -> None:
    empty, file, out = tmp_path / "empty", tmp_path / "a.json", tmp_path / "out.json"
    empty.mkdir()
    (tmp_path / "joints.mat").write_bytes(b"")
    for text in ("", "[]", "{", '{"images": 3}', '"a"'):
        file.write_text(text)
        assert_refused(call("convert", file, "--from", kind, "--to", "coco", "--out", out), str(file))
    for source in (tmp_path / "nowhere", empty):
        done = call("convert", source, "--from", kind, "--to", "coco", "--out", out)
        assert_refused(done, str(source), "licence")
    assert_refused(call("convert", tmp_path, "--from", kind, "--to", "coco", "--out", out))
    assert_refused(call("convert", empty, "--from", kind, "--to", "coco", "--out", out, "--split", "nosplit"))
    assert not out.exists()


@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_keypoint_file_is_refused(call: Call, tmp_path: Path, coco_folder: Any, kind: str) -> None:  # noqa: F811
    annotations, _ = coco_folder
    file, out = tmp_path / "given.json", tmp_path / "out.json"
    if kind == "openpose":
        (tmp_path / "folder").mkdir()
        file = tmp_path / "folder" / "0_keypoints.json"
    source = file.parent if kind == "openpose" else file
    options = ["--annotations", annotations] if kind in ("openpose", "coco-results") else []
    person = {"person_id": [-1], "pose_keypoints_2d": [1.0] * 74}
    for text in ("", "\x00\x01", "{", "3", '{"people": 3}', '[{"image_id": 1, "keypoints": [1, 2]}]', '{"images": [3]}',
                 '{"schema": "anchorpose/poses/9"}', json.dumps({"people": [person]}), "[" * 99_999,
                 '[{"image_id": 1, "category_id": 1, "keypoints": [' + "NaN," * 50 + 'NaN], "score": 1}]'):  # fmt: skip
        file.write_text(text)
        assert_refused(call("convert", source, "--from", kind, "--to", "coco", "--out", out, *options))
    assert not out.exists()


@pytest.mark.parametrize("there", FILES)
def test_there_and_back_through_every_keypoint_format(
    call: Call, tmp_path: Path, coco_folder: Any, there: str  # noqa: F811
) -> None:  # fmt: skip
    annotations, images = coco_folder
    (tmp_path / "made").mkdir()
    between, back = tmp_path / "made" / "between", tmp_path / "made" / "back.json"
    code, out, err = call("convert", annotations, "--from", "coco", "--to", there, "--out", between)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith("4 images, 10 people")
    assert ("lost: 4 people without any of" in out) == (there in ("coco-results", "openpose"))
    options = ["--annotations", annotations] if there in ("openpose", "coco-results") else []
    assert call("convert", between, "--from", there, "--to", "coco", "--out", back, *options)[0] == 0
    ids = [[image["id"] for image in json.loads(path.read_text())["images"]] for path in (annotations, back)]
    assert ids[0] == ids[1] or there == "anchorpose"  # which has names of pictures only
    first, second = (joints_by_name(path, COCO17.joints) for path in (annotations, back))
    np.testing.assert_allclose(second, first, atol=0.01)
    # What comes back is as sound as what was given.
    assert call("check", back, "--images", images)[0] == call("check", annotations, "--images", images)[0] == 0


def joints_by_name(path: Path, names: Sequence[str]) -> Any:
    """(n, J, 2) of everybody with joints, by image."""
    data = json.loads(path.read_text())
    columns = [data["categories"][0]["keypoints"].index(name) for name in names]
    rows = [(a["image_id"], np.array(a["keypoints"]).reshape(-1, 3)[columns, :2])
            for a in data["annotations"] if any(a["keypoints"])]  # fmt: skip
    return np.array([row for _, row in sorted(rows, key=lambda r: (r[0], r[1].tolist()))])


def test_archives_are_converted_checked_and_drawn(call: Call, tmp_path: Path) -> None:
    """`check` reads what `convert` makes; joints at random are swapped or outside, but nothing is broken."""
    test_posetrack.write(tmp_path, {1: test_posetrack.video(1)})
    test_threedpw.write_sequence(tmp_path, frames=2)
    table, _ = test_agora.write_table(tmp_path)
    pictures(read_posetrack(tmp_path), 640, 480)
    pictures(read_3dpw(tmp_path), 640, 480)
    pictures(read_agora(table, tmp_path / "validation", (1280, 720)), 1280, 720)
    for kind, source in (("posetrack", tmp_path), ("3dpw", tmp_path), ("agora", table)):
        out, sheet = tmp_path / f"{kind}.json", tmp_path / f"{kind}.jpg"
        code, said, err = call("convert", source, "--from", kind, "--to", "coco", "--out", out)
        assert (code, err) == (0, "")
        assert f": {len(json.loads(out.read_text())['images'])} images, " in said
        code, said, _ = call("check", out, "--images", tmp_path, "--out", sheet, "--json", "-")
        found = {name for name, problem in json.loads(said)["problems"].items() if problem["count"]}
        assert code == bool(found)
        assert not found & {"repeated_id", "broken", "not_finite", "zero_box", "missing_image"}
        assert cv2.imread(str(sheet)).std() > 1
