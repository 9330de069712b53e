"""onnxruntime tells nobody anything, unless asked to."""

import os
import subprocess
import sys

WITHOUT = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}


def python(code: str, environment: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_reported(tmp_path):
    code = "import anchorpose, os; anchorpose.load(); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert python(code, WITHOUT | {"TMPDIR": str(tmp_path)}) == "1"
    assert os.listdir(tmp_path) == []  # where it reports, it keeps an identifier in the folder of temporary files


def test_what_the_environment_says_stays(tmp_path):
    code = (
        "import os; os.environ['ORT_DISABLE_TELEMETRY'] = 'false'\nimport anchorpose.io.onnx as o\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], hasattr(o.onnxruntime, 'InferenceSession'))"
    )
    assert python(code, WITHOUT | {"TMPDIR": str(tmp_path)}) == "false True"
