import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.lcrnet.movenet import LIGHTNING, MULTIPOSE, THUNDER, MoveNetTrunk, SameConv  # noqa: E402
from anchorpose.lcrnet.movenet_weights import HEADS, convert, main, tensor_names  # noqa: E402

VARIANTS = {"multipose": (MULTIPOSE, list(HEADS)),
            "thunder": (THUNDER, [head for head in HEADS if not head.startswith("box")])}  # fmt: skip


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


@pytest.mark.parametrize(
    ("channels", "parameters"), [(MULTIPOSE, 4_666_000), (THUNDER, 6_221_000), (LIGHTNING, 2_315_000)]
)
def test_shapes_and_strides(channels, parameters):
    trunk = MoveNetTrunk(channels)
    assert sum(p.numel() for p in trunk.parameters()) == pytest.approx(parameters, rel=0.01)
    found = trunk.eval()(torch.rand(1, 3, 64, 96))
    at = {4: 3, 8: 6, 16: 13, 32: 17}
    assert {s: tap.shape[1] for s, tap in found.taps.items()} == {s: channels[i] for s, i in at.items()}
    for stride, channels in ((4, 24), (8, 24), (16, 32), (32, 64)):
        assert found.pyramid[stride].shape == (1, channels, 64 // stride, 96 // stride)
    assert found.heatmap.shape == (1, 17, 16, 24)
    assert found.regression.shape == (1, 34, 16, 24)


def as_tfjs(folder, state, heads):
    """The trunk's tensors written as a tfjs graph model: HWIO, fp16, one binary file."""
    entries, data = [], b""
    for theirs, ours in tensor_names(heads):
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


def tensors(channels, heads):
    trunk = {k: v.numpy().astype(np.float16) for k, v in MoveNetTrunk(channels).state_dict().items()}
    rng = np.random.default_rng(0)
    for head, out in (("box_scale", 2), ("box_offset", 2), ("keypoint_offset", 34)):
        if head not in heads:
            continue
        shapes = {"depthwise.weight": (24, 1, 3, 3), "pointwise.weight": (96, 24, 1, 1), "pointwise.bias": (96,),
                  "out.weight": (out, 96, 1, 1), "out.bias": (out,)}  # fmt: skip
        for name, shape in shapes.items():
            trunk[f"heads.{head}.{name}"] = rng.normal(size=shape).astype(np.float16)
    return trunk


@pytest.mark.parametrize("variant", VARIANTS)
def test_tfjs_round_trip(tmp_path, variant):
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file

    channels, heads = VARIANTS[variant]
    state = tensors(channels, heads)
    path = as_tfjs(tmp_path, state, heads)
    assert main([str(path), str(tmp_path / "m.safetensors")]) == 0
    found = load_file(tmp_path / "m.safetensors")
    assert set(found) == set(state)
    for name, values in state.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_numbers_of_the_layers_are_those_of_the_files():
    """As the npm package's two models name them."""
    for variant, last in (("multipose", 8), ("thunder", 6)):
        names = {ours: theirs for theirs, ours in tensor_names(VARIANTS[variant][1])}
        assert names["heads.center.out.bias"] == "center_0/conv2d_4/BiasAdd/ReadVariableOp"
        wanted = f"kpt_offset_0/separable_conv2d_{last}/BiasAdd/ReadVariableOp"
        assert names["heads.keypoint_offset.pointwise.bias"] == wanted


def test_broken_tfjs_is_named(tmp_path):
    path = as_tfjs(tmp_path, tensors(*VARIANTS["multipose"]), list(HEADS))
    (tmp_path / "m.bin").write_bytes(b"short")
    with pytest.raises(InputError, match="cannot read"):
        convert(path)
    path.write_text(json.dumps({"weightsManifest": []}))
    with pytest.raises(InputError, match="lacks the tensor"):
        convert(path)
