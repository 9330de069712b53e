"""The page as a reader gets it: one file, well formed, with the commands' numbers."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import COCO17, LCR13, LSP14
from anchorpose.evaluation.protocols import evaluate_coco, evaluate_lsp
from anchorpose.evaluation.report.write import write_report
from anchorpose.evaluation.scenes import evaluate_scenes

VOID = {"meta", "img", "input", "br", "hr", "link"}


class Page(HTMLParser):
    """Checks that every element is closed in its turn, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.images += [given["src"]] if tag == "img" else []
        self.links += [given["href"]] if "href" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[self.open[-1] if self.open else ""] = data


def read(path: Path) -> tuple[Page, dict[str, Any], str]:
    text = path.read_text(encoding="utf-8")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert block

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in the JSON")

    return Page(text), json.loads(block.group(1), parse_constant=refuse), text


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((640, 640, 3), 20 * k % 255, np.uint8))
    return folder


def finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(finite(v) for v in (value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or np.isfinite(value)


def test_coco_page_has_the_numbers_of_the_command(crowded, tmp_path: Path) -> None:
    annotations, found = crowded(3, 20)
    path = write_report(tmp_path / "out", annotations, found, tmp_path, "COCO")
    _, data, text = read(path)
    table = evaluate_coco(annotations, found)
    assert data["tables"]["anchorpose evaluate coco"] == table
    curve = data["precision_recall"]
    assert 0 < table["AP"] < 1
    for ours, theirs in (("0.50", "AP50"), ("0.75", "AP75"), ("mean", "AP")):
        assert curve["AP"][ours] == pytest.approx(table[theirs], abs=1e-12)
        assert np.mean(curve["precision"][ours]) == pytest.approx(table[theirs], abs=1e-12)
    assert curve["AR"]["mean"] == pytest.approx(table["AR"], abs=1e-12)
    assert curve["people"] == table["people"] == data["counts"]["people"]
    assert f"<dt>AP</dt><dd>{table['AP']:.3f}</dd>" in text


@pytest.mark.parametrize("skeleton", [LCR13, LSP14])
def test_lsp_page_has_the_numbers_of_the_command(plain, tmp_path: Path, skeleton) -> None:
    annotations, found = plain(LSP14, 20, 1, noise=15)
    found["3.jpg"] = found["3.jpg"][:0]
    found = {name: p.to_skeleton(skeleton) for name, p in found.items()}
    _, data, _ = read(write_report(tmp_path / "out", annotations, found, tmp_path, "LSP"))
    table = evaluate_lsp(annotations, found)
    assert list(data["tables"]) == ["anchorpose evaluate lsp"]
    assert data["precision_recall"] is None
    at = data["pck"]["thresholds"].index(0.2)
    assert 0 < table["PCK@0.2"] < 1
    assert data["pck"]["mean"][at] == pytest.approx(table["PCK@0.2"], abs=1e-12)
    for joint, row in data["pck"]["joints"].items():
        assert row["pck"] == pytest.approx(table[f"PCK@0.2 {joint}"], abs=1e-12)
        assert data["error"]["joints"][joint]["pck"] == pytest.approx(row["pck"], abs=1e-12)
    assert data["counts"]["people"] - data["counts"]["found"] == table["not_found"] == 1


def test_page_of_exact_3d_has_the_numbers_of_the_command(plain, tmp_path: Path) -> None:
    annotations, found = plain(LCR13, exact=True, noise=3)
    rng = np.random.default_rng(2)
    for p in found.values():
        p.joints3d[:] = rng.normal(0, 0.1, p.joints3d.shape)
    _, data, text = read(write_report(tmp_path / "out", annotations, found, tmp_path, "3D"))
    table = evaluate_scenes(annotations, found)
    assert data["tables"]["anchorpose evaluate scenes"] == table
    space = data["space"]
    assert space["MPJPE"] == pytest.approx(table["MPJPE"], rel=1e-12)
    assert (space["found"], space["people"]) == (table["found"], table["people"])
    assert np.mean([row["mean"] for row in space["joints"].values()]) == pytest.approx(table["MPJPE"])
    by_state = [space["states"][name] for name in ("visible", "hidden")]
    assert np.average([r["mean"] for r in by_state], weights=[r["joints"] for r in by_state]) == pytest.approx(
        table["MPJPE"]
    )
    assert space["curve"]["pck"] == {"all": pytest.approx(table["3DPCK_all"]), "found": pytest.approx(table["3DPCK"])}
    assert sum(space["size"]["pck"]["people"]) == sum(space["rarity"]["pck"]["people"]) == table["people"]
    assert 'id="3d"' in text
    assert "3DPCK over thresholds" in text


@pytest.mark.parametrize("lsp", [False, True])
@pytest.mark.parametrize("case", ["nobody found", "nobody annotated", "neither", "one", "perfect"])
def test_every_case_gives_a_whole_page(plain, tmp_path: Path, case: str, lsp: bool) -> None:
    options = {"nobody found": {"nobody": True}, "nobody annotated": {"annotated": False},
               "neither": {"nobody": True, "annotated": False}, "one": {"images": 1}, "perfect": {}}[case]  # fmt: skip
    annotations, found = plain(LSP14 if lsp else COCO17, each=1, **options)
    images = pictures(tmp_path / "images", list(found))
    page, data, text = read(write_report(tmp_path / "deep" / "out", annotations, found, images, "<b>& 'title'</b>"))
    assert finite(data)
    assert not re.search(r"\bnan\b|\binf\b", re.sub(r'base64,[^"]*', "", text), re.IGNORECASE)
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import|https?://""", text)
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in page.images)
    assert len(page.images) == {"one": 2, "perfect": 12, "nobody found": 12}.get(case, 0)
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert data["title"] == "<b>& 'title'</b>"
    assert "<b>&" not in text


def test_pictures_that_cannot_be_read_are_left_out(plain, tmp_path: Path) -> None:
    annotations, found = plain()
    page, data, text = read(write_report(tmp_path / "out", annotations, found, tmp_path / "nowhere", "t"))
    assert page.images == []
    assert "cannot be read" in text
    assert [len(group) for group in data["pictures"].values()] == [2, 2, 2]


def test_embedded_pictures_are_small_jpegs(plain, tmp_path: Path) -> None:
    annotations, found = plain(images=3)
    images = pictures(tmp_path / "images", list(found))
    page, _, _ = read(write_report(tmp_path / "out", annotations, found, images, "t"))
    assert len(page.images) == 6
    for uri in page.images:
        raw = base64.b64decode(uri.split(",")[1], validate=True)
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
        assert max(image.shape[:2]) == 480
        assert len(raw) < 60_000
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50  # people are drawn on the grey


def test_writing_twice_gives_the_same_file(plain, tmp_path: Path) -> None:
    annotations, found = plain(images=30, noise=10)
    first = write_report(tmp_path / "a", annotations, found, tmp_path, "t").read_bytes()
    assert write_report(tmp_path / "a", annotations, found, tmp_path, "t").read_bytes() == first
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["report.html"]


def test_strange_predictions_give_a_page(plain, tmp_path: Path) -> None:
    annotations, found = plain()
    for k, p in enumerate(found.values()):
        p.joints2d[0, :3] = 1e30 if k % 2 else -1e6
        p.joints2d[1, 3:] = np.nan
        p.scores[:] = [(np.nan, np.inf, -3.0, 50.0)[k % 4], 0.5]
        p.joint_scores[:, ::2] = np.nan
    images = pictures(tmp_path / "images", list(found))
    page, data, _ = read(write_report(tmp_path / "out", annotations, found, images, "t"))
    assert finite(data)
    assert len(page.images) == 12
    assert data["error"]["all"]["missed"] > 0


def test_bad_input_is_one_line(plain, tmp_path: Path) -> None:
    annotations, found = plain()
    (tmp_path / "file").write_text("")
    for folder, predictions, message in (
        (tmp_path / "file" / "out", found, "cannot make the folder"),
        (tmp_path / "out", {k: v for k, v in found.items() if k != "2.jpg"}, "no predictions for 1 of 8"),
    ):
        with pytest.raises(InputError, match=message) as error:
            write_report(folder, annotations, predictions, tmp_path, "t")
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="no images"):
        write_report(tmp_path / "out", annotations.only([]), {}, tmp_path, "t")
    assert not (tmp_path / "out").exists()
