from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import CROWDPOSE14
from anchorpose.evaluation.annotations import load_annotations
from anchorpose.evaluation.crowdpose import CrowdPosePrecision, crowdpose_average_precision
from anchorpose.evaluation.keypoints import Detections
from tests.evaluation.fakes import scene, write

TOOLKIT_SIGMAS = np.array([.79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89, .79, .79]) / 10  # fmt: skip
INDICES = (0.0, 0.1, 0.15, 0.2, 0.5, 0.79, 0.8, 0.9, 1.0)


def crowded(seed: int) -> tuple[dict[str, Any], dict[int, Any]]:
    data, found = scene(np.random.default_rng(seed), len(INDICES), CROWDPOSE14)
    for image, index in zip(data["images"], INDICES, strict=True):
        image["crowdIndex"] = index
    for a in data["annotations"]:  # CrowdPose has neither segments nor areas: what stands there must not matter
        a["area"] = 1.0
    return data, found


def ours(folder: Path, data: dict[str, Any], found: dict[int, Any], bins: Any = (0.2, 0.8)) -> CrowdPosePrecision:
    annotations = load_annotations(write(folder, data))
    detections = [Detections(*found[image.id]) for image in annotations.images]
    return crowdpose_average_precision(annotations.people, detections, np.array(INDICES), CROWDPOSE14, bins)


def results(found: dict[int, Any]) -> list[dict[str, Any]]:
    return [{"image_id": image, "category_id": 1, "score": float(score),
             "keypoints": np.concatenate([xy, np.ones((len(xy), 1))], 1).ravel().tolist()}
            for image, (people, scores) in found.items()
            for xy, score in zip(people, scores, strict=True)]  # fmt: skip


def coco_ap(data: dict[str, Any], found: dict[int, Any], images: list[int]) -> list[float]:
    """pycocotools' AP, AP50, AP75, AR, AR50, AR75 of some images, with CrowdPose's areas and constants."""
    sized = [a | {"area": 0.53 * a["bbox"][2] * a["bbox"][3]} for a in data["annotations"]]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {**data, "annotations": sized}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results(found)), "keypoints")
        evaluation.params.kpt_oks_sigmas = TOOLKIT_SIGMAS
        evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(evaluation.stats[i]) for i in (0, 1, 2, 5, 6, 7)]


def test_the_skeleton_has_the_toolkits_constants() -> None:
    np.testing.assert_allclose(CROWDPOSE14.sigmas, TOOLKIT_SIGMAS)


@pytest.mark.parametrize("bins", [(0.2, 0.8), (0.01, 0.85)])
@pytest.mark.parametrize("seed", range(5))
def test_equals_pycocotools_on_each_degree(tmp_path: Path, seed: int, bins: tuple[float, float]) -> None:
    data, found = crowded(seed)
    result = ours(tmp_path, data, found, bins)
    degrees = [[], [], []]
    for image in data["images"]:
        index = image["crowdIndex"]
        degrees[0 if index < bins[0] else 1 if index < bins[1] else 2].append(image["id"])
    every = result.everything
    figures = [every.ap, every.ap50, every.ap75, every.ar, every.ar50, every.ar75]
    assert figures == pytest.approx(coco_ap(data, found, [image["id"] for image in data["images"]]), abs=1e-6)
    for value, images in zip((result.easy, result.medium, result.hard), degrees, strict=True):
        assert (-1 if math.isnan(value) else value) == pytest.approx(coco_ap(data, found, images)[0], abs=1e-6)
    assert result.images == tuple(len(images) for images in degrees)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_crowdpose_mode_of_faster_coco_eval(tmp_path: Path, seed: int) -> None:
    faster = pytest.importorskip("faster_coco_eval")
    data, found = crowded(seed)
    path = tmp_path / "crowdpose.json"
    path.write_text(json.dumps(data))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = faster.COCO(str(path))
        evaluation = faster.COCOeval_faster(truth, truth.loadRes(results(found)), "keypoints_crowd",
                                            print_function=lambda *_: None, kpt_oks_sigmas=TOOLKIT_SIGMAS,
                                            use_area=False)  # fmt: skip
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    result = ours(tmp_path, data, found)
    every = result.everything
    figures = [every.ap, every.ap50, every.ap75, every.ar, every.ar50, every.ar75, result.easy, result.medium,
               result.hard]  # fmt: skip
    assert figures == pytest.approx([float(v) for v in evaluation.stats[:9]], abs=1e-4)  # it rounds the last three


def test_wrong_crowd_indices_are_one_clear_line(tmp_path: Path) -> None:
    annotations = load_annotations(write(tmp_path, crowded(0)[0]))
    nobody = [Detections(np.zeros((0, 14, 2)), np.zeros(0))] * len(INDICES)
    wrong = {"2 crowd indices, wanted one for each of 9": np.zeros(2), "not from 0": np.full(9, np.nan),
             "not from 0 to 1": np.full(9, 1.5)}  # fmt: skip
    for message, indices in wrong.items():
        with pytest.raises(InputError, match=message) as error:
            crowdpose_average_precision(annotations.people, nobody, indices, CROWDPOSE14)
        assert "\n" not in str(error.value)
