"""onnxruntime, imported from here alone: its builds report their use to their maker, which this package does not.

From 1.29 on they do so unless the environment says otherwise before the first import (its Privacy.md); a call
afterwards is too late. Who wants the reports sets `ORT_DISABLE_TELEMETRY=0`.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
