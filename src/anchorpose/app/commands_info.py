"""`anchorpose info`: what is installed and what the embedded weights are."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import tyro

import anchorpose


@dataclass(frozen=True)
class Info:
    """Shows versions and the card of the weights."""

    model: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE", help_behavior_hint="")] = None
    """Embedded weights or an ONNX file; the embedded default unless given."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.app.estimator import find_model, known_models
        from anchorpose.app.runtime import OnnxModel
        from anchorpose.io.cards import read_card
        from anchorpose.io.onnx import onnxruntime

        rows = {
            "anchorpose": anchorpose.__version__,
            "python": platform.python_version(),
            "onnxruntime": f"{onnxruntime.__version__} ({', '.join(onnxruntime.get_available_providers())})",
            "torch": _installed("torch") or "not installed (only training needs it)",
            "embedded weights": ", ".join(known_models()) or "none",
        }
        print(_aligned(rows), flush=True)  # the versions matter most where the model is broken
        path = find_model(self.model)
        found = OnnxModel(path).metadata
        rows = {"model": str(path), "size": f"{path.stat().st_size / 1e6:.1f} MB", "preset": found.preset,
                "anchor-poses": str(found.anchors), "longer side": f"{found.max_side} pixels",
                "skeleton": found.skeleton}  # fmt: skip
        print(f"\n{_aligned(rows)}")
        if card := read_card(path):
            print(f"card\n{_indented(card)}")
        return 0


def _installed(package: str) -> str | None:
    """Version of a package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _aligned(rows: dict[str, str]) -> str:
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())


def _indented(card: dict[str, object]) -> str:
    """The card as lines `name: value`, nested objects further in; lists of plain values stay on one line."""
    lines = []
    for name, value in card.items():
        if isinstance(value, dict) and value:
            lines += [f"  {name}:", *(f"  {line}" for line in _indented(value).splitlines())]
        else:
            lines.append(f"  {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)
