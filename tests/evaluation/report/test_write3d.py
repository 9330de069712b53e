"""The page of an archive as a reader gets it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.published import COLUMNS, published
from anchorpose.evaluation.report.write3d import write_archive_report
from tests.evaluation.people3d import nobody
from tests.evaluation.report.archives import PROTOCOLS, archive, figures
from tests.evaluation.report.test_write import finite, read


def write(folder: Path, protocol: str, truths, predictions, images: Path) -> Path:
    table = figures(protocol, truths, predictions)
    return write_archive_report(folder, protocol, table, truths, predictions, images, "<mine>", protocol == "mupots")  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_page_has_the_figures_and_the_published_ones(protocol, tmp_path: Path) -> None:
    truths, predictions = archive(protocol, 45)
    page, data, text = read(write(tmp_path / "out", protocol, truths, predictions, tmp_path / "archive"))
    table = figures(protocol, truths, predictions)
    assert data["tables"] == {f"anchorpose evaluate {protocol}": table}
    assert data["title"] == f"<mine>: {protocol} on archive"
    assert "<mine>" not in text.replace("\\u003cmine>", "")
    for row in published(protocol):
        assert f"{row.system.replace('&', '&amp;')} (published [" in text
        assert row.source.replace("&", "&amp;").replace("'", "&#x27;") in text
    ours = re.search(r"<td>&lt;mine&gt;</td>(.*?)</tr>", text)
    assert ours
    shown = re.findall(r"<td>(.*?)</td>", ours.group(1))
    keys = COLUMNS[protocol][""].values()
    assert shown == ["-" if table.get(key) is None else f"{table[key]:.1f}" for key in keys]
    assert {"figures", "curves", "joints", "size-and-rarity", "scores", "pictures", "data"} == set(page.ids)
    assert {link[1:] for link in page.links} <= set(page.ids)
    by_row = {"h36m": "Eating", "mupots": "TS2", "3dhp": "Stand/Walk"}.get(protocol.split("-")[0])
    assert by_row is None or f"<td>{by_row}</td>" in text
    assert "holds none of these pictures" in text
    assert ("do not say which joints are hidden" in text) == (protocol != "mupots")
    assert finite(data)


@pytest.mark.parametrize("case", ["nobody found", "one picture", "strange", "perfect"])
@pytest.mark.parametrize("protocol", ["h36m-p3", "mupots", "3dpw"])
def test_every_case_gives_a_whole_page(protocol, case: str, tmp_path: Path) -> None:
    truths, predictions = archive(protocol, 1 if case == "one picture" else 12, 0 if case == "perfect" else 0.1)
    if case == "nobody found":
        predictions = {name: nobody(LCR13) for name in predictions}
    if case == "strange":
        for k, (name, own) in enumerate(predictions.items()):
            joints = own.joints3d.copy()
            joints[:, k % 13] = (np.nan, 1e30, -1e6)[k % 3]
            scores = np.full(len(own), (np.nan, np.inf, -3.0, 50.0)[k % 4], np.float32)
            predictions[name] = replace(own, joints3d=joints, scores=scores)
    page, data, text = read(write(tmp_path / "out", protocol, truths, predictions, tmp_path))
    assert finite(data)
    assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import|https?://""", text)
    assert len(set(page.ids)) == len(page.ids)
    assert data["counts"]["images"] == len(truths)
    assert (data["counts"]["found"] == 0) == (case == "nobody found")


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    truths, predictions = archive("mupots", 3)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder") as error:
        write(tmp_path / "file" / "out", "mupots", truths, predictions, tmp_path)
    assert "\n" not in str(error.value)
    predictions.pop(truths[1].file_name)
    with pytest.raises(InputError, match="no predictions for 1 of 3"):
        write_archive_report(tmp_path / "out", "mupots", {}, truths, predictions, tmp_path, "mine")
    assert not (tmp_path / "out").exists()
