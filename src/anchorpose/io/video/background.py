"""`Background`: an iterator that runs ahead in a thread of its own, by a bounded number of items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
_PATIENCE = 2.0
"""Seconds to wait for a thread that ends; one that hangs in a read is left behind (threads here are daemons)."""


class Background(Iterator[Item], Generic[Item]):
    """The items of `items`, in order, made by a thread that is at most `size` ahead.

    An error of `items` is raised where it would have come. `items` is only touched by the thread, which also closes
    it if it is a generator; so a chain of these overlaps all its steps without a lock.

    Args:
        items: what to run ahead.
        size: items that may wait.
        drop: when `size` items wait, throw the oldest away instead of pausing; for live sources.
    """

    def __init__(self, items: Iterable[Item], size: int = 4, drop: bool = False) -> None:
        self.dropped = 0
        self._items, self._size, self._drop = items, size, drop
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._stopped = self._finished = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __next__(self) -> Item:
        with self._changed:
            while not self._waiting and not self._finished and not self._stopped:
                self._changed.wait()
            if self._waiting and not self._stopped:
                self._changed.notify_all()
                return self._waiting.popleft()
            error, self._error = self._error, None
        if error is not None and not self._stopped:
            raise error
        raise StopIteration

    def stop(self) -> None:
        """Ends the items here and now, also for a reader that waits for the next; does not wait for the thread."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """`stop`, then waits a little for the thread to end."""
        self.stop()
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
            if (close := getattr(self._items, "close", None)) is not None:
                close()
        except BaseException as error:
            self._error = error
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        with self._changed:
            while len(self._waiting) >= self._size and not self._stopped:
                if self._drop:
                    self._waiting.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait()
            self._waiting.append(item)
            self._changed.notify_all()
            return not self._stopped
