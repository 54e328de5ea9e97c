"""An attempt's connection may be closed while the mail waits for its token: what then goes out, and when."""

import asyncio
from bisect import bisect_right
from typing import Any

from outreach_stream.delivery.attempt import REPLACED, Attempts
from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.item import Item
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted
from tests.messages import raw

from .fakes import FakeBatch, request

RATE, BURST, MAILS, MAIL = 40.0, 1.0, 20, raw("1", "us@x.example", "p@x.example")


class Connection:
    """Takes everything; the other side may close it."""

    handed_over = True

    def __init__(self, engine: "Engine") -> None:
        self.reusable, self._engine = True, engine

    async def hand_over(self, _: OutgoingMessage) -> Accepted:
        self._engine.sent.append((asyncio.get_running_loop().time(), self.reusable))
        return Accepted("1")


class Engine:
    """Connects at once, or all who wait at a moment that it is told; may close what it opens."""

    rate = None

    def __init__(self) -> None:
        self.open: list[Connection] = []
        self.sent: list[tuple[float, bool]] = []
        self.lets_in = asyncio.Event()
        self.lets_in.set()
        self.closes_all = False

    async def acquire(self) -> Any:
        await self.lets_in.wait()
        self.open.append(Connection(self))
        if self.closes_all:
            asyncio.get_running_loop().call_soon(self.close_all)
        return self.open[-1]

    def release(self, connection: Any) -> None:
        pass

    async def close(self) -> None:
        pass

    def close_all(self) -> None:
        for connection in self.open:
            connection.reusable = False


class Ready:
    """A witness whom nothing keeps back."""

    def halted(self) -> bool:
        return False

    async def units(self) -> float:
        return 0.0

    def unit(self) -> bool:
        return True

    def on_wire(self) -> None:
        pass

    def off_wire(self) -> None:
        pass

    async def in_doubt(self) -> None:
        pass


def begun(engine: Engine, mails: int) -> list[asyncio.Task[Any]]:
    """Mails that wait for their tokens at a desk which is paused for a moment."""
    desk = Desk.of("e", engine, Allowance(RATE, BURST, [0]), concurrency=mails, partitions=1)
    desk.own({0}, {0})
    desk.bucket.pause(0.1)
    attempts = Attempts(desk, False, desk.clock)
    return [asyncio.ensure_future(attempts.one(
        Item(FakeBatch(1, []), 0, number, request(number, deadline=1e12)), MAIL, Ready())) for number in range(mails)]


async def test_whoever_must_connect_anew_takes_a_token_anew() -> None:
    """Closed in a pause, as an idle connection is; all are let in again at one moment, and go out at the rate."""
    engine = Engine()
    mails = begun(engine, MAILS)
    await asyncio.sleep(0.02)
    engine.lets_in.clear()
    engine.close_all()
    await asyncio.sleep(0.4)
    assert engine.sent == []
    engine.lets_in.set()
    assert await asyncio.gather(*mails) == [Accepted("1")] * MAILS

    moments = [moment for moment, _ in engine.sent]
    within = max(bisect_right(moments, moment + 0.25) - i for i, moment in enumerate(moments))
    assert within <= RATE * 0.25 + BURST + 1
    assert all(stood for _, stood in engine.sent)


async def test_an_api_that_closes_every_connection_is_not_asked_for_ever() -> None:
    """After a few the attempt is made all the same: its outcome says what is wrong, and costs an attempt."""
    engine = Engine()
    engine.closes_all = True
    [mail] = begun(engine, 1)

    assert await asyncio.wait_for(mail, 5) == Accepted("1")
    assert len(engine.open) <= REPLACED + 1
