"""The scripts of examples/ run and say something sensible."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(("script", "word"), [("detect.py", "m away"), ("own_skeleton.py", "left_elbow to left_wrist")])
def test_example_runs(script, word):
    done = subprocess.run([sys.executable, EXAMPLES / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert word in done.stdout
