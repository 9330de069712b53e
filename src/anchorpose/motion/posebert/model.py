"""`PoseBert`: one exported graph, run by onnxruntime over windows that overlap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.motion.posebert.codec import WIDTH
from anchorpose.motion.posebert.kinematics import COUNT

if TYPE_CHECKING:
    from anchorpose.io.onnx import onnxruntime

Floats = NDArray[np.floating]
METADATA_KEY = "anchorpose"
INPUTS, OUTPUT = ("tokens", "known"), "rotations"
_LOG_ERRORS_ONLY = 3
_BATCH = 32
_STRIDES = 4


class PoseBert:
    """A graph ready to run; holds no state between calls.

    The graph takes `tokens` (b, frames, 124) float32 and `known` (b, frames) bool and gives `rotations`
    (b, frames, 12, 6) float32; its metadata `anchorpose` is JSON with `posebert` (the preset's name) and `frames`.

    Args:
        path: `NAME.onnx`, written by `anchorpose train posebert`. threads: of one call.

    Raises:
        InputError: the file is missing, broken or not one of ours.
    """

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        self.path = Path(path)
        self._session = _open(self.path, threads)
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "{}")
        metadata = json.loads(text)
        shapes = [i.name for i in self._session.get_inputs()]
        if "posebert" not in metadata or shapes != list(INPUTS):
            raise InputError(f"{path} is an ONNX file, but not a PoseBERT of anchorpose; train one with "
                             "`anchorpose train posebert`")  # fmt: skip
        self.preset = str(metadata["posebert"])
        self.frames = int(metadata["frames"])

    def windows(self, tokens: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Rotations of whole windows: (b, frames, 124) and (b, frames) -> (b, frames, 12, 6).

        Raises:
            ValueError: another shape.
        """
        wanted = (len(tokens), self.frames, WIDTH)
        if tokens.shape != wanted or known.shape != wanted[:2]:
            raise ValueError(f"found tokens {tokens.shape} and known {known.shape}, wanted {wanted} and {wanted[:2]}")
        parts = [self._session.run([OUTPUT], {INPUTS[0]: tokens[i : i + _BATCH], INPUTS[1]: known[i : i + _BATCH]})[0]
                 for i in range(0, len(tokens), _BATCH)]  # fmt: skip
        return np.concatenate([np.zeros((0, self.frames, COUNT, 6), np.float32), *parts])

    def __call__(self, tokens: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Rotations of a sequence of any length.

        Windows overlap by three quarters and are blended with weights that fall to their ends. Windows without a known
        frame are left out.

        Args:
            tokens: (g, 124). known: (g,).

        Returns:
            (g, 12, 6), to be made orthogonal by `kinematics.from_6d`; NaN where no window with a known frame reaches.
        """
        count = len(tokens)
        padded = max(count, self.frames)
        last = padded - self.frames
        starts = np.union1d(np.arange(0, last, self.frames // _STRIDES), [last]).astype(np.intp)
        rows = starts[:, None] + np.arange(self.frames)
        tokens = np.pad(tokens, ((0, padded - count), (0, 0)))
        known = np.pad(known, (0, padded - count))
        some = known[rows].any(1)
        found = self.windows(tokens[rows[some]], known[rows[some]])
        weight = np.minimum(np.arange(1, self.frames + 1), np.arange(self.frames, 0, -1)).astype(np.float64)
        total, worth = np.zeros((padded, COUNT, 6)), np.zeros(padded)
        np.add.at(total, rows[some], found * weight[:, None, None])
        np.add.at(worth, rows[some], np.broadcast_to(weight, (int(some.sum()), self.frames)))
        worth = worth[:, None, None]
        return np.asarray(np.divide(total, worth, out=np.full(total.shape, np.nan), where=worth > 0)[:count])


def _open(path: Path, threads: int) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise InputError(f"cannot load the model {path}: no such file, wanted an ONNX file")
    from anchorpose.io.onnx import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class but Exception
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot load the model {path}: it is no complete ONNX file ({reason})") from error
