"""sweep: takes unfinished runs up again when their partition comes to us, and ends those that nobody works on."""

import asyncio

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from outreach_stream import topics
from outreach_stream.agents.track import Track
from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.tables import PartitionNotOwned

log = structlog.get_logger()

EVERY = 3_600.0
"""Seconds between two looks at the unfinished runs."""

PATIENCE = 7 * topics.DAY
"""Seconds after its deadline that a run is waited for: so much longer than the longest run the topics keep its work."""

SLICES = [f"{number:02x}" for number in range(256)]
"""How run ids begin: they are evenly spread, so each slice of a table holds up the loop for a moment only."""


class Sweep:
    """Has every run of a partition that is ours in sight, whether anything is told of it or not.

    Whoever comes back after a long time may need hours to tell what became of a run, so one is given up only if, from
    one look to the next, no end of a recipient was heard of either.
    """

    def __init__(self, app: StreamApp, track: Track, *, every: float = EVERY, patience: float = PATIENCE,
                 clock: Clock = wall_clock) -> None:
        self._app, self._track, self._clock = app, track, clock
        self._every, self._patience = every, patience
        self._sweeping: asyncio.Task[None] | None = None

    def register(self) -> None:
        """Have the app sweep; after `Track.register`."""
        self._app.on_assigned.append(self._begin)
        self._app.on_drain.append(self._stop)
        self._app.on_released.append(self._stop)

    def _begin(self, assigned: frozenset[TP]) -> None:
        self._stop()
        ours = sorted(tp.partition for tp in assigned if tp.topic == topics.RUN_EVENT.name)
        self._sweeping = self._app.spawn(self._sweep(ours))

    def _stop(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
            self._sweeping = None

    async def _sweep(self, partitions: list[int]) -> None:
        overdue: dict[int, dict[str, int]] = {}
        while True:
            try:
                for partition in partitions:
                    await self._recall(partition)
                    overdue[partition] = await self._look(partition, overdue.get(partition, {}))
            except PartitionNotOwned:
                return                          # whoever owns them now begins anew
            except Exception:
                log.exception("sweep_failed")
            await asyncio.sleep(self._every)

    async def _recall(self, partition: int) -> None:
        """Also has what was ordered of the runs while nobody was here told."""
        book = self._track.book(partition)
        for beginning in SLICES:
            book.recall(beginning)
            await asyncio.sleep(0)

    async def _look(self, partition: int, before: dict[str, int]) -> dict[str, int]:
        """The runs that are overdue now; those that were so `before`, with as many ends, are given up."""
        overdue = self._track.book(partition).overdue(self._clock() - self._patience)
        silent = [run_id for run_id, ended in overdue.items() if before.get(run_id) == ended]
        if silent and self._app.lease.valid():
            try:
                await self._track.give_up(partition, silent)
            except KafkaError as error:
                log.warning("runs_not_given_up", partition=partition, error=repr(error))
            else:
                log.warning("runs_given_up", partition=partition, runs=len(silent))
        return overdue
