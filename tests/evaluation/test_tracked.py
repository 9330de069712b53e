"""Frames of tracked videos are found again as the annotated pictures that they were read from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import COCO17, LCR13
from anchorpose.evaluation.annotations import ImageEntry
from anchorpose.evaluation.predictions import read_predictions
from anchorpose.evaluation.tracked import name_parts, read_tracked, same_end
from anchorpose.io.video.journal import Journal
from anchorpose.io.video.source import VideoSource
from tests.evaluation.fakes import poses

VIDEOS = {"val/000001": 3, "val/000002": 12, "test/000002": 2}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Folders of pictures, whose width says which frame they are; their names are not sorted like text."""
    for folder, count in VIDEOS.items():
        (tmp_path / "images" / folder).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(tmp_path / "images" / folder / f"{i}.png"), np.zeros((9, 20 + i, 3), np.uint8))
    return tmp_path / "images"


def entries(*folders: str) -> list[ImageEntry]:
    names = [f"{folder}/{i}.png" for folder in folders for i in range(VIDEOS[folder])]
    return [ImageEntry(i, name, 0, 0) for i, name in enumerate(names)]


def people(frame: int, count: int = 2) -> Poses:
    """Everybody's first coordinate is the frame."""
    found = poses(np.full((count, 13, 2), float(frame)), skeleton=LCR13)
    return replace(found, track_ids=np.arange(count) + 5)


def journal(path: Path, source: str, frames: Any, **header: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal(path, {"source": source, "fps": 25.0, "start": 0.0, **header}) as file:
        for frame in frames:
            file.append(frame, frame / 25, people(frame))
    return path


@pytest.mark.parametrize("written", ["{}", "images/val/000002", "/elsewhere/images/val/000002/", "val/000002.mp4",
                                     "D:\\data\\val\\000002"])  # fmt: skip
def test_each_frame_is_its_own_picture(archive: Path, tmp_path: Path, written: str) -> None:
    path = journal(tmp_path / "results.jsonl", written.format(archive / "val/000002"), range(12))
    found = read_tracked([path], entries("val/000001", "val/000002", "test/000002"), archive)
    # 10.png comes after 9.png, as in the source that was tracked.
    with VideoSource(archive / "val/000002") as source:
        widths = [frame.image.shape[1] for frame in source]
    assert widths == [20 + i for i in range(12)]
    assert {name: p.joints2d[0, 0, 0] for name, p in found.items()} == {f"val/000002/{i}.png": i for i in range(12)}
    assert found["val/000002/3.png"].track_ids.tolist() == [5, 6]  # type: ignore[union-attr]


def test_pictures_that_are_in_no_folder_belong_to_the_one_given(archive: Path, tmp_path: Path) -> None:
    root = archive / "val/000001"
    images = [ImageEntry(i, f"{i}.png", 0, 0) for i in (0, 2)]
    found = read_tracked([journal(tmp_path / "r.jsonl", "val/000001", range(3))], images, root)
    assert {name: p.joints2d[0, 0, 0] for name, p in found.items()} == {"0.png": 0, "2.png": 2}
    with pytest.raises(InputError, match="which may be 0 of the 1 annotated folders, wanted one"):
        read_tracked([journal(tmp_path / "r.jsonl", "val/000002", range(3))], images, root)


def test_a_folder_of_results_and_frames_that_are_missing(archive: Path, tmp_path: Path) -> None:
    journal(tmp_path / "tracks/1/results.jsonl", "val/000001", range(3))
    journal(tmp_path / "tracks/2/results.jsonl", "val/000002", range(0, 12, 2), stride=2)
    images = entries("val/000001", "val/000002")
    with pytest.raises(InputError, match="6 of 15 annotated images"):
        read_predictions(tmp_path / "tracks", images, COCO17, root=archive)
    found = read_predictions(tmp_path / "tracks", images, COCO17, "nobody", archive)
    assert (found.kind, len(found.absent)) == ("tracks", 6)
    assert sorted(len(p) for p in found.people.values()) == [0] * 6 + [2] * 9
    single = read_predictions(tmp_path / "tracks/1/results.jsonl", entries("val/000001"), COCO17, root=archive)
    assert list(single.people) == [f"val/000001/{i}.png" for i in range(3)]


def test_what_cannot_be_told_apart_is_refused(archive: Path, tmp_path: Path) -> None:
    images = entries(*VIDEOS)

    def refused(match: str, *paths: Path, at: Path = archive) -> None:
        with pytest.raises(InputError, match=match) as error:
            read_tracked(paths, images, at)
        assert "\n" not in str(error.value)

    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    refused("is of 000002, which may be 2 of the 3 annotated folders, such as val/000002", journal(one, "000002", [0]))
    refused("is of nowhere.mp4, which may be 0 of the 3", journal(one, "nowhere.mp4", [0]))
    refused("begins 2.5 s after its video.*--start", journal(one, "val/000002", [0], start=2.5))
    refused("has frame 3, but .*000001 only 3 pictures", journal(one, "val/000001", range(4)))
    journal(one, "val/000001", [0])
    refused("2.jsonl and .*1.jsonl are both of val/000001", one, journal(two, "x/val/000001.mp4", [0]))
    refused("the pictures that tell which is which are missing", one, at=tmp_path / "elsewhere")
    one.write_text("")
    refused("1.jsonl is empty", one)
    one.write_text('{"schema": "anchorpose/poses/1"}\n')
    refused("found schema", one)
    refused("No such file", tmp_path / "none.jsonl")


def test_ends_of_names() -> None:
    assert name_parts("./a//b\\c/.") == ("a", "b", "c")
    assert same_end(("b", "c"), ("a", "b", "c"))
    assert same_end(("a", "b", "c"), ("c",))
    assert not same_end(("b", "c"), ("a", "bc"))
    assert not same_end((), ("a",))
    assert not same_end((), ())
