"""Cutting a run's recipients into chunks that are each due at one moment, and saying which is due when."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.dispatch.ports import Decided
from outreach_stream.domain.chunks import DueChunks

type DueOf = Callable[[Mapping[str, Any]], float]
"""When a recipient with these variables becomes due, in seconds since the epoch."""

AT_ONCE = 0.0


class Cutter:
    """Cuts pages of recipients; holds one open chunk for each moment, and as many moments as zones differ in (some 40).

    Chunks are numbered as they are handed out, whatever they wait for: store them in that order.
    """

    def __init__(self, run_id: str, plan_id: str, columns: Sequence[str], due_of: DueOf | None = None) -> None:
        """`due_of` None: everybody is due at once."""
        self._new = partial(Chunker, run_id, plan_id, columns, count())
        self._due_of = due_of
        self._at_once = self._new()
        self._open: dict[float, Chunker] = {AT_ONCE: self._at_once}

    def cut(self, page: Sequence[Decided]) -> list[bytes]:
        """The chunks that become full with this page."""
        full = []
        chunker, due_of = self._at_once, self._due_of
        for item in page:
            if len(item) == 2:  # noqa: PLR2004 - left out: an address and a reason
                chunk = self._at_once.skip(*item)
            else:
                email, name, variables, *doubted = item
                if due_of is not None:
                    chunker = self._due_at(due_of(variables))
                chunk = chunker.add(email, name or None, variables.values(), doubted=bool(doubted))
            if chunk is not None:
                full.append(chunk)
        return full

    def _due_at(self, at: float) -> Chunker:
        chunker = self._open.get(at)
        if chunker is None:
            chunker = self._open[at] = self._new()
        return chunker

    def close(self) -> Iterator[bytes]:
        """The rest."""
        return (chunk for chunker in self._open.values() if (chunk := chunker.close()) is not None)

    @property
    def total(self) -> int:
        """Recipients who get the mail."""
        return sum(chunker.total for chunker in self._open.values())

    @property
    def skipped(self) -> int:
        """Those who do not."""
        return sum(chunker.skipped for chunker in self._open.values())

    def due(self) -> list[DueChunks]:
        """The chunks handed out by when they are due, the earliest first; empty: all at once."""
        if self._due_of is None:
            return []
        return [DueChunks(at=at, recipients=chunker.total, chunks=chunker.closed)
                for at, chunker in sorted(self._open.items()) if chunker.closed]
