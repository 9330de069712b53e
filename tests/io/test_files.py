from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.io.files import atomic_path, atomic_write, read_json, write_image, write_json
from anchorpose.io.images import read_image


def test_write_and_replace(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic_write(path, "größe\n")
    assert path.read_bytes() == "größe\n".encode()
    atomic_write(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".mp4"
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    atomic_write(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_errors_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is a folder"):
        atomic_write(tmp_path, "x")
    with pytest.raises(InputError, match="does not exist; create it first"):
        atomic_write(tmp_path / "none" / "a", "x")
    with pytest.raises(InputError, match="nothing was written"), atomic_path(tmp_path / "a"):
        pass

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        atomic_write(tmp_path / "a", "x")
    assert list(tmp_path.iterdir()) == []


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    values = {"a": np.arange(3), "b": np.float32(0.5), "c": np.bool_(True), "d": Path("x"), "e": np.int64(7), "f": "ü"}
    write_json(path, values)
    assert json.loads(path.read_text("utf-8")) == {"a": [0, 1, 2], "b": 0.5, "c": True, "d": "x", "e": 7, "f": "ü"}
    write_json(path, [JointState.HIDDEN])  # an int for JSON
    assert json.loads(path.read_text()) == [2]


@pytest.mark.parametrize("bad", [float("nan"), np.float32("nan"), np.array([1.0, np.inf]), {"x": [np.float64("nan")]}])
def test_json_never_holds_nan(tmp_path: Path, bad: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", bad)
    assert list(tmp_path.iterdir()) == []


def test_json_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="JSON cannot hold object"):
        write_json(tmp_path / "a.json", object())


def test_images(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    write_image(tmp_path / "ä.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "ä.png"), image)
    write_image(tmp_path / "a.JPG", image)
    for name in ("a.xyz", "a"):
        with pytest.raises(InputError, match=r"use \.jpg or \.png"):
            write_image(tmp_path / name, image)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    """Renaming a file over /dev/null as root would take the device away from the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_json(pipe, {"a": 1})
    assert os.read(reader, 100) == b'{"a": 1}\n'
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_reading_json_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, None]})
    assert read_json(path, "look again") == {"a": [1, None]}
    for content, found in ((b"{", "is not JSON"), (b"\xff\xfe", "is not JSON"), (b"[" * 100_000, "is not JSON")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.json {found} .*; look again$"):
            read_json(path, "look again")
    with pytest.raises(InputError, match=r"cannot read .*none\.json: No such file.*; look again$"):
        read_json(tmp_path / "none.json", "look again")
