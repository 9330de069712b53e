import json

import numpy as np
import pytest

pytest.importorskip("torch")

from anchorpose.core.errors import InputError
from anchorpose.synthesis.library import build_library
from anchorpose.training.data import read_data
from tests.datasets.conftest import coco_folder  # noqa: F401
from tests.synthesis.test_bvh import BVH, person_bvh


def test_pairs_and_cards_read_the_same_people(coco_folder, tmp_path):  # noqa: F811
    annotations, images = coco_folder
    card = {"sources": [{"name": "mine", "annotations": annotations.name, "images": images.name, "licence": "own",
                         "exhaustive": False, "repeat": 2}]}  # fmt: skip
    (tmp_path / "card.json").write_text(json.dumps(card))
    pair, listed = read_data([f"{annotations}={images}"]), read_data([str(tmp_path / "card.json")])
    assert len(listed.samples()) == 2 * len(pair.samples()) == 8
    assert not listed.samples()[0].exhaustive
    assert listed.licences() == {"mine": "own"}
    np.testing.assert_array_equal(pair.samples()[0].people[0].joints2d, listed.samples()[0].people[0].joints2d)


def test_anchors_need_3d(coco_folder):  # noqa: F811
    annotations, images = coco_folder
    data = read_data([f"{annotations}={images}"])
    with pytest.raises(InputError, match="found 0 3D poses for 4 anchor-poses"):
        data.anchors(data.samples(), 4, 0)


def test_anchors_from_lifted_people_are_mirror_symmetric_in_number(coco_folder, tmp_path):  # noqa: F811
    annotations, images = coco_folder
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "lifted.npz", annotation_id=np.arange(1, 7), xy=rng.random((6, 33, 2)),
             xyz=rng.normal(size=(6, 33, 3)), agreement=np.ones(6))  # fmt: skip
    card = {"sources": [{"name": "m", "annotations": str(annotations), "images": str(images),
                         "lifted": str(tmp_path / "lifted.npz")}]}  # fmt: skip
    (tmp_path / "card.json").write_text(json.dumps(card))
    data = read_data([str(tmp_path / "card.json")])
    known = sum(np.isfinite(p.joints3d).all() for s in data.samples() for p in s.people)
    anchors = data.anchors(data.samples(), 2 * known, 0)
    assert len(anchors) == 2 * known > 0  # everyone and their mirror image is a cluster of their own
    assert np.isfinite(anchors.joints2d).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "no 'sources'"), ('{"sources": [{"name": "a"}]}', "lacks annotations, images"),
     ('{"sources": []}', "found no photographs"), (None, "cannot read the data card")],
)  # fmt: skip
def test_mistakes_are_named(tmp_path, text, message):
    path = tmp_path / "card.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_data([str(path)])


def test_broken_motion_capture_stops_the_run(tmp_path, coco_folder):  # noqa: F811
    annotations, images = coco_folder
    (tmp_path / "a.bvh").write_text(BVH)
    card = {"sources": [{"name": "m", "annotations": str(annotations), "images": str(images)}], "mocap": ["*.bvh"]}
    (tmp_path / "card.json").write_text(json.dumps(card))
    data = read_data([str(tmp_path / "card.json")])
    with pytest.raises(InputError, match="lacks the joints"):
        data.anchors(data.samples(), 2, 0)


def test_anchors_from_motion_capture_of_any_kind(tmp_path, coco_folder):  # noqa: F811
    annotations, images = coco_folder
    clip = person_bvh(tmp_path / "a.bvh", 60, np.random.default_rng(0))
    build_library([clip], tmp_path / "poses.npz")
    for pattern in ("*.bvh", "poses.npz", str(tmp_path / "*.npz")):
        card = {"sources": [{"name": "m", "annotations": str(annotations), "images": str(images)}], "mocap": [pattern]}
        (tmp_path / "card.json").write_text(json.dumps(card))
        anchors = read_data([str(tmp_path / "card.json")]).anchors([], 4, 0)
        assert len(anchors) == 4
        assert np.isfinite(anchors.joints3d).all()
