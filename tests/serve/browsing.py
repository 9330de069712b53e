"""A browser with a fake webcam, and what tests do on the service's page."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from anchorpose.io.figure import person_colour

if TYPE_CHECKING:
    from .servers import Server

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
