"""The page's files as the service gives them, without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anchorpose.core.skeleton import LCR13
from anchorpose.io.figure import PEOPLE, SIDES, links
from anchorpose.io.files import read_json
from anchorpose.serve.routes_page import PAGE, POLICY

from .servers import Server, assert_refused

ATTRIBUTION = Path(__file__).parents[2] / "examples" / "photos" / "ATTRIBUTION.md"
MODULES = sorted(PAGE.glob("*.js"))
SHARED = ("scene.js", "orbit.js")


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attributes}))


@pytest.fixture(scope="module")
def elements() -> list[tuple[str, dict[str, str]]]:
    parser = Elements()
    parser.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    return parser.found


def test_the_policy_allows_nothing_inline_and_no_other_site(server: Server) -> None:
    answer = server.get("/")
    assert answer.headers["Content-Security-Policy"] == POLICY
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert not re.search(r"unsafe|https?:|\*|data:", POLICY)


def test_the_page_keeps_to_its_policy(elements) -> None:
    for tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
    for module in MODULES:
        assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", module.read_text())


def test_what_the_modules_ask_for_is_there(server: Server, elements) -> None:
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    loaded = {"main.js"}
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        assert set(re.findall(r'\$\("([\w-]+)"\)', text)) <= set(ids), module.name
        for names, source in re.findall(r'^import \{([^}]+)\} from "\./([\w.]+)";', text, re.MULTILINE):
            answer = server.get(f"/page/{source}")
            assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
            for name in names.split(","):
                pattern = rf"^export (async )?(function|class|const) {name.strip()}\b"
                assert re.search(pattern, answer.text, re.MULTILINE), (module.name, name)
            loaded.add(source)
    assert loaded == {module.name for module in MODULES} | set(SHARED)  # nothing lies about unused


def test_files_are_checked_anew_and_nothing_else_is_given(server: Server) -> None:
    first = server.get("/page/main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = server.get("/page/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["Cache-Control"] == "no-cache"
    for name in ("page.html", "live.py", "../routes_page.py", "%2e%2e/guard.py", "player.js"):
        assert_refused(server.get(f"/page/{name}"), 404, "not_found")


def test_the_page_draws_as_the_library_does(server: Server) -> None:
    figure = server.get("/page/figure.json").json()
    assert figure["skeleton"] == LCR13.name
    assert figure["links"] == [[list(link.start), list(link.end), link.side] for link in links(LCR13)]
    assert len(figure["people"]) == len(PEOPLE)
    for side, (blue, green, red) in SIDES.items():
        assert figure["sides"][side] == f"#{red:02x}{green:02x}{blue:02x}"
    asked = server.get("/openapi.json").json()["paths"]["/v1/track"]["post"]["parameters"]
    offered = next(p for p in asked if p["name"] == "export")["schema"]["items"]["enum"]
    assert set(figure["exports"]) <= set(offered) - {"html"}
    assert {"coco", "posetrack", "openpose", "csv", "bvh", "trc", "gltf", "npz"} <= set(figure["exports"])


def test_examples_are_small_and_have_their_source(server: Server) -> None:
    told = ATTRIBUTION.read_text(encoding="utf-8")
    examples, total = read_json(PAGE / "examples.json", "mend it"), 0
    assert 2 <= len(examples) <= 3
    for example in examples:
        line = next(line for line in told.splitlines() if example["file"] in line)
        assert example["source"] in line
        assert "CC BY 2.0" in line
        assert example["licence"] == "https://creativecommons.org/licenses/by/2.0/"
        picture = server.get(f"/page/examples/{example['file']}")
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.content == (ATTRIBUTION.parent / example["file"]).read_bytes()
        total += len(picture.content)
    assert total < 200_000
    assert {e["file"] for e in examples} == {p.name for p in (PAGE / "examples").iterdir()}
