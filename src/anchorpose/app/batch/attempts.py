"""`Attempts`: where a shard's earlier workers died, so that an input that kills workers does not do so for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from anchorpose.app.batch.storage import Folder

STARTED = "_started"
MOST_DEATHS = 2
"""Workers that may die at the same input; memory runs out, decoders crash, and machines are taken away."""


@dataclass
class Attempts:
    """The notes on one shard, kept in a file while it is at work.

    A first attempt is noted once. Only a shard whose worker has died gets notes before each input, because these cost
    a write each.

    Args:
        output: the job's output. key: of the shard. count: attempts, with this one.
        deaths: workers that died at each input, by its number in the shard.
    """

    output: Folder
    key: str
    count: int = 1
    deaths: dict[int, int] = field(default_factory=dict)

    @classmethod
    def begin(cls, output: Folder, key: str) -> Attempts:
        """Notes a new attempt; a death is put down to the input that was at work in the one before.

        Raises:
            InputError: the note cannot be written.
        """
        before = output.read(f"{STARTED}/{key}.json")
        notes = cls(output, key)
        if before is not None:
            told = json.loads(before)
            notes.count = int(told["count"]) + 1
            notes.deaths = {int(number): int(count) for number, count in told["deaths"].items()}
            if told["at"] is not None:
                notes.deaths[told["at"]] = notes.deaths.get(told["at"], 0) + 1
        notes._write(None)
        return notes

    @property
    def careful(self) -> bool:
        """Whether an earlier worker has died."""
        return self.count > 1

    def refused(self, number: int) -> str | None:
        """Why an input is not tried again, if it is not."""
        if self.deaths.get(number, 0) < MOST_DEATHS:
            return None
        return (f"the worker died {self.deaths[number]} times at this input (out of memory, a crash of the decoder, or "
                "its machine went away); try it alone, or run again with --retry-failed")  # fmt: skip

    def at(self, number: int) -> None:
        """Called before each input."""
        if self.careful:
            self._write(number)

    def end(self) -> None:
        """The shard is done."""
        self.output.remove(f"{STARTED}/{self.key}.json")

    def _write(self, number: int | None) -> None:
        told = {"count": self.count, "at": number, "deaths": self.deaths}
        self.output.write(f"{STARTED}/{self.key}.json", json.dumps(told).encode())
