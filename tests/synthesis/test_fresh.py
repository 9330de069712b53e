"""Pictures made on the fly, up to the arrays that a training step sees."""

import json
import pickle

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.fresh import FreshMosaics, as_picture
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.mosaic.compose import MosaicOptions
from anchorpose.synthesis.mosaic.generate import make_recipe
from tests.synthesis.photographs import random_pose, write_photographs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pose library and photographs that its poses fit."""
    folder, rng = tmp_path_factory.mktemp("fresh"), np.random.default_rng(0)
    poses = np.stack([random_pose(rng, bend=0.3) for _ in range(60)])
    write_photographs(folder, poses, rng)
    PoseLibrary(poses, ("clip",), np.zeros(60, np.int32)).save(folder / "poses.npz")
    return folder


def recipe(folder, **options):
    library = PoseLibrary.load(folder / "poses.npz")
    return make_recipe(library, folder / "people.json", folder / "photographs", options=MosaicOptions(96, **options))


def test_a_scene_becomes_a_training_picture(make_scene):
    scene = make_scene(0)
    image, people = as_picture(scene)
    assert image is scene.image
    np.testing.assert_array_equal(people[0].joints3d, scene.people[0].joints3d)
    assert people[0].visible[LCR13.index("left_wrist")] == 0


def test_mosaics_depend_on_their_number_alone_also_in_another_process(folder):
    maker = FreshMosaics(recipe(folder, max_distance=5))
    first, second = maker(3), maker(4)
    again = pickle.loads(pickle.dumps(FreshMosaics(recipe(folder, max_distance=5))))(3)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1][0].joints3d, again[1][0].joints3d)
    assert (first[0] != second[0]).any()
    assert first[0].shape == (96, 96, 3)
    assert np.isfinite(first[1][0].joints3d).all()


def test_photographs_that_never_fit_are_reported(folder):
    with pytest.raises(InputError, match="found no pose that fits"):
        FreshMosaics(recipe(folder, max_distance=1e-6))(0)


def test_a_data_card_trains_on_new_pictures_each_epoch(folder, tmp_path):
    pytest.importorskip("torch")
    from anchorpose.datasets.loader import PoseDataset
    from anchorpose.datasets.transforms import Augmentation
    from anchorpose.training.data import read_data

    entry = {"name": "mosaics", "kind": "mosaic", "count": 3, "library": "poses.npz", "annotations": "people.json",
             "images": "photographs", "size": 96, "licence": "own", "max_distance": 5}  # fmt: skip
    card = {"sources": [], "fresh": [entry], "mocap": ["poses.npz"]}
    (folder / "card.json").write_text(json.dumps(card))
    data = read_data([str(folder / "card.json")])
    assert data.licences() == {"mosaics": "own", "motion capture (anchor-poses)": "not stated"}
    still = Augmentation(96, (1.0, 1.01), 0.0, flip=0.0, colour=0.0, occluder=0.0)
    dataset = PoseDataset([], data.anchors([], 4, 0), still, 0, data.fresh)
    assert len(dataset) == 3
    before, target = dataset[2]
    assert target.joints2d.shape == (1, 13, 2)
    assert not target.exhaustive
    assert (dataset[2][0] == before).all()
    dataset.epoch = 1
    assert (dataset[2][0] != before).any()


def test_what_is_made_anew_cannot_be_kept_decoded(folder, tmp_path, capsys):
    pytest.importorskip("accelerate")
    from anchorpose.app.cli import main

    entry = {"name": "mosaics", "kind": "mosaic", "count": 3, "library": "poses.npz", "annotations": "people.json",
             "images": "photographs", "size": 96, "licence": "own", "max_distance": 5}  # fmt: skip
    (folder / "fresh.json").write_text(json.dumps({"sources": [], "fresh": [entry]}))
    assert main(["train", "lcrnet-lite", "--start", "lcrnet-lite", "--data", str(folder / "fresh.json"), "--out",
                 str(tmp_path / "run"), "--decode-once", "512"]) == 2  # fmt: skip
    assert "found mosaics, which makes new pictures every time; leave out --decode-once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [({"kind": "painting"}, "wanted 'render' or 'mosaic'"), ({"library": None}, "lacks library")],
)
def test_mistakes_in_a_card_are_named(tmp_path, change, message):
    pytest.importorskip("torch")
    from anchorpose.training.data import read_data

    entry = {"name": "m", "kind": "mosaic", "count": 3, "library": "l", "annotations": "a", "images": "i"} | change
    entry = {name: value for name, value in entry.items() if value is not None}
    (tmp_path / "card.json").write_text(json.dumps({"sources": [], "fresh": [entry]}))
    with pytest.raises(InputError, match=message):
        read_data([str(tmp_path / "card.json")])
