"""The close look alone: people are cut out where they are, and it learns from that; the rest stays."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from anchorpose.datasets.loader import collate  # noqa: E402
from anchorpose.lcrnet.close_look import SIDE, CloseLook, cut_out  # noqa: E402
from anchorpose.training.checkpoint import read_card, read_weights  # noqa: E402
from anchorpose.training.loop import LoopOptions  # noqa: E402
from anchorpose.training.release import Start  # noqa: E402
from anchorpose.training.second.close import CloseStage, fit_close, look_closely  # noqa: E402
from anchorpose.training.second.collect import CollectOptions, collect  # noqa: E402


@pytest.fixture
def closer(drawn):
    """As `drawn`, with a close look of an untrained trunk."""
    preset, model, data, dataset = drawn
    torch.manual_seed(1)
    model.close = CloseLook(width=16)
    return replace(preset, name="lcrnet-base", close_width=16), model.eval(), data, dataset


def test_people_are_cut_out_as_the_network_would_see_them(closer):
    _, model, _, dataset = closer
    images, joined = collate([dataset[i] for i in range(4)])
    with torch.inference_mode():
        found = look_closely(model, images, joined.split(), torch.Generator().manual_seed(0))
        wanted = cut_out(images.float() / 255, found.regions, found.target.picture)
    assert len(found.regions) >= 8
    assert found.maps[0].shape[1:] == (3, SIDE, SIDE)
    assert (found.maps[0].float() / 255 - wanted).abs().max() <= 0.5 / 255 + 1e-6
    # The pose before, by which the region was chosen, lies in it.
    middle = (found.regions[:, :2] + found.regions[:, 2:]) / 2
    side = found.regions[:, 2] - found.regions[:, 0]
    low, high = found.target.joints2d.amin(1), found.target.joints2d.amax(1)
    assert (((low + high) / 2 - middle).abs().amax(1) < 0.2 * side).all()
    assert found.target.person.any()


@pytest.mark.parametrize(("rate", "moving"), [(0.0, ()), (1.0, ("blocks.16.", "neck.", "heads.keypoint_heatmap."))])
def test_the_close_look_learns_and_the_rest_stays(closer, tmp_path, rate, moving):
    preset, model, data, dataset = closer
    people = collect(model, dataset, CollectOptions(tmp_path / "people", workers=0), look_closely)
    before = {n: t.clone() for n, t in model.state_dict().items()}
    stage = CloseStage(batch_size=8, steps=40, learning_rate=2e-3, warmup_steps=5, ema=0.5, trunk_rate=rate,
                        frozen_blocks=14)  # fmt: skip

    def error():
        everyone = people.take(np.arange(min(16, len(people))))
        with torch.inference_mode():
            found = model.close.judge(everyone.maps[0].float() / 255, everyone.regions, everyone.target.joints2d,
                                      everyone.target.joints3d)  # fmt: skip
        return float((found.pixels - everyone.target.true2d).abs().nanmean())

    folder = fit_close(preset, model, people, data, Start("random"), LoopOptions(tmp_path / "run", steps=1), stage)
    first = error()
    folder = fit_close(preset, model, people, data, Start("random"), LoopOptions(tmp_path / "run"), stage)
    assert error() < 0.7 * first
    after = read_weights(folder / "ema.safetensors")
    moved = {n for n, t in before.items() if not torch.equal(t, after[n])}
    assert all(n.startswith("close.") for n in moved)
    of_trunk = {n.removeprefix("close.trunk.trunk.") for n in moved if n.startswith("close.trunk.")}
    assert {part for part in moving if any(n.startswith(part) for n in of_trunk)} == set(moving)
    assert bool(of_trunk) == bool(moving)
    assert not any(n.startswith(("stem.", "blocks.13.", "blocks.0.")) for n in of_trunk)
    card = read_card(folder)
    assert card["close_stage"]["people"] == len(people)
    assert card["progress"]["step"] == 40
