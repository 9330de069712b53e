"""Fair order, places and what is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.serve.errors import ServiceError
from anchorpose.serve.pool import Places, WorkerPool


def in_pool(workers: int, steps: Any) -> Any:
    async def main() -> Any:
        pool = WorkerPool(workers)
        try:
            return await steps(pool)
        finally:
            pool.close()

    return asyncio.run(main())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_clients_take_turns(clients: list[str]) -> None:
    """With one worker the order is that of dealing the waiting clients' work out one by one."""
    order: list[tuple[str, int]] = []
    gate = threading.Event()

    async def steps(pool: WorkerPool) -> None:
        blocked = asyncio.ensure_future(pool.run("first", lambda alone: gate.wait(10)))
        await asyncio.sleep(0)
        asked = [asyncio.ensure_future(pool.run(c, lambda alone, e=(c, i): order.append(e)))
                 for i, c in enumerate(clients)]  # fmt: skip
        await asyncio.sleep(0)
        assert pool.waiting == len(clients)
        gate.set()
        await asyncio.gather(blocked, *asked)
        assert (pool.waiting, pool.running) == (0, 0)

    in_pool(1, steps)
    own = {c: [(c, i) for i, other in enumerate(clients) if other == c] for c in dict.fromkeys(clients)}
    expected = []
    while any(own.values()):
        expected += [work.pop(0) for work in own.values() if work]
    assert order == expected


def test_only_who_is_alone_is_told_so() -> None:
    gate = threading.Event()

    def work(alone: bool) -> bool:
        gate.wait(10)
        return alone

    async def steps(pool: WorkerPool) -> list[bool]:
        tasks = [asyncio.ensure_future(pool.run("a", work)) for _ in range(4)]
        await asyncio.sleep(0.01)
        assert (pool.running, pool.waiting) == (2, 2)
        gate.set()
        return [*await asyncio.gather(*tasks), await pool.run("a", work)]

    assert in_pool(2, steps) == [True, False, False, False, True]


def test_errors_reach_who_asked_and_cancelled_work_never_runs() -> None:
    gate, ran = threading.Event(), []

    def fails(alone: bool) -> None:
        raise ServiceError(422, "damaged", "no picture")

    async def steps(pool: WorkerPool) -> None:
        with pytest.raises(ServiceError, match="no picture"):
            await pool.run("a", fails)
        blocked = asyncio.ensure_future(pool.run("a", lambda alone: gate.wait(10)))
        left = asyncio.ensure_future(pool.run("b", lambda alone: ran.append(1)))
        await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.sleep(0)
        assert pool.waiting == 0
        gate.set()
        await blocked
        assert await pool.run("c", lambda alone: 7) == 7

    in_pool(1, steps)
    assert ran == []


def test_places_are_given_back() -> None:
    places = Places(2, "busy", "pictures", lambda: 3.2)
    with places.one():
        with places.one(), pytest.raises(ServiceError) as refused, places.one():
            pass
        assert places.taken == 1
    assert (refused.value.status, refused.value.retry_after) == (429, 3.2)
    assert refused.value.response("x").headers["Retry-After"] == "4"
    assert places.taken == 0


def test_a_task_that_is_cancelled_while_it_runs_frees_its_worker() -> None:
    gate = threading.Event()

    async def steps(pool: WorkerPool) -> int:
        running = asyncio.ensure_future(pool.run("a", lambda alone: gate.wait(10)))
        await asyncio.sleep(0.01)
        running.cancel()
        gate.set()
        return await pool.run("a", lambda alone: 5)

    first: Coroutine[Any, Any, int] | int = in_pool(1, steps)
    assert first == 5
