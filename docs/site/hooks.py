"""What mkdocs makes anew in every build, so that it is never out of date: commands, Python, the card of the weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "anchorpose"
CARD = "<!-- card -->"
sys.path.insert(0, str(Path(__file__).parent))
from command_pages import command_pages  # noqa: E402


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the places COMMANDS and PYTHON of the navigation."""
    commands = [{page.name: page.path} for page in command_pages()]
    python = [{name.removeprefix("anchorpose."): path} for name, path in python_pages().items()]
    config.nav = _filled(config.nav, {"COMMANDS": commands, "PYTHON": python})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages themselves."""
    for page in command_pages():
        files.append(File.generated(config, page.path, content=page.text))
    for name, path in python_pages().items():
        files.append(File.generated(config, path, content=python_page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts the card of the embedded weights where a page asks for it."""
    return markdown.replace(CARD, card()) if CARD in markdown else markdown


def python_pages() -> dict[str, str]:
    """The page of each package (folder) of anchorpose by its dotted name."""
    folders = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
    names = [".".join(("anchorpose", *folder.relative_to(PACKAGE).parts)) for folder in folders]
    return {name: f"python/{name}.md" for name in names}


def python_page(package: str) -> str:
    """Every public function, class and value of one package's modules, from their docstrings."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    parts = [f"# {package}", f"::: {package}\n    options: {{members: [], show_root_heading: false, heading_level: 1}}"]
    if package == "anchorpose":
        parts.append(_front_door())
    parts += [f"::: {package}.{module}" for module in modules]
    return "\n\n".join(parts) + "\n"


def card() -> str:
    """The card of the default weights as tables."""
    data = json.loads((PACKAGE / "weights" / "lcrnet-lite.json").read_text(encoding="utf-8"))
    rows = [("preset", data["preset"]["name"]), ("use", data["use"]), ("trunk", data["trunk"])]
    rows += [(f"data: {name}", licence) for name, licence in data["data"].items()]
    lines = ["| of the weights | |", "| --- | --- |", *(f"| {_cell(a)} | {_cell(b)} |" for a, b in rows)]
    return "\n".join(lines)


def _front_door() -> str:
    """Where the names of `import anchorpose` are described."""
    import anchorpose

    names = {name: getattr(anchorpose, name) for name in anchorpose.__all__}
    homes = {name: f"{_home(value, name)}.{name}" for name, value in names.items()}
    return "\n".join(["`import anchorpose` gives:", "", *(f"- [`{name}`][{home}]" for name, home in homes.items())])


def _home(value: Any, name: str) -> str:
    """The module that defines a name; values that are no classes or functions are skeletons."""
    return getattr(value, "__module__", "") if isinstance(value, type) or callable(value) else type(value).__module__


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


def _filled(nav: Any, places: dict[str, list[dict[str, str]]]) -> Any:
    if isinstance(nav, list):
        return [_filled(item, places) for item in nav]
    if isinstance(nav, dict):
        return {title: _filled(item, places) for title, item in nav.items()}
    return places.get(nav, nav)
