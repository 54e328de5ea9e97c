"""Work that did not come as a record: a retry that was kept in a table. It ends with the assignment, as records do."""

from typing import Any

from faust.types import TP

from outreach_stream.streaming.batch import Batch, Gate


class OwnWork:
    """Of one consumer. Nothing of it is committed: what is never done is still in its table for the next owner."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._batches: set[Batch] = set()

    def begin(self, tp: TP) -> Batch:
        """A batch of one, to be claimed, done or released at index 0; a drain waits for it while it is claimed."""
        nothing: list[Any] = [None]
        batch = Batch(self._gate, tp, nothing, lambda: self._batches.discard(batch))
        self._batches.add(batch)
        return batch

    def claimed(self) -> int:
        """Batches in work."""
        return sum(batch.claimed() for batch in self._batches)

    def close(self) -> None:
        """The assignment is over."""
        for batch in self._batches:
            batch.live = False
        self._batches.clear()
