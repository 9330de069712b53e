"""Folders by address, on this disk and in fsspec's memory."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

fsspec = pytest.importorskip("fsspec")

from anchorpose.app.batch.storage import Folder, version  # noqa: E402
from anchorpose.core.errors import InputError  # noqa: E402


@pytest.fixture(params=["local", "file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """An empty folder of each kind."""
    address = {"local": str(tmp_path / "f"), "file": f"file://{tmp_path}/f", "memory": f"memory:/{tmp_path}/f"}
    made = Folder(address[request.param])
    made.fs.makedirs(made.root, exist_ok=True)
    return made


def test_what_is_written_reads_back_and_leaves_nothing_else(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "local.bin").write_bytes(b"\0\xff" * 1000)
    folder.write("a/x.bin", b"one")
    folder.write("a/x.bin", b"two")
    folder.write("a/y.bin", tmp_path / "local.bin")
    assert (folder.read("a/x.bin"), folder.read("a/y.bin")) == (b"two", b"\0\xff" * 1000)
    assert folder.names("a") == ["x.bin", "y.bin"]
    assert [Path(e["name"]).name for e in folder.files()] == ["x.bin", "y.bin"]
    with folder.open("a/x.bin") as file:
        assert file.read() == b"two"
    folder.remove("a/x.bin")
    folder.remove("a/x.bin")
    assert not folder.exists("a/x.bin")
    assert folder.read("a/x.bin") is None
    assert folder.names("nowhere") == []


def test_a_write_that_fails_leaves_what_was_there(folder: Folder, tmp_path: Path) -> None:
    folder.write("x.bin", b"before")
    with pytest.raises(InputError, match="cannot write"):
        folder.write("x.bin", tmp_path / "nowhere.bin")
    assert folder.read("x.bin") == b"before"


def test_files_come_by_folder_and_name_without_hidden_ones(folder: Folder) -> None:
    for name in ("b.jpg", "a.jpg", "z/1.jpg", "z/.thumb.jpg", "k/l/2.jpg", "k/0.jpg", ".cache/x.jpg"):
        folder.write(name, b"x")
    found = [str(e["name"])[len(folder.root) + 1 :] for e in folder.files()]
    assert found == ["a.jpg", "b.jpg", "k/0.jpg", "k/l/2.jpg", "z/1.jpg"]


def test_links_to_files_count_and_links_to_folders_do_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "real.jpg").write_bytes(b"12345")
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "real.jpg")
    (tmp_path / "in" / "dead.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    [entry] = Folder(str(tmp_path / "in")).files()
    assert (Path(entry["name"]).name, entry["size"]) == ("link.jpg", 5)


def test_a_version_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    folder = Folder(str(tmp_path))
    first = version(next(folder.files()))
    os.utime(path, (1, 2))
    assert first
    assert version(next(folder.files())) not in ("", first)
    assert version({"name": "a", "ETag": '"77"', "mtime": 3.0}) == '"77"'
    assert version({"name": "a", "size": 3}) == ""


def test_a_folder_travels_as_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Folder("here")
    monkeypatch.chdir("/")
    again = pickle.loads(pickle.dumps(folder))
    assert (again.address, again.root) == (str(tmp_path / "here"), str(tmp_path / "here"))


@pytest.mark.parametrize("address", ["", "  ", "nothing-knows-this://x"])
def test_addresses_that_nothing_can_open(address: str) -> None:
    with pytest.raises(InputError, match=r"wanted a folder|cannot open"):
        Folder(address)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Folder(str(tmp_path / "nowhere")).check()
