"""The page in headless Chromium, against a running service (marked slow)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from anchorpose.app.estimator import load
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.io.figure import person_colour

from .browsing import canvas, dots, give, rows, saved, shown, told
from .servers import Server

pytestmark = pytest.mark.slow


def test_a_picture(visit, server: Server, tiny: Path, red: np.ndarray, png: bytes, tmp_path: Path) -> None:
    poses: Poses = load(tiny, threads=1)(red)
    page, faults = visit(server)
    give(page, "red one.png", png, "image/png")
    shown(page)
    depth, seen = float(poses.translation[0, 2]), int((poses.joint_states[0] == 1).sum())
    assert rows(page) == [["#1", f"{poses.scores[0]:.2f}", f"{depth:.1f}", f"{seen} of 13", "joints"]]
    assert page.locator("#assumed").is_visible()
    page.get_by_role("button", name="joints").click()
    joints = page.locator("#details tbody tr").all_inner_texts()
    assert len(joints) == 13
    where = poses.joints3d_camera[0, 0]
    assert joints[0].split("\t")[0] == "right ankle"
    assert joints[0].split("\t")[3] == ", ".join(f"{v:.2f}" for v in where)
    sent = server.post("/v1/detect", files={"file": ("red one.png", png)})
    assert json.loads(saved(page, "red one.json", tmp_path)) == sent.json()
    for name, query, accept in (("coco.json", "?format=coco", "*/*"), ("keypoints.json", "?format=openpose", "*/*"),
                                ("overlay.jpg", "", "image/jpeg"), ("overlay.png", "", "image/png")):  # fmt: skip
        wanted = server.post(f"/v1/detect{query}", files={"file": ("red one.png", png)}, headers={"Accept": accept})
        assert saved(page, f"red one_{name}", tmp_path) == wanted.content
    assert not faults


def test_joints_are_named_under_the_pointer(visit, server: Server, tiny: Path, red: np.ndarray, png: bytes) -> None:
    poses: Poses = load(tiny, threads=1)(red)
    assert set(poses.joint_states[0]) == {JointState.VISIBLE, JointState.HIDDEN}
    page, faults = visit(server)
    give(page, "red.png", png, "image/png")
    shown(page)
    box = page.locator("#picture").bounding_box()
    scale = min(box["width"] / red.shape[1], box["height"] / red.shape[0])
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    corner = middle - scale * np.array(red.shape[1::-1]) / 2
    for joint, state, at in zip(LCR13.joints, poses.joint_states[0], corner + scale * poses.joints2d[0], strict=True):
        page.mouse.move(*at)
        wanted = f"#1 {joint.replace('_', ' ')}, {JointState(state).name.lower()}, "
        assert page.inner_text("#flat-tip").startswith(wanted)
    names = set()
    for x, y in dots(page, "#scene"):
        page.mouse.move(x, y)
        if page.locator("#space-tip").is_visible():
            names.add(re.sub(r", -?\d.*", "", page.inner_text("#space-tip")))
    assert not page.locator("#flat-tip").is_visible()
    assert {"#1 left shoulder, visible", "#1 head top, visible"} <= names, names
    page.mouse.move(2, 2)
    assert not page.locator("#space-tip").is_visible()
    assert not faults


def test_hidden_joints_are_hollow(visit, server: Server, tiny: Path, red: np.ndarray, png: bytes) -> None:
    poses: Poses = load(tiny, threads=1)(red)
    page, _ = visit(server, 1200, 1500)
    give(page, "red.png", png, "image/png")
    shown(page)
    image = cv2.imdecode(np.frombuffer(canvas(page, "#picture"), np.uint8), cv2.IMREAD_COLOR)
    scale = min(image.shape[1] / red.shape[1], image.shape[0] / red.shape[0])
    corner = (np.array(image.shape[1::-1]) - scale * np.array(red.shape[1::-1])) / 2
    for state, (x, y) in zip(poses.joint_states[0], corner + scale * poses.joints2d[0], strict=True):
        filled = np.abs(image[int(y), int(x)].astype(int) - person_colour(0)).max() < 40
        assert filled == (state == JointState.VISIBLE)


def test_the_3d_view_turns_by_mouse_and_keys(visit, server: Server, png: bytes) -> None:
    page, faults = visit(server)
    give(page, "red.png", png, "image/png")
    shown(page)
    page.mouse.move(1, 1)
    first, box = canvas(page, "#scene"), page.locator("#scene").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 90, steps=3)
    page.mouse.up()
    page.mouse.move(1, 1)
    turned = canvas(page, "#scene")
    assert turned != first
    page.get_by_role("button", name="reset view").click()
    page.evaluate("() => document.activeElement.blur()")
    page.mouse.move(1, 1)
    assert canvas(page, "#scene") == first
    page.locator("#scene").focus()
    focused = canvas(page, "#scene")
    for key in ("ArrowLeft", "ArrowUp", "+", "Shift+ArrowRight"):
        before = canvas(page, "#scene")
        page.keyboard.press(key)
        assert canvas(page, "#scene") != before, key
    page.keyboard.press("Home")
    assert canvas(page, "#scene") == focused
    picture = canvas(page, "#picture")
    page.get_by_role("button", name="#1").click()
    page.mouse.move(1, 1)
    assert canvas(page, "#picture") != picture  # hidden
    assert not dots(page, "#picture")
    assert not faults


def test_everything_by_keyboard(visit, server: Server) -> None:
    page, faults = visit(server)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.parentElement.id") == "examples":
            break
    page.keyboard.press("Enter")
    shown(page)
    assert "CC BY 2.0" in page.inner_text("#credit")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.dataset.name || ''"))
    assert {"scene", "reset", "000000199055.json", "000000199055_overlay.png", "choose", "webcam"} <= reached
    assert not faults


def test_bad_files_are_told_in_one_line(visit, server: Server, png: bytes, jpeg: bytes) -> None:
    page, faults = visit(server)
    give(page, "notes.txt", b"hello", "text/plain")
    assert "wanted JPEG, PNG, WebP" in told(page)
    page.click("#dismiss")
    assert not page.locator("#error").is_visible()
    give(page, "half.jpg", jpeg[: len(jpeg) // 2], "image/jpeg")
    assert "unusable" in told(page)
    give(page, "large.png", png + bytes(600_000), "image/png")
    assert told(page) == "large.png has 0.6 MB, the service takes pictures of at most 0.5 MB."
    give(page, "no.mp4", b"no video at all", "video/mp4")
    page.wait_for_selector("#message:has-text('wanted MP4')")
    page.click("#options summary")
    page.fill('[name="fov"]', "500")
    give(page, "red.png", png, "image/png")
    page.wait_for_selector("#message:has-text('179')")
    page.fill('[name="fov"]', "90")
    give(page, "red.png", png, "image/png")
    shown(page)  # after all of that it works
    assert not page.locator("#error").is_visible()
    assert not page.locator("#assumed").is_visible()
    gone, gone_faults = visit(server, path="/#job=0123456789abcdef01234567")
    assert told(gone).startswith("found no job")
    assert not faults + gone_faults


def test_files_are_dropped_and_pasted(visit, server: Server, png: bytes) -> None:
    page, faults = visit(server)
    for event in ("drop", "paste"):
        page.evaluate("""([event, bytes]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], `${event}.png`, { type: "image/png" }));
            const about = { bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried };
            const made = event === "drop" ? new DragEvent(event, about) : new ClipboardEvent(event, about);
            document.body.dispatchEvent(made);
        }""", [event, list(png)])  # fmt: skip
        page.wait_for_selector(f'#downloads button[data-name="{event}.json"]')
    assert not faults


def test_fingers_turn_and_zoom(visit, server: Server, png: bytes) -> None:
    page, faults = visit(server)
    give(page, "red.png", png, "image/png")
    shown(page)
    box, session = page.locator("#scene").bounding_box(), page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x + dx, "y": y + dy, "id": i} for i, (dx, dy) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    first = canvas(page, "#scene")
    touch("touchStart", (0, 0))
    touch("touchMove", (60, 0))
    touch("touchEnd")
    turned = canvas(page, "#scene")
    assert turned != first
    touch("touchStart", (-40, 0), (40, 0))
    touch("touchMove", (-90, 0), (90, 0))
    touch("touchEnd")
    assert canvas(page, "#scene") != turned
    names = dots(page, "#scene")
    touch("touchStart", (names[0][0] - x, names[0][1] - y))
    assert page.inner_text("#space-tip").startswith("#1 ")
    touch("touchEnd")
    assert not faults


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_it_fits_and_follows_the_colour_scheme(visit, server: Server, png: bytes, width: int) -> None:
    shades = []
    for scheme in ("light", "dark"):
        page, faults = visit(server, width, 800, scheme)
        page.click("#options summary")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        give(page, "red.png", png, "image/png")
        shown(page)
        page.get_by_role("button", name="joints").click()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        for part in ("#picture", "#scene"):
            assert page.locator(part).bounding_box()["height"] >= 250
        shades.append((page.evaluate("() => getComputedStyle(document.body).backgroundColor"), canvas(page, "#scene")))
        assert not faults
    assert shades[0][0] != shades[1][0]
    assert shades[0][1] != shades[1][1]  # canvases too
