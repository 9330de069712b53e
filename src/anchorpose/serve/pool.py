"""The workers that run the network: as many at once as there are cores, clients by turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from anchorpose.serve.errors import ServiceError

T = TypeVar("T")
Work = Callable[[bool], T]
"""Is told whether it is alone, so that it may take all cores."""
_Waiting = tuple[Work[Any], "asyncio.Future[Any]"]
_MEMORY = 0.1
"""Share of the newest run in the running mean of their time."""


class WorkerPool:
    """Runs work in threads, in fair order: each client's first before anybody's second.

    To be used from one event loop.

    Args:
        workers: how many run at once.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.running = 0
        self.seconds = 0.1
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="estimate")
        self._clients: OrderedDict[str, deque[_Waiting]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Work that has not begun."""
        return sum(map(len, self._clients.values()))

    async def run(self, client: str, work: Work[T]) -> T:
        """The result of `work(alone)`, or its exception; cancelled before it begins, it never runs."""
        entry: _Waiting = (work, asyncio.get_running_loop().create_future())
        self._clients.setdefault(client, deque()).append(entry)
        self._dispatch()
        try:
            result: T = await entry[1]
            return result
        except asyncio.CancelledError:
            self._forget(client, entry)
            raise

    def close(self) -> None:
        """Waits for what runs."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _forget(self, client: str, entry: _Waiting) -> None:
        own = self._clients.get(client)
        if own is not None and entry in own:
            own.remove(entry)
            if not own:
                del self._clients[client]

    def _dispatch(self) -> None:
        while self._clients and self.running < self.workers:
            client, own = self._clients.popitem(last=False)
            entry = own.popleft()
            if own:
                self._clients[client] = own  # at the end
            alone = self.running == 0 and not self._clients
            self.running += 1
            task = asyncio.ensure_future(self._execute(entry, alone))
            task.add_done_callback(lambda _: None)

    async def _execute(self, entry: _Waiting, alone: bool) -> None:
        work, future = entry
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            result = await loop.run_in_executor(self._executor, work, alone)
        except BaseException as error:
            if not future.done():
                future.set_exception(error)
        else:
            self.seconds += _MEMORY * (loop.time() - begin - self.seconds)
            if not future.done():
                future.set_result(result)
        finally:
            self.running -= 1
            self._dispatch()


class Places:
    """A number of places; who finds none is refused.

    Args:
        total: how many there are.
        code, what: for the error.
        wait: seconds after which it may work, asked when somebody is refused.
    """

    def __init__(self, total: int, code: str, what: str, wait: Callable[[], float]) -> None:
        self.total, self.taken = total, 0
        self._code, self._what, self._wait = code, what, wait

    @contextmanager
    def one(self) -> Iterator[None]:
        """Takes a place for the time of the block.

        Raises:
            ServiceError: 429, all are taken.
        """
        if self.taken >= self.total:
            message = f"{self.taken} {self._what} are under way, at most {self.total} may be; try again later"
            raise ServiceError(429, self._code, message, self._wait())
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
