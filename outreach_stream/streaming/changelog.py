"""The changelog of one table partition: writes of the same moment go out together."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from faust.types import TP

from outreach_stream.streaming.produce import Record, batch_limit, check_size, produce

if TYPE_CHECKING:
    from outreach_stream.streaming.app import StreamApp


class Changelog:
    """Sends one partition's writes in order, for a few microseconds each; Faust's own way costs a hundred.

    `known` is the offset up to which the local store has everything, and `persist` notes it for the next recovery. It
    only moves over our own records, and only while they follow one another: a record between them is another writer's
    (one that was frozen and thawed), which the next recovery must still read.
    """

    def __init__(self, app: "StreamApp", tp: TP, known: int, persist: Callable[[TP, int], None]) -> None:
        self._app, self._tp, self._persist = app, tp, persist
        self.known: int | None = known
        self._waiting: list[tuple[Record, asyncio.Future[None]]] = []
        self._sending = False

    def add(self, record: Record) -> asyncio.Future[None]:
        """Queues a write; the future is done when it is durable. Raises RecordTooLarge at once."""
        check_size(record, batch_limit(self._app.aiokafka_producer))
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((record, written))
        if not self._sending:
            self._sending = True
            self._app.spawn(self._send())
        return written

    def close(self) -> None:
        """The partition has left: nothing is noted any more, what is queued still goes out."""
        self.known = None

    async def _send(self) -> None:
        group: list[tuple[Record, asyncio.Future[None]]] = []
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._send_group(group)
        finally:
            self._sending = False
            for _, written in group + self._waiting:    # only when cancelled: the worker stops
                written.cancel()

    async def _send_group(self, group: list[tuple[Record, asyncio.Future[None]]]) -> None:
        try:
            offsets = await produce(self._app.aiokafka_producer, self._tp.topic, self._tp.partition,
                                    (record for record, _ in group))
        except Exception as exc:  # noqa: BLE001  (whoever awaits the write decides)
            for _, written in group:
                if not written.done():
                    written.set_exception(exc)
            return
        self._advance(offsets)
        for _, written in group:
            if not written.done():              # its waiter was cancelled
                written.set_result(None)

    def _advance(self, offsets: list[int]) -> None:
        if self.known is None:
            return
        if offsets[0] == self.known + 1 and offsets[-1] == self.known + len(offsets):
            self.known = offsets[-1]
            self._persist(self._tp, self.known)
        else:
            self.known = None
