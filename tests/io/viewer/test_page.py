"""The page: what is in it, and what it does in a browser (marked slow)."""

from __future__ import annotations

import base64
import json
import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.io.exports.clip import Clip
from anchorpose.io.figure import person_colour
from anchorpose.io.viewer.page import MOST_OVERLAY_BYTES, write_viewer
from tests.io.exports.clips import CAMERA, walk, without


def data_of(html: str) -> dict:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def numbers(text: str, step: float, *shape: int) -> np.ndarray:
    whole = np.frombuffer(base64.b64decode(text), "<i2").reshape(shape)
    return np.where(whole == -32768, np.nan, whole * step)


def test_the_page_holds_the_clip(tmp_path) -> None:
    clip = without(walk(), 2, slice(3, 6), "left_wrist")
    write_viewer(tmp_path / "view.html", clip)
    data = data_of((tmp_path / "view.html").read_text(encoding="utf-8"))
    np.testing.assert_allclose(data["times"], clip.times - clip.times[0], atol=1e-4)
    assert data["indices"] == clip.indices.tolist()
    for person, entry in zip(clip.people, data["people"], strict=True):
        assert entry["id"] == person.id
        space = numbers(entry["joints3d"], data["step3d"], 24, 13, 3)
        np.testing.assert_allclose(space, person.in_camera(), atol=2e-4)
        flat = numbers(entry["joints2d"], data["step2d"], 24, 13, 2)
        np.testing.assert_allclose(flat, person.joints2d, atol=2e-2)
        states = np.frombuffer(base64.b64decode(entry["states"]), np.uint8).reshape(24, 13)
        np.testing.assert_array_equal(states, person.states)


def test_the_page_asks_the_network_for_nothing(tmp_path) -> None:
    write_viewer(tmp_path / "view.html", walk())
    html = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]+\.|@import|<link(?![^>]*data:)|src=", html.replace("video.src =", ""))
    assert not re.search(r"/\*(CSS|SCENE|PLAYER|DATA|VIDEO)\*/", html)


def test_a_title_cannot_end_the_script(tmp_path) -> None:
    write_viewer(tmp_path / "view.html", walk(), title="</script><script>alert(1)</script>")
    html = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in html
    assert data_of(html)["title"] == "</script><script>alert(1)</script>"


def test_the_overlay_is_in_the_page(tmp_path) -> None:
    film = tmp_path / "overlay.mp4"
    film.write_bytes(b"not really a film")
    write_viewer(tmp_path / "view.html", walk(), film)
    html = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert f"data:video/mp4;base64,{base64.b64encode(film.read_bytes()).decode()}" in html


def test_bad_overlays_are_refused_and_nothing_is_written(tmp_path) -> None:
    (tmp_path / "a.avi").write_bytes(b"")
    with (tmp_path / "large.mp4").open("wb") as file:
        file.truncate(MOST_OVERLAY_BYTES + 1)
    cases = {"a.avi": r"wanted \.mp4", "large.mp4": "wanted at most 67", "absent.mp4": "cannot read"}
    for name, message in cases.items():
        with pytest.raises(InputError, match=message):
            write_viewer(tmp_path / "view.html", walk(), tmp_path / name)
    assert not (tmp_path / "view.html").exists()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the PyPI package playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium")
    with sync_api.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


def open_page(browser, path, width: int = 1000, height: int = 700, scheme: str = "light"):
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    settle(page)
    return page, faults


def settle(page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(page) -> bytes:
    settle(page)
    return page.locator("#scene").screenshot()


@pytest.mark.slow
def test_the_browser_plays_turns_and_tells_joints(browser, tmp_path) -> None:
    write_viewer(tmp_path / "view.html", walk())
    page, faults = open_page(browser, tmp_path / "view.html")
    first = picture(page)
    assert page.inner_text("#clock") == "0.40 s, frame 10"
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.inner_text("#clock") == "0.44 s, frame 11"
    page.keyboard.press("End")
    settle(page)
    assert page.inner_text("#clock").endswith("frame 33")
    page.keyboard.press("Home")
    assert picture(page) == first
    box = page.locator("#scene").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 90, steps=4)
    page.mouse.up()
    turned = picture(page)
    assert turned != first
    page.mouse.wheel(0, -300)
    assert picture(page) != turned
    page.keyboard.press("r")
    page.evaluate("() => document.activeElement.blur()")  # its outline would be in the picture
    page.mouse.move(1, 1)
    assert picture(page) == first
    page.keyboard.press("Space")
    page.wait_for_function("() => Number(document.getElementById('slider').value) > 3")
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-label") == "Play"
    assert not faults


@pytest.mark.slow
def test_hovering_a_joint_names_it(browser, tmp_path) -> None:
    write_viewer(tmp_path / "view.html", walk())
    page, faults = open_page(browser, tmp_path / "view.html")
    box, told = page.locator("#scene").bounding_box(), set()
    image = cv2.imdecode(np.frombuffer(picture(page), np.uint8), cv2.IMREAD_COLOR)
    coloured = (np.abs(image.astype(int) - person_colour(2)) <= 3).all(-1).astype(np.uint8)
    for x, y in cv2.connectedComponentsWithStats(coloured)[3][1:]:
        page.mouse.move(box["x"] + x, box["y"] + y)
        if page.locator("#tip").is_visible():
            told.add(page.inner_text("#tip"))
    assert any(words.startswith("#2 left wrist, hidden") for words in told), told
    assert any(words.startswith("#2 right knee, visible") for words in told), told
    assert not faults


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(390, 800), (1000, 700), (320, 480)])
def test_everything_fits_and_follows_the_colour_scheme(browser, tmp_path, width, height) -> None:
    write_viewer(tmp_path / "view.html", walk())
    shades = []
    for scheme in ("light", "dark"):
        page, faults = open_page(browser, tmp_path / "view.html", width, height, scheme)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        for part in ("#play", "#slider", "#speed", "#reset", "#scene", "#clock"):
            box = page.locator(part).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width + 0.5, part
            assert box["y"] + box["height"] <= height + 0.5, part
        assert page.locator("#scene").bounding_box()["height"] > 80
        shades.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
        assert not faults
    assert shades[0] != shades[1]


@pytest.mark.slow
def test_people_can_be_hidden_and_nobody_is_said(browser, tmp_path) -> None:
    write_viewer(tmp_path / "view.html", walk())
    page, _ = open_page(browser, tmp_path / "view.html")
    first = picture(page)
    page.locator("#people button").first.click()
    page.mouse.move(1, 1)
    assert picture(page) != first
    empty = Clip.from_frames([(0, 0.0, Poses.empty(CAMERA))])
    write_viewer(tmp_path / "empty.html", empty)
    page, faults = open_page(browser, tmp_path / "empty.html")
    assert page.locator("#nobody").is_visible()
    assert not faults
    lost = replace(walk(), people=tuple(replace(p, joints3d=p.joints3d * np.nan) for p in walk().people))
    write_viewer(tmp_path / "lost.html", lost)
    assert not open_page(browser, tmp_path / "lost.html")[1]
