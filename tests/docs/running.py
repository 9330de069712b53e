"""Runs the blocks of a page as a reader would: one after the other, with the services that they start beside them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pytest

from tests.docs.snippets import ROOT, Snippet

PATIENCE = 120.0
"""Seconds until a service answers, and until it has ended."""
RESTLESS = {"train", "torchrun", "ray", "batch", "launch", "serve"}
"""Commands that take long: no block runs them by accident."""
DISTANT = {"pip", "npm", "npx", "wget", "git"}
"""Commands that download: no block runs them."""
_PORT = re.compile(r"//127\.0\.0\.1:(\d+)")


class Service:
    """A command that runs until Ctrl-C; leaving the `with` block presses it and wants the exit code 0.

    Args:
        words: of the command. folder: where it runs and logs. address: answers once it is ready.
    """

    def __init__(self, words: list[str], folder: Path, address: str) -> None:
        self._words, self._folder, self._address = words, folder, address
        self._log = folder / f"service-{_PORT.findall(address)[0]}.log"

    def __enter__(self) -> Service:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._words, cwd=self._folder, env=environment(self._folder), stdout=log,
                                             stderr=subprocess.STDOUT)  # fmt: skip
        ready = answers(self._address, self._is_over) and self._has_said_where()
        if not ready:
            self._end()
        assert ready, f"{shlex.join(self._words)} does not answer at {self._address}: {self._said()}"
        return self

    def _is_over(self) -> bool:
        return self._process.poll() is not None

    def _has_said_where(self) -> bool:
        """A service prints its address when all of it is ready, which may be after its first answer."""
        port, end = _PORT.findall(self._address)[0], time.monotonic() + PATIENCE
        while f"http://127.0.0.1:{port}" not in self._said():
            if self._is_over() or time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        code = self._end()
        if error is None:
            assert code == 0, f"{shlex.join(self._words)} ended with {code} at Ctrl-C: {self._said()}"

    def _end(self) -> int:
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8")


def run(snippets: list[Snippet], folder: Path) -> None:
    """The blocks of a page in their order; Python's share their names, as in a notebook."""
    names: dict[str, object] = {"__name__": "page"}
    ports = {port: str(free_port()) for s in snippets for port in _PORT.findall(s.marks.get("serves", ""))}
    with ExitStack() as services:
        for snippet in snippets:
            source = with_ports(snippet.source, ports)
            address = with_ports(snippet.marks.get("serves", ""), ports)
            if snippet.language == "python":
                run_python(source, snippet, names, address)
            elif address:
                before, words, after = around_service(source, _PORT.findall(address)[0])
                run_shell(before, snippet, folder)
                services.enter_context(Service(words, folder, address))
                run_shell(after, snippet, folder)
            else:
                run_shell(with_options(source, snippet.marks.get("run with", "")), snippet, folder)


def run_python(source: str, snippet: Snippet, names: dict[str, object], address: str = "") -> None:
    """Source in the names of the page; with an address it waits there until Ctrl-C, which comes when that answers."""
    # empty lines before the source, so that an error names the line of the page
    code = compile("\n" * (snippet.line - 1) + source, str(ROOT / snippet.page), "exec")
    if not address:
        exec(code, names)
        return
    over, seen = threading.Event(), []

    def press() -> None:
        seen.append(answers(address, over.is_set))
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        exec(code, names)
    except KeyboardInterrupt:
        assert seen == [True], f"{snippet} does not answer at {address}"
    else:
        pytest.fail(f"{snippet} does not wait for Ctrl-C")
    finally:
        over.set()
        thread.join()


def run_shell(source: str, snippet: Snippet, folder: Path) -> None:
    """A script, of which every command must end with 0."""
    for words in commands(source):
        check_rest(words, snippet)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", source], cwd=folder, env=environment(folder),
                          capture_output=True, text=True, timeout=900, check=False)  # fmt: skip
    assert done.returncode == 0, f"{snippet} ended with {done.returncode}: {done.stdout}{done.stderr}"


def check_rest(words: list[str], snippet: Snippet) -> None:
    """No block waits, takes long or leaves the machine by accident."""
    assert DISTANT.isdisjoint(words[:3]), f"{snippet}: downloads; mark it as not run, and say why"
    restless = serves(words) or ("slow" not in snippet.marks and not RESTLESS.isdisjoint(words[:2]))
    assert not restless, f"{snippet}: mark it as slow, serves or not run, and say why"
    if "curl" in words:
        distant = [w for w in words if "://" in w and not w.startswith("http://127.0.0.1:")]
        assert not distant, f"{snippet}: leaves the machine; mark it as not run"
        if shutil.which("curl") is None:
            pytest.skip("needs curl")


def serves(words: list[str]) -> bool:
    """Whether a command runs until Ctrl-C."""
    return words[:2] == ["anchorpose", "serve"] or (words[:2] == ["anchorpose", "view"] and "--html" not in words)


def around_service(source: str, port: str) -> tuple[str, list[str], str]:
    """What stands before the one command that serves, its words with the port, and what stands behind it."""
    lines = source.replace("\\\n", " ").splitlines()
    at = [number for number, line in enumerate(lines) if serves(shlex.split(line, comments=True))]
    assert len(at) == 1, f"found {len(at)} commands that serve, wanted one: {source}"
    words = shlex.split(lines[at[0]], comments=True)
    words += [] if "--port" in words else ["--port", port]
    return "\n".join(lines[: at[0]]), words, "\n".join(lines[at[0] + 1 :])


def with_options(source: str, options: str) -> str:
    """The script with further options for its first command."""
    if not options:
        return source
    first, *rest = source.replace("\\\n", " ").splitlines()
    return "\n".join([f"{shlex.join(shlex.split(first, comments=True))} {options}", *rest])


def with_ports(text: str, ports: dict[str, str]) -> str:
    """The text with each port exchanged, all at once."""
    return re.sub(r"\b\d+\b", lambda number: ports.get(number[0], number[0]), text) if ports else text


def free_port() -> int:
    """A port at which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(address: str, over: Callable[[], bool]) -> bool:
    """Waits for an answer without an error; False when `over()` is true before, or patience ends."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not over():
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def environment(folder: Path) -> dict[str, str]:
    """Our commands first, and a curl for which an error of the service is an error."""
    settings = folder / ".curlrc"
    settings.write_text("fail\nsilent\nshow-error\nmax-time = 300\n", encoding="utf-8")
    ours = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": ours, "CURL_HOME": str(folder)}


def commands(source: str) -> Iterator[list[str]]:
    """The words of each command of a script: lines, continued lines, and what stands between `&&`."""
    for line in source.replace("\\\n", " ").splitlines():
        for command in line.split("&&"):
            if words := shlex.split(command, comments=True):
                yield words
