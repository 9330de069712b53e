"""anchorpose: people in photographs as 2D and metric 3D bodies (LCR-Net).

Importing the package loads neither torch nor onnxruntime; names below are looked up when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anchorpose.app.estimator import Estimator as Estimator
    from anchorpose.app.estimator import load as load
    from anchorpose.core.camera import Camera as Camera
    from anchorpose.core.errors import InputError as InputError
    from anchorpose.core.poses import JointState as JointState
    from anchorpose.core.poses import Poses as Poses
    from anchorpose.core.skeleton import COCO17 as COCO17
    from anchorpose.core.skeleton import LCR13 as LCR13
    from anchorpose.core.skeleton import Skeleton as Skeleton

__version__ = "0.1.0"
_HOMES = {
    "load": "app.estimator", "Estimator": "app.estimator", "Camera": "core.camera", "InputError": "core.errors",
    "JointState": "core.poses", "Poses": "core.poses", "COCO17": "core.skeleton", "LCR13": "core.skeleton",
    "Skeleton": "core.skeleton",
}  # fmt: skip
__all__ = ["COCO17", "LCR13", "Camera", "Estimator", "InputError", "JointState", "Poses", "Skeleton", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anchorpose' has no attribute {name!r}")
    return getattr(importlib.import_module(f"anchorpose.{_HOMES[name]}"), name)
