"""The page in headless Chromium, against a running service (marked slow)."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from anchorpose.app.estimator import load
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.io.figure import person_colour

from .servers import Server

pytestmark = pytest.mark.slow
TOKEN = "a-token-of-this-test"
WAIT = 60_000
Open = Callable[..., "tuple[object, list[str]]"]


def write_y4m(path: Path, pictures: list[np.ndarray]) -> Path:
    """What Chromium's fake webcam plays."""
    height, width = pictures[0].shape[:2]
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode())
        for picture in pictures:
            file.write(b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="module")
def browser(red: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the PyPI package playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium")
    seen = write_y4m(tmp_path_factory.mktemp("webcam") / "red.y4m", [np.roll(red, 4 * i, axis=1) for i in range(10)])
    with sync_api.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=[
            "--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={seen}"])  # fmt: skip
        yield opened
        opened.close()


@pytest.fixture
def visit(browser) -> Iterator[Open]:
    """Opens a service's page; notes what goes wrong in it, and every request to anywhere else."""
    contexts = []

    def opened(server: Server, width: int = 1200, height: int = 900, scheme: str = "light", path: str = "/"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page, faults = context.new_page(), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: "Policy" in line.text and faults.append(line.text))
        own = (server.url, server.url.replace("http", "ws"), "blob:" + server.url)
        page.on("request", lambda r: None if r.url.startswith(own) else faults.append(r.url))
        page.goto(server.url + path)
        page.wait_for_selector("#examples img")
        page.wait_for_selector("#exports input", state="attached")
        return page, faults

    yield opened
    for context in contexts:
        context.close()


def give(page, name: str, data: bytes, kind: str = "") -> None:
    page.set_input_files("#file", files=[{"name": name, "mimeType": kind, "buffer": data}])


def shown(page) -> None:
    page.wait_for_selector("#result:not([hidden])")
    settle(page)


def settle(page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def told(page) -> str:
    """The error, which is one line."""
    page.wait_for_selector("#error:not([hidden])")
    message = page.inner_text("#message")
    assert len(message.splitlines()) == 1
    return message


def rows(page) -> list[list[str]]:
    found = page.locator("#people tbody tr").all()
    return [[cell.inner_text().strip() for cell in row.locator("td").all()] for row in found]


def canvas(page, name: str) -> bytes:
    """PNG of what is drawn, without the controls above it."""
    settle(page)
    address = page.locator(name).evaluate("(one) => one.toDataURL()")
    return base64.b64decode(address.partition(",")[2])


def dots(page, name: str) -> list[tuple[float, float]]:
    """Where joints of the first person are drawn, in pixels of the window."""
    box = page.locator(name).bounding_box()
    image = cv2.imdecode(np.frombuffer(canvas(page, name), np.uint8), cv2.IMREAD_COLOR)
    near = (np.abs(image.astype(int) - person_colour(0)) <= 3).all(-1).astype(np.uint8)
    centres = cv2.connectedComponentsWithStats(near)[3][1:]
    return [(box["x"] + x, box["y"] + y) for x, y in centres]


def saved(page, name: str, folder: Path) -> bytes:
    with page.expect_download() as waiting:
        page.locator(f'#downloads button[data-name="{name}"]').click()
    assert waiting.value.suggested_filename == name
    waiting.value.save_as(folder / name)
    return (folder / name).read_bytes()


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
