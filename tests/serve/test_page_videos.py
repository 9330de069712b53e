"""The page in headless Chromium: videos, the webcam, a lost server, a token (marked slow)."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from .browsing import TOKEN, canvas, give, rows, saved, shown, told
from .servers import Server

pytestmark = pytest.mark.slow


def test_a_video(visit, server: Server, clip: bytes, tmp_path: Path) -> None:
    page, faults = visit(server)
    give(page, "walk.mp4", clip, "video/mp4")
    page.wait_for_selector("#work:not([hidden])")
    shown(page)
    number = page.url.rpartition("#job=")[2]
    job = server.job(number)
    assert job["name"] == "walk.mp4"
    assert set(job["options"]["export"]) == {box.get_attribute("value") for box in page.locator("#exports input").all()
                                             } - {"openpose"}  # fmt: skip
    offered = {button.get_attribute("data-name") for button in page.locator("#downloads button").all()}
    assert offered == {file["name"].split("/")[-1] for file in job["files"]}
    assert saved(page, "tracks.jsonl", tmp_path) == server.get(f"/v1/jobs/{number}/files/tracks.jsonl").content
    page.evaluate("() => { film.loop = false; film.pause(); film.currentTime = 0; }")
    page.wait_for_function("() => !film.seeking")
    first = canvas(page, "#scene")
    page.evaluate("() => { film.currentTime = 15 / 25 + 0.01; }")
    page.wait_for_function("() => !film.seeking")
    page.wait_for_timeout(300)
    assert canvas(page, "#scene") != first
    lines = (tmp_path / "tracks.jsonl").read_text().splitlines()
    depth = json.loads(lines[16])["people"][0]["translation"][2]
    assert rows(page)[0][2] == f"{depth:.1f}"
    page.reload()
    shown(page)  # the job is in the address
    assert rows(page)[0][0] == "#1"
    assert not faults


def test_a_video_is_cancelled(visit, server: Server, long_clip: bytes) -> None:
    page, faults = visit(server)
    give(page, "long.mp4", long_clip, "video/mp4")
    page.wait_for_selector("#count:has-text('frames')")
    page.click("#cancel")
    page.wait_for_selector("#message:has-text('ancelled')")
    number = page.url.rpartition("#job=")[2]
    assert server.job(number)["state"] == "cancelled"
    assert not page.locator("#work").is_visible()
    assert not faults


def test_a_video_outlives_the_server(visit, tiny: Path, tmp_path: Path, long_clip: bytes) -> None:
    with Server(tiny, tmp_path) as server:
        page, faults = visit(server)
        give(page, "long.mp4", long_clip, "video/mp4")
        page.wait_for_selector("#count:has-text('frames')")
        server.stop()
        page.wait_for_selector("#doing:has-text('trying again')")
    with Server(tiny, tmp_path, "--port", server.url.rpartition(":")[2]) as again:
        assert again.url == server.url
        page.wait_for_selector("#doing:has-text('Looking')")
        shown(page)
        assert not page.locator("#error").is_visible()
        assert page.locator('#downloads button[data-name="overlay.mp4"]').is_visible()
        assert not faults


def test_the_webcam(visit, server: Server, tmp_path: Path) -> None:
    page, faults = visit(server)
    page.click("#webcam")
    shown(page)
    page.wait_for_selector("#people tbody tr")
    assert rows(page)[0][0] == "#1"
    before = canvas(page, "#picture")
    page.wait_for_timeout(1500)
    assert canvas(page, "#picture") != before  # it moves
    assert not page.locator("#take").is_visible()
    page.get_by_role("button", name="Stop the webcam").click()
    page.wait_for_selector("#take:not([hidden])")
    people = json.loads(saved(page, "webcam.json", tmp_path))["images"][0]["poses"]["people"]
    assert [person["track_id"] for person in people] == [1]
    assert cv2.imdecode(np.frombuffer(saved(page, "webcam_overlay.png", tmp_path), np.uint8), 1) is not None
    assert page.inner_text("#webcam").strip() == "Use the webcam"
    assert not faults


def test_a_lost_server(visit, tiny: Path, tmp_path: Path, png: bytes) -> None:
    with Server(tiny, tmp_path) as server:
        page, faults = visit(server)
        page.click("#webcam")
        shown(page)
        other, other_faults = visit(server)
        server.stop()
        page.wait_for_selector("#error:not([hidden])")
        assert "does not answer" in told(page)
        assert page.locator("#result").is_visible()  # the last frame stays
        for act in (lambda: give(other, "red.png", png, "image/png"), lambda: other.click("#webcam"),
                    lambda: other.locator("#examples button").first.click()):  # fmt: skip
            act()
            assert "does not answer" in told(other)
            other.click("#dismiss")
        assert not faults + other_faults


def test_a_token(visit, tiny: Path, tmp_path: Path, png: bytes, clip: bytes) -> None:
    with Server(tiny, tmp_path, token=TOKEN) as server:
        page, faults = visit(server)
        page.wait_for_selector("#login:not([hidden])")
        give(page, "red.png", png, "image/png")
        assert "token" in told(page)
        page.fill("#token", "not the token")
        page.keyboard.press("Enter")
        page.wait_for_selector("#error:not([hidden])")
        assert "token" in told(page)
        page.fill("#token", TOKEN)
        page.get_by_role("button", name="Use it").click()
        page.wait_for_selector("#login", state="hidden")
        assert not page.locator("#error").is_visible()
        give(page, "red.png", png, "image/png")
        shown(page)
        assert len(json.loads(saved(page, "red.json", tmp_path))["images"]) == 1
        page.click("#webcam")
        page.wait_for_selector("#webcam[aria-pressed=true]")
        shown(page)
        page.click("#webcam")
        give(page, "walk.mp4", clip, "video/mp4")
        page.wait_for_selector("#film:not([hidden])")
        page.wait_for_function("() => film.readyState >= 2 && film.src.startsWith('blob:')")
        tracks = server.get(f"/v1/jobs/{page.url.rpartition('#job=')[2]}/files/tracks.jsonl")
        assert saved(page, "tracks.jsonl", tmp_path) == tracks.content
        assert TOKEN not in page.url + page.content()
        assert not faults
