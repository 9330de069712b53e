from pathlib import Path

import pytest

from anchorpose.core.errors import InputError
from anchorpose.io.cards import read_card


def test_card(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    assert read_card(model) == {}
    (tmp_path / "m.json").write_text('{"preset": "m"}')
    assert read_card(model) == {"preset": "m"}
    for bad in ("[]", "{", "\udcff"):
        (tmp_path / "m.json").write_text(bad, errors="surrogateescape")
        with pytest.raises(InputError, match=r"m\.json"):
            read_card(model)
