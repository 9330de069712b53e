"""A real server in a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

PATIENCE = 120.0
Json = Any


class Server:
    """`anchorpose serve` with the tiny graph; use it in a `with` block.

    Args:
        model: the graph. folder: for its jobs and its log. arguments: further ones. token: for it and all requests.
    """

    def __init__(self, model: Path, folder: Path, *arguments: str, token: str | None = None) -> None:
        self.jobs, self.log = folder / "jobs", folder / "server.log"
        self.token = token
        self._command = [sys.executable, "-m", "anchorpose", "serve", "--model", str(model), "--port", "0",
                         "--jobs-folder", str(self.jobs), "--threads", "1", *arguments]  # fmt: skip
        self.process: subprocess.Popen[str]
        self.url = ""

    def start(self) -> Server:
        environment = os.environ | ({"ANCHORPOSE_TOKEN": self.token} if self.token else {})
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=environment)  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # the address is printed when clients may come
        assert line.startswith("anchorpose: http://"), self.log.read_text()
        self.url = line.split()[1]
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            self.process.kill()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=PATIENCE, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, data: bytes | None = None, **options: Any) -> requests.Response:
        return self.ask("POST", path, data=data, **options)

    def job(self, number: str) -> Json:
        return self.get(f"/v1/jobs/{number}").json()

    def wait_until(self, number: str, *states: str, frames: int = 0) -> Json:
        """The job, once it is in one of the states and so many frames are done."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            job = self.job(number)
            if job["state"] in states and job["progress"]["frames"] >= frames:
                return job
            assert job["state"] not in ("done", "failed", "cancelled"), job
            time.sleep(0.1)
        raise AssertionError(f"{self.job(number)} after {PATIENCE} s; {self.log.read_text()}")


def assert_refused(response: requests.Response, status: int, code: str) -> str:
    """The one form of errors; the message."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert error["request_id"] == response.headers["X-Request-ID"]
    assert len(error["message"].splitlines()) == 1
    assert "Traceback" not in error["message"]
    return str(error["message"])
