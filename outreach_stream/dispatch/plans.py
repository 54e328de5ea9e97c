"""Which plan of a run counts, and how far it is expanded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What is noted of a run before anything of it is expanded, and after each slice."""

    offset: int
    """Of the plan in its partition: the first plan of a run there is the run's plan."""
    chunk: int = 0
    index: int = 0
    """The next recipient to be requested: place of its chunk among the plan's, in the order in which they are due (as
    long as all are due at once: its number), and place in the chunk."""
    finished: bool = False
    """Nothing is left to expand."""

    def encode(self) -> bytes:
        """The bytes in the table."""
        return orjson.dumps([self.offset, self.chunk, self.index, self.finished])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The entry that `encode` wrote."""
        return cls(*orjson.loads(data))

    @property
    def progress(self) -> tuple[bool, int, int]:
        """Grows as the plan is expanded."""
        return self.finished, self.chunk, self.index


def merged(copies: Iterable[PlanEntry]) -> PlanEntry | None:
    """What the copies of several writers say together: the earliest plan, as far as anybody expanded *that* one."""
    entries = list(copies)
    if not entries:
        return None
    first = min(entry.offset for entry in entries)
    return max((entry for entry in entries if entry.offset == first), key=lambda entry: entry.progress)
