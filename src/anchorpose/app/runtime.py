"""`OnnxModel`: one exported graph, run by onnxruntime (docs/architecture.md has the contract)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.io.letterbox import STRIDE
from anchorpose.lcrnet.integration import IntegrationOptions, Proposals
from anchorpose.lcrnet.refinement import Refined

if TYPE_CHECKING:
    from anchorpose.io.onnx import onnxruntime

METADATA_KEY = "anchorpose"
OUTPUTS = ("boxes", "scores", "labels", "joints2d", "joints3d", "visibility")
SECOND_OUTPUTS = ("seeds", "refined2d", "refined3d", "refined_visibility", "errors", "quality")
"""Of graphs with a second pass."""
_LOG_ERRORS_ONLY = 3
_PROVIDER = "ExecutionProvider"


@dataclass(frozen=True)
class Metadata:
    """What the exporter wrote into the graph.

    Args:
        preset: training preset, such as `lcrnet-lite`.
        anchors: K, the number of anchor-poses; labels reach from 0 to 2K - 1.
        max_side: pixels of the longer image side that the network was made for.
        integration: options of the pose proposal integration.
        skeleton: name of the joints' skeleton.
    """

    preset: str
    anchors: int
    max_side: int
    integration: IntegrationOptions
    skeleton: str


class OnnxModel:
    """A graph ready to run. Calls are independent and may come from several threads.

    Args:
        path: `NAME.onnx`, written by `anchorpose export`.
        threads: threads of one call; None takes every physical core this process may use.
        providers: onnxruntime's execution providers, most wanted first, by their names (`CUDAExecutionProvider`) or in
            short (`cuda`, `openvino`, `cpu`); what one cannot do, the CPU does. None is the CPU.

    Raises:
        InputError: the file is missing, broken or not one of ours, or a provider is not available.
    """

    def __init__(self, path: str | Path, *, threads: int | None = None, providers: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        self._session = _open(self.path, threads, providers)
        self.metadata = _metadata(self._session, self.path)
        given = {output.name for output in self._session.get_outputs()}
        self.second_pass = given >= set(SECOND_OUTPUTS)
        self._outputs = OUTPUTS + SECOND_OUTPUTS if self.second_pass else OUTPUTS

    def __call__(self, image: NDArray[np.uint8]) -> tuple[Proposals, Refined | None]:
        """Proposals of one picture, best first, and what the second pass says of the people, in its pixels.

        Args:
            image: (h, w, 3) uint8 RGB, h and w multiples of 32, at least 128, at most 4096.
        """
        height, width, channels = image.shape
        if channels != 3 or height % STRIDE or width % STRIDE:
            raise ValueError(f"the graph takes (h, w, 3) with h and w multiples of {STRIDE}, found {image.shape}")
        found = self._session.run(list(self._outputs), {"image": np.ascontiguousarray(image)[None]})
        first, second = found[: len(OUTPUTS)], found[len(OUTPUTS) :]
        return Proposals(*first), Refined(*second) if second else None


def available_cores() -> int:
    """Physical cores that this process may use; a second thread on a core slows matrix products down."""
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return os.cpu_count() or 1
    return max(1, len({_siblings(cpu) for cpu in os.sched_getaffinity(0)}))


def _siblings(cpu: int) -> str:
    """The hardware threads that share a core with `cpu`; the cpu itself where the system does not tell."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _full_names(wanted: Sequence[str], available: Sequence[str]) -> list[str]:
    """onnxruntime's names of providers given by these or in short."""
    names = {short.lower(): name for name in available for short in (name, name.removesuffix(_PROVIDER))}
    if unknown := [p for p in wanted if p.lower() not in names]:
        short = ", ".join(name.removesuffix(_PROVIDER).lower() for name in available)
        raise InputError(f"onnxruntime here has no provider {', '.join(unknown)}; it has {short}; give one of these, "
                         "or install the onnxruntime package that has it")  # fmt: skip
    return [names[p.lower()] for p in wanted]


def _open(path: Path, threads: int | None, providers: Sequence[str] | None) -> onnxruntime.InferenceSession:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise InputError(f"cannot load the model {path}: {found}, wanted an ONNX file")
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, found {threads}")
    from anchorpose.io.onnx import onnxruntime

    wanted = _full_names(["cpu"] if providers is None else providers, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.intra_op_num_threads = threads or available_cores()
    options.inter_op_num_threads = 1
    for key, value in waiting(onnxruntime.__version__).items():
        options.add_session_config_entry(key, value)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # onnxruntime's errors share no base class but Exception
        reason = "the file is empty" if path.stat().st_size == 0 else _first_line(error)
        raise InputError(f"cannot load the model {path}: it is no complete ONNX file ({reason})") from error


def waiting(version: str) -> dict[str, str]:
    """How the threads of a session wait for work: its configuration for a version of onnxruntime.

    One that spins takes the time of whatever else runs, and then waits for it: on a busy machine two of them were
    slower than one. One that sleeps wakes late, and a graph has hundreds of nodes. Ten microseconds of spinning are
    0.93 of the time of sleeping at once on two idle cores, and 1.04 of it beside another busy process (medians of three
    runs of the released graph on 20 photographs, onnxruntime 1.31).
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) >= (1, 26):
        return {"session.intra_op.spin_duration_us": "10"}
    # These know only to spin for long or not at all; handing work out in smaller pieces makes up for some of it.
    return {"session.intra_op.allow_spinning": "0", "session.dynamic_block_base": "4"}


def _metadata(session: onnxruntime.InferenceSession, path: Path) -> Metadata:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    missing = set(OUTPUTS) - {output.name for output in session.get_outputs()}
    if text is None or missing or [i.name for i in session.get_inputs()] != ["image"]:
        raise InputError(f"{path} is an ONNX file, but not one of anchorpose; export one with `anchorpose export`")
    try:
        data = json.loads(text)
        options = data["integration"]
        if unknown := set(options) - {f.name for f in fields(IntegrationOptions)}:
            raise ValueError(f"unknown integration options {', '.join(sorted(unknown))}")
        return Metadata(str(data["preset"]), int(data["K"]), int(data["max_side"]), IntegrationOptions(**options),
                        _skeleton_name(data["skeleton"]))  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} was exported by another version of anchorpose: {_first_line(error)}") from error


def _skeleton_name(value: str | dict[str, Any]) -> str:
    """The skeleton is written as its name, or as an object that has one."""
    return str(value["name"]) if isinstance(value, dict) else str(value)


def _first_line(error: Exception) -> str:
    """One readable line of an error, without onnxruntime's code prefix."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.split(" : ")[-1].strip() if text.startswith("[ONNXRuntimeError]") else text
