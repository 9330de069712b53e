from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anchorpose.io.sources import Sources, expand_sources


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    for name in ("img10.jpg", "img2.JPG", "Img1.png", "notes.txt", ".hidden.jpg", "inner/deep.webp", "odd[1].jpg"):
        (tmp_path / name).touch()
    return tmp_path


def names(sources: Sources) -> list[str]:
    return [path.name for path in sources.paths]


def test_folder_in_natural_order(photos: Path) -> None:
    assert names(expand_sources([str(photos)])) == ["Img1.png", "img2.JPG", "img10.jpg", "odd[1].jpg"]
    assert "deep.webp" in names(expand_sources([str(photos)], recursive=True))


def test_globs(photos: Path) -> None:
    assert names(expand_sources([f"{photos}/img*"])) == ["img2.JPG", "img10.jpg"]
    assert names(expand_sources([f"{photos}/**/*.webp"])) == ["deep.webp"]
    assert names(expand_sources([f"{photos}/odd[1].jpg"])) == ["odd[1].jpg"]


def test_each_file_once_in_the_order_given(photos: Path) -> None:
    found = expand_sources([str(photos / "img10.jpg"), str(photos), str(photos / "inner" / ".." / "img2.JPG")])
    assert names(found) == ["img10.jpg", "Img1.png", "img2.JPG", "odd[1].jpg"]


def test_a_file_by_name_may_have_any_suffix(photos: Path) -> None:
    assert names(expand_sources([str(photos / "notes.txt")])) == ["notes.txt"]


def test_home_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photos))
    assert names(expand_sources(["~/img*.jpg"])) == ["img10.jpg"]


def test_failures_do_not_stop_the_others(photos: Path) -> None:
    (photos / "empty").mkdir()
    (photos / "broken.jpg").symlink_to(photos / "gone.jpg")
    bad = {
        str(photos / "absent.jpg"): "does not exist", str(photos / "empty"): "holds no pictures",
        f"{photos}/*.xyz": "nothing matches", f"{photos}/*.txt": "none of them a picture", "": "empty",
        "https://example.org/a.jpg": "web address", str(photos / "broken.jpg"): "does not exist",
        "a\0b": "does not exist", "x" * 5000: "cannot be opened",
    }  # fmt: skip
    found = expand_sources([*bad, str(photos / "img10.jpg")])
    assert names(found) == ["img10.jpg"]
    assert [given for given, _ in found.failures] == list(bad)
    for (_, reason), wanted in zip(found.failures, bad.values(), strict=True):
        assert wanted in reason
        assert "\n" not in reason


def test_unreadable_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(top: Path, onerror: Callable[[OSError], None]) -> list[object]:
        onerror(PermissionError(13, "Permission denied", str(top)))
        return []

    monkeypatch.setattr("os.walk", walk)  # root may read every folder, so chmod would prove nothing
    (failure,) = expand_sources([str(photos)]).failures
    assert "Permission denied" in failure[1]


def test_nothing() -> None:
    assert expand_sources([]) == Sources([], [])
