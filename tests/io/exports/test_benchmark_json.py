from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import COCO17, LCR13, POSETRACK17
from anchorpose.datasets.posetrack import read_posetrack
from anchorpose.io.exports.benchmark_json import write_coco, write_openpose, write_posetrack
from tests.io.exports.clips import stand, walk, without


def test_coco_results_score_fully_against_themselves(tmp_path) -> None:
    coco, cocoeval = (pytest.importorskip(f"pycocotools.{n}", reason="needs pycocotools") for n in ("coco", "cocoeval"))
    clip = walk()
    write_coco(tmp_path / "coco.json", clip)
    entries = json.loads((tmp_path / "coco.json").read_text())
    assert len(entries) == 24 + 10
    assert {(e["image_id"], e["track_id"]) for e in entries if e["track_id"] == 7} == {(k, 7) for k in range(15, 25)}
    truth = {
        "images": [{"id": int(i), "width": 640, "height": 480} for i in clip.indices],
        "annotations": [{**e, "id": n, "iscrowd": 0, "area": 0.5 * e["bbox"][2] * e["bbox"][3],
                         "num_keypoints": sum(v > 0 for v in e["keypoints"][2::3])} for n, e in enumerate(entries, 1)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints), "skeleton": []}],
    }  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    with contextlib.redirect_stdout(io.StringIO()):
        gt = coco.COCO(str(tmp_path / "truth.json"))
        ran = cocoeval.COCOeval(gt, gt.loadRes(str(tmp_path / "coco.json")), "keypoints")
        ran.evaluate()
        ran.accumulate()
        ran.summarize()
    assert ran.stats[0] == pytest.approx(1)


def test_posetrack_is_read_as_an_archive_of_its_own(tmp_path) -> None:
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    (tmp_path / "annotations/val").mkdir(parents=True)
    (tmp_path / "images/park").mkdir(parents=True)
    for index in clip.indices:
        cv2.imwrite(str(tmp_path / f"images/park/{index:06d}.jpg"), np.zeros((480, 640, 3), np.uint8))
    write_posetrack(tmp_path / "annotations/val/park.json", clip, "park", 42)
    samples = read_posetrack(tmp_path)
    assert len(samples) == len(clip)
    shared = [(LCR13.index(j), POSETRACK17.index(j)) for j in LCR13.joints if j in POSETRACK17.joints]
    for k, sample in enumerate(samples):
        wanted = clip.frame(k)
        assert len(sample.people) == len(wanted)
        for person, joints in zip(sample.people, wanted.joints2d, strict=True):
            read = person.annotation
            assert read is not None
            assert read.skeleton is POSETRACK17
            assert read.track_id in (2, 7)
            for ours, theirs in shared:
                np.testing.assert_allclose(read.joints2d[theirs], joints[ours], atol=2e-3)
    data = json.loads((tmp_path / "annotations/val/park.json").read_text())
    assert data["images"][0]["id"] == 10000420010
    assert {a["track_id"] for a in data["annotations"]} == {2, 7}
    for annotation in data["annotations"]:
        flags = np.array(annotation["keypoints"]).reshape(17, 3)[:, 2]
        np.testing.assert_array_equal(np.array(annotation["scores"]) > 0, flags > 0)
        assert flags[POSETRACK17.index("nose")] == 0


def test_posetrack_ids_hold_four_digits_of_frames(tmp_path) -> None:
    long = replace(stand(), indices=np.array([0, 1, 10_000]))
    with pytest.raises(InputError, match="at most 9999"):
        write_posetrack(tmp_path / "a.json", long)


def test_openpose_has_a_file_a_frame(tmp_path) -> None:
    clip = walk()
    assert write_openpose(tmp_path, clip, "park") == 24
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names[0] == "park_000000000010_keypoints.json"
    assert all(re.fullmatch(r"park_\d{12}_keypoints\.json", name) for name in names)
    data = json.loads((tmp_path / "park_000000000015_keypoints.json").read_text())
    assert [p["person_id"] for p in data["people"]] == [[2], [7]]
    wrist = np.array(data["people"][0]["pose_keypoints_2d"]).reshape(25, 3)[4]
    np.testing.assert_allclose(wrist[:2], clip.person(2).joints2d[5, LCR13.index("right_wrist")], atol=1e-3)
    with pytest.raises(InputError, match="does not exist"):
        write_openpose(tmp_path / "absent", clip)
