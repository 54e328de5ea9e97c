"""What a lane says durably before it sends."""

import asyncio

from outreach_stream.delivery.covering import Covering
from outreach_stream.delivery.item import Item, LaneKey
from outreach_stream.delivery.later import PutOff

from .fakes import BULK, DurableTable, FakeBatch, request

KEY = LaneKey(BULK, 0, "e")


async def test_nobody_goes_by_a_watermark_that_is_being_written() -> None:
    """Of two that begin at a time, the one that is covered already waits until what the other covers is durable, too:
    what it looks at next is covered for certain."""
    table = DurableTable({}, b"w", [])
    covering = Covering(table, KEY, PutOff(table, KEY))
    items = [Item(FakeBatch(4, []), i, i, request(i)) for i in range(4)]
    await covering.cover(items[0], [items[1]])

    table.stalled = True
    first = asyncio.create_task(covering.cover(items[2], [items[3]]))
    await asyncio.sleep(0)
    assert covering.covers(items[3])
    second = asyncio.create_task(covering.cover(items[1], ()))
    await asyncio.sleep(0.01)
    assert not second.done()

    table.stalled = False
    await asyncio.gather(first, second)
