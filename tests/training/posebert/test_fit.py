"""Real runs of the loop: it learns, goes on after a kill as if nothing had been, and what it exports is the same."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.evaluation.pose3d import mpjpe  # noqa: E402
from anchorpose.evaluation.video3d import acceleration_error  # noqa: E402
from anchorpose.motion.posebert.codec import decode  # noqa: E402
from anchorpose.motion.posebert.model import PoseBert  # noqa: E402
from anchorpose.training.checkpoint import read_weights  # noqa: E402
from anchorpose.training.loop import LoopOptions  # noqa: E402
from anchorpose.training.posebert.batches import make_batch  # noqa: E402
from anchorpose.training.posebert.clips import Clips, draw_windows  # noqa: E402
from anchorpose.training.posebert.export import export, load_network  # noqa: E402
from anchorpose.training.posebert.fit import fit  # noqa: E402
from anchorpose.training.posebert.losses import losses  # noqa: E402
from anchorpose.training.posebert.network import joints_of  # noqa: E402
from anchorpose.training.posebert.presets import PRESETS, Masking  # noqa: E402
from tests.motion.posebert.graphs import rigid  # noqa: E402

from .noises import NOISE  # noqa: E402

TINY = replace(PRESETS["posebert-thin"], dim=16, heads=2, hidden=16, layers=2, frames=16, batch_size=4, warmup_steps=2)
CLIPS = Clips.of([rigid(120, 1), rigid(60, 2)])


def test_a_tiny_network_learns_to_beat_its_input_in_place_and_smoothness():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    preset = replace(TINY, dim=32, hidden=64)
    batch = make_batch(draw_windows(CLIPS, 8, 16, rng), NOISE, Masking(0.2, 0, 0, 0.0, 0.0), rng)
    network = preset.build()
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        torch.stack(list(losses(network, batch, preset).values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        sixd = network(batch.tokens, batch.known)
        found = joints_of(sixd, (batch.lengths * network.factors())[:, None]).numpy()
    noisy = decode(batch.tokens[..., -72:].unflatten(-1, (12, 6)).numpy(), batch.lengths[:, None].numpy())
    truth, known = batch.joints3d.numpy(), batch.known.numpy()
    before, after = mpjpe(noisy[known], truth[known]).mean(), mpjpe(found, truth).mean()
    assert after < 0.6 * before, "and on missing frames too"
    noisy[~known] = np.nan
    shaky, smooth = (np.nanmean([acceleration_error(p, t) for p, t in zip(poses, truth, strict=True)])
                     for poses in (noisy, found))  # fmt: skip
    assert smooth < 0.3 * shaky


def test_frames_outside_their_clip_cost_nothing():
    rng = np.random.default_rng(0)
    batch = make_batch(draw_windows(Clips.of([rigid(20)]), 6, 32, rng), NOISE, Masking(), rng)
    assert (~batch.inside).any()
    network = replace(TINY, frames=32).build().eval()
    moved = torch.where(batch.inside[..., None, None], batch.joints3d, torch.full_like(batch.joints3d, 5.0))
    turned = torch.where(batch.inside[..., None, None], batch.rotations, torch.full_like(batch.rotations, -3.0))
    with torch.no_grad():
        a = losses(network, batch, TINY)
        b = losses(network, batch._replace(joints3d=moved, rotations=turned), TINY)
    for name in a:
        assert a[name] == b[name], name
        assert torch.isfinite(a[name]), name


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path):
    whole = fit(TINY, CLIPS, NOISE, LoopOptions(tmp_path / "whole", steps=8))
    # the rate falls with the share of all steps, so a run is stopped by an error in the middle, not by fewer steps
    import anchorpose.training.loop as module

    class Stop(Exception):
        pass

    original, interval = module._Loop.step, module.SAVE_EVERY_SECONDS

    def stopping(loop):
        if loop.progress.step == 5:
            raise Stop
        original(loop)

    module._Loop.step, module.SAVE_EVERY_SECONDS = stopping, 0.0
    try:
        with pytest.raises(Stop):
            fit(TINY, CLIPS, NOISE, LoopOptions(tmp_path / "parts", steps=8))
    finally:
        module._Loop.step, module.SAVE_EVERY_SECONDS = original, interval
    assert json.loads((tmp_path / "parts/last/card.json").read_text())["progress"]["step"] == 5
    parts = fit(TINY, CLIPS, NOISE, LoopOptions(tmp_path / "parts", steps=8))
    for name in ("model", "ema"):
        one, other = read_weights(whole / f"{name}.safetensors"), read_weights(parts / f"{name}.safetensors")
        assert all(torch.equal(one[k], other[k]) for k in one)
    with pytest.raises(InputError, match="another preset"):
        fit(replace(TINY, dim=32), CLIPS, NOISE, LoopOptions(tmp_path / "parts", steps=8))


def test_the_seed_decides(tmp_path):
    runs = [fit(TINY, CLIPS, NOISE, LoopOptions(tmp_path / str(i), steps=2, seed=s)) for i, s in enumerate((3, 3, 4))]
    first, same, other = (read_weights(r / "model.safetensors") for r in runs)
    assert all(torch.equal(first[k], same[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_the_exported_graph_is_the_network(tmp_path):
    torch.manual_seed(0)
    network = replace(TINY, dim=64, hidden=64, heads=8).build().eval()
    with torch.no_grad():
        for values in network.parameters():
            values.add_(0.05 * torch.randn_like(values))
    worst = export(network, "tiny", {"preset": {}}, tmp_path / "tiny.onnx")
    assert worst < 1e-4
    assert b"stack_trace" not in (tmp_path / "tiny.onnx").read_bytes()
    model = PoseBert(tmp_path / "tiny.onnx")
    assert (model.preset, model.frames) == ("tiny", 16)
    rng = np.random.default_rng(1)
    tokens = rng.normal(size=(5, 16, 124)).astype(np.float32)
    known = rng.random((5, 16)) < 0.5
    known[:, 0] = True
    with torch.no_grad():
        wanted = network(torch.from_numpy(tokens), torch.from_numpy(known)).numpy()
    np.testing.assert_allclose(model.windows(tokens, known), wanted, atol=1e-2)  # weights in fp16
    tokens[~known] = np.nan
    assert np.isfinite(model.windows(tokens, known)).all()
    card = json.loads((tmp_path / "tiny.json").read_text())
    assert card["storage"] == "fp16"


def test_a_folder_without_a_checkpoint(tmp_path):
    with pytest.raises(InputError, match="found no checkpoint in"):
        load_network(tmp_path)


@pytest.mark.slow
def test_the_thin_preset_fits_into_eight_megabytes(tmp_path):
    export(PRESETS["posebert-thin"].build(), "posebert-thin", {}, tmp_path / "thin.onnx")
    assert (tmp_path / "thin.onnx").stat().st_size < 8e6
