"""The released weights on the photographs that the project carries: an accuracy floor, not a benchmark."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import anchorpose
from anchorpose.app.estimator import find_model, known_models
from anchorpose.core.poses import body_centre
from anchorpose.evaluation.protocols import evaluate_coco, load_annotations
from anchorpose.io.cards import read_card
from anchorpose.io.images import read_image

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
WEIGHTS = Path(anchorpose.__file__).parent / "weights"
# The least AP and AP50 over the 12 body joints that each reaches on the example photographs.
FLOORS = {"lcrnet-lite": (0.3, 0.6), "lcrnet-base": (0.4, 0.6)}


@pytest.fixture(scope="module", params=FLOORS)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def estimator(model):
    return anchorpose.load(model)


@pytest.fixture(scope="module")
def truth():
    return load_annotations(PHOTOS / "annotations.json")


def test_all_weights_are_tested():
    assert known_models() == sorted(FLOORS)


def test_weights_are_small_and_have_a_card(model):
    assert find_model(model).stat().st_size < 40e6
    card = read_card(find_model(model))
    assert card["preset"]["name"] == model
    assert "research" in card["use"]
    assert "MoveNet" in card["trunk"]
    assert len(card["data"]) >= 3


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.onnx")), ids=lambda path: path.stem)
def test_weights_say_nothing_of_the_machine_they_were_made_on(path):
    content = path.read_bytes()
    assert b"stack_trace" not in content
    assert b"site-packages" not in content


def test_accuracy_floor_on_our_photographs(model, estimator, truth):
    ranked = replace(estimator, integration=replace(estimator.integration, min_person_score=0.0, min_quality=0.0))
    predictions = {i.file_name: ranked(PHOTOS / i.file_name) for i in truth.images}
    table = evaluate_coco(truth, predictions)
    ap, ap50 = FLOORS[model]
    assert table["body_AP"] > ap
    assert table["body_AP50"] > ap50


@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.stem)
def test_nobody_is_shown_twice(estimator, photo):
    assert len(estimator(photo)) == 1


def test_mirrored_photographs_give_mirrored_people(estimator):
    image = read_image(PHOTOS / "000000199055.jpg")
    plain, mirrored = estimator(image)[0], estimator(np.ascontiguousarray(image[:, ::-1]))[0]
    flip = anchorpose.LCR13.flip
    back = mirrored.joints2d[:, flip].copy()
    back[..., 0] = image.shape[1] - back[..., 0]
    height = plain.boxes[0, 3] - plain.boxes[0, 1]
    assert np.median(np.linalg.norm(back - plain.joints2d, axis=-1)) < 0.06 * height


def test_people_stand_upright_in_metres(estimator):
    """In the camera frame y is down: the head of a standing person is above the hips, these above the ankles."""
    person = estimator(PHOTOS / "000000199055.jpg")[0]
    joint = {name: person.joints3d[0, i] for i, name in enumerate(person.skeleton.joints)}
    assert joint["head_top"][1] < joint["left_hip"][1] < joint["left_ankle"][1]
    assert 0.9 < joint["left_ankle"][1] - joint["head_top"][1] < 2.2
    np.testing.assert_allclose(body_centre(person.joints3d), 0, atol=1e-3)
    pixels = person.camera.project(person.joints3d_camera[0])
    height = person.boxes[0, 3] - person.boxes[0, 1]
    assert np.median(np.linalg.norm(pixels - person.joints2d[0], axis=-1)) < 0.08 * height


def test_same_picture_same_result(estimator):
    a, b = (estimator(PHOTOS / "000000366711.jpg") for _ in range(2))
    np.testing.assert_array_equal(a.joints2d, b.joints2d)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_nothing_has_nobody(estimator, level):
    assert len(estimator(np.full((480, 640, 3), level, np.uint8))) == 0
