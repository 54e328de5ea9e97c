"""The folds of runs that somebody looks at: each goes on where it was when it is asked for again."""

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from dataclasses import dataclass, field

from outreach_stream.domain.events import RunStatus
from outreach_stream.gateway.runs.outcomes import Outcomes, Tallied
from outreach_stream.gateway.runs.results import Scans, Times

IDLE_SECONDS = 60.0
"""After which nobody seems to look at a run any more: its fold is dropped, and begins anew."""

KEPT = 20
"""Runs whose folds are kept at the same time; those that were asked for longest ago go first."""


@dataclass(slots=True)
class _Kept:
    tallied: Tallied
    offset: int | None = None
    """Up to where it has read; None: it has not begun."""
    complete: bool = False
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    expiry: asyncio.TimerHandle | None = None


class KeptOutcomes:
    """What came of runs, read on as far as one request may at each asking."""

    def __init__(self, scans: Scans) -> None:
        self._scans = scans
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def ask(self, status: RunStatus) -> Outcomes:
        """What came of a run so far. Who asks while another request reads is told what that has found.

        Raises `ResultsUnavailableError`.
        """
        kept = self._keep(status.run_id)
        another_reads = kept.reading.locked()
        async with kept.reading:
            if not another_reads:
                await self._read_on(kept, status)
            return kept.tallied.outcomes(complete=kept.complete)

    def _keep(self, run: str) -> _Kept:
        kept = self._kept.setdefault(run, _Kept(Tallied(run)))
        self._kept.move_to_end(run)
        if kept.expiry is not None:
            kept.expiry.cancel()
        kept.expiry = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop, run)
        while len(self._kept) > KEPT:
            self._drop(next(iter(self._kept)))
        return kept

    def _drop(self, run: str) -> None:
        kept = self._kept.pop(run)
        if kept.expiry is not None:
            kept.expiry.cancel()

    async def _read_on(self, kept: _Kept, status: RunStatus) -> None:
        async with (self._scans.open(status.run_id, Times.of(status), kept.offset) as scan,
                    aclosing(scan.batches()) as batches):
            async for batch in batches:
                kept.tallied.take(batch)
                kept.offset = scan.offset
            kept.complete = scan.done
