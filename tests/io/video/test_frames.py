from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchorpose.core.errors import InputError
from anchorpose.io.video.frames import Part


@pytest.mark.parametrize(
    ("part", "words"),
    [({"stride": 0}, "stride 0"), ({"start": -1.0}, "start -1"), ({"start": float("nan")}, "start nan"),
     ({"start": 2.0, "end": 2.0}, "more than the start"), ({"end": float("nan")}, "end nan")],
)  # fmt: skip
def test_bad_parts(part: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Part(**part)  # type: ignore[arg-type]


@given(st.integers(1, 7), st.integers(0, 40), st.integers(1, 40) | st.none(), st.integers(0, 60), st.integers(1, 60))
def test_count_is_that_of_going_through(stride: int, first: int, length: int | None, frames: int, fps: int) -> None:
    # halves between two frames, where no rounding can decide
    start, end = max(0.0, (first - 0.5) / fps), None if length is None else (first + length - 0.5) / fps
    part = Part(stride, start, end)
    wanted = [i for i in range(frames) if i / fps >= start and not part.is_over(i / fps)][::stride]
    assert part.count(frames, fps) == len(wanted)


def test_count_knows_what_cannot_be_known() -> None:
    assert Part().count(None, 25) is None
    assert Part(start=1).count(10, None) is None
    assert Part(stride=3).count(10, None) == 4
    assert Part(end=2).count(None, 25) == 50
