"""A batch: consecutive records of one partition, each finished by itself."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import ConsumerRecord
from faust.types import TP

from outreach_stream.streaming.lease import Lease

FINISHED, WAITING, CLAIMED = 0, 1, 2
"""State of a record, one byte each: 0 for finished, so that `lstrip` finds the first unfinished one."""

LEASE_POLL = 0.05
"""Seconds between two looks at a stale lease."""

_CLAIM_WAITING = bytes.maketrans(bytes([WAITING]), bytes([CLAIMED]))
_RELEASE_CLAIMED = bytes.maketrans(bytes([CLAIMED]), bytes([WAITING]))


class Gate:
    """Whether work may start in this process: no drain under way, and the lease valid."""

    __slots__ = ("draining", "lease")

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.draining = False


class Batch:
    """Consecutive records of one partition, finished one by one.

    For each record i (or for all: no index)::

        if await batch.claim(i):            # right before the side effect
            ...side effect...
            if await batch.owned():         # right before its outcome is written
                ...write the outcome, wait until it is durable...
                batch.done(i)
            else:
                batch.release(i)

    What is never done is delivered again: to the partition's next owner, or to us after the next assignment.
    `live` turns false when the partition has left; nothing that a dead batch says has any effect.
    """

    __slots__ = ("_finished", "gate", "live", "records", "states", "tp", "unfinished")

    def __init__(self, gate: Gate, tp: TP, records: Sequence[ConsumerRecord],
                 finished: Callable[[], None] = lambda: None) -> None:
        self.gate, self.tp, self.records, self._finished = gate, tp, records, finished
        self.live = True
        self.unfinished = len(records)
        self.states = bytearray([WAITING]) * len(records)

    async def claim(self, i: int | None = None) -> bool:
        """Marks record i as in work. False: the partition is leaving, do nothing. Waits while the lease is stale."""
        while self.live and not self.gate.draining:
            if self.claim_nowait(i):
                return True
            await asyncio.sleep(LEASE_POLL)
        return False

    def claim_nowait(self, i: int | None = None) -> bool:
        """As `claim`, for callers that may await nothing between a token and the call. False: not now."""
        gate = self.gate
        if not self.live or gate.draining or not gate.lease.valid():
            return False
        if i is None:
            self.states = self.states.translate(_CLAIM_WAITING)
        elif self.states[i] != FINISHED:
            self.states[i] = CLAIMED
        return True

    async def owned(self) -> bool:
        """False: the partition may have a new owner, whose table and results must not be overwritten.

        Waits while the lease is stale: cut off from the broker, we do not know yet whether we are out.
        """
        lease = self.gate.lease
        while self.live and not lease.lost():
            if lease.valid():
                return True
            await asyncio.sleep(LEASE_POLL)
        return False

    def done(self, i: int | None = None) -> None:
        """Record i is finished: its effects are durable. May be committed once all before it are."""
        if i is None:
            self.unfinished = 0
            self.states = bytearray(len(self.records))
        else:
            self.unfinished -= self.states[i] != FINISHED
            self.states[i] = FINISHED
        if not self.unfinished and self.live:
            self._finished()

    def release(self, i: int | None = None) -> None:
        """Gives a claimed record back: a drain need not wait for it, and it is delivered again."""
        if i is None:
            self.states = self.states.translate(_RELEASE_CLAIMED)
        elif self.states[i] == CLAIMED:
            self.states[i] = WAITING

    def claimed(self) -> int:
        """Records in work."""
        return self.states.count(CLAIMED)

    def first_unfinished(self) -> int:
        """Index of the oldest unfinished record; the number of records when all are finished."""
        return len(self.states) - len(self.states.lstrip(b"\0"))
