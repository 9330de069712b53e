"""Shards: every input in exactly one, whatever is added, changed or removed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fsspec")

from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.app.batch.shards import Input, Shard, cut, find_inputs
from anchorpose.app.batch.storage import Folder


def inputs(names: list[str]) -> list[Input]:
    return [Input(f"/in/{n}", n, 10, "1", n.endswith(".mp4")) for n in names]


NAMES = st.lists(st.sampled_from([f"{i:04d}.{s}" for i in range(300) for s in ("jpg", "mp4")]), unique=True)


@settings(max_examples=60, deadline=None)
@given(NAMES, st.integers(1, 40))
def test_every_input_is_in_one_shard_in_order(names: list[str], size: int) -> None:
    given_inputs = inputs(names)
    shards = list(cut(given_inputs, size))
    assert [i for s in shards for i in s.inputs] == given_inputs
    for shard in shards:
        assert 1 <= len(shard.inputs) <= 2 * size
        assert len(shard.inputs) == 1 or not any(i.video for i in shard.inputs)
    assert len({s.key for s in shards}) == len(shards)


@settings(max_examples=60, deadline=None)
@given(NAMES)
def test_json_brings_a_shard_back(names: list[str]) -> None:
    for shard in cut(inputs([*names, "\udcff\udc80.jpg", "ü.jpg"]), 8):
        assert Shard.from_json(shard.to_json()) == shard
        assert shard.to_json().isascii()


def test_adding_one_photograph_keeps_nearly_all_shards() -> None:
    names = [f"{i:05d}.jpg" for i in range(20_000)]
    before = {s.key for s in cut(inputs(names), 32)}
    kept = []
    for new in ("00000a.jpg", "07777a.jpg", "19999a.jpg"):
        after = {s.key for s in cut(inputs(sorted([*names, new])), 32)}
        kept.append(len(before & after) / len(before))
    assert min(kept) > 0.98  # cut at every 32nd, the first of them would keep nothing
    sizes = [len(s.inputs) for s in cut(inputs(names), 32)]
    assert 20 < sum(sizes) / len(sizes) < 44


def test_a_key_changes_with_name_size_and_version() -> None:
    base = Input("/in/a.jpg", "a.jpg", 10, "1", False)
    others = [Input("/in/b.jpg", "b.jpg", 10, "1", False), Input("/in/a.jpg", "a.jpg", 11, "1", False),
              Input("/in/a.jpg", "a.jpg", 10, "2", False)]  # fmt: skip
    assert len({Shard.of([i]).key for i in (base, *others)}) == 4
    assert Shard.of([base]).key == Shard.of([base]).key


def test_photographs_and_videos_are_found_by_suffix(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.txt", "c/d.mp4", "c/e.Mov", "poses.json", "c/f.webp", "g"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"123")
    found = list(find_inputs(Folder(str(tmp_path))))
    assert [(i.name, i.video, i.bytes) for i in found] == [
        ("a.JPG", False, 3), ("c/d.mp4", True, 3), ("c/e.Mov", True, 3), ("c/f.webp", False, 3)]  # fmt: skip
    [alone] = find_inputs(Folder(str(tmp_path / "a.JPG")))
    assert alone.name == "a.JPG"
