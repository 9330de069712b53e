"""The runner of the blocks: what it lets pass, and what it must not."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

import pytest

from tests.docs import snippets
from tests.docs.running import Service, around_service, free_port, run, run_python, with_options, with_ports
from tests.docs.snippets import Snippet, snippets_of

SERVER = """
import http.server, signal, sys
http.server.ThreadingHTTPServer.allow_reuse_address = True
print("http://127.0.0.1:{port}", flush=True)
try:
    http.server.ThreadingHTTPServer(("127.0.0.1", {port}), http.server.SimpleHTTPRequestHandler).serve_forever()
except KeyboardInterrupt:
    {then}
"""


def block(source: str, language: str = "sh", **marks: str) -> Snippet:
    return Snippet("page.md", 1, language, source, {name.replace("_", " "): value for name, value in marks.items()})


@pytest.mark.parametrize("source", ["false", "true | false", "echo $nothing", "cat no.txt && true"])
def test_a_command_that_fails_fails(source: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:1 ended with"):
        run([block("true"), block(source)], tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pip install something", "downloads"),
        ("true && npm pack thing", "downloads"),
        ("curl http://example.org/", "leaves the machine"),
        ("anchorpose train lcrnet-lite", "mark it as slow"),
        ("anchorpose serve", "mark it as slow, serves"),
        ("anchorpose view results/", "mark it as slow, serves"),
    ],
)
def test_what_waits_or_downloads_is_refused(source: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=said):
        run([block(f"touch ran\n{source}")], tmp_path)
    assert not (tmp_path / "ran").exists()


def test_python_blocks_share_names_and_errors_name_the_line(tmp_path: Path) -> None:
    run([block("a = 1", "python"), block("assert a == 1", "python")], tmp_path)
    with pytest.raises(ZeroDivisionError) as error:
        run([block("\n1 / 0", "python")], tmp_path)
    assert error.traceback[-1].lineno == 1


def test_a_service_runs_until_ctrl_c_and_must_end_well(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}/"
    good, bad = ([sys.executable, "-c", SERVER.format(port=address[:-1].rsplit(":", 1)[1], then=then)]
                 for then in ("pass", "sys.exit(3)"))  # fmt: skip
    with Service(good, tmp_path, address) as service, urllib.request.urlopen(address) as answer:
        assert answer.status == 200
    assert service._process.returncode == 0
    with pytest.raises(AssertionError, match="ended with 3"), Service(bad, tmp_path, address):
        pass
    with (
        pytest.raises(AssertionError, match=r"does not answer.*broken"),
        Service([sys.executable, "-c", "print('broken')"], tmp_path, address),
    ):
        pass


def test_python_that_serves_gets_ctrl_c_when_it_answers() -> None:
    port = str(free_port())
    waits = SERVER.format(port=port, then="raise")
    run_python(waits, block(waits, "python"), {}, f"http://127.0.0.1:{port}/")
    with pytest.raises(pytest.fail.Exception, match="does not wait"):
        run_python("1", block("1", "python"), {}, f"http://127.0.0.1:{port}/")


def test_options_and_ports_are_put_in() -> None:
    source = "first a \\\n    b   # why\nsecond"
    assert with_options(source, "--count 1") == "first a b --count 1\nsecond"
    assert with_options(source, "") == source
    assert with_ports("at 80, 8080, x8080 and 127.0.0.1:80", {"80": "8080", "8080": "1"}) == (
        "at 8080, 1, x8080 and 127.0.0.1:8080"
    )
    script = "before\nanchorpose serve --fov 60  # why\nafter"
    assert around_service(script, "5") == ("before", ["anchorpose", "serve", "--fov", "60", "--port", "5"], "after")
    assert around_service("anchorpose view r --port 5", "5")[1] == ["anchorpose", "view", "r", "--port", "5"]
    with pytest.raises(AssertionError, match="found 0 commands that serve"):
        around_service("anchorpose view r --html page.html", "5")


def test_marks_are_read_and_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snippets, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("<!-- slow: takes long -->\n<!-- run with: --count 1 -->\n\n```sh\ntrue\n```\n```\nfalse\n```\n")
    first, second = snippets_of(page)
    assert (first.marks, first.language, first.line) == ({"slow": "takes long", "run with": "--count 1"}, "sh", 5)
    assert (second.marks, second.source) == ({}, "false")
    for comment in ("<!-- slow -->", "<!-- not ran: because of me -->"):
        page.write_text(f"{comment}\n```\ntrue\n```\n")
        with pytest.raises(ValueError, match="wanted not run, slow"):
            snippets_of(page)
    page.write_text("<!-- slow: for another -->\ntext\n```\ntrue\n```\n")
    assert snippets_of(page)[0].marks == {}
    page.write_text("```\ntrue\n")
    with pytest.raises(ValueError, match="nothing closes"):
        snippets_of(page)
