from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from anchorpose.io.video.background import Background


def counting(count: int, made: list[int], closed: threading.Event | None = None) -> Iterator[int]:
    try:
        for i in range(count):
            made.append(i)
            yield i
    finally:
        if closed is not None:
            closed.set()


def wait_until(true: object, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.005)
    return bool(true())  # type: ignore[operator]


def test_order_is_kept_through_a_chain() -> None:
    first = Background(counting(500, []), 3)
    second = Background((i * i for i in first), 2)
    assert list(second) == [i * i for i in range(500)]


def test_it_runs_ahead_by_no_more_than_asked() -> None:
    made: list[int] = []
    ahead = Background(counting(100, made), 4)
    assert wait_until(lambda: len(made) >= 5)
    time.sleep(0.05)
    assert len(made) == 5  # four wait, the fifth is in the thread's hand
    assert next(ahead) == 0
    assert wait_until(lambda: len(made) >= 6)
    time.sleep(0.05)
    assert len(made) == 6
    ahead.close()


def test_live_items_are_dropped_oldest_first_and_counted() -> None:
    made: list[int] = []
    ahead = Background(counting(50, made), 4, drop=True)
    assert wait_until(lambda: len(made) == 50)
    assert list(ahead) == [46, 47, 48, 49]
    assert ahead.dropped == 46


def test_an_error_comes_where_it_was_and_only_once() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("here")

    ahead = Background(broken())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="here"):
        next(ahead)
    assert list(ahead) == []


def test_closing_closes_the_generator_in_its_thread() -> None:
    closed = threading.Event()
    ahead = Background(counting(10**9, [], closed), 2)
    assert next(ahead) == 0
    ahead.close()
    assert closed.wait(5)
    assert list(ahead) == []


def test_stop_wakes_who_waits() -> None:
    never = threading.Event()

    def hangs() -> Iterator[int]:
        never.wait(20)
        yield 1

    ahead = Background(hangs())
    threading.Timer(0.05, ahead.stop).start()
    began = time.monotonic()
    assert list(ahead) == []
    assert time.monotonic() - began < 5
    never.set()


def test_steps_overlap() -> None:
    lock, active, most = threading.Lock(), [0], [0]

    def step(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            with lock:
                active[0] += 1
                most[0] = max(most[0], active[0])
            time.sleep(0.002)
            with lock:
                active[0] -= 1
            yield item

    assert list(Background(step(Background(step(Background(step(iter(range(60))))))))) == list(range(60))
    assert most[0] == 3
