from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from anchorpose.app import runtime
from anchorpose.app.estimator import find_model, load
from anchorpose.app.runtime import OnnxModel, available_cores, waiting
from anchorpose.core.errors import InputError
from anchorpose.io.onnx import onnxruntime

from . import graphs


def test_runs_and_reads_the_metadata(tiny: Path) -> None:
    model = OnnxModel(tiny, threads=1)
    image = np.zeros((64, 96, 3), np.uint8)
    image[10:20, 30:40, 0] = 255
    proposals, refined = model(image)
    assert refined is None  # the tiny graph has no second pass
    np.testing.assert_allclose(proposals.joints2d[0] - graphs.OFFSETS, np.tile([35, 15], (13, 1)), atol=1e-4)
    np.testing.assert_allclose(proposals.boxes[1] - graphs.BOX, [35, 15, 35, 15], atol=1e-4)
    assert proposals.labels.tolist() == [0, 1]
    assert (model.metadata.preset, model.metadata.anchors, model.metadata.max_side) == ("tiny", graphs.K, 256)
    assert model.metadata.skeleton == "LCR13"


def test_no_proposals(tiny: Path) -> None:
    assert len(OnnxModel(tiny)(np.zeros((32, 32, 3), np.uint8))[0]) == 0


def test_an_unpadded_picture_is_a_programming_error(tiny: Path) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        OnnxModel(tiny)(np.zeros((33, 32, 3), np.uint8))


def test_the_metadata_sets_the_integration(tmp_path: Path) -> None:
    props = graphs.entries(integration={"distance3d": 0.25, "method": "nms"}, skeleton={"name": "LCR13"})
    path = graphs.write_graph(tmp_path / "m.onnx", props)
    found = OnnxModel(path).metadata
    assert (found.integration.distance3d, found.integration.method, found.skeleton) == (0.25, "nms", "LCR13")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty"), (b"hello " * 99, "no complete ONNX"), (None, "no such file")]
)
def test_broken_files_give_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        OnnxModel(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_truncated_model(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny.read_bytes()[:700])
    with pytest.raises(InputError, match=r"cut\.onnx"):
        OnnxModel(path)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder"):
        OnnxModel(tmp_path)


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({}, "not one of anchorpose"),
        ({"anchorpose": "{"}, "another version"),
        ({"anchorpose": "[]"}, "another version"),
        ({"anchorpose": json.dumps({"preset": "x"})}, "another version"),
        (graphs.entries(integration={"new": 1}), "unknown integration options new"),
        (graphs.entries(integration={"distance3d": -1}), "distance3d"),
    ],
)
def test_foreign_graphs_give_one_line(tmp_path: Path, props: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        OnnxModel(graphs.write_graph(tmp_path / "foreign.onnx", props))


def test_options_are_checked(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"no provider NoSuchProvider; it has .*cpu"):
        OnnxModel(tiny, providers=["NoSuchProvider"])
    with pytest.raises(InputError, match="at least 1"):
        OnnxModel(tiny, threads=0)


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider"])
def test_providers_by_name_or_in_short(tiny: Path, name: str) -> None:
    assert OnnxModel(tiny, providers=[name])._session.get_providers() == ["CPUExecutionProvider"]


def test_openvino_finds_the_same_people() -> None:
    if "OpenVINOExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("the installed onnxruntime has no OpenVINO; onnxruntime-openvino has")
    photo = Path(__file__).parents[2] / "examples" / "photos"
    plain, other = load(), load(providers=["openvino"])
    for path in sorted(photo.glob("*.jpg")):
        expected, found = plain(path), other(path)
        assert len(found) == len(expected) > 0
        np.testing.assert_allclose(found.joints2d, expected.joints2d, atol=0.01)
        np.testing.assert_allclose(found.joints3d, expected.joints3d, atol=1e-4)


def test_cores_count_once_for_two_hardware_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(runtime, "_siblings", lambda cpu: f"{cpu % 2},{cpu % 2 + 2}")
    assert available_cores() == 2


def test_versions_that_cannot_spin_briefly_do_not_spin() -> None:
    assert waiting("1.26.0") == waiting("1.26rc1") == waiting("2.0.1") == {"session.intra_op.spin_duration_us": "10"}
    assert waiting("1.25.1")["session.intra_op.allow_spinning"] == waiting("1.9.0")["session.intra_op.allow_spinning"]
    assert (
        waiting("1.25.1")["session.intra_op.allow_spinning"]
        == waiting("unknown")["session.intra_op.allow_spinning"]
        == "0"
    )


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core has no second thread")
def test_idle_threads_take_no_time() -> None:
    model = OnnxModel(find_model(), threads=2)
    model(np.zeros((128, 128, 3), np.uint8))
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.03
