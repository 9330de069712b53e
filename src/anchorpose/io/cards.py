"""The card of weights: the JSON file beside the ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anchorpose.core.errors import InputError
from anchorpose.io.files import read_json


def read_card(model: Path) -> dict[str, Any]:
    """The card `NAME.json` beside `NAME.onnx`: where the weights come from and what they reach; {} without one.

    Raises:
        InputError: the card cannot be read, or is no JSON object.
    """
    path = model.with_suffix(".json")
    if not path.exists():
        return {}
    card = read_json(path, "copy the card with the weights, or remove it")
    if not isinstance(card, dict):
        raise InputError(f"the card {path} holds {type(card).__name__}, wanted a JSON object; copy it with the weights")
    return card
