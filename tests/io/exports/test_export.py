from __future__ import annotations

import pytest

from anchorpose.core.errors import InputError
from anchorpose.io.exports.export import FORMATS, export_clip
from tests.io.exports.clips import walk


def test_every_format_writes_what_it_says(tmp_path) -> None:
    for module, extra in (("ezc3d", "c3d"), ("pyarrow", "tables")):
        pytest.importorskip(module, reason=f"needs the extra {extra}")
    paths = export_clip(tmp_path / "out", walk(), FORMATS)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths)
    names = {p.name for p in paths}
    assert {"person_2.bvh", "person_7.c3d", "person_2.trc", "joints.csv", "angles.parquet", "view.html"} <= names
    assert all(p.is_dir() or p.stat().st_size > 100 for p in paths)
    assert len(list((tmp_path / "out/openpose").iterdir())) == 24


def test_an_unknown_format_writes_nothing(tmp_path) -> None:
    with pytest.raises(InputError, match="found the format 'fbx', wanted one of coco"):
        export_clip(tmp_path / "out", walk(), ["npz", "fbx"])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        export_clip(tmp_path / "file/out", walk(), ["npz"])
