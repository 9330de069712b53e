"""Every block of code in README.md and docs/ runs, or says why it cannot and is at least parsed."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from anchorpose.app import cli
from tests.docs.files import make_files
from tests.docs.running import commands, run
from tests.docs.snippets import ROOT, SHELL, Snippet, pages, snippets_of

SNIPPETS = [snippet for page in pages() for snippet in snippets_of(page)]
NOT_RUN = [s for s in SNIPPETS if "not run" in s.marks]
SHORTENED = [s for s in SNIPPETS if "run with" in s.marks]
RUN = [s for s in SNIPPETS if "not run" not in s.marks and s.language in (*SHELL, "python")]
PAGES = sorted({s.page for s in RUN if "slow" not in s.marks})
SLOW_PAGES = sorted({s.page for s in RUN if "slow" in s.marks})


@pytest.fixture(scope="module")
def one_core() -> Iterator[None]:
    """What runs here and below gets one core: on busy machines threads that wait for each other cost twice the time."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[os.getpid() % len(cores)]})
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture(scope="module")
def files(one_core: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "files"
    folder.mkdir()
    make_files(folder)
    return folder


@pytest.fixture
def here(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, in which the test runs."""
    folder = tmp_path / "here"
    shutil.copytree(files, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_snippets_run(page: str, here: Path) -> None:
    snippets = [s for s in RUN if s.page == page and "slow" not in s.marks]
    assert snippets
    run(snippets, here)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW_PAGES)
def test_slow_snippets_run(page: str, here: Path) -> None:
    snippets = [s for s in RUN if s.page == page]
    assert any("slow" in s.marks for s in snippets)
    run(snippets, here)


@pytest.mark.parametrize("snippet", NOT_RUN, ids=lambda s: f"{s}, {s.marks['not run']}")
def test_what_is_not_run_is_parsed(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of these tests are the list of blocks that do not run, and why."""
    assert len(snippet.marks["not run"].split()) >= 3
    if snippet.language == "python":
        check_imports(ast.parse(snippet.source))
    elif snippet.language in SHELL:
        for words in commands(snippet.source):
            check_command(words, snippet, monkeypatch)
    else:
        pytest.fail(f"{snippet} is {snippet.language}, which would not run anyway; leave out its mark")


@pytest.mark.parametrize("snippet", SHORTENED, ids=str)
def test_what_is_shortened_is_right_at_full_length(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list(commands(snippet.source))
    assert shown
    for words in shown:
        check_command(words, snippet, monkeypatch)


def test_marks_do_not_creep() -> None:
    """What is left needs another machine, another program, the net, a camera or hours."""
    assert len(NOT_RUN) <= 16


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings; pages that the site makes itself are left to `mkdocs build --strict`."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith(("commands/", "python/")):
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{page.name}: {target}"
        assert not heading or heading in headings(path), f"{page.name}: {target} is none of {headings(path)}"


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if s.language == "json"], ids=str)
def test_json_is_json(snippet: Snippet) -> None:
    assert json.loads(snippet.source)


def test_languages_are_known() -> None:
    assert {s.language for s in SNIPPETS} <= {*SHELL, "python", "json", "text"}


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = set(project["optional-dependencies"])
    for page in pages():
        for names in re.findall(r"(?:anchorpose|\.)\[([a-z0-9,]+)\]'", page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= known, page


def headings(page: Path) -> set[str]:
    """The addresses of a page's headings, as the site and others make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def check_command(words: list[str], snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options and files of our own commands; those of others are left alone."""
    if "anchorpose" in words and words[0] not in ("pip", "uv"):
        code, ours = parse(words[words.index("anchorpose") + 1 :], monkeypatch)
        assert code == 0, f"{snippet}: anchorpose refuses {shlex.join(ours)}"
    elif words[0] == "python" and words[1] == "-m":
        assert find_spec(words[2]) is not None, f"{snippet}: no module {words[2]}"
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), f"{snippet}: no file {words[1]}"


def parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[str]]:
    """Exit code of the command line where the command itself does nothing."""
    real = cli.tyro.cli

    def only_parse(kind: object, **options: object) -> object:
        command = real(kind, **options)
        return type("Parsed", (), {"command": command, "run": lambda self: 0})()

    with monkeypatch.context() as patch:
        patch.setattr(cli.tyro, "cli", only_parse)
        return cli.main(words), words


def check_imports(tree: ast.AST) -> None:
    """Each `from anchorpose... import name` finds its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anchorpose"):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
