"""What a larger close look teaches: asked once of everybody, kept, and learnt from."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.lcrnet.close_look import SIDE, CloseLook  # noqa: E402
from anchorpose.lcrnet.movenet import LIGHTNING  # noqa: E402
from anchorpose.lcrnet.second_losses import SecondTarget, second_losses  # noqa: E402
from anchorpose.training.checkpoint import read_card  # noqa: E402
from anchorpose.training.loop import LoopOptions  # noqa: E402
from anchorpose.training.release import Start  # noqa: E402
from anchorpose.training.second.close import CloseStage, fit_close, look_closely  # noqa: E402
from anchorpose.training.second.collect import CollectOptions, collect  # noqa: E402
from anchorpose.training.second.taught import SURE_JOINT, SURE_PERSON, Taught, ask, taught_losses  # noqa: E402
from anchorpose.training.second.turned import Turning  # noqa: E402


@pytest.fixture
def people(drawn, tmp_path):
    """(preset, network with a close look of an untrained Lightning, data, people cut out of its pictures)."""
    preset, model, data, dataset = drawn
    torch.manual_seed(1)
    model.close = CloseLook(16, LIGHTNING)
    found = collect(model.eval(), dataset, CollectOptions(tmp_path / "people", workers=0), look_closely)
    return replace(preset, close_width=16), model, data, found


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(2)
    return CloseLook(16).eval()


def test_everybody_is_asked_once_and_in_order(people, teacher, tmp_path):
    _, _, _, everyone = people
    said = ask(teacher, everyone, tmp_path / "taught")
    assert len(said.quality) == len(everyone)
    rows = np.array([0, len(everyone) // 2, len(everyone) - 1])
    some = everyone.take(rows)
    with torch.inference_mode():
        alone = teacher.judge(some.maps[0].float() / 255, some.regions, some.target.joints2d, some.target.joints3d)
    mine, side = said.take(rows), some.regions[:, 2:] - some.regions[:, :2]
    # It is asked in bfloat16; which of two peaks is the higher may depend on that for an untrained network.
    close = (mine.joints2d - alone.pixels).abs().amax(2) < 0.03 * side[:, :1]
    assert close.float().mean() > 0.8
    torch.testing.assert_close(mine.joints3d, alone.joints3d, atol=0.02, rtol=0)
    torch.testing.assert_close(mine.quality, alone.quality.sigmoid(), atol=0.02, rtol=0)

    def refuse(*_):
        raise AssertionError("asked again")

    again = ask(type("Silent", (), {"eval": lambda self: self, "judge": refuse})(), everyone, tmp_path / "taught")
    assert all(torch.equal(a, b) for a, b in zip(said, again, strict=True))
    (tmp_path / "taught" / "0000.npz").write_bytes(b"damaged")
    with pytest.raises(InputError, match="remove the file"):
        ask(teacher, everyone, tmp_path / "taught")


def nothing_known(count, regions):
    nan2d, nan3d = torch.full((count, 13, 2), torch.nan), torch.full((count, 13, 3), torch.nan)
    middle = (regions[:, None, :2] + regions[:, None, 2:]) / 2
    nobody = torch.zeros(count, dtype=torch.bool)
    return SecondTarget(middle.expand(-1, 13, -1), torch.zeros(count, 13, 3), torch.zeros(count), nobody, nan2d,
                        nan3d, torch.full((count, 13), -1), torch.full((count,), torch.nan))  # fmt: skip


def said_of(count, quality, errors):
    g = torch.Generator().manual_seed(5)
    return Taught(torch.rand(count, 13, 2, generator=g) * 80 + 10, torch.full((count, 13), errors),
                  torch.randn(count, 13, 3, generator=g) * 0.3, torch.rand(count, 13, generator=g),
                  torch.full((count,), quality))  # fmt: skip


@pytest.mark.parametrize(
    ("quality", "errors", "learnt"),
    [(SURE_PERSON + 0.01, SURE_JOINT - 0.01, {"second2d", "second_heat", "second3d", "second_visibility"}),
     (SURE_PERSON + 0.01, SURE_JOINT + 0.01, {"second3d", "second_visibility"}),
     (SURE_PERSON - 0.01, SURE_JOINT - 0.01, set())],
)  # fmt: skip
def test_a_teacher_is_believed_where_it_is_sure(teacher, quality, errors, learnt):
    regions = torch.tensor([[0.0, 0.0, 100.0, 100.0]]).expand(3, 4)
    target = nothing_known(3, regions)
    cut = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        output = teacher.judge(cut, regions, target.joints2d, target.joints3d)
    output = output._replace(**{name: getattr(output, name).clone().requires_grad_() for name in (
        "joints2d", "heat", "log_scale", "joints3d", "visibility", "quality")})  # fmt: skip
    losses = taught_losses(output, target, said_of(3, quality, errors), 0.1)
    assert all(torch.isfinite(v) for v in losses.values())
    sum(losses.values()).backward()
    moved = {"second2d": output.joints2d, "second_heat": output.heat, "second3d": output.joints3d,
             "second_visibility": output.visibility}  # fmt: skip
    assert {n for n, t in moved.items() if t.grad is not None and t.grad.abs().max() > 0} == learnt
    assert output.quality.grad.abs().min() > 0
    assert output.log_scale.grad is None or output.log_scale.grad.abs().max() == 0


def test_a_teacher_is_silent_where_the_truth_is_known(teacher):
    """All known: the losses are those of the truth, whatever the teacher says. One joint unknown: only that counts."""
    regions = torch.tensor([[0.0, 0.0, 100.0, 100.0]]).expand(2, 4)
    truth = said_of(2, 1.0, 0.0)
    target = nothing_known(2, regions)._replace(
        person=torch.ones(2, dtype=torch.bool), true2d=truth.joints2d, true3d=truth.joints3d,
        visible=torch.ones(2, 13, dtype=torch.long), area=torch.full((2,), 5000.0),
    )  # fmt: skip
    cut = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        output = teacher.judge(cut, regions, target.joints2d, target.joints3d)
    g = torch.Generator().manual_seed(8)  # an untrained teacher's maps say the same of every place
    output = output._replace(heat=torch.randn(output.heat.shape, generator=g).log_softmax(2),
                             visibility=torch.randn(2, 13, generator=g))  # fmt: skip
    aside = truth.joints2d + torch.tensor([20.0, 5.0])
    wrong = said_of(2, 0.9, 0.01)._replace(joints2d=aside, joints3d=truth.joints3d + 0.5,
                                           visibility=torch.zeros(2, 13))  # fmt: skip
    alone, both = second_losses(output, target, 0.1), taught_losses(output, target, wrong, 0.1)
    assert alone.keys() == both.keys()
    for name, value in alone.items():
        torch.testing.assert_close(both[name], value)

    unknown = target._replace(**{name: getattr(target, name).clone() for name in ("true2d", "true3d", "visible")})
    unknown.true2d[0, 3], unknown.true3d[0, 3], unknown.visible[0, 3] = torch.nan, torch.nan, -1
    right = wrong._replace(joints2d=truth.joints2d, joints3d=truth.joints3d, visibility=torch.ones(2, 13))
    told = taught_losses(output, unknown, right, 0.1)
    for name in ("second2d", "second_heat", "second3d", "second_visibility"):
        torch.testing.assert_close(told[name], alone[name])
    lied = taught_losses(output, unknown, wrong, 0.1)
    for name in ("second2d", "second_heat", "second3d", "second_visibility"):
        assert abs(float(lied[name]) - float(told[name])) > 1e-4


def test_a_student_nears_its_teacher_on_people_whom_nobody_labelled(people, teacher, tmp_path):
    preset, model, data, everyone = people
    target = everyone._columns[0]
    target["true2d"], target["true3d"] = np.full_like(target["true2d"], np.nan), np.full_like(target["true3d"], np.nan)
    target["visible"] = np.full_like(target["visible"], -1)
    middle = (everyone.take(np.arange(len(everyone))).regions.unflatten(1, (2, 2))).mean(1)
    said = said_of(len(everyone), 0.9, 0.02)
    said = said._replace(joints2d=middle[:, None] + said.joints2d * 0.1)
    stage = CloseStage(batch_size=8, steps=60, learning_rate=2e-3, warmup_steps=5, ema=0.5, trunk_rate=1.0,
                       turning=Turning(flip=0.0, rotation=0.0, scale=1.0, shift=0.0, colour=0.0))  # fmt: skip

    def apart():
        some = everyone.take(np.arange(min(16, len(everyone))))
        with torch.inference_mode():
            cut = torch.nn.functional.interpolate(some.maps[0].float() / 255, (model.close.side,) * 2, mode="bilinear")
            found = model.close.judge(cut, some.regions, some.target.joints2d, some.target.joints3d)
        return float((found.pixels - said.joints2d[: len(cut)]).abs().mean())

    first = apart()
    folder = fit_close(preset, model, everyone, data, Start("random"), LoopOptions(tmp_path / "run"), stage, said)
    assert apart() < 0.7 * first
    assert read_card(folder)["close_stage"]["people"] == len(everyone)
