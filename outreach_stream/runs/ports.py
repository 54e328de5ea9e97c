"""The world as the run's decisions see it: two tables and a place to read what was published."""

from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence
from typing import Protocol


class Table(Protocol):
    """A table in which every writer has a copy of its own of each key; what is known is the merge of the copies."""

    def copies(self, partition: int, key: bytes) -> Iterable[tuple[bytes, bytes]]:
        """`(writer, value)` of each copy, our own latest `write` among them. Does not block for long."""

    def scan(self, partition: int, prefix: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
        """`(key, writer, value)` of all copies of the keys that begin with `prefix`; copies of a key together."""

    def write(self, partition: int, key: bytes, value: bytes) -> Awaitable[None]:
        """Replace our own copy: readable at once, durable when the awaitable is done, which raises if it fails."""


class Published(Protocol):
    """What a finished run left on the topics, in the run's partition."""

    def results(self, start: int, end: int) -> AsyncGenerator[Sequence[bytes]]:
        """Values of `send.result` from offset `start` up to before `end`, in order, many at a time.

        Raises LookupError when they are no longer kept.
        """

    async def chunk(self, offset: int) -> bytes:
        """Value of the `run.chunk` record at `offset`; raises LookupError when it is no longer kept."""
