"""The second pass alone: what is kept of people is what it would have pooled, and it learns from that."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from anchorpose.core.errors import InputError  # noqa: E402
from anchorpose.datasets.loader import collate  # noqa: E402
from anchorpose.lcrnet.targets import RegionTarget  # noqa: E402
from anchorpose.training.checkpoint import read_card, read_weights, save_checkpoint  # noqa: E402
from anchorpose.training.fit import FitOptions, card_of, fit  # noqa: E402
from anchorpose.training.loop import LoopOptions  # noqa: E402
from anchorpose.training.release import Start  # noqa: E402
from anchorpose.training.second.collect import CollectOptions, collect, each_person, look_again, pooled_people  # noqa: E402
from anchorpose.training.second.fit import SecondStage, fit_second, judge  # noqa: E402
from anchorpose.training.second.pooled import HIGHEST, LOWEST, Pooled  # noqa: E402
from anchorpose.training.second.stored import StoredPeople, write_part  # noqa: E402


def looked_at(drawn):
    """(network, a batch as it was pooled, what the second pass says of it by its own way)."""
    _, model, _, dataset = drawn
    model.eval()
    images, joined = collate([dataset[i] for i in range(4)])
    targets = joined.split()
    with torch.inference_mode():
        pooled = pooled_people(model, images, targets, torch.Generator().manual_seed(0))
        own = model.second(model.maps(model.features(images)), pooled.target.joints2d, pooled.target.joints3d,
                           pooled.target.picture, pooled.regions)  # fmt: skip
    return model, pooled, own


def test_collected_people_are_judged_as_if_they_were_looked_at(drawn, tmp_path):
    drawn[1].second.window = 1e3  # the flat maps of an untrained network peak wherever a byte makes them
    model, pooled, own = looked_at(drawn)
    assert len(pooled.regions) >= 8
    with torch.inference_mode():
        exact = judge(model.second, pooled)
    for name in own._fields:
        torch.testing.assert_close(getattr(exact, name), getattr(own, name), atol=2e-4, rtol=1e-3)
    assert any((share < 0.99).any() for share in pooled.inside), "no region reaches beyond its picture"
    write_part(tmp_path / "part", [pooled.stored()])
    with torch.inference_mode():
        people = StoredPeople([tmp_path / "part"]).take(np.arange(len(pooled.regions)))
        stored = judge(model.second, Pooled.read(people))
    # A byte is a 255th of the range; pixels of a region of some hundred.
    assert (stored.pixels - own.pixels).abs().max() < 0.5
    torch.testing.assert_close(stored.quality, own.quality, atol=0.02, rtol=0)


def test_people_come_back_from_several_parts_by_position(drawn, tmp_path):
    _, pooled, _ = looked_at(drawn)
    count = len(pooled.regions)
    write_part(tmp_path / "a", [pooled.stored()])
    write_part(tmp_path / "b", [pooled.stored()] * 2)
    people = StoredPeople([tmp_path / "a", tmp_path / "b"])
    assert len(people) == 3 * count
    some = Pooled.read(people.take(np.array([2 * count + 1, 0, count - 1, count])))
    wanted = [0, count - 1, 0, 1]
    torch.testing.assert_close(some.regions, pooled.regions[wanted])
    torch.testing.assert_close(some.target.true2d, pooled.target.true2d[wanted], equal_nan=True)
    assert some.target.person.tolist() == pooled.target.person[wanted].tolist()
    step = (HIGHEST - LOWEST) / 255
    for stored, values in zip(some.maps, pooled.maps, strict=True):
        assert (stored - values[wanted].clamp(LOWEST, HIGHEST)).abs().max() <= step / 2 + 1e-5


def test_what_is_broken_or_empty_is_named(drawn, tmp_path):
    _, pooled, _ = looked_at(drawn)
    write_part(tmp_path / "part", [pooled.stored()])
    (tmp_path / "part" / "map1.u8").write_bytes(b"short")
    with pytest.raises(InputError, match=r"cannot read the people in .*part.*remove the folder"):
        StoredPeople([tmp_path / "part"])
    with pytest.raises(InputError, match="found nobody with joints"):
        StoredPeople([])


def test_each_person_is_looked_at_twice_at_most():
    person = torch.tensor([-1, 0, 0, 0, 1, 2, 2, 2, -1, 3, 4])
    region = RegionTarget(torch.zeros(11, 4), torch.zeros(11, dtype=torch.long), person)
    logits = torch.zeros(11, 3)
    logits[8, -1] = -1.0  # the likeliest of the background
    strangers = 0
    for seed in range(40):
        rows = each_person(logits, region, torch.Generator().manual_seed(seed))
        on = [int(p) for p in person[rows] if p >= 0]
        assert len(set(rows.tolist())) == len(rows)
        assert len(on) == 5
        assert max(on.count(p) for p in set(on)) <= 2
        strangers += 8 in rows
        assert 0 not in rows
    assert 4 < strangers < 26


def test_the_second_pass_learns_and_the_rest_stays(drawn, tmp_path):
    preset, model, data, dataset = drawn
    people = collect(model, dataset, CollectOptions(tmp_path / "people", workers=0), look_again)
    before = {n: t.clone() for n, t in model.state_dict().items()}
    stage = SecondStage(batch_size=16, steps=150, learning_rate=2e-3, warmup_steps=5)

    def error():
        with torch.inference_mode():
            found = judge(model.second, everyone := Pooled.read(people.take(np.arange(len(people)))))
        return float((found.pixels - everyone.target.true2d).abs().nanmean())

    first = error()
    folder = fit_second(preset, model, people, data, Start("random"), LoopOptions(tmp_path / "run"), stage)
    assert error() < 0.5 * first
    after = read_weights(folder / "ema.safetensors")
    moved = {n for n, t in before.items() if not torch.equal(t, after[n])}
    assert moved
    assert all(n.startswith("second.") for n in moved)
    assert not any("running" in n for n in moved), "the statistics that people were collected by"
    card = read_card(folder)
    assert card["second_stage"]["people"] == len(people)
    assert card["progress"]["step"] == 150
    # A second call finds the people and the checkpoint, and has nothing left to do.
    again = collect(model, replace_samples(dataset), CollectOptions(tmp_path / "people", workers=0), look_again)
    assert len(again) == len(people)
    with pytest.raises(InputError, match="has people of other weights, data or seed"):
        collect(model, dataset, CollectOptions(tmp_path / "people", workers=0, about="others"), look_again)
    fit_second(preset, model, again, data, Start("random"), LoopOptions(tmp_path / "run"), stage)
    assert read_card(folder)["progress"]["step"] == 150


@pytest.mark.parametrize("whole", [False, True])
def test_a_checkpoint_of_the_other_training_is_refused(drawn, tmp_path, whole):
    preset, model, data, dataset = drawn
    other = {"step": 3, "seconds": 1.0} | ({"loss": 1.0} if whole else {"epoch": 0, "batch": 3, "losses": {}})
    card = card_of(preset, data, Start("random")) | {"progress": other}
    save_checkpoint(tmp_path / "run" / "last", model.state_dict(), model.state_dict(), {}, card)
    people = collect(model, dataset, CollectOptions(tmp_path / "people", workers=0), look_again)
    refused = pytest.raises(InputError, match="a checkpoint of another kind of training")
    start = Start("random")
    if whole:
        with refused:
            fit(preset, model, data, dataset, FitOptions(tmp_path / "run"), start)
    else:
        with refused:
            fit_second(preset, model, people, data, start, LoopOptions(tmp_path / "run"))


def test_each_view_shows_the_people_anew(drawn, tmp_path):
    _, model, _, dataset = drawn
    dataset.options = replace(dataset.options, scale=(0.8, 1.2), rotation=20.0)
    one = collect(model, dataset, CollectOptions(tmp_path / "people", views=1, workers=0), look_again)
    both = collect(model, dataset, CollectOptions(tmp_path / "people", views=2, workers=0), look_again)
    assert sorted(p.name for p in (tmp_path / "people").iterdir()) == ["00-0000", "01-0000", "about.json"]
    assert len(both) > len(one) >= 8
    first, second = both.take(np.arange(len(one))), both.take(np.arange(len(one), len(both)))
    kept = one.take(np.arange(len(one)))
    torch.testing.assert_close(first.regions, kept.regions)
    places = {tuple(row) for row in second.target.true2d[:, 4].tolist()}
    assert not places & {tuple(row) for row in kept.target.true2d[:, 4].tolist()}


def replace_samples(dataset):
    """The same data set of pictures that are gone."""
    dataset.samples = [replace(s, image=s.image.with_name("gone.png")) for s in dataset.samples]
    return dataset
