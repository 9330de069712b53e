"""schemathesis against the OpenAPI schema of a running server."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs schemathesis")]
# A schema cannot say "bytes of a picture", so random bytes are valid by it and refused.
EXCLUDED = "positive_data_acceptance"
TOKEN = "a-token-of-this-test"


def run(server: Server, folder: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi.json",
               "--max-examples", "25", "--seed", "1", "--exclude-checks", EXCLUDED, "--no-color",
               "--generation-database", "none", *arguments]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_every_answer_is_one_of_the_schema(server: Server, tmp_path: Path) -> None:
    report = run(server, tmp_path)
    for path in ("/v1/detect", "/v1/track", "/v1/jobs/{number}", "/metrics"):
        assert path in server.get("/openapi.json").json()["paths"]
    assert "No issues found" in report or "passed" in report.lower()
    assert server.get("/healthz").status_code == 200
    assert " 500 " not in server.log.read_text()


def test_with_a_token(tiny: Path, tmp_path: Path) -> None:
    with Server(tiny, tmp_path, token=TOKEN) as server:
        run(server, tmp_path, "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "5")
        assert " 500 " not in server.log.read_text()
