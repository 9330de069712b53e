"""The documentation site: it builds strictly, has every command and public function, and loads nothing from the net."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from anchorpose.io.images import read_image
from tests.docs.snippets import ROOT

PACKAGE = ROOT / "src" / "anchorpose"
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "video": "src"}


@pytest.fixture(scope="module")
def command_pages() -> ModuleType:
    spec = spec_from_file_location("command_pages", ROOT / "docs" / "site" / "command_pages.py")
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules["command_pages"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as `mkdocs build --strict` makes them: a warning is a failure."""
    pytest.importorskip("mkdocs", reason="needs the [docs] extra")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)], cwd=ROOT,
                          capture_output=True, text=True, timeout=1800, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_commands_have_pages_with_all_options(command_pages: ModuleType) -> None:
    pages = {page.name: page.text for page in command_pages.command_pages()}
    listed = re.findall(r"^│\s+• (\S+)", command_pages.help_of(""), flags=re.MULTILINE)
    assert list(pages) == listed
    for name, text in pages.items():
        sections = re.findall(r"^#+ anchorpose (.+)$", text, flags=re.MULTILINE)
        assert sections[0] == name
        for words in sections:
            options = re.findall(r"^│ (--[\w-]+)", command_pages.help_of(words), flags=re.MULTILINE)
            assert set(options) <= set(re.findall(r"--[\w-]+", text)), words
            below = re.findall(r"^│\s+• (\S+)", command_pages.help_of(words), flags=re.MULTILINE)
            assert {f"{words} {more}" for more in below} <= set(sections)


def test_tables_of_commands_have_two_cells(command_pages: ModuleType) -> None:
    for page in command_pages.command_pages():
        for row in (line for line in page.text.splitlines() if line.startswith("|")):
            outside_code = re.sub(r"`[^`]*`", "", row)
            assert outside_code.count("|") == 3, row


@pytest.mark.slow
def test_every_public_name_is_described(site: Path) -> None:
    missing = []
    for module, names in public_names():
        package = module.rsplit(".", 1)[0]
        page = (site / "python" / package / "index.html").read_text(encoding="utf-8")
        missing += [name for name in names if f'id="{module}.{name}"' not in page]
    assert missing == []


@pytest.mark.slow
def test_nothing_comes_from_the_net(site: Path) -> None:
    found = {address for page in site.rglob("*.html") for address in _loaded(page.read_text(encoding="utf-8"))}
    assert any(address.endswith(".js") for address in found)
    for style in site.rglob("*.css"):
        found |= set(re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", style.read_text(encoding="utf-8")))
    assert [address for address in found if re.match(r"(https?:)?//", address)] == []


@pytest.mark.slow
def test_search_knows_the_concepts(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"] for entry in index["docs"] if "hypotheses" in entry["text"]}
    assert "concepts/#hypotheses" in places
    assert any(place.startswith("python/anchorpose.core/") for place in places)


@pytest.mark.slow
def test_pictures_can_be_drawn_anew(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "pictures.py", tmp_path], check=True, timeout=600)
    drawn = {path.name: read_image(path) for path in tmp_path.iterdir()}
    kept = ROOT / "docs" / "pictures"
    assert set(drawn) == {path.name for path in kept.iterdir()}
    text = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    for name, picture in drawn.items():
        assert f"(pictures/{name})" in text
        assert picture.std() > 20
        assert picture.shape[1] == read_image(kept / name).shape[1]


def public_names() -> Iterator[tuple[str, list[str]]]:
    """Dotted module and its public functions, classes and their methods, from the source."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem.startswith("_"):
            continue
        module = ".".join(("anchorpose", *path.relative_to(PACKAGE).with_suffix("").parts))
        yield module, list(_public(ast.parse(path.read_text(encoding="utf-8")).body))


def _public(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if isinstance(node, kinds) and not node.name.startswith("_"):
            # torch's `forward` and members of protocols are described with their class
            if ast.get_docstring(node) or not prefix:
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}{node.name}.")


def _loaded(html: str) -> list[str]:
    """Addresses that a browser fetches to show the page."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "link" and values.get("rel") in ("canonical", "next", "prev", "alternate"):
                return
            if address := values.get(LOADED.get(tag, "")):
                found.append(address)

    Reader().feed(html)
    return found
