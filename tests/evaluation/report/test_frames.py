"""Which of an archive's pictures are shown, and people as figures of lines."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from anchorpose.core.skeleton import LCR13, MUPOTS17
from anchorpose.evaluation.mupots import COUNTED_JOINTS
from anchorpose.evaluation.report.archives import gather_archive
from anchorpose.evaluation.report.frames import MOST, frames, two_views
from tests.datasets.actors import bodies
from tests.evaluation.people3d import nobody
from tests.evaluation.report.archives import archive

SIZE = 150


def test_pictures_are_ordered_by_the_mean_error_of_their_people(tmp_path: Path) -> None:
    truths, predictions = archive("mupots", 30)
    everybody = gather_archive("mupots", truths, predictions, True)
    groups = frames(everybody, truths, predictions, tmp_path)
    wanted = {}
    for k, truth in enumerate(truths):
        errors = [min(e, MOST) if np.isfinite(e) else MOST for e in everybody.mean_error[everybody.image == k]]
        wanted[truth.file_name] = np.mean(errors)
    shown = [p for group in groups.values() for p in group]
    assert [len(group) for group in groups.values()] == [4, 4, 4]
    assert [p.score for p in shown] == pytest.approx([wanted[p.file] for p in shown])
    assert [p.score for p in shown] == sorted(p.score for p in shown)
    assert shown[0].score == pytest.approx(min(wanted.values()))
    assert shown[-1].score == pytest.approx(max(wanted.values()))
    for picture in shown:
        people = {t.file_name: len(t) for t in truths}[picture.file]
        assert (picture.people, picture.truth, picture.prediction) == (people, "", "")  # no picture is there
        assert picture.bodies.startswith("<svg")


def test_a_picture_that_is_there_is_drawn_with_annotations_and_predictions(tmp_path: Path) -> None:
    truths, predictions = archive("3dpw", 4, everybody=True)
    predictions[truths[1].file_name] = nobody(LCR13)
    for truth in truths[:2]:
        (tmp_path / truth.file_name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / truth.file_name), np.full((2048, 2048, 3), 90, np.uint8))
    groups = frames(gather_archive("3dpw", truths, predictions, False), truths, predictions, tmp_path)
    by_name = {p.file: p for group in groups.values() for p in group}
    first, second = (by_name[t.file_name] for t in truths[:2] if t.file_name in by_name)
    assert first.truth.startswith("data:image/jpeg;base64,")
    assert len({first.truth, first.prediction, second.truth, second.prediction}) == 4
    assert (second.found, second.people, second.score) == (0, 2, MOST)
    assert second.bodies.count("line") > 5  # the annotated body is drawn


def lines(svg: str, kind: str) -> np.ndarray:
    """(k, 4) ends of the lines of a class."""
    root = ElementTree.fromstring(svg)
    found = [line for line in root.iter("line") if line.attrib["class"] == kind]
    return np.array([[float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2")] for line in found])


def test_lines_are_the_body_from_the_camera_and_from_its_side() -> None:
    names = [MUPOTS17.joints[j] for j in COUNTED_JOINTS]
    exact = bodies(MUPOTS17)[0, COUNTED_JOINTS]
    exact = exact - exact.mean(axis=0)
    svg = two_views(exact, exact + np.array([0, 0, 0.3]), names)
    true, guess = lines(svg, "line"), lines(svg, "limb")
    assert len(true) == len(guess) == 2 * 13  # ten bones, shoulders, hips and neck, seen twice
    left, right = (true[:, 0] < SIZE), (true[:, 0] > SIZE)
    # Pushed back by 0.3 m: nothing changes for the camera, and from the side all moves by the same.
    assert guess[left] == pytest.approx(true[left], abs=0.11)
    moved = (guess - true)[right]
    assert moved[:, [1, 3]] == pytest.approx(0, abs=0.11)
    assert moved[:, [0, 2]].min() > 10
    assert np.ptp(moved[:, [0, 2]]) < 0.3
    head, ankle = true[left][:, [1, 3]].min(), true[left][:, [1, 3]].max()
    assert 0 <= head < 30
    assert SIZE - 30 < ankle <= SIZE


@pytest.mark.parametrize("far", [1e3, -1e30])
def test_figures_stay_on_their_stage(far: float) -> None:
    exact = bodies(LCR13)[0]
    guess = exact.copy()
    guess[3], guess[5] = far, np.nan
    svg = two_views(exact, guess, LCR13.joints)
    drawn = lines(svg, "limb")
    assert 0 < len(drawn) < 26
    assert (drawn >= 0).all()
    assert drawn[:, [1, 3]].max() <= SIZE
    assert drawn[:, [0, 2]].max() <= 2 * SIZE + 10
    assert len(lines(svg, "line")) == 26
    assert two_views(np.full((13, 3), np.nan), np.full((13, 3), np.nan), LCR13.joints) == ""
