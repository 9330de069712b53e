"""What the command line loads, and what it says where something is not installed or it is ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anchorpose.app.commands_common import needing
from tests.app.test_cli import PHOTOS, needs_weights


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("extra", "command", "packages"),
    [("train", ["train", "lcrnet-lite"], ["torch", "torchvision", "timm", "accelerate"]),
     ("train", ["train", "posebert"], ["torch"]),
     ("train", ["export", "runs/last"], ["torch", "onnx", "onnxscript"]),
     ("serve", ["serve"], ["fastapi", "uvicorn", "starlette"]),
     ("batch", ["batch", ".", "out"], ["ray", "fsspec"])],
)  # fmt: skip
def test_a_command_without_its_extra_says_what_to_install(extra: str, command: list[str], packages: list[str]) -> None:
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from anchorpose.app.cli import main
sys.stderr = sys.stdout
print(main({command}), main({[*command[:1], "--help"]}))
"""
    said = python(code)
    assert said.count(f"needs the [{extra}] extra: pip install 'anchorpose[{extra}]'") == 1
    assert said.endswith("2 0\n")


def test_a_module_of_our_own_that_is_missing_is_no_matter_of_extras() -> None:
    with pytest.raises(ModuleNotFoundError), needing("serve", "the service", ("fastapi",)):
        raise ModuleNotFoundError("No module named 'anchorpose.x'", name="anchorpose.x")


def test_ctrl_c_and_full_disks_are_no_tracebacks() -> None:
    code = """
import sys
from anchorpose.app import cli
sys.stderr = sys.stdout
for error in (KeyboardInterrupt(), OSError(28, "No space left on device", "x.json")):
    def stop(arguments): raise error
    cli._run = stop
    print(cli.main([]))
"""
    assert python(code).splitlines() == [
        "anchorpose: interrupted", "130", "anchorpose: error: x.json: No space left on device", "2",
    ]  # fmt: skip


def test_importing_the_package_and_the_command_line_is_light() -> None:
    heavy = "sorted({'torch', 'onnxruntime', 'cv2', 'scipy', 'numpy'} & set(sys.modules))"
    assert python(f"import sys, anchorpose; print({heavy})") == "[]\n"
    assert python(f"import sys, anchorpose.app.cli; print({heavy})") == "[]\n"
    loaded = python(
        "import sys, anchorpose; anchorpose.load; print('torch' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    assert loaded == "False False\n"


# --- with the embedded weights


@needs_weights
def test_detect_loads_no_torch_and_stays_small() -> None:
    photo = next(PHOTOS.glob("*.jpg"))
    code = f"""
import os, sys
from anchorpose.app.cli import main
assert main(["detect", {str(photo)!r}, "--json", os.devnull]) == 0
assert "torch" not in sys.modules
# VmHWM starts anew with the program; ru_maxrss would keep what the test runner had when it forked
print(next(int(line.split()[1]) // 1024 for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""
    assert int(python(code)) < 300
