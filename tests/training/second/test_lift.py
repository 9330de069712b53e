"""The training of the lift: whom it is shown, and that it learns what they have in common."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.core.skeleton import LCR13  # noqa: E402
from anchorpose.lcrnet.close_look import CloseLook  # noqa: E402
from anchorpose.lcrnet.lift import Lift  # noqa: E402
from anchorpose.lcrnet.movenet import LIGHTNING  # noqa: E402
from anchorpose.training import data as data_module  # noqa: E402
from anchorpose.training.checkpoint import read_card, read_weights  # noqa: E402
from anchorpose.training.loop import LoopOptions  # noqa: E402
from anchorpose.training.release import Start  # noqa: E402
from anchorpose.training.second import lift as lift_module  # noqa: E402
from anchorpose.training.second.close import look_closely  # noqa: E402
from anchorpose.training.second.collect import CollectOptions, collect  # noqa: E402
from anchorpose.training.second.lift import LiftStage, Looks, elsewhere, fit_lift, known_people, turned  # noqa: E402
from anchorpose.training.second.taught import ask  # noqa: E402
from anchorpose.training.second.turned import Turned, Turning  # noqa: E402
from tests.datasets.conftest import coco_folder  # noqa: E402, F401
from tests.lcrnet.conftest import body  # noqa: E402

STAGE = LiftStage(batch_size=64, steps=150, warmup_steps=10, ema=0.9, learning_rate=2e-3)


def some_looks(count, seed=0):
    """People seen without perspective, with errors of 0.01 in 2D and a depth that was regressed half as deep."""
    torch.manual_seed(seed)
    true3d = torch.from_numpy(body(np.random.default_rng(seed), count))
    true2d = true3d[..., :2] / 2 + 0.5
    flat = true3d * torch.tensor([1.0, 1.0, 0.5])
    return Looks(true2d + 0.01 * torch.randn(count, 13, 2), torch.full((count, 13), -4.6), torch.randn(count, 13), flat,
                 true2d, true3d)  # fmt: skip


def test_bodies_are_seen_from_all_sides_as_wrong_as_others_were():
    looks, bodies = some_looks(400), torch.from_numpy(body(np.random.default_rng(1), 400))
    found = elsewhere(bodies, looks, LiftStage(), np.random.default_rng(2))
    torch.testing.assert_close(found.joints2d - found.true2d, looks.joints2d - looks.true2d, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.joints3d - found.true3d, looks.joints3d - looks.true3d, atol=1e-5, rtol=0)
    assert torch.equal(found.log_error, looks.log_error)
    # The bodies' bones are as long as they were, whichever side they are seen from.
    child, parent = np.array(LCR13.bones).T
    lengths = [(p[:, child] - p[:, parent]).norm(dim=2).sort(1).values for p in (found.true3d, bodies)]
    torch.testing.assert_close(*lengths, atol=1e-4, rtol=0)
    right = found.true3d[:, LCR13.joints.index("left_shoulder")] - found.true3d[:, LCR13.joints.index("right_shoulder")]
    angles = torch.atan2(right[:, 2], right[:, 0])
    assert np.histogram(angles.numpy(), 4, (-np.pi, np.pi))[0].min() > 60, "sides"
    # The region is about as large as that of a look, and the person in its middle.
    low, high = found.true2d.amin(1), found.true2d.amax(1)
    torch.testing.assert_close((low + high) / 2, torch.full((400, 2), 0.5), atol=1e-5, rtol=0)
    assert 0.7 < float((high - low).amax(1).mean()) < 0.85


def test_2d_of_bodies_seen_from_elsewhere_is_a_cameras():
    """Some distance, focal length and shift project the 3D on the 2D: the lines through both meet."""
    bodies = torch.from_numpy(body(np.random.default_rng(3), 20))
    found = elsewhere(bodies, some_looks(20), LiftStage(), np.random.default_rng(4))
    for points, pixels in zip(found.true3d.double().numpy(), found.true2d.double().numpy(), strict=True):
        # u (z + d) = f x + c (z + d) is linear in d u, f, c, c d: solve for each axis, then compare d and f.
        answers = []
        for axis in (0, 1):
            matrix = np.stack([-pixels[:, axis], points[:, axis], points[:, 2], np.ones(13)], 1)
            solution, *_ = np.linalg.lstsq(matrix, pixels[:, axis] * points[:, 2], rcond=None)
            np.testing.assert_allclose(matrix @ solution, pixels[:, axis] * points[:, 2], atol=1e-4)
            answers.append(solution[:2])
        np.testing.assert_allclose(answers[0], answers[1], rtol=0.05)
        assert 1.8 < answers[0][0] < 7.6


def test_turning_keeps_2d_and_3d_together():
    looks = some_looks(50)
    view = Turned.draw(50, Turning(flip=0.5, rotation=40.0, scale=1.0, shift=0.0), np.random.default_rng(0))
    found = turned(looks, view)
    torch.testing.assert_close(found.true2d, found.true3d[..., :2] / 2 + 0.5, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.joints3d[..., 2], found.true3d[..., 2] / 2, atol=1e-5, rtol=0)
    swapped = looks.visibility[:, LCR13.flip]
    wanted = torch.where(view.mirrored[:, None], swapped, looks.visibility)
    assert torch.equal(found.visibility, wanted)


@pytest.fixture
def lifted(drawn, monkeypatch):
    """(preset, network with a close look and a lift, data of which 60 bodies are known)."""
    preset, model, data, dataset = drawn
    torch.manual_seed(1)
    model.close, model.lift = CloseLook(16, LIGHTNING), Lift(64)
    monkeypatch.setattr(lift_module, "whole_poses", lambda samples: body(np.random.default_rng(5), 60))
    return replace(preset, close_width=16, lift=64), model.eval(), data, dataset


def error(model, looks):
    with torch.inference_mode():
        found = model.lift(looks.joints2d, looks.log_error, looks.visibility, looks.joints3d)
    return float((found - looks.true3d).norm(dim=2).mean())


def test_it_learns_what_others_have_in_common_and_the_rest_stays(lifted, tmp_path):
    preset, model, data, _ = lifted
    others = some_looks(80, seed=9)
    before, first = {n: t.clone() for n, t in model.state_dict().items()}, error(model, others)
    fit_lift(preset, model, some_looks(300), data, Start("fresh"), LoopOptions(tmp_path / "run"),
             replace(STAGE, seen=0.9, steps=300))  # fmt: skip
    assert error(model, others) < 0.75 * first
    moved = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert moved
    assert all(n.startswith("lift.") for n in moved), moved
    card = read_card(tmp_path / "run" / "last")
    assert card["lift_stage"]["looks"] == 300
    assert card["lift_stage"]["bodies"] == 60


def test_a_run_that_was_stopped_goes_on_as_if_it_was_not(lifted, tmp_path):
    preset, model, data, _ = lifted
    start = {n: t.clone() for n, t in model.state_dict().items()}

    def run(name, steps):
        options = LoopOptions(tmp_path / name, steps=steps)
        return fit_lift(preset, model, some_looks(40), data, Start("fresh"), options,
                        replace(STAGE, warmup_steps=1000))  # fmt: skip

    run("whole", 12)
    whole = read_weights(tmp_path / "whole" / "last" / "model.safetensors")
    model.load_state_dict(start)
    run("parts", 5)
    model.load_state_dict(start)
    run("parts", 12)
    parts = read_weights(tmp_path / "parts" / "last" / "model.safetensors")
    # The rate's end differs, its long warm-up does not.
    assert all(torch.allclose(whole[n], parts[n], atol=2e-4) for n in whole)


def test_known_people_are_those_of_whom_the_look_is_sure_and_all_is_known(lifted, tmp_path):
    _, model, _, dataset = lifted
    people = collect(model, dataset, CollectOptions(tmp_path / "people", workers=0), look_closely)
    said = ask(model.close, people, tmp_path / "said")
    with pytest.raises(InputError, match="joints are known in 3D"):
        known_people(people, said)
    regions, target = people.described()
    everyone = people.take(np.arange(len(people)))
    assert torch.equal(everyone.regions, regions)
    for name in ("true2d", "joints3d", "area"):
        torch.testing.assert_close(getattr(target, name), getattr(everyone.target, name), equal_nan=True)

    class Exact:
        def __len__(self):
            return len(people)

        def described(self):
            return regions, target._replace(true3d=torch.ones_like(target.joints3d))

    quality = torch.linspace(0, 1, len(people))
    found = known_people(Exact(), said._replace(quality=quality))
    rows = quality >= 0.3
    assert len(found.true3d) == int(rows.sum())
    side = (regions[:, 2:] - regions[:, :2])[:, None]
    pixels = found.joints2d * side[rows] + regions[rows][:, None, :2]
    torch.testing.assert_close(pixels, said.joints2d[rows], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.log_error.exp(), said.errors[rows])
    torch.testing.assert_close(found.visibility.sigmoid(), said.visibility[rows].clamp(1e-4, 1 - 1e-4))


def test_errors_are_learnt_from_people_with_labels_of_every_joint(lifted, tmp_path):
    preset, model, data, _ = lifted
    looks = some_looks(20)
    hidden = looks.true2d.clone()
    hidden[:, 3] = torch.nan
    with pytest.raises(InputError, match="none with a 2D label of every joint"):
        fit_lift(preset, model, looks._replace(true2d=hidden), data, Start("fresh"), LoopOptions(tmp_path), STAGE)
    hidden[10:] = looks.true2d[10:]
    folder = fit_lift(preset, model, looks._replace(true2d=hidden), data, Start("fresh"), LoopOptions(tmp_path),
                      replace(STAGE, steps=3))  # fmt: skip
    assert np.isfinite(read_card(folder)["progress"]["loss"])


def test_data_without_bodies_is_refused(lifted, tmp_path, monkeypatch):
    preset, model, data, _ = lifted
    monkeypatch.setattr(lift_module, "whole_poses", lambda samples: np.zeros((0, 13, 3), np.float32))
    with pytest.raises(InputError, match="wanted bodies to see from elsewhere"):
        fit_lift(preset, model, some_looks(20), data, Start("fresh"), LoopOptions(tmp_path), STAGE)


def test_bodies_of_data_are_those_known_whole(coco_folder):  # noqa: F811
    from anchorpose.datasets.coco import read_coco

    annotations, images = coco_folder
    samples = read_coco(annotations, images)
    assert data_module.whole_poses(samples).shape == (0, 13, 3)
    known = body(np.random.default_rng(0), 2)
    person = samples[0].people[0]
    half = known[1].copy()
    half[4] = np.nan
    people = (replace(person, joints3d=known[0]), replace(person, joints3d=half))
    np.testing.assert_array_equal(data_module.whole_poses([replace(samples[0], people=people)]), known[:1])
