import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.lcrnet.movenet import MoveNetTrunk, SameConv  # noqa: E402
from anchorpose.lcrnet.movenet_weights import convert, main, tensor_names  # noqa: E402


def test_same_padding_is_tensorflows():
    """At stride 2 an even input is padded at the bottom and right only, at stride 1 all around."""
    image = torch.arange(16.0).view(1, 1, 4, 4)
    layer = SameConv(1, 1, 3, stride=2, bias=False)
    layer.weight.data.zero_()
    layer.weight.data[0, 0, 0, 0] = 1  # picks the top-left pixel of each window
    assert layer(image).flatten().tolist() == [0, 2, 8, 10]
    layer = SameConv(1, 1, 3, bias=False)
    layer.weight.data.zero_()
    layer.weight.data[0, 0, 0, 0] = 1
    assert layer(image)[0, 0, 0].tolist() == [0, 0, 0, 0]


def test_shapes_and_strides():
    found = MoveNetTrunk().eval()(torch.rand(1, 3, 64, 96))
    for stride, channels in ((4, 24), (8, 24), (16, 32), (32, 64)):
        assert found.pyramid[stride].shape == (1, channels, 64 // stride, 96 // stride)
    assert found.heatmap.shape == (1, 17, 16, 24)
    assert found.regression.shape == (1, 34, 16, 24)


def as_tfjs(folder, state):
    """The trunk's tensors written as a tfjs graph model: HWIO, fp16, one binary file."""
    entries, data = [], b""
    for theirs, ours in tensor_names():
        values = state[ours]
        if values.ndim == 4:
            depthwise = ours.endswith("depthwise.weight")
            values = values.transpose(2, 3, 0, 1) if depthwise else values.transpose(2, 3, 1, 0)
        entries.append({"name": "StatefulPartitionedCall/" + theirs, "shape": list(values.shape), "dtype": "float32",
                        "quantization": {"dtype": "float16", "original_dtype": "float32"}})  # fmt: skip
        data += np.ascontiguousarray(values, dtype=np.float16).tobytes()
    (folder / "m.bin").write_bytes(data)
    (folder / "m.json").write_text(json.dumps({"weightsManifest": [{"paths": ["m.bin"], "weights": entries}]}))
    return folder / "m.json"


@pytest.fixture
def state():
    trunk = {k: v.numpy().astype(np.float16) for k, v in MoveNetTrunk().state_dict().items()}
    rng = np.random.default_rng(0)
    for head, out in (("box_scale", 2), ("box_offset", 2), ("keypoint_offset", 34)):
        shapes = {"depthwise.weight": (24, 1, 3, 3), "pointwise.weight": (96, 24, 1, 1), "pointwise.bias": (96,),
                  "out.weight": (out, 96, 1, 1), "out.bias": (out,)}  # fmt: skip
        for name, shape in shapes.items():
            trunk[f"heads.{head}.{name}"] = rng.normal(size=shape).astype(np.float16)
    return trunk


def test_tfjs_round_trip(tmp_path, state):
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file

    path = as_tfjs(tmp_path, state)
    assert main([str(path), str(tmp_path / "m.safetensors")]) == 0
    found = load_file(tmp_path / "m.safetensors")
    assert set(found) == set(state)
    for name, values in state.items():
        np.testing.assert_array_equal(found[name], values)


def test_broken_tfjs_is_named(tmp_path, state):
    path = as_tfjs(tmp_path, state)
    (tmp_path / "m.bin").write_bytes(b"short")
    with pytest.raises(InputError, match="cannot read"):
        convert(path)
    path.write_text(json.dumps({"weightsManifest": []}))
    with pytest.raises(InputError, match="lacks the tensor"):
        convert(path)
